"""The control endpoint: what it tells, what it switches, and that nothing is before it."""

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.access import Roles
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.control import Control
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.sandbox import Sandbox
from companyos_canary.sandbox.scenarios import Playing, Scenario
from companyos_canary.sandbox.store import Store
from tests.clock import Clock

QUIET = {"scenario": "calm", "faults": [], "frozen": False, "frozenUntil": None}


class Panel:
    """A control endpoint in front of a handle that always answers 200."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = Cluster(Store(self.clock))
        self.playing = Playing(Scenario("calm", "calm"))
        faulty = Faulty(lambda _: Response(200, {}, b"behind"))
        self.control = Control(faulty, self.cluster, self.playing, self.clock)

    def send(self, method: str, path: str, body: str = "") -> Response:
        return self.control(Request(method, path, (), {}, body.encode()))

    def state(self) -> dict[str, Any]:
        return self.send("GET", "/sandbox").json()


@pytest.fixture
def panel() -> Panel:
    return Panel()


def test_it_tells_the_state(panel: Panel) -> None:
    assert panel.state() == QUIET
    assert panel.send("GET", "/sandbox/").json() == QUIET


@pytest.mark.parametrize("path", ["/api/v1/pods", "/sandboxes", "/"])
def test_other_paths_are_handed_on(panel: Panel, path: str) -> None:
    assert panel.send("GET", path).body == b"behind"


def test_faults_are_added_counted_and_taken_away(panel: Panel) -> None:
    posted = panel.send("POST", "/sandbox/faults", "GET 409 x1\n\nwatch   drop\n")
    assert posted.json()["faults"] == [{"rule": "GET 409 x1", "met": 0}, {"rule": "watch drop", "met": 0}]
    path = "/api/v1/pods"
    assert [panel.send("GET", path).status for _ in range(2)] == [409, 200]
    assert panel.state()["faults"][0] == {"rule": "GET 409 x1", "met": 1}
    assert panel.send("DELETE", "/sandbox/faults").json() == QUIET


def test_faults_do_not_meet_the_endpoint_itself(panel: Panel) -> None:
    panel.send("POST", "/sandbox/faults", "500")
    assert panel.send("GET", "/api/v1/pods").status == 500
    assert panel.send("DELETE", "/sandbox/faults").status == 200


def test_the_controller_is_frozen_for_a_while_or_until_it_is_thawed(panel: Panel) -> None:
    answer = panel.send("POST", "/sandbox/freeze", "90s").json()
    assert (answer["frozen"], answer["frozenUntil"]) == (True, "2026-11-23T12:01:30Z")
    panel.clock.forward(90)
    assert panel.state() == QUIET
    answer = panel.send("POST", "/sandbox/freeze").json()
    assert (answer["frozen"], answer["frozenUntil"]) == (True, None)
    panel.clock.forward(3600)
    assert panel.state()["frozen"] is True
    assert panel.send("POST", "/sandbox/thaw").json() == QUIET


def test_a_good_day_again_thaws_as_well(panel: Panel) -> None:
    assert panel.send("POST", "/sandbox/faults", "freeze\n503").json()["frozen"] is True
    assert panel.send("DELETE", "/sandbox/faults").json() == QUIET


def test_the_cluster_wakes_when_the_freeze_is_over(panel: Panel) -> None:
    panel.send("POST", "/sandbox/freeze", "30s")
    assert panel.cluster.settle(panel.clock()) == panel.clock() + timedelta(seconds=30)
    panel.clock.forward(30)
    assert panel.cluster.settle(panel.clock()) is None


def test_another_scenario_is_played_by_name_or_as_it_is_written(panel: Panel) -> None:
    assert panel.send("POST", "/sandbox/scenario", "low-traffic\n").json()["scenario"] == ("low-traffic")
    assert panel.playing.traffic() == 2
    text = "description: mine\nversions: {v1.1.*: {errors: 30%}}\n"
    assert panel.send("POST", "/sandbox/scenario", text).json()["scenario"] == "given"
    assert panel.playing.behaviour("api:v1.1.0").at(0, 0).errors == 0.3


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("POST", "/sandbox/faults", "GET 409\nwtach drop", 400, "did you mean `watch`"),
        ("POST", "/sandbox/faults", " \n", 400, "the body names no fault"),
        ("POST", "/sandbox/freeze", "soon", 400, "`freeze=soon` is no duration"),
        ("POST", "/sandbox/freeze", "1s 409", 400, "names two"),
        ("POST", "/sandbox/scenario", "flaping", 400, "did you mean `flapping`"),
        ("POST", "/sandbox/scenario", "mine.yaml", 400, "there is no scenario"),
        ("POST", "/sandbox/scenario", "traffic: 1", 400, "the scenario:1: field `description`"),
        ("PUT", "/sandbox", "", 405, "does not allow this method"),
        ("GET", "/sandbox/thaw", "", 405, "does not allow this method"),
        ("GET", "/sandbox/nosuch", "", 404, "page not found"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    panel: Panel, method: str, path: str, body: str, status: int, told: str
) -> None:
    answer = panel.send(method, path, body)
    assert (answer.status, told in answer.body.decode()) == (status, True)
    assert panel.state() == QUIET


def test_without_a_controller_of_ours_there_is_nothing_to_freeze(panel: Panel) -> None:
    left = Cluster(Store(panel.clock), controller=False)
    control = Control(Faulty(panel.control), left, panel.playing, panel.clock)
    answer = control(Request("POST", "/sandbox/freeze"))
    assert (answer.status, "there is nothing to freeze" in answer.body.decode()) == (400, True)
    assert control.state() == QUIET


def test_a_body_that_is_no_text_is_refused(panel: Panel) -> None:
    answer = panel.control(Request("POST", "/sandbox/faults", (), {}, b"\xff"))
    assert (answer.status, answer.json()["message"]) == (400, "the body is not UTF-8")


@pytest.fixture
def served() -> Iterator[tuple[Sandbox, http.client.HTTPSConnection]]:
    """A sandbox whose Role allows nothing."""
    running = Sandbox(roles=Roles(()))
    trust = ssl.create_default_context(cadata=running.ca.decode())
    host, _, port = running.url.removeprefix("https://").partition(":")
    wire = http.client.HTTPSConnection(host, int(port), context=trust, timeout=60)
    yield running, wire
    wire.close()
    running.close()


def test_it_is_reached_with_the_token_whatever_the_role(served: tuple[Sandbox, http.client.HTTPSConnection]) -> None:
    running, wire = served

    def ask(method: str, path: str, body: str = "", token: str = running.token) -> tuple[int, Any]:
        wire.request(method, path, body.encode(), {"Authorization": f"Bearer {token}"})
        answer = wire.getresponse()
        return answer.status, json.loads(answer.read())

    assert ask("GET", "/sandbox", token="wrong")[0] == 401
    assert ask("GET", "/api/v1/pods")[0] == 403
    assert ask("POST", "/sandbox/faults", "list 503 x1")[0] == 200
    assert [ask("GET", "/api/v1/pods")[0] for _ in range(2)] == [503, 403]
    assert ask("GET", "/sandbox")[1]["faults"] == [{"rule": "list 503 x1", "met": 1}]
