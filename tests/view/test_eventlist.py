"""Events as a list."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from companyos_canary.argo.picture import look
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event
from companyos_canary.view.events import event_lines, events_lines, plain, short_names, subject
from companyos_canary.view.lines import Facts
from companyos_canary.view.lines import plain_text as text
from tests.builders import CANARY, NAME, NOW, STABLE, event, snapshot

POD = f"{NAME}-{CANARY}-x2k1z"
PULL = (
    'Failed to pull image "companyos-api:v1.1.0": rpc error: code = NotFound desc = failed to pull '
    "and unpack image: manifest unknown"
)
EVENTS = (
    event("RolloutUpdated", "Rollout updated to revision 8", at=NOW - timedelta(days=2)),
    event("ScalingReplicaSet", f"Scaled up ReplicaSet {NAME}-{CANARY} (revision 8) from 0 to 1"),
    event("SuccessfulCreate", f"Created pod: {POD}", kind="ReplicaSet", name=f"{NAME}-{CANARY}"),
    event("SuccessfulDelete", "Deleted pod", kind="ReplicaSet", name=f"{NAME}-{STABLE}"),
    Event(NOW, "Warning", "Failed", "Pod", POD, PULL, 12),
    event(
        "MetricFailed",
        "Metric 'error-rate' Completed. Result: Failed",
        type="Warning",
        kind="AnalysisRun",
        name=f"{NAME}-{CANARY}-8-3",
    ),
    event("Killing", "Stopping container", kind="Pod", name=f"{NAME}-5d8f7c9b6d-abcde"),
    Event(None, "", "", "Service", NAME, "", 1),
)


def scene() -> Snapshot:
    return snapshot(events=EVENTS)


@pytest.mark.parametrize("facts", [Facts(80), Facts(60, unicode=False)])
def test_the_list(facts: Facts, same_as_file: Callable[[str, str], None]) -> None:
    shown = [text(line) for line in event_lines(EVENTS, look(scene(), NOW), facts)]
    same_as_file(f"events-{facts.width}", "\n".join(shown))
    assert all(len(line) <= facts.width for line in shown)


def test_a_pipe_gets_whole_names(same_as_file: Callable[[str, str], None]) -> None:
    same_as_file("events-pipe", "\n".join(map(plain, EVENTS)))


def test_warnings_are_marked_and_coloured() -> None:
    (line, *_) = event_lines([EVENTS[4]], look(scene(), NOW), Facts())
    assert "!" in line[0]
    assert line[1][1] == "warning"


@pytest.mark.parametrize(("phase", "mark"), [("Pending", ""), ("Running", ""), ("Successful", ""), ("Failed", "! ")])
def test_a_warning_that_an_experiment_goes_well_is_none(phase: str, mark: str) -> None:
    told = event(f"AnalysisRun{phase}", f"AnalysisRun 'errors' transitioned from  -> {phase}", type="Warning")
    (line,) = events_lines(look(snapshot(events=[told]), NOW), Facts(), 5)
    assert text(line).split(maxsplit=1)[1] == f"{mark}experiment's analysis errors: {phase}"


def test_what_an_event_is_about() -> None:
    picture = look(scene(), NOW)
    assert [subject(e, picture) for e in EVENTS] == [
        "rollout",
        "rollout",
        "canary set",
        "stable set",
        "canary x2k1z",
        "run 8-3",
        "old abcde",
        "service",
    ]


def test_names_are_short_and_versions_stand_for_replicasets() -> None:
    picture = look(scene(), NOW)
    assert short_names(f"Created pod: {POD}", picture) == "Created pod: x2k1z"
    assert short_names(f"Created ReplicaSet {NAME}-{CANARY}", picture) == ("Created ReplicaSet v1.1.0")
