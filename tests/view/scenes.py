"""Moments of one story, built: what the screens, lines and records are tested with."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace
from rich.ansi import AnsiDecoder
from rich.text import Text

from companyos_canary.argo.events import events
from companyos_canary.argo.picture import look
from companyos_canary.diagnosis.table import seen
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Live, LiveMetric, Missing, Snapshot
from companyos_canary.view import pipe
from companyos_canary.view import screen as view
from companyos_canary.view.lines import Facts, plain_text
from companyos_canary.view.panels import Desk
from companyos_canary.view.screen import whole_screen
from tests.builders import (
    ANALYSIS,
    CANARY,
    GUIDE_STEPS,
    NOW,
    PAUSE,
    STABLE,
    event,
    metric_object,
    pause,
    pod,
    pods,
    replicaset,
    result_object,
    run,
    snapshot,
)

GOOD = {
    "error-rate": ("[0.008]", "[0.011]", "[0.009]"),
    "latency-p95": ("[0.18]", "[0.201]", "[0.184]"),
    "latency-ratio": ("[0.99]", "[1.04]", "[1.02]"),
    "error-ratio": ("[0.7]", "[1.1]", "[0.9]"),
    "opa-success": ("[0.999]", "[1]", "[0.999]"),
}
FAILED = 'Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)'
ABORTED = f"RolloutAborted: Rollout aborted update to revision 8: Step-based analysis phase error/failed: {FAILED}"


def ago(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def first_run() -> AnalysisRun:
    return run(
        [result_object(k, [*v, v[-1]], phase="Successful") for k, v in GOOD.items()],
        step_index=1,
        phase="Successful",
        started_at=NOW - ago(190),
        completed_at=NOW - ago(68),
    )


def second_run(bad: int = 0) -> AnalysisRun:
    """Two of four measurements made; so many of them failed for error-rate."""
    results = [result_object(k, v[:2]) for k, v in GOOD.items() if k != "error-rate"]
    values = [["[0.008]", "[0.011]"], ["[0.041]", "[0.112]"], ["[0.098]", "[0.112]"]][bad]
    phases = ["Successful"] * (2 - bad) + ["Failed"] * bad
    return run([result_object("error-rate", values, phases), *results])


def analysing() -> Snapshot:
    """In the second step, all is well."""
    events = [
        event("RolloutUpdated", "Rollout updated to revision 8", at=NOW - ago(192)),
        event("RolloutStepCompleted", "Rollout step 2/6 completed (analysis)", at=NOW - ago(5)),
        event(
            "ScalingReplicaSet",
            f"Scaled up ReplicaSet companyos-api-{CANARY} (revision 8) from 1 to 3",
            at=NOW - ago(3),
        ),
    ]
    return snapshot(runs=[first_run(), second_run()], events=events)


def failing() -> Snapshot:
    """One bad measurement: the limit forgives one."""
    return snapshot(runs=[first_run(), second_run(bad=1)])


def rolled_back() -> Snapshot:
    """Aborted by the analysis, all pods of the canary gone."""
    failed = [result_object(k, v[:2], phase="Successful") for k, v in GOOD.items()][1:]
    bad = result_object("error-rate", ["[0.098]", "[0.112]"], ["Failed"] * 2, phase="Failed")
    ended = run([bad, *failed], phase="Failed", message=FAILED, completed_at=NOW)
    return snapshot(
        runs=[first_run(), ended], canary=0, stable=10, phase="Degraded", message=ABORTED, aborted_at=NOW, step_index=0
    )


def no_data() -> Snapshot:
    """No one calls the canary: two metrics have no answer, one is NaN, one cannot be asked."""
    held = ["Inconclusive"] * 2
    return snapshot(
        runs=[
            run(
                [
                    result_object("error-rate", ["[]", "[]"], held),
                    result_object("latency-p95", ["[NaN]", "[NaN]"], held),
                    result_object("latency-ratio", ["", ""], ["Error"] * 2) | {"measurements": [_away(), _away()]},
                ]
            )
        ]
    )


def _away() -> dict[str, str]:
    refused = 'Post "http://prometheus:9090/api/v1/query": dial tcp: connect: connection refused'
    return {"phase": "Error", "value": "", "message": refused}


def waiting() -> Snapshot:
    """An endless pause, and an analysis in the background."""
    background = run([result_object("error-rate", ["[0.01]"])], step_index=None)
    return snapshot(
        steps=({"setWeight": 10}, PAUSE, {"setWeight": 50}, pause("5m")),
        canary=1,
        stable=9,
        step_index=1,
        phase="Paused",
        message="CanaryPauseStep",
        runs=[background],
        pause_reason="CanaryPauseStep",
        pause_started=NOW - ago(40),
    )


def pausing() -> Snapshot:
    """A pause of five minutes, forty seconds old."""
    return snapshot(
        steps=({"setWeight": 10}, pause("5m"), {"setWeight": 50}, pause(90)),
        canary=1,
        stable=9,
        step_index=1,
        phase="Paused",
        message="CanaryPauseStep",
        pause_reason="CanaryPauseStep",
        pause_started=NOW - ago(40),
    )


def held() -> Snapshot:
    """Paused by hand while an analysis runs."""
    return snapshot(runs=[second_run()], paused=True, phase="Paused", message="manually paused")


def scaling() -> Snapshot:
    """25 % asked, one of three pods is there."""
    return snapshot(
        step_index=2,
        runs=[first_run()],
        replicasets=[replicaset(ready=1), replicaset(hash=STABLE, desired=8, revision=7, image="companyos-api:v1.0.0")],
        pods_now=[pod("a"), pod("b", waiting="ContainerCreating"), pod("c", ready=False)],
    )


def bad_image() -> Snapshot:
    """Twelve canary pods that cannot pull their image."""
    message = 'Back-off pulling image "companyos-api:v1.1.0": manifest unknown'
    stuck = [pod(f"p{n:02}", waiting="ImagePullBackOff", message=message) for n in range(12)]
    return snapshot(
        replicas=40,
        step_index=2,
        total=40,
        canary=12,
        stable=30,
        replicasets=[
            replicaset(desired=12, ready=0),
            replicaset(hash=STABLE, desired=30, revision=7, image="companyos-api:v1.0.0"),
        ],
        pods_now=[*stuck, *pods(30, hash=STABLE)],
    )


def crashing() -> Snapshot:
    """One pod is restarted again and again, one leaves."""
    return snapshot(
        step_index=0,
        canary=1,
        replicasets=[
            replicaset(desired=1, replicas=2, ready=0),
            replicaset(hash=STABLE, desired=10, revision=7, image="companyos-api:v1.0.0"),
        ],
        pods_now=[pod("a", waiting="CrashLoopBackOff", restarts=7), pod("b", deleting=True)],
    )


def healthy() -> Snapshot:
    """v1.1.0 is stable; two older revisions are kept."""
    old = [
        replicaset(hash=h, desired=0, revision=r, image=f"companyos-api:v{v}")
        for h, r, v in ((STABLE, 7, "1.0.0"), ("5d8f7c9b6d", 6, "0.9.9"))
    ]
    return snapshot(
        phase="Healthy",
        message="",
        stable_hash=CANARY,
        canary=10,
        stable=0,
        step_index=6,
        replicasets=[replicaset(desired=10), *old],
        pods_now=pods(10),
    )


def many_steps() -> Snapshot:
    """Ten weights: too many for a bar each."""
    steps = [s for w in range(10, 101, 10) for s in ({"setWeight": w}, ANALYSIS)]
    return snapshot(steps=steps, step_index=7, runs=[second_run()], canary=4, stable=6)


def lonely_metric() -> Snapshot:
    """A metric of someone's own, with two limits and no count."""
    mine = metric_object("queue-depth", successCondition="result[0] > 1 && result[0] < 9000", count="")
    return snapshot(runs=[run([result_object("queue-depth", ["[1234]"])], metrics=[mine])])


def extreme() -> Snapshot:
    """200 pods, names of 60 characters, 12 metrics, messages in wide characters."""
    name = "a-rollout-with-quite-a-long-name-as-some-people-like-to-have"
    asked = [*GOOD, *(f"自作の指標-{n}-with-a-name-that-goes-on-and-on" for n in range(7))]
    values = {n: GOOD.get(n, ("[3]", "[4]", "[2]")) for n in asked}
    judged = run([result_object(k, v) for k, v in values.items()], metrics=[metric_object(k) for k in asked])
    message = "イメージを取得できません: マニフェストが見つかりません (" + "長い" * 30 + ")"
    stuck = [pod(f"p{n:02}", waiting="ImagePullBackOff", message=message) for n in range(20)]
    said = [event("Failed", message, at=NOW - ago(n), type="Warning") for n in range(9)]
    found = snapshot(
        replicas=200,
        total=200,
        canary=0,
        stable=150,
        runs=[judged],
        events=said,
        replicasets=[
            replicaset(desired=50, ready=0),
            replicaset(hash=STABLE, desired=150, revision=7, image="companyos-api:v1.0.0"),
        ],
        pods_now=[*stuck, *pods(30), *pods(150, hash=STABLE)],
    )
    return replace(found, rollout=replace(found.rollout, name=name))


def lost() -> Snapshot:
    """The connection is gone for twelve seconds; events may not be read."""
    return snapshot(
        runs=[second_run()], stale_since=NOW - ago(12), notes=("events cannot be listed: no right to `list events`",)
    )


def unobserved() -> Snapshot:
    """The new image is written, the controller has not looked yet."""
    return snapshot(
        generation=9,
        observed=8,
        phase="Healthy",
        message="",
        current=STABLE,
        step_index=6,
        image="companyos-api:v1.2.0",
        canary=0,
        stable=10,
    )


ALL = {
    f.__name__: f
    for f in (
        analysing,
        failing,
        rolled_back,
        no_data,
        waiting,
        pausing,
        held,
        scaling,
        bad_image,
        crashing,
        healthy,
        many_steps,
        lonely_metric,
        lost,
        unobserved,
        extreme,
    )
}
GUIDE = GUIDE_STEPS


def prometheus(share: float = 0.17, decisions: int = 64) -> Live:
    """Prometheus next to `analysing`: the canary has fewer requests than it should."""
    few: Missing = "" if decisions >= 100 else "too few requests"
    good = None if few else 0.999
    return Live(
        NOW,
        "http://prometheus.monitoring:9090",
        (
            LiveMetric("error-rate", 0.009, 0.01, 2140, needed=100),
            LiveMetric("latency-p95", 0.184, 0.181, 2140, needed=100),
            LiveMetric("latency-ratio", 1.02, None, 2140, needed=100, compares=True),
            LiveMetric("error-ratio", 0.9, None, 2140, needed=100, compares=True),
            LiveMetric("opa-success", good, 0.999, decisions, needed=100, missing=few),
        ),
        share=share,
    )


def piped(before: Snapshot | None, after: Snapshot, now: datetime, *, place: Place | None = None) -> list[str]:
    """What a pipe gets between two looks, without times."""
    was, picture = look(before, now, place) if before else None, look(after, now, place)
    return [pipe.event_words(event, picture) for event in events(was, picture)]


def whole_lines(snapshot: Snapshot, now: datetime, facts: Facts, *, place: Place | None = None) -> tuple[str, ...]:
    """What `canary get` prints."""
    return tuple(map(plain_text, whole_screen(look(snapshot, now, place), facts, "all")))


def on_terminal(rows: Iterable[str]) -> Text:
    """What a terminal shows of rows that `ink` has made."""
    read = AnsiDecoder()
    return Text("\n").join(map(read.decode_line, rows))


_DARK = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_COLOURS = (*_DARK, *(f"bright_{name}" for name in _DARK))


def colour_names(text: Text, words: str = "") -> set[str]:
    """The colours of these words, or of anything."""
    at = text.plain.index(words) if words else 0
    end = at + len(words) if words else len(text)
    covering = [s for s in text.spans if s.start < end and s.end > at]
    return {re.sub(r"color\((\d+)\)", lambda m: _COLOURS[int(m[1])], str(s.style)) for s in covering}


def screen(
    snapshot: Snapshot,
    now: datetime,
    facts: Facts,
    *,
    place: Place | None = None,
    live: Live | None = None,
    desk: Desk | None = None,
    leave: str = "",
) -> Text:
    """A frame of the live screen, as `watch` makes it of what the cluster said."""
    return on_terminal(view.screen(seen(snapshot, now, place, live), facts, desk=desk, leave=leave))
