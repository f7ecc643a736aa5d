import subprocess
import sys

import pytest

from companyos_canary.view import rollouts
from tests.builders import NOW, STABLE, replicaset, snapshot
from tests.view.recorded import moment, recorded
from tests.view.scenes import ALL


@pytest.mark.parametrize(
    ("scene", "text"),
    [
        (
            "analysing",
            "companyos-api v1.1.0 Progressing: step 2/3, 25 %, analysing, 48s left, "
            "error-rate 1.1 %, latency-p95 201 ms, latency-ratio 1.04 x, error-ratio 1.10 x, "
            "opa-success 100.0 %",
        ),
        ("waiting", "companyos-api v1.1.0 Paused: step 1/2, 10 %, waits for a person, error-rate 1.0 %"),
        ("pausing", "companyos-api v1.1.0 Paused: step 1/2, 10 %, pause, 4m20s left"),
        ("healthy", "companyos-api v1.1.0 Healthy"),
        ("rolled_back", "companyos-api v1.1.0 Degraded: aborted, error-rate 11.2 % (limit 5 %), v1.0.0 serves"),
        (
            "no_data",
            "companyos-api v1.1.0 Progressing: step 2/3, 25 %, analysing, 48s left, "
            "error-rate no data, latency-p95 no data, latency-ratio error",
        ),
        (
            "crashing",
            "companyos-api v1.1.0 Progressing: step 1/3, 10 %, scaling, "
            "pod companyos-api-7f6c9d5b54-a: CrashLoopBackOff, 7 restarts",
        ),
        ("unobserved", "companyos-api v1.2.0 Progressing: waiting for rollout spec update to be observed"),
    ],
)
def test_one_line_says_where_it_is(scene: str, text: str) -> None:
    assert rollouts.status_line(ALL[scene](), NOW) == text


def test_the_rollout_alone_is_enough() -> None:
    alone = snapshot(replicasets=(), pods_now=())
    text = "companyos-api v1.1.0 Progressing: step 2/3, 25 %, analysing"
    assert rollouts.status_line(alone, NOW) == text


def test_the_controllers_message_stands_for_the_metric_that_was_not_read() -> None:
    failed = recorded("analysis-failed")
    alone = type(failed)(rollout=failed.rollout)
    assert rollouts.status_line(alone, moment(failed)) == (
        'companyos-api v2 Degraded: aborted, Metric "success-rate" assessed Failed due to failed (1) > failureLimit (0)'
    )


def test_an_abort_without_a_reason_is_told_from_one_by_an_analysis() -> None:
    aborted = recorded("aborted-by-hand")
    text = "companyos-api v2 Degraded: aborted (no analysis failed), v1 serves"
    assert rollouts.status_line(aborted, moment(aborted)) == text


def test_status_plain_lines_and_machine_output_load_no_rich() -> None:
    code = (
        "import sys; from companyos_canary.view import closing, machine, pipe, rollouts;"
        "print([m for m in ('rich', 'yaml', 'kubernetes', 'httpx') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_the_share_of_few_pods_is_said_where_it_is_another() -> None:
    few = {
        "steps": ({"setWeight": 10}, {"pause": {}}),
        "step_index": 1,
        "replicas": 1,
        "phase": "Paused",
        "pause_reason": "CanaryPauseStep",
    }
    told = "companyos-api v1.1.0 Paused: step 1/1, 10 % (50 % of the pods), waits for a person"
    assert rollouts.status_line(snapshot(canary=1, stable=1, **few), NOW) == told
    alone = snapshot(canary=1, stable=1, replicasets=(), pods_now=(), **few)
    assert rollouts.status_line(alone, NOW) == told
    older = replicaset(desired=0), replicaset(hash=STABLE, image="companyos-api:v1.0.0", revision=7, desired=2)
    assert "of the pods" not in rollouts.status_line(snapshot(canary=1, stable=1, replicasets=older, **few), NOW)
    half = snapshot(replicasets=(), total=2, updated=1, status={"availableReplicas": 1}, **few)
    assert "of the pods" not in rollouts.status_line(half, NOW)
