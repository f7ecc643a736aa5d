"""Whatever a cluster holds, every view has something to say and none fails."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from companyos_canary.argo.cause import cause
from companyos_canary.argo.picture import look
from companyos_canary.argo.rows import verdict_row
from companyos_canary.errors import ExitCode
from companyos_canary.model.outcome import Ending
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import machine, pipe, rollouts
from companyos_canary.view.ci.summary import ending_report
from companyos_canary.view.closing import closing, verdict_line
from companyos_canary.view.lines import Facts
from companyos_canary.view.lines import plain_text as text_of
from tests import schema
from tests.builders import ANALYSIS, CANARY, NOW, PAUSE, STABLE, pause, snapshot
from tests.view.scenes import ALL, piped, screen, whole_lines

STEPS: list[dict[str, Any]] = [
    {"setWeight": 10},
    {"setWeight": 100},
    ANALYSIS,
    PAUSE,
    pause("2m"),
    pause("soon"),
    {"experiment": {"templates": []}},
    {"setCanaryScale": {"replicas": 1}},
    {"other": {}},
    {},
]
MESSAGES = ["", "RolloutAborted: x", "InvalidSpec: The Rollout is invalid", "InvalidSpec"]


HASHES = st.sampled_from([CANARY, STABLE, "gone", ""])
SCENES = st.sampled_from(sorted(ALL))
STATES = st.fixed_dictionaries(
    {
        "steps": st.lists(st.sampled_from(STEPS), max_size=6),
        "step_index": st.none() | st.integers(-1, 7),
        "phase": st.sampled_from(["", "Healthy", "Progressing", "Paused", "Degraded", "New"]),
        "message": st.sampled_from(MESSAGES),
        "current": HASHES,
        "stable_hash": HASHES,
        "replicas": st.sampled_from([0, 1, 10]),
        "updated": st.integers(0, 2),
        "total": st.integers(0, 2),
        "image": st.sampled_from(["", "api", "api:v1", "r:5000/api@sha256:0123456789abcdef"]),
        "aborted_at": st.sampled_from([None, NOW]),
        "paused": st.booleans(),
        "pause_reason": st.sampled_from(["", "CanaryPauseStep", "InconclusiveAnalysisRun"]),
        "observed": st.sampled_from([7, 8]),
    }
)


def assembled(state: dict[str, Any], scenes: tuple[str, ...]) -> Snapshot:
    """A Rollout in any state with what belongs to any scene: nothing has to fit together."""
    parts = [ALL[name]() for name in scenes]
    return replace(
        snapshot(**state),
        replicasets=parts[0].replicasets,
        pods=parts[1].pods,
        runs=parts[2].runs,
        events=parts[3].events,
    )


@settings(deadline=None)
@given(STATES, st.tuples(SCENES, SCENES, SCENES, SCENES), SCENES)
def test_every_view_has_something_to_say(state: dict[str, Any], scenes: tuple[str, ...], earlier: str) -> None:
    before, after = ALL[earlier](), assembled(state, scenes)
    assert rollouts.status_line(after, NOW)
    assert len(screen(after, NOW, Facts()).plain.split("\n")) == 24
    texts = [*whole_lines(after, NOW, Facts(60)), *piped(before, after, NOW)]
    texts.append(pipe.opening("deploy", look(after, NOW)))
    texts.append(pipe.heartbeat(look(after, NOW)))
    end = Ending("degraded", ExitCode.DEGRADED, after, after.rollout.image(), "", None, None, cause(after), NOW, NOW)
    texts += [*map(text_of, closing(end, Facts())), verdict_line(end)]
    texts += ending_report(end, Place()).summary.split("\n")
    assert all("\n" not in t and "None" not in t for t in texts)
    schema.fits("Verdict", json.loads(machine.envelope("watch", 3, verdict_row(end, look(after, NOW))))["data"])
    for event, data in schema.happened(before, after, NOW):
        schema.fits(f"watch-{event}", json.loads(machine.event_line(event, data, at=NOW, seq=1)))
