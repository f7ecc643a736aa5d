"""Every change leaves an Event on the Rollout: who did it, where, with which verb and why."""

from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.access import Attributes
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import EVENT
from tests.commands.conftest import changing, freeze
from tests.world import World


def ours(world: World) -> list[dict[str, Any]]:
    """The Events that canary left, in chronological order."""
    return [e for e in world.store.items(EVENT, "companyos") if (e.get("source") or {}).get("component") == "canary"]


def posts(world: World) -> list[Request]:
    return [r for r in world.requests if r.method == "POST"]


def said(world: World) -> list[str]:
    return [e["message"] for e in ours(world)]


@pytest.fixture
def quiet(waiting: World) -> World:
    """As `waiting`, without the Events of what made it."""
    for event in ours(waiting):
        waiting.store.delete(EVENT, "companyos", event["metadata"]["name"])
    return waiting


CHANGES = {
    ("abort", "--reason", "wrong tag"): "canary abort by ana on laptop at revision 2: wrong tag",
    ("promote",): "canary promote by ana on laptop at revision 2",
    ("promote", "--full", "--yes", "--reason", "it is late"): (
        "canary promote --full by ana on laptop at revision 2: it is late"
    ),
    ("pause", "--reason", "look first"): "canary pause by ana on laptop at revision 2: look first",
    ("undo", "--reason", "slow"): "canary undo by ana on laptop at revision 2: slow",
    ("abort", "--no-wait"): "canary abort by ana on laptop at revision 2",
}


@pytest.mark.parametrize(("command", "message"), CHANGES.items(), ids=[" ".join(c) for c in CHANGES])
def test_a_change_leaves_one_event_that_says_who_and_why(quiet: World, command: tuple[str, ...], message: str) -> None:
    assert quiet.canary(*command).code == ExitCode.OK
    assert said(quiet) == [message]
    assert len(posts(quiet)) == 1
    (event,) = ours(quiet)
    assert event["involvedObject"]["name"] == "companyos-api"
    assert event["involvedObject"]["uid"] == quiet.rollout().uid
    assert (event["type"], event["source"]["host"]) == ("Normal", "laptop")


def test_the_other_verbs_leave_one_too(quiet: World) -> None:
    for command in (("pause",), ("resume",), ("abort",), ("retry",), ("abort",), ("undo",), ("restart",)):
        assert quiet.canary(*command).code == ExitCode.OK
    assert [m.split()[1] for m in said(quiet)] == ["pause", "resume", "abort", "retry", "abort", "undo", "restart"]
    assert quiet.canary("deploy", "v1.3.0", "--no-wait").code == ExitCode.OK
    assert said(quiet)[-1] == "canary deploy by ana on laptop at revision 3"


def test_apply_leaves_one_where_it_changes_something(empty: World) -> None:
    assert empty.canary("apply", "v1.0.0").code == ExitCode.OK
    assert said(empty) == ["canary apply by ana on laptop"]
    assert empty.canary("apply").code == ExitCode.OK
    assert len(said(empty)) == 1


def test_the_event_comes_right_behind_the_change(quiet: World) -> None:
    quiet.canary("abort")
    methods = [r.method for r in quiet.requests]
    assert methods[: methods.index("POST") + 1] == ["GET", "PATCH", "POST"]


@pytest.mark.parametrize(
    "command",
    [("retry",), ("resume",), ("deploy", "v9"), ("deploy", "v1.1.0", "--no-wait"), ("abort", "--dry-run")],
    ids=" ".join,
)
def test_what_changes_nothing_leaves_none(quiet: World, command: tuple[str, ...]) -> None:
    quiet.canary(*command)
    assert changing(quiet) == []
    assert posts(quiet) == []


def test_a_change_that_the_cluster_refuses_leaves_none(quiet: World) -> None:
    quiet.allowed = lambda asked: asked.verb != "patch"
    assert quiet.canary("abort").code == ExitCode.DENIED
    assert posts(quiet) == []


def test_without_the_right_to_create_events_all_is_as_before(quiet: World) -> None:
    def others(asked: Attributes) -> bool:
        return (asked.verb, asked.resource) != ("create", "events")

    expected = "companyos-api in companyos @ sandbox is aborted: all traffic is on the stable version\n"
    quiet.allowed = others
    ran = quiet.canary("abort")
    assert (ran.code, ran.out.startswith(expected), "events" in ran.err) == (ExitCode.OK, True, False)
    assert said(quiet) == []


@pytest.mark.parametrize("status", [404, 409, 422, 500, 503, 504])
def test_an_event_that_is_not_taken_is_no_failure_and_not_sent_again(quiet: World, status: int) -> None:
    quiet.faults.add(Fault(Answer(status), method="POST", path="/events"))
    ran = quiet.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert len(posts(quiet)) == 1


def test_a_change_of_which_nobody_knows_leaves_one_once_it_is_seen(quiet: World) -> None:
    real = quiet.faults

    def lost(request: Request) -> Response:
        answer = real(request)
        return Response(504, {}, b"") if request.method == "PATCH" else answer

    quiet.faults = lost  # type: ignore[assignment]
    assert quiet.canary("pause").code == ExitCode.OK
    assert said(quiet) == ["canary pause by ana on laptop at revision 2"]


def test_a_change_of_which_nobody_knows_leaves_none_where_it_is_not_seen(quiet: World) -> None:
    freeze(quiet)
    quiet.faults.add(Fault(Answer(504), method="PATCH"))
    quiet.canary("pause")
    assert said(quiet) == []


def test_events_and_history_show_them(quiet: World) -> None:
    quiet.canary("pause", "--reason", "look first")
    quiet.canary("abort")
    assert 'message="canary pause by ana on laptop at revision 2: look first"' in quiet.canary("events").out
    newest = quiet.canary("history", "-o", "json").json["data"]["revisions"][0]
    assert [(a["verb"], a["by"], a["host"], a["reason"]) for a in newest["actions"]] == [
        ("pause", "ana", "laptop", "look first"),
        ("abort", "ana", "laptop", ""),
    ]
    assert 'actions="pause by ana on laptop: look first; abort by ana on laptop"' in quiet.canary("history").out
    assert "abort by ana on laptop" in quiet.canary("history", terminal=True).out


def test_a_deploy_is_told_at_the_revision_that_it_made(waiting: World) -> None:
    revisions = waiting.canary("history", "-o", "json").json["data"]["revisions"]
    assert [(r["revision"], [a["verb"] for a in r["actions"]]) for r in revisions] == [(2, ["deploy"]), (1, [])]


@pytest.mark.parametrize(
    "message", ["", "canary", "canary abort by x", "canary x by y on z at revision 99999999999999999999"]
)
def test_an_event_that_someone_else_wrote_so_harms_nothing(quiet: World, message: str) -> None:
    meta = {"name": "other", "namespace": "companyos"}
    about = {"kind": "Rollout", "name": "companyos-api", "namespace": "companyos", "uid": quiet.rollout().uid}
    quiet.store.create(EVENT, {"metadata": meta, "involvedObject": about, "reason": "CanaryAbort", "message": message})
    assert quiet.canary("history").code == ExitCode.OK
    assert quiet.canary("events").code == ExitCode.OK


def test_a_reason_is_one_line_without_control_characters_and_not_too_long(quiet: World) -> None:
    quiet.canary("pause", "--reason", "a\nb\x1b[31mc" + "x" * 5000, environ={"CANARY_USER": "an\na"})
    (message,) = said(quiet)
    assert message.startswith("canary pause by an a on laptop at revision 2: a b [31mcx")
    assert len(message) == 1000
