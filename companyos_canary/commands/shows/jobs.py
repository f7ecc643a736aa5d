"""What runs concurrently with a live screen: an order to its end, questions to Prometheus, the log of a pod."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from companyos_canary.actions import abort
from companyos_canary.actions.change import Verb, change
from companyos_canary.actions.logs import Wanted, read_logs, worst_pod
from companyos_canary.actions.wait import Time
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.patches.decision import Change, Decision
from companyos_canary.commands.session import Session
from companyos_canary.commands.shows.keys import KEY_VERBS, Order
from companyos_canary.errors import CanaryError, Unreachable
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Course, Live, Snapshot
from companyos_canary.view.panels import LogPanel, Notice

if TYPE_CHECKING:
    from companyos_canary.prometheus.client import Prometheus


_Found = TypeVar("_Found")
_Start = Callable[[Callable[[], None]], None]


class Repeated(Generic[_Found]):
    """A question that is asked again, never twice at once, at most each `every`; `newest` is the
    last answer. `start` runs work concurrently with the caller; `wake` is called when an answer is there."""

    def __init__(
        self,
        ask: Callable[[Snapshot], _Found],
        *,
        every: timedelta,
        now: Callable[[], datetime],
        start: _Start,
        wake: Callable[[], None],
    ) -> None:
        self._ask = ask
        self._every = every
        self._now = now
        self._start = start
        self._wake = wake
        self._asked_at: datetime | None = None
        self._running = False
        self.newest: _Found | None = None

    def about(self, snapshot: Snapshot) -> _Found | None:
        """The newest answer; asks again where that is due."""
        now = self._now()
        due = self._asked_at is None or now - self._asked_at >= self._every
        if due and not self._running:
            self._asked_at, self._running = now, True
            self._start(lambda: self._run(snapshot))
        return self.newest

    def _run(self, snapshot: Snapshot) -> None:
        """A question that fails leaves the answer before: it is only ever asked in addition to."""
        with suppress(Exception):
            self.newest = self._ask(snapshot)
        self._running = False
        self._wake()


_TAIL = 100  # lines
_PEACE = timedelta(seconds=30)
_KEPT = timedelta(minutes=1)
_LOOKS = 1000  # that are kept; then every second one
_RIGHTS = (("rollouts", ""), ("rollouts", "status"))


def carried_out(session: Session, order: Order, name: str) -> Notice:
    """Runs the verb as its command does, to the point where the effect is seen."""
    verb = _verb(session, order)
    try:
        clock = session.runtime.clock
        result = change(session.cluster, name, verb, time=Time(clock.now, clock.sleep))
    except CanaryError as error:
        hint = f": {error.hint}" if error.hint else ""
        return Notice(f"{error.message}{hint}", "failure")
    if not isinstance(result.decision, Change):
        return Notice(result.decision.message)
    match result.effect:
        case Effect.SEEN:
            note = result.decision.note
            if result.decision.put_back:
                note = f"{result.decision.put_back} was put back"
            note = f"; {note}" if note else ""
            return Notice(f"{order.verb}: done{note}", "success")
        case Effect.REPLACED:
            return Notice(f"{order.verb} was sent, but {name} was deleted and created again", "warning")
        case Effect.OTHER:
            return Notice(f"{order.verb} was sent, but something else changed it", "warning")
    if result.unsure:
        return Notice(f"{order.verb} was sent, but {result.unsure.cause}: it may have taken effect", "warning")
    if result.trouble:
        return Notice(f"{order.verb} was accepted, but its effect was not seen: {result.trouble.message}", "warning")
    return Notice(f"{order.verb} was accepted, but the controller has not acted on it", "warning")


def _verb(session: Session, order: Order) -> Verb:
    """As the command does it: an abort also holds where the controller has not seen what it is to
    stop."""
    seen = KEY_VERBS[order.verb][1]
    if order.verb != "abort":
        return Verb(order.verb, order.decide, seen)
    runtime, at = session.runtime, session.runtime.clock.now()

    def decide(live: Rollout) -> Decision:
        moved = order.moved(live)
        return moved or abort.decide(session.cluster, live, by=runtime.user, now=at)

    return Verb(order.verb, decide, seen, insists=True)


def log_of(session: Session, snapshot: Snapshot) -> LogPanel:
    """The newest lines of the canary pod that is worst off."""
    pod = worst_pod(snapshot)
    if pod is None:
        return LogPanel(note="the canary has no pods")
    wanted = Wanted(pod=pod.name, tail=_TAIL, settled=session.container)
    try:
        found = read_logs(session.cluster, snapshot, wanted)
    except CanaryError as error:
        return LogPanel(pod.name, note=error.message)
    return LogPanel(pod.name, found.lines, "; ".join(found.notes))


class LiveValues:
    """What Prometheus says of an update that is in progress. A look that fails takes no value
    away for a minute; where no one answers then it is left in peace for half a minute."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked: tuple[str, Prometheus] | None = None
        self._silent: Live | None = None
        self._good: Live | None = None
        self._looks: list[Live] = []

    def of(self, snapshot: Snapshot) -> Live | None:
        """None if there is nothing to ask, or no one to ask."""
        from companyos_canary.actions.measure import measure  # after the first frame
        from companyos_canary.render.questions import questions

        session, now = self._session, self._session.runtime.clock.now()
        if self._silent and now - self._silent.at < _PEACE:
            return self._silent
        if snapshot.rollout.is_fully_promoted or snapshot.rollout.aborted:
            return None
        wanted = questions(snapshot, session.resolved.settings)
        if not wanted.address or not wanted.metrics:
            return None
        found = measure(self._at(wanted.address), wanted, now)
        if not found.problem:
            self._good = found
            self._looks = [*(self._looks if len(self._looks) < _LOOKS else self._looks[::2]), found]
        elif self._good and now - self._good.at < _KEPT:
            return self._good
        self._silent = found if found.problem else None
        return found

    @property
    def stable(self) -> tuple[Course, ...]:
        """The stable version's values, by metric, at every look so far; the past is asked of no one."""
        looks = list(self._looks)
        names = dict.fromkeys(m.name for look in looks for m in look.metrics if m.stable is not None)
        return tuple(
            Course(name, tuple((look.at, found.stable if (found := look.metric(name)) else None) for look in looks))
            for name in names
        )

    def _at(self, address: str) -> "Prometheus":
        if self._asked is None or self._asked[0] != address:
            self._asked = (address, self._session.prometheus(address))
        return self._asked[1]


def heard(session: Session) -> datetime:
    """When the API server last gave any answer; Unreachable where it gives none."""
    try:
        session.cluster.version()
    except Unreachable:
        raise
    except CanaryError:
        pass  # not what was asked for, but someone is there
    return session.runtime.clock.now()


def why_read_only(session: Session) -> str:
    """Why nothing can be changed from here; empty if it can, and where no one says."""
    try:
        for resource, subresource in _RIGHTS:
            may = session.cluster.may("patch", resource, group="argoproj.io", subresource=subresource)
            if not may:
                part = f"{resource}/{subresource}" if subresource else resource
                return f"not permitted to patch {part}"
    except CanaryError:
        return ""
    return ""
