"""Following one pod template to its end: what `deploy` and `watch` wait with.

The template is known by the hash that the controller shows for it, not by the image's name: two
revisions may have the same image, and someone may put another one in its place.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.cause import TIMED_OUT, cause, pod_problems, says_no_reason
from companyos_canary.argo.endings import UNMOVED, Followed, LastMove, Until, abort_reason, ended
from companyos_canary.argo.phase import invalid_spec, waits_for_a_person
from companyos_canary.argo.pods import pod_share
from companyos_canary.argo.steps import max_weight, set_weight
from companyos_canary.cluster.feed import Feed
from companyos_canary.errors import DeniedError, ExitCode, Gone, Untrusted
from companyos_canary.model.abort_on import NEVER, AbortOn
from companyos_canary.model.image import image_of
from companyos_canary.model.outcome import AbortReason, Cause, Ending, EndKind, PodProblem
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot


class Track(Struct, frozen=True):
    """`step` and `weight`: how far it had come (an abort sets both back to 0), `share` of the pods
    it had there. `pods`: what kept its pods from starting, and `troubled` where that was seen; they are gone
    once it is rolled back."""

    step: int | None = None
    weight: int | None = None
    share: int | None = None
    pods: tuple[PodProblem, ...] = ()
    troubled: Snapshot | None = None

    def after(self, snapshot: Snapshot, hash: str) -> "Track":  # noqa: A002 - the field's own word
        """With another snapshot; one of another pod template tells nothing."""
        rollout = snapshot.rollout
        if rollout.current_hash != hash:
            return self
        found = pod_problems(snapshot)
        track = replace(self, pods=self._problems(snapshot, found), troubled=self._troubled(snapshot, found))
        if rollout.aborted or rollout.step_index is None:
            return track
        return replace(track, step=rollout.step_index, weight=set_weight(rollout), share=pod_share(snapshot))

    def _problems(self, snapshot: Snapshot, found: tuple[PodProblem, ...]) -> tuple[PodProblem, ...]:
        """The newest of each pod, the one that waits longest for its image or next start first. All
        is forgotten once the pods that are wanted are ready."""
        current = snapshot.current
        if current is not None and 0 < current.desired <= current.ready:
            return ()
        newest = {p.pod: p for p in self.pods}
        for problem in found:
            # Between two starts a crashing pod is Running, or Error, for a moment.
            if problem.reason.endswith("BackOff") or problem.pod not in newest:
                newest[problem.pod] = problem
        return tuple(sorted(newest.values(), key=lambda p: not p.reason.endswith("BackOff")))

    def _troubled(self, snapshot: Snapshot, found: tuple[PodProblem, ...]) -> Snapshot | None:
        """The newest Snapshot in which a pod waits for its image or next start, else in which one has any trouble."""
        current = snapshot.current
        if current is not None and 0 < current.desired <= current.ready:
            return None
        waits = any(p.reason.endswith("BackOff") for p in found)
        return snapshot if waits or (found and self.troubled is None) else self.troubled

    def explaining(self, cause: Cause | None) -> Cause | None:
        """A deadline that passed is explained by the pods that did not start; so is an abort
        without a reason, which may be one. Only the message of the abort says which it was."""
        if cause is None or cause.metrics or cause.pods or cause.by_hand:
            return cause
        if TIMED_OUT not in cause.message and not says_no_reason(cause.message):
            return cause
        return replace(cause, pods=self.pods)


OBSERVED_WITHIN = timedelta(seconds=30)
READ_WITHIN = timedelta(seconds=45)  # one request may take 30
ABORTS_AGAIN = timedelta(seconds=5)
REFUSED_FOR = timedelta(minutes=1)
TICK = 1.0

EXIT: dict[EndKind, ExitCode] = {
    "healthy": ExitCode.OK,
    "reached": ExitCode.OK,
    "rolled-back": ExitCode.DEGRADED,
    "degraded": ExitCode.DEGRADED,
    "paused": ExitCode.UNFINISHED,
    "superseded": ExitCode.SUPERSEDED,
    "reverted": ExitCode.SUPERSEDED,
    "timeout": ExitCode.TIMEOUT,
    "interrupted": ExitCode.INTERRUPTED,
}

_Show = Callable[[Snapshot], float | None]
"""Shows a snapshot; the answer is in how many seconds it wants to be called again at most."""


class Following(Struct, frozen=True):
    """How to follow. `timeout` is how long it should take, None for no end; time in which the rollout
    waits for a person does not count. `deadline`: when the time that the user gave is over, whatever
    happens. The hash is only believed once the controller has seen `generation` of the
    Rollout and `workload_generation` of the Deployment that it takes its pods from. `uid`: that of the
    Rollout that is meant; empty for any. `image`: the one that we set; where the controller first shows
    another, ours was superseded before it began. Empty: whatever is there is followed. `stay`: no end is
    one, and the next version is followed after this one. `abort_on`: facts that make it call `abort`, which
    says whether that was sent; where it was not it is tried again."""

    container: str
    until: Until
    timeout: timedelta | None
    attended: bool
    generation: int = 0
    workload_generation: int = 0
    uid: str = ""
    image: str = ""
    stay: bool = False
    deadline: datetime | None = None
    abort_on: AbortOn = NEVER
    abort: Callable[[AbortReason], bool] = lambda _: False

    def shown_by(self, rollout: Rollout) -> bool:
        """Whether the controller has seen the change, and shows a hash for it. The watch of a
        Deployment may be behind that of the Rollout: its image is believed when it is not."""
        read = rollout.workload_generation
        return (
            rollout.observed
            and rollout.generation >= self.generation
            and rollout.workload_observed >= self.workload_generation
            and (read is None or read >= self.workload_generation)
            and bool(rollout.current_hash or invalid_spec(rollout))
        )

    def is_about_another(self, snapshot: Snapshot) -> bool:
        """What is there is the attempt before ours, which the controller has not seen yet."""
        rollout = snapshot.rollout
        unfinished = bool(rollout.current_hash) and not rollout.is_fully_promoted
        return bool(self.generation) and unfinished and not (self.shown_by(rollout) and snapshot.is_looked_at)


class Guard(Struct):
    """Looks for the facts of `--abort-on`; `reason` is what it has aborted for."""

    wanted: AbortOn
    abort: Callable[[AbortReason], bool]
    moved: LastMove = UNMOVED
    reason: AbortReason | None = None
    not_before: datetime | None = None

    def look(self, snapshot: Snapshot, now: datetime) -> None:
        self.moved = self.moved.after(snapshot, now)
        waits = self.not_before is not None and now < self.not_before
        found = None if self.reason or waits else abort_reason(self.wanted, snapshot, self.moved, now)
        if found is None:
            return
        if self.abort(found):
            self.reason = found
        else:
            self.not_before = now + ABORTS_AGAIN


def _read(feed: Feed, following: Following) -> Snapshot | None:
    """The newest Snapshot. Raises Gone where another Rollout has the name of the one that is followed."""
    snapshot = feed.snapshot()
    if snapshot is not None and following.uid not in ("", snapshot.rollout.uid):
        raise Gone(f"`{snapshot.rollout.name}` was deleted and created again while it was watched")
    return snapshot


def identify(
    feed: Feed, following: Following, now: Callable[[], datetime], show: _Show, idle: Callable[[], None] = lambda: None
) -> Followed | None:
    """The template that is to be followed, once the controller shows it; None if it does not
    within 30 seconds in which the cluster could be read, where that fails for longer than one request may take, or
    where nothing of it was read before the deadline. `idle` is called while there is nothing to show."""
    patience, last = {True: OBSERVED_WITHIN, False: READ_WITHIN}, now()
    while True:
        snapshot = _read(feed, following)
        read, soon = snapshot is not None and snapshot.stale_since is None, None
        patience[read] -= now() - last
        last = now()
        if snapshot is None or following.is_about_another(snapshot):
            idle()
        else:
            soon = show(snapshot)
            rollout = snapshot.rollout
            if following.shown_by(rollout) and snapshot.is_looked_at:
                image = rollout.image(following.container)
                ours = not image or following.image in ("", image)
                shown = rollout.current_hash if ours else ""
                return Followed(following.image or image, shown, following.container)
        if following.deadline is not None and following.deadline <= last and snapshot is not None:
            image = following.image or snapshot.rollout.image(following.container)
            return Followed(image, snapshot.rollout.current_hash, following.container)
        ends = (*patience.values(), following.deadline - last if following.deadline else OBSERVED_WITHIN)
        left = min(ends).total_seconds()
        if left <= 0:
            return None
        feed.wait(min(TICK, left, TICK if soon is None else soon))


def follow(feed: Feed, followed: Followed, following: Following, now: Callable[[], datetime], show: _Show) -> Ending:
    """Shows every change (and each second, for what counts down) until it ends. Ctrl-C is an
    ending too: the rollout itself continues."""
    began = now()
    deadline = following.deadline or (None if following.timeout is None else began + following.timeout)
    track, guard = Track(), Guard(following.abort_on, following.abort)
    kind: EndKind | None = None
    snapshot = _read(feed, following)
    try:
        while kind is None:
            soon = None
            if snapshot is not None:
                followed = _next(snapshot.rollout, followed, following)
                track = track.after(snapshot, followed.hash)
                soon = show(snapshot)
                if following.shown_by(snapshot.rollout) and snapshot.rollout.current_hash == followed.hash:
                    guard.look(snapshot, now())
                kind = _ended(snapshot, followed, following)
                if kind is not None:
                    break
                if deadline is not None and now() >= deadline:
                    kind = "timeout"
                    break
            if not following.attended and _for_good(feed, now()) and feed.trouble:
                raise feed.trouble
            looked = now()
            feed.wait(_pause(deadline, looked, soon))
            if deadline is not None and not following.deadline and snapshot and waits_for_a_person(snapshot.rollout):
                deadline += now() - looked
            snapshot = _read(feed, following)
    except KeyboardInterrupt:
        kind = "interrupted"
    if snapshot is None:
        raise AssertionError("a rollout that was identified has a snapshot")
    track, stable = _of_what_was_looked_at(track, snapshot), snapshot.stable
    return Ending(
        kind=kind,
        exit_code=EXIT[kind],
        snapshot=snapshot,
        image=followed.image,
        stable_image=image_of(stable.containers, followed.container) if stable else "",
        weight=track.weight,
        max_weight=max_weight(snapshot.rollout),
        step=track.step,
        cause=None if kind in ("healthy", "reached") else track.explaining(cause(snapshot, now())),
        started_at=began,
        at=now(),
        share=track.share,
        wanted=following.until.value if following.until.kind == "weight" else None,
        abort_on=guard.reason if kind not in ("healthy", "reached") else None,
        troubled=track.troubled,
    )


def _of_what_was_looked_at(track: Track, snapshot: Snapshot) -> Track:
    """A version that the controller has not looked at has no traffic."""
    return track if snapshot.is_looked_at else replace(track, step=None, weight=0, share=None)


def _for_good(feed: Feed, now: datetime) -> bool:
    """No one is there who could log in again, or trust another certificate: waiting for longer helps nothing."""
    refused = isinstance(feed.trouble, DeniedError | Untrusted)
    return refused and feed.stale_since is not None and now - feed.stale_since >= REFUSED_FOR


def _next(rollout: Rollout, followed: Followed, following: Following) -> Followed:
    """Who stays continues with the newest template; else it is always the same."""
    if not following.stay or rollout.current_hash == followed.hash or not rollout.observed:
        return followed
    return Followed(rollout.image(followed.container), rollout.current_hash, followed.container)


def _ended(snapshot: Snapshot, followed: Followed, following: Following) -> EndKind | None:
    rollout, stable = snapshot.rollout, snapshot.stable
    if following.stay or not following.shown_by(rollout):
        return None
    there, pods = following.attended, stable.available if stable else None
    return ended(rollout, followed, following.until, attended=there, stable=pods)


def _pause(deadline: datetime | None, now: datetime, soon: float | None) -> float:
    longest = TICK if soon is None else min(TICK, soon)
    if deadline is None:
        return longest
    return max(0.01, min(longest, (deadline - now).total_seconds()))
