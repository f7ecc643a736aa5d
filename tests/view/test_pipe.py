import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from companyos_canary.analysis.evidence import MARK
from companyos_canary.argo.events import Noted, PodsReady, Replaced, awaits_a_verdict, events, untold
from companyos_canary.argo.picture import look
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import format as keyed
from companyos_canary.view import pipe
from tests.builders import ANALYSIS, NOW, PAUSE, metric_object, pause, replicaset, result_object, rollout, run, snapshot
from tests.view.scenes import ABORTED, ALL, analysing, bad_image, failing, first_run, piped, rolled_back, second_run

PLACE = Place(context="prod-eu")


def awaits(moment: Snapshot) -> bool:
    return awaits_a_verdict(look(moment, NOW))


def told(*moments: Snapshot) -> list[str]:
    """The lines of a story without their times."""
    found: list[str] = []
    previous: Snapshot | None = None
    for moment in moments:
        found += piped(previous, moment, NOW, place=PLACE)
        previous = moment
    return found


def first_step(**fields: object) -> Snapshot:
    return snapshot(**{"step_index": 0, "canary": 1, "stable": 10, **fields})


def test_a_rollout_that_is_rolled_back_is_told_change_by_change() -> None:
    starting = first_step(replicasets=[replicaset(desired=1, ready=0)], pods_now=())
    first = first_step(step_index=1, stable=9, runs=[replace(first_run(), phase="Running")])
    scaling = snapshot(step_index=2, canary=1, stable=9, runs=[first_run()])
    twice = snapshot(runs=[first_run(), second_run(bad=2)])
    story = told(starting, first, scaling, analysing(), failing(), twice, rolled_back())
    assert story == [
        "step 1/3 weight=10",
        "analysis running run=companyos-api-7f6c9d5b54-8-1 takes=2m",
        "pods ready canary=1 stable=9",
        "step 1/3 passed error-rate=0.009 latency-p95=0.184 latency-ratio=1.02 error-ratio=0.9 opa-success=0.999",
        "step 2/3 weight=25",
        "analysis running run=companyos-api-7f6c9d5b54-8-3 takes=2m",
        "pods ready canary=3 stable=8",
        "metric error-rate failing value=0.112 limit=0.05 failed=1/2",
        "metric error-rate failing value=0.112 limit=0.05 failed=2/2",
        "pods ready canary=0 stable=10",
        "aborted metric=error-rate value=0.112 limit=0.05 "
        'message="RolloutAborted: Rollout aborted update to revision 8: Step-based analysis phase '
        'error/failed: Metric \\"error-rate\\" assessed Failed due to failed (2) > '
        'failureLimit (1)"',
    ]


def test_a_rollout_that_ends_well_says_so() -> None:
    last = snapshot(step_index=5, canary=5, stable=5)
    finishing = snapshot(step_index=6, canary=10, stable=2)
    assert told(last, finishing, ALL["healthy"]())[-4:] == [
        "step 3/3 done",
        "finishing pods=10/10",
        "pods ready canary=10 stable=2",
        "healthy version=v1.1.0 pods=10/10",
    ]


@pytest.mark.parametrize(
    ("scene", "line"),
    [
        ("waiting", 'waits for a person next="canary promote" back="canary abort"'),
        ("held", 'paused by hand next="canary resume" back="canary abort"'),
        ("pausing", "pause takes=5m"),
        ("no_data", "metric error-rate no-data"),
        (
            "no_data",
            'metric latency-ratio error message="Post \\"http://prometheus:9090/api/v1/'
            'query\\": dial tcp: connect: connection refused"',
        ),
        (
            "bad_image",
            'pod companyos-api-7f6c9d5b54-p00 ImagePullBackOff message="Back-off pulling'
            ' image \\"companyos-api:v1.1.0\\": manifest unknown"',
        ),
        ("crashing", "pod companyos-api-7f6c9d5b54-a CrashLoopBackOff restarts=7"),
        ("lost", "no connection since=12:04:21"),
        ("lost", 'note text="events cannot be listed: no right to `list events`"'),
    ],
)
def test_what_holds_at_the_start_is_said(scene: str, line: str) -> None:
    assert line in told(ALL[scene]())


def test_a_pod_problem_is_said_once_for_its_reason() -> None:
    assert sum("ImagePullBackOff" in line for line in told(bad_image(), bad_image())) == 1


def test_a_metric_that_recovers_is_said() -> None:
    good = second_run()
    after = snapshot(runs=[first_run(), good])
    assert told(failing(), after)[-1] == "metric error-rate ok value=0.011 limit=0.05"


def test_a_connection_that_comes_back_is_said() -> None:
    assert told(ALL["lost"](), analysing())[-1] == "connection back"


def test_another_version_starts_its_own_story() -> None:
    other = snapshot(
        current="5f6a7b8c9d",
        revision=9,
        image="companyos-api:v1.2.0",
        step_index=0,
        canary=0,
        replicasets=[replicaset(hash="5f6a7b8c9d", revision=9, image="companyos-api:v1.2.0", desired=1, ready=0)],
    )
    assert told(analysing(), other)[-2:] == ["revision 9 version=v1.2.0", "step 1/3 weight=10"]


@settings(deadline=None)
@given(st.sampled_from(sorted(ALL)))
def test_where_nothing_changed_nothing_is_said(scene: str) -> None:
    assert piped(ALL[scene](), ALL[scene](), NOW + timedelta(minutes=1)) == []


@settings(deadline=None)
@given(st.sampled_from(sorted(ALL)), st.sampled_from(sorted(ALL)))
def test_a_line_is_one_line_without_escapes(before: str, after: str) -> None:
    for line in piped(ALL[before](), ALL[after](), NOW):
        assert line.isprintable()


def test_opening_and_heartbeat() -> None:
    assert pipe.opening("deploy", look(analysing(), NOW, PLACE)) == (
        "deploy companyos-api version=v1.1.0 was=v1.0.0 namespace=companyos context=prod-eu revision=8"
    )
    assert pipe.heartbeat(look(failing(), NOW)) == (
        "still analysing step=2/3 weight=25 left=48s error-rate=0.112 latency-p95=0.201 "
        "latency-ratio=1.04 error-ratio=1.1 opa-success=1"
    )
    assert pipe.heartbeat(look(ALL["healthy"](), NOW)) == "still healthy"


@settings(deadline=None)
@given(st.text())
def test_a_quoted_value_is_one_word_or_json(value: str) -> None:
    text = keyed.quoted(value)
    assert " " not in text or json.loads(text) == " ".join(value.split())


def test_pods_are_said_when_all_are_there_not_one_by_one() -> None:
    one = snapshot(replicasets=[replicaset(desired=3, ready=1)], pods_now=())
    two = replace(one, replicasets=(replicaset(desired=3, ready=2),))
    assert told(one, two) == told(one)


def test_metrics_may_have_any_name() -> None:
    names = ["words", "left", "self", "two words"]
    results = [result_object(n, ["[1]"]) for n in names]
    moment = snapshot(runs=[run(results, metrics=[metric_object(n) for n in names])])
    assert pipe.heartbeat(look(moment, NOW)).endswith(" left=48s words=1 self=1 two-words=1")
    over = tuple(replace(r, phase="Successful") for r in moment.runs)
    passed = told(moment, snapshot(step_index=4, runs=over))
    assert "step 2/3 passed words=1 left=1 self=1 two-words=1" in passed


def test_a_retry_and_an_abort_are_told_when_the_controller_has_acted() -> None:
    """Recorded in abort-then-retry: the patch is there some milliseconds before the phase."""
    sent = replace(
        ALL["waiting"](),
        rollout=rollout(
            aborted_at=NOW, phase="Paused", message="CanaryPauseStep", step_index=1, pause_reason="CanaryPauseStep"
        ),
    )
    over = rolled_back()
    retried = replace(over, rollout=rollout(phase="Degraded", message=ABORTED, step_index=0))
    assert told(ALL["waiting"](), sent)[-1] == "aborting"
    assert told(over, retried) == told(over)


def test_a_step_that_was_promoted_without_a_verdict_is_not_said_to_have_passed() -> None:
    over = replace(first_run(), phase="Inconclusive")
    before = first_step(step_index=1, runs=[over], pause_reason="InconclusiveAnalysisRun")
    after = snapshot(step_index=2, runs=[over])
    assert 'step 1/3 skipped reason="went on without a verdict"' in told(before, after)
    assert "passed" not in " ".join(told(before, after))


def test_a_full_promote_passes_nothing() -> None:
    after = snapshot(step_index=6, runs=[replace(first_run(), message="Run Terminated")], status={"promoteFull": True})
    story = told(first_step(step_index=1, runs=[replace(first_run(), phase="Running")]), after)
    assert [line.partition(" reason")[0] for line in story if line.startswith("step ")] == [
        "step 1/3 weight=10",
        "step 1/3 skipped",
        "step 2/3 skipped",
        "step 3/3 skipped",
    ]


def test_a_pause_does_not_borrow_the_values_of_another_step() -> None:
    steps = ({"setWeight": 10}, ANALYSIS, {"setWeight": 25}, pause("5s"), {"setWeight": 50}, PAUSE)
    fields = {"steps": steps, "runs": [first_run()]}
    story = told(snapshot(step_index=3, **fields), snapshot(step_index=4, **fields))
    assert "step 2/3 pause-over" in story


def test_a_verdict_that_comes_after_the_rollout_moved_on_is_said_then() -> None:
    late = snapshot(step_index=2, runs=[replace(first_run(), phase="Running")])
    begun = first_step(step_index=1, runs=late.runs)
    assert not any(line.startswith("step 1/3 passed") for line in told(begun, late))
    lines = told(late, analysing())
    assert sum(line.startswith("step 1/3 passed error-rate=0.009 ") for line in lines) == 1


def test_few_pods_make_another_share_than_the_step_asks_for() -> None:
    before = snapshot(step_index=1, replicas=1, canary=0, stable=1)
    after = snapshot(step_index=1, replicas=1, canary=1, stable=1)
    assert "pods ready canary=1 stable=1 share=50" in told(before, after)


def test_a_lost_connection_is_said_in_the_place_of_time_that_runs() -> None:
    assert pipe.heartbeat(look(ALL["lost"](), NOW)) == ("still no connection since=12:04:21")


def test_an_abort_by_an_analysis_is_said_when_its_metrics_are_known() -> None:
    """Each kind is watched by itself: the Rollout may be aborted before its run has Failed."""
    over = rolled_back()
    early = replace(over, runs=(first_run(), second_run(bad=1)))
    assert not any(line.startswith("aborted") for line in told(failing(), early))
    late = told(early, over)
    assert late[-1].startswith("aborted metric=error-rate value=0.112 limit=0.05 ")
    assert late[-2].startswith("metric error-rate failing ")


def test_an_abort_by_hand_waits_for_no_metric() -> None:
    message = "RolloutAborted: Rollout aborted update to revision 8"
    by_hand = snapshot(
        runs=[first_run(), second_run()],
        canary=0,
        stable=10,
        phase="Degraded",
        message=message,
        aborted_at=NOW,
        step_index=0,
    )
    assert told(analysing(), by_hand)[-1] == f'aborted message="{message}"'


def test_pods_that_come_and_go_are_said_once() -> None:
    there, other, note = PodsReady(3, 8, None), PodsReady(5, 5, None), Noted("something else")
    _, last = untold(events(None, look(analysing(), NOW)), None)
    assert last == there
    assert untold([there, note], last) == ([note], there)
    assert untold([other], last) == ([other], other)
    next_one = [Replaced(9, "v1.2.0"), there]
    assert untold(next_one, last) == (next_one, there)


def test_a_heartbeat_has_no_values_of_an_earlier_run() -> None:
    begun = snapshot(runs=[first_run(), run([])])
    assert pipe.heartbeat(look(begun, NOW)) == "still analysing step=2/3 weight=25 left=48s"


def test_a_metric_may_be_called_as_a_key_of_ours() -> None:
    judged = run(
        [result_object("reason", ["[0.01]"] * 4, phase="Successful")],
        step_index=1,
        phase="Successful",
        metrics=[metric_object("reason")],
        started_at=NOW,
        completed_at=NOW,
    )
    before = snapshot(runs=[run([], step_index=1)], step_index=1)
    after = snapshot(runs=[judged], step_index=2)
    assert any("step 1/3 passed reason=0.01" in line for line in piped(before, after, NOW))


def test_a_step_whose_verdict_is_on_its_way_is_not_settled() -> None:
    running = run([result_object("error-rate", ["[0.01]"])], step_index=1)
    assert awaits(snapshot(runs=[running], step_index=2))
    ended = replace(running, phase="Successful")
    assert not awaits(snapshot(runs=[ended], step_index=2))
    assert not awaits(snapshot(runs=[running], step_index=1))


def counting(**values: str) -> AnalysisRun:
    """A run of metrics that answer a row each: value, z, bad requests, requests."""
    query = {"prometheus": {"address": "http://prometheus:9090", "query": f"label_replace(x, '', {MARK})"}}
    asked = [{"name": name, "provider": query, "successCondition": "result[0] < 0.05"} for name in values]
    return run([result_object(name, [value]) for name, value in values.items()], metrics=asked)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({"error-rate": "[0.0107,0.2,4.4,412.3]"}, "error-rate=0.0107 n=412"),
        ({"a": "[1,0,0,412]", "b": "[2,0,0,60]"}, "a=1 b=2 n=60"),
        ({"a": "[7]"}, "a=7"),
        ({"n": "[7,0,0,412]"}, "n=7"),
    ],
    ids=["one", "the fewest of several", "nobody counts", "a metric's own name goes first"],
)
def test_the_requests_behind_the_values_are_told(measured: dict[str, str], said: str) -> None:
    assert pipe.heartbeat(look(snapshot(runs=[counting(**measured)]), NOW)).endswith(f" {said}")
