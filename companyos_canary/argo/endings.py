"""When following a rollout is over and with which word, and which facts end a release that no analysis would end soon
(`--abort-on`). Pure.

To `--abort-on` only what the cluster says of the newest version's own pods counts: that a container crashes again and
again, that an image cannot be had, or that nothing has moved for so long. Each condition tells the fact that met it.
"""

import re
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.effects import drained
from companyos_canary.argo.patches.record import abort_action
from companyos_canary.argo.phase import is_degraded, shown_phase, waits_for_a_person
from companyos_canary.argo.pods import pod_status, restarts
from companyos_canary.argo.steps import FULL_WEIGHT, asked_share, percent, step_number, steps_of
from companyos_canary.errors import UsageError
from companyos_canary.model.abort_on import OF_PODS, AbortOn
from companyos_canary.model.outcome import AbortReason, EndKind
from companyos_canary.model.quantity import format_duration, plural, whole
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot

_UNTIL = r"(healthy|paused)|step=([0-9]+)|weight=([0-9.]+)"
_WEIGHT = r"[0-9]{1,4}(?:[.][0-9]{1,3})?"


class Until(Struct, frozen=True):
    """The state that a user waits for. `value` is a step, counted from 1 as
    screens do, or a weight in percent."""

    kind: Literal["healthy", "paused", "step", "weight"] = "healthy"
    value: float = 0

    @classmethod
    def parse(cls, text: str) -> "Until":
        """`healthy`, `paused`, `step=N`, `weight=N`; UsageError for anything else."""
        found = re.fullmatch(_UNTIL, text.strip())
        if not found:
            raise UsageError(
                f"--until `{text}` is not a state to wait for", hint="use healthy, paused, step=N or weight=N"
            )
        if found[1]:
            return cls("healthy" if found[1] == "healthy" else "paused")
        if found[2]:
            number = whole(found[2])
            if number < 1:
                raise UsageError(f"--until `{text}`: a step is 1 or more, as `canary get` counts them")
            return cls("step", number)
        return cls("weight", parse_weight(found[3], f"--until `{text}`"))


def parse_weight(text: str, given: str) -> float:
    """A weight in percent as it was typed; UsageError for what no step can have. `given` names what was typed."""
    weight = float(text) if re.fullmatch(_WEIGHT, text) else 0
    if not 0 < weight <= FULL_WEIGHT:
        raise UsageError(
            f"{given}: a weight is more than 0 and at most 100 percent",
            hint="`canary get` shows the weights of the steps",
        )
    return int(weight) if int(weight) == weight else weight


UNTIL_HEALTHY = Until()


class Followed(Struct, frozen=True):
    """What is being followed: one pod template, known by its hash once the controller shows it."""

    image: str
    hash: str
    container: str


def impossible(rollout: Rollout, until: Until) -> str:
    """Why a state can never be reached; empty if it can."""
    if rollout.blue_green and until.kind in ("step", "weight"):
        return f"`{rollout.name}` is blue-green: it has no steps and no weights to wait for"
    steps = len(steps_of(rollout))
    if until.kind == "step" and until.value > steps:
        return f"`{rollout.name}` has {steps} steps: there is no step {until.value} to wait for"
    return ""


def ended(
    rollout: Rollout, followed: Followed, until: Until, *, attended: bool, stable: int | None = None
) -> EndKind | None:
    """The word for how it ended; None while it continues. An abort is over when its pods are gone; `stable` as in
    `drained`."""
    if not rollout.observed:
        return None
    if rollout.current_hash != followed.hash:
        return _replaced(rollout, followed)
    phase = shown_phase(rollout).word
    if phase == "Healthy" and rollout.is_fully_promoted:
        return "healthy" if until.kind == "healthy" else "reached"
    if rollout.aborted:
        if phase != "Degraded" or not drained(rollout, stable):
            return None
        return "superseded" if abort_action(rollout.annotations).get("superseded_by") else "rolled-back"
    if is_degraded(rollout):
        return "degraded"
    if _reached(rollout, until):
        return "reached"
    if waits_for_a_person(rollout) and not attended:
        return "paused"
    return None


def _replaced(rollout: Rollout, followed: Followed) -> EndKind:
    if rollout.current_hash == rollout.stable_hash and followed.hash != rollout.stable_hash:
        return "reverted"
    return "superseded"


def _reached(rollout: Rollout, until: Until) -> bool:
    if until.kind == "paused":
        return waits_for_a_person(rollout)
    if until.kind == "step":
        return (step_number(rollout) or 0) >= until.value
    if until.kind == "weight":
        return rollout.step_index is not None and _settled_weight(rollout) >= until.value
    return False


def _settled_weight(rollout: Rollout) -> float:
    """The weight whose step is done: a setWeight still in progress does not count yet."""
    step = rollout.current_step
    if step is not None and step.kind == "setWeight":
        earlier = rollout.steps[: rollout.step_index]
        return percent(rollout, next((s.weight for s in reversed(earlier) if s.weight is not None), 0))
    return asked_share(rollout)


class LastMove(Struct, frozen=True):
    """What has moved last in an update: `seen` are its template, its step and its pods, `since` when that was new."""

    seen: tuple[object, ...] = ()
    since: datetime | None = None

    def after(self, snapshot: Snapshot, now: datetime) -> "LastMove":
        rollout, current = snapshot.rollout, snapshot.current
        counts = (current.desired, current.replicas, current.ready, current.available) if current else ()
        seen = (rollout.current_hash, rollout.step_index, counts)
        return self if seen == self.seen and _should_move(snapshot) else replace(self, seen=seen, since=now)


UNMOVED = LastMove()


def abort_reason(wanted: AbortOn, snapshot: Snapshot, moved: LastMove, now: datetime) -> AbortReason | None:
    """The first condition that holds for the version in progress; None also if there is none."""
    rollout = snapshot.rollout
    if not rollout.observed or rollout.is_fully_promoted or rollout.aborted or not rollout.stable_hash:
        return None
    own = [(p, pod_status(p)) for p in snapshot.pods if p.hash == rollout.current_hash and not p.deleting]
    for word in wanted.words:
        for pod, status in own:
            if status.removeprefix("Init:") in OF_PODS[word]:
                again = restarts(pod)
                times = f" after {plural(again, 'restart')}" if again and word == "crashloop" else ""
                return AbortReason(condition=word, evidence=f"pod {pod.name} is in {status}{times}")
    current = snapshot.current
    if wanted.stuck and current and moved.since and _should_move(snapshot) and now - moved.since >= wanted.stuck:
        span = format_duration(now - moved.since)
        evidence = f"{current.ready} of {current.desired} canary pods are ready, and nothing has moved for {span}"
        return AbortReason(condition=f"stuck={format_duration(wanted.stuck)}", evidence=evidence)
    return None


def _should_move(snapshot: Snapshot) -> bool:
    """Pods are missing, and no person keeps it where it is."""
    current = snapshot.current
    held = snapshot.rollout.paused or waits_for_a_person(snapshot.rollout) or snapshot.stale_since is not None
    return current is not None and current.ready < current.desired and not held
