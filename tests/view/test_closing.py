from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from companyos_canary.argo.cause import cause
from companyos_canary.cli import VERBS
from companyos_canary.errors import ExitCode
from companyos_canary.model.outcome import Cause, Ending, EndKind, PodProblem
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.closing import closing, verdict_line
from companyos_canary.view.lines import Facts, plain_text
from companyos_canary.view.screen import closing_screen
from tests.builders import CANARY, NAME, NOW, STABLE, replicaset, snapshot
from tests.view.recorded import recorded
from tests.view.scenes import ALL, analysing, bad_image, healthy, on_terminal, rolled_back, waiting


def closing_text(end: Ending, facts: Facts, *, place: Place | None = None) -> tuple[str, ...]:
    """The sentences without roles."""
    return tuple(plain_text(line) for line in closing(end, facts, place=place))


def ending(kind: EndKind, moment: Snapshot, exit_code: ExitCode, **fields: Any) -> Ending:
    given: dict[str, Any] = {
        "image": "companyos-api:v1.1.0",
        "stable_image": "companyos-api:v1.0.0",
        "weight": 25,
        "step": 3,
        "cause": cause(moment),
        "started_at": NOW - timedelta(minutes=4),
        "at": NOW,
    }
    return Ending(kind=kind, exit_code=exit_code, snapshot=moment, **{**given, **fields})


def superseded() -> Snapshot:
    return snapshot(image="companyos-api:v1.2.0", revision=9, current="5f6a7b8c9d")


def reverted() -> Snapshot:
    return snapshot(image="companyos-api:v1.0.0", revision=9)


def deadline() -> Snapshot:
    return snapshot(
        phase="Degraded",
        step_index=0,
        canary=1,
        message=f'ProgressDeadlineExceeded: ReplicaSet "{NAME}-{CANARY}" has timed out progressing.',
        replicasets=bad_image().replicasets,
        pods_now=bad_image().pods[:2],
    )


def by_hand() -> Snapshot:
    message = "RolloutAborted: Rollout aborted update to revision 8"
    return snapshot(phase="Degraded", message=message, aborted_at=NOW, step_index=0, canary=0, stable=10)


ENDINGS: dict[str, Ending] = {
    "healthy": ending("healthy", healthy(), ExitCode.OK, cause=None, weight=100, step=6),
    "reached": ending("reached", analysing(), ExitCode.OK, cause=None),
    "rolled-back": ending("rolled-back", rolled_back(), ExitCode.DEGRADED),
    "rolled-back-by-hand": ending("rolled-back", by_hand(), ExitCode.DEGRADED),
    "degraded": ending("degraded", deadline(), ExitCode.DEGRADED, weight=10, step=0),
    "paused": ending("paused", waiting(), ExitCode.UNFINISHED, weight=10, step=1),
    "superseded": ending("superseded", superseded(), ExitCode.SUPERSEDED),
    "reverted": ending("reverted", reverted(), ExitCode.SUPERSEDED),
    "timeout": ending("timeout", bad_image(), ExitCode.TIMEOUT),
    "interrupted": ending("interrupted", analysing(), ExitCode.INTERRUPTED),
}


def test_every_ending_has_its_sentences(same_as_file: Callable[[str, str], None]) -> None:
    text = ""
    for name, end in ENDINGS.items():
        lines = [*closing_text(end, Facts()), verdict_line(end)]
        text += "\n".join([f"[{name}]", *lines, ""]) + "\n"
    same_as_file("closing", text.rstrip())


@pytest.mark.parametrize("name", ENDINGS)
def test_only_verbs_that_exist_are_named(name: str) -> None:
    commands = [
        part[0]
        for line in closing(ENDINGS[name], Facts())
        for part in line
        if not isinstance(part, str) and part[1] == "hint"
    ]
    assert all(c.split()[0] == "canary" and c.split()[1] in VERBS for c in commands)


def test_commands_name_the_rollout_where_no_file_does() -> None:
    lines = closing_text(ENDINGS["rolled-back"], Facts(), place=Place(target=("api", "shop")))
    assert lines[-3:] == (
        "  look: canary get api -n shop",
        "  undo: canary undo api -n shop",
        "  next: canary deploy VERSION --rollout api -n shop",
    )


def test_the_verdict_names_metric_value_and_limit() -> None:
    assert verdict_line(ENDINGS["rolled-back"]) == (
        "verdict=rolled-back version=v1.1.0 stable=v1.0.0 step=2/3 weight=25 metric=error-rate "
        "value=0.112 limit=0.05 exit=3"
    )


def test_a_rollback_that_was_recorded_says_why() -> None:
    failed = recorded("analysis-failed")
    end = ending("rolled-back", failed, ExitCode.DEGRADED, image="companyos-api:v2", weight=20)
    assert closing_text(end, Facts(100, unicode=False))[0] == (
        "x v2 was rolled back at 20 %: success-rate 50.0 % (limit >= 95 %) in 1 of 2 measurements"
    )


def test_colour_only_repeats_the_words() -> None:
    end = replace(ENDINGS["rolled-back"])
    shown = on_terminal(closing_screen(end, Facts()))
    assert tuple(shown.plain.split("\n"))[1:] == closing_text(end, Facts())[1:]
    assert not on_terminal(closing_screen(end, Facts(colour=False))).spans


def test_a_time_limit_that_was_nearly_over_before_the_release_began_is_no_time_of_zero() -> None:
    """`deploy --supersede` waits for the old version first."""
    end = replace(ENDINGS["timeout"], started_at=NOW - timedelta(seconds=0.3))
    assert closing_text(end, Facts(200))[0].startswith("! v1.1.0 did not get there in time: it is at 25 %")


def test_all_scenes_can_end_in_every_way() -> None:
    for scene in ALL.values():
        for end in ENDINGS.values():
            moment = scene()
            other = replace(end, snapshot=moment, cause=cause(moment), weight=None, step=None)
            text = "\n".join((*closing_text(other, Facts()), verdict_line(other)))
            assert "None" not in text
            assert verdict_line(other).endswith(f"exit={int(end.exit_code)}")


def said(kind: EndKind, moment: Snapshot, **fields: Any) -> str:
    return " ".join(closing_text(ending(kind, moment, ExitCode.TIMEOUT, **fields), Facts(200)))


def test_what_was_lost_from_sight_is_not_said_to_go_on() -> None:
    for kind in ("interrupted", "timeout"):
        text = said(kind, ALL["lost"]())
        assert "last seen at 25 %, at 12:04:21" in text
        assert "continues" not in text


def test_what_is_held_is_resumed_and_does_not_go_on() -> None:
    for kind in ("paused", "interrupted", "timeout", "reached"):
        text = said(kind, ALL["held"]())
        assert "canary resume" in text
        assert "canary promote" not in text
        assert "the rollout continues" not in text


def test_who_paused_it_and_how_often_it_started_are_said_as_they_are() -> None:
    assert said("paused", ALL["held"]()).startswith("‖ v1.1.0 is paused by hand at 25 %")
    pods = (PodProblem("p", "CrashLoopBackOff", "", 1),)
    assert "CrashLoopBackOff, 1 restart " in said("degraded", waiting(), cause=Cause("", pods=pods))


def test_a_pause_under_analysis_may_still_be_aborted() -> None:
    assert "the analysis keeps running, and can still abort it" in said("paused", waiting())
    assert "may still abort" not in said("paused", replace(waiting(), runs=()))


def test_a_promote_that_would_be_refused_is_not_named() -> None:
    assert "canary promote" not in said("reached", analysing())
    assert "canary promote" in said("interrupted", waiting())


def test_what_was_over_already_took_no_time() -> None:
    assert said("healthy", healthy(), started_at=NOW).endswith("has all traffic")


def test_the_real_share_is_said_where_few_pods_cannot_have_the_weight() -> None:
    assert "rolled back at 10 % (50 % of the pods): " in said("rolled-back", rolled_back(), weight=10, share=50)
    assert "of the pods" not in said("rolled-back", rolled_back(), weight=25, share=27)
    assert "waits for a person at 10 % (50 % of the pods, step " in said("paused", waiting(), weight=10, share=50)
    reached = said("reached", analysing(), weight=25, share=50, wanted=20)
    assert "has reached 25 % (50 % of the pods, at least 20 %, step " in reached


def test_traffic_is_not_said_to_be_back_while_a_canary_pod_serves() -> None:
    leaving = replace(
        rolled_back(),
        replicasets=(
            replicaset(desired=1, replicas=2, ready=2),
            replicaset(hash=STABLE, desired=10, ready=9, revision=7, image="companyos-api:v1.0.0"),
        ),
    )
    text = "\n".join(closing_text(ending("rolled-back", leaving, ExitCode.DEGRADED), Facts(100)))
    assert "traffic goes back to v1.0.0 (9/10 ready, the canary still has 2)" in text
