"""A verb for several Rollouts at once: names, a selector, one line each, the worst exit code."""

import json
from functools import partial
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.api.access import Attributes
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import changing, freeze, paused_world, sized
from tests.prototypes import begun
from tests.turns import take_turns
from tests.world import MANUAL, World

NAMES = ("companyos-api", "shop", "web")


@pytest.fixture
def three(tmp_path: Path) -> World:
    """companyos-api, shop and web all wait for a person at 10 % of v1.1.0; the last two are of team checkout."""
    few = sized(MANUAL, 4)
    return begun("three", few, tmp_path, lambda *given: _with_two_more(paused_world(*given)))


def _with_two_more(waiting: World) -> World:
    first = waiting.store.read(ROLLOUT, "companyos", "companyos-api")
    for name in NAMES[1:]:
        live = json.loads(json.dumps(first))
        live["metadata"] = {"name": name, "namespace": "companyos", "labels": {"team": "checkout"}}
        live["spec"]["selector"] = {"matchLabels": {"app": name}}
        live["spec"]["template"]["metadata"]["labels"] = {"app": name}
        live["spec"]["replicas"] = 2
        live["spec"]["strategy"]["canary"] = {"steps": [{"setWeight": 10}, {"pause": {}}]}
        live["spec"]["template"]["spec"]["containers"][0]["image"] = f"{name}:v1.0.0"
        live.pop("status", None)
        waiting.store.create(ROLLOUT, live)
    waiting.advance(4)
    for name in NAMES[1:]:
        waiting.until(lambda r: r.observed and r.is_fully_promoted, name=name)
    for name in NAMES[1:]:
        assert waiting.canary("deploy", "v1.1.0", "--rollout", name, "--no-wait").code == ExitCode.OK
    waiting.advance(4)
    for name in NAMES[1:]:
        waiting.until(lambda r: bool(r.pause_conditions), name=name)
    waiting.requests.clear()
    return waiting


def aborted(world: World) -> list[str]:
    return [name for name in NAMES if world.rollout(name).aborted]


def test_each_that_is_named_is_aborted_and_has_one_line(three: World) -> None:
    ran = three.canary("abort", "web", "shop")
    assert ran.code == ExitCode.OK, ran
    assert aborted(three) == ["shop", "web"]
    assert ran.out.splitlines() == [
        f"{name} in companyos @ sandbox is aborted: all traffic is on the stable version" for name in ("web", "shop")
    ]
    assert ran.err.startswith("acting on web, shop in companyos @ sandbox\n")


@pytest.mark.parametrize("form", ["ro/{}", "rollout/{}", "rollouts/{}", "rollout.argoproj.io/{}"])
def test_names_are_taken_as_kubectl_and_o_name_print_them(three: World, form: str) -> None:
    assert three.canary("abort", form.format("web"), form.format("shop")).code == ExitCode.OK
    assert aborted(three) == ["shop", "web"]
    assert three.canary("status", form.format("web"), "--field", "rollout").out == "web\n"


def test_the_names_that_list_prints_can_be_handed_on(three: World) -> None:
    names = three.canary("list", "-l", "team=checkout", "-o", "name").out.split()
    assert three.canary("pause", *names).code == ExitCode.OK
    assert [three.rollout(n).paused for n in NAMES] == [False, True, True]


def test_a_selector_means_all_that_have_these_labels(three: World) -> None:
    ran = three.canary("abort", "-l", "team=checkout")
    assert ran.code == ExitCode.OK, ran
    assert aborted(three) == ["shop", "web"]
    assert "acting on shop, web in companyos" in ran.err


@pytest.mark.parametrize("selector", ["", " ", "team in checkout", "=x"])
def test_a_selector_that_is_none_changes_nothing(three: World, selector: str) -> None:
    assert three.canary("abort", "-l", selector).code == ExitCode.USAGE
    assert changing(three) == []


def test_a_selector_that_nothing_has_is_5(three: World) -> None:
    assert three.canary("abort", "-l", "team=nobody").code == ExitCode.NOT_FOUND


def test_names_and_a_selector_exclude_each_other(three: World) -> None:
    assert three.canary("abort", "web", "-l", "team=checkout").code == ExitCode.USAGE
    assert changing(three) == []


def test_a_name_that_cannot_be_one_stops_all_of_them(three: World) -> None:
    assert three.canary("abort", "web", "../secrets").code == ExitCode.USAGE
    assert three.requests == []


def test_every_abort_is_sent_before_the_first_one_is_at_its_end(three: World) -> None:
    three.together = partial(take_turns, three)
    sent = []
    three.on_wait.append(lambda: sent.append(len(changing(three))))
    assert three.canary("abort", *NAMES).code == ExitCode.OK
    assert aborted(three) == list(NAMES)
    assert sent[0] == len(NAMES)


def test_one_that_fails_keeps_no_other_from_being_aborted(three: World) -> None:
    ran = three.canary("abort", "nobody", "web", "shop")
    assert ran.code == ExitCode.NOT_FOUND
    assert aborted(three) == ["shop", "web"]
    assert "error: Rollout `nobody` not found in namespace `companyos`" in ran.err
    assert len(ran.out.splitlines()) == 2


def test_a_name_is_put_before_an_error_that_has_none(three: World) -> None:
    def others(asked: Attributes) -> bool:
        return asked.verb != "patch" or asked.name != "web"

    three.allowed = others
    ran = three.canary("abort", "web", "shop")
    assert ran.code == ExitCode.DENIED
    assert aborted(three) == ["shop"]
    assert [line for line in ran.err.splitlines() if line.startswith("error: ") and "web" in line]


def test_a_refusal_weighs_less_than_one_of_which_nobody_knows(three: World) -> None:
    assert three.canary("retry", "web", "shop").code == ExitCode.REFUSED
    assert three.canary("retry", "web", "nobody").code == ExitCode.NOT_FOUND


def test_without_a_controller_each_is_9(three: World) -> None:
    freeze(three)
    ran = three.canary("pause", "web", "shop")
    assert ran.code == ExitCode.UNOBSERVED
    assert len(ran.out.splitlines()) == 2


def test_scripts_get_a_list_in_the_order_of_the_names(three: World) -> None:
    found = three.canary("abort", "web", "nobody", "companyos-api", "-o", "json").json
    assert found["exit_code"] == ExitCode.NOT_FOUND
    assert found["errors"] == []
    each = found["data"]["rollouts"]
    assert [(r["rollout"], r["exit_code"]) for r in each] == [("web", 0), ("nobody", 5), ("companyos-api", 0)]
    assert [e["code"] for r in each for e in r["errors"]] == ["not-found"]
    assert each[0]["observed"] is True
    assert "observed" not in each[1]


def test_a_selector_gives_scripts_a_list_also_of_one(three: World) -> None:
    three.canary("abort", "web")
    ran = three.canary("abort", "-l", "team=checkout", "--field", "rollouts.1.rollout", "--field", "rollouts.1.sent")
    assert ran.out == "web\nfalse\n"


def test_one_name_is_answered_as_ever(three: World) -> None:
    assert three.canary("abort", "web", "-o", "json").json["data"]["rollout"] == "web"
    assert three.canary("abort", "shop", "shop", "-o", "json").json["data"]["rollout"] == "shop"


def test_a_dry_run_shows_the_requests_of_each_and_sends_none(three: World) -> None:
    ran = three.canary("abort", "web", "shop", "--dry-run")
    assert [line.rsplit("/", 2)[1] for line in ran.out.splitlines() if line.startswith("PATCH ")] == ["web", "shop"]
    assert changing(three) == []
    assert len(three.canary("abort", "web", "shop", "--dry-run", "-o", "yaml").out.split("---")) == 2


def test_ctrl_c_says_of_each_whether_it_was_sent(three: World) -> None:
    def leave(works: object) -> None:
        works[0]()  # type: ignore[index]
        raise KeyboardInterrupt

    three.together = leave
    ran = three.canary("abort", "web", "shop", "-o", "json")
    assert ran.code == ExitCode.INTERRUPTED
    assert [r["exit_code"] for r in ran.json["data"]["rollouts"]] == [0, ExitCode.INTERRUPTED]
    assert "shop: interrupted" in ran.err
    assert aborted(three) == ["web"]


def test_tab_offers_those_that_are_not_named_yet(three: World) -> None:
    ran = three.canary(environ={"_CANARY_COMPLETE": "canary abort ro/web companyos-api "})
    assert ran.out == "shop\tPaused\n"
