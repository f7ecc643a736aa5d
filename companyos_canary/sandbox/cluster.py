"""The acting parts of the sandbox put together: who may write first, and when to look again."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.analysis import AnalysisController
from companyos_canary.sandbox.controller import RolloutController, refusal
from companyos_canary.sandbox.deployments import DeploymentController
from companyos_canary.sandbox.errors import ApiStatus
from companyos_canary.sandbox.events import Events
from companyos_canary.sandbox.freezer import Freezer, Part
from companyos_canary.sandbox.kubelet import Kubelet
from companyos_canary.sandbox.provider import Provider
from companyos_canary.sandbox.replicasets import ReplicaSetController
from companyos_canary.sandbox.scenarios import Behaviour, behaviour
from companyos_canary.sandbox.store import Store

__all__ = ["Cluster", "Part", "refusal"]

_LOG = logging.getLogger(__name__)
_LONGEST = timedelta(seconds=30)
_SHORTEST = timedelta(milliseconds=5)
_TURNS = 5_000
_PAUSE = timedelta(seconds=1)


class Cluster:
    """Acts on the store it is given; owns no thread until `run`. `provider` answers analysis
    questions (without one nobody looks at AnalysisRuns), `traffic` makes metrics. With
    `controller` False Rollouts and AnalysisRuns are left to others, with `replicasets` False
    ReplicaSets and Deployments are; pods become ready and orphans are deleted all the same.
    `behave` says how the pods of an image behave. `freeze` lets Rollouts and AnalysisRuns be."""

    def __init__(
        self,
        store: Store,
        *,
        provider: Provider | None = None,
        traffic: Part | None = None,
        controller: bool = True,
        replicasets: bool = True,
        behave: Callable[[str], Behaviour] = behaviour,
    ) -> None:
        self.store = store
        rollouts = Events(store, "rollouts-controller")
        self._parts: list[Part] = []
        self.freezer = Freezer()
        self._answered = threading.Event()
        if controller and provider is not None:
            heard = _Heard(provider, self._hear)
            analysis = AnalysisController(store, heard, rollouts.emit)
            self._parts.append(self.freezer.around(analysis))
        if controller:
            self._parts.append(self.freezer.around(RolloutController(store, rollouts.emit)))
        if replicasets:
            emit = Events(store, "replicaset-controller").emit
            self._parts += [DeploymentController(store), ReplicaSetController(store, emit)]
        self._parts.append(Kubelet(store, behave))
        if traffic is not None:
            self._parts.append(traffic)

    def settle(self, now: datetime) -> datetime | None:
        """Lets everybody act until nobody has anything to do at `now`; the next moment at which
        somebody has, None if only a change can bring it.

        After every write the first in the order gets its turn again: the controllers see each
        single change of a pod, as they do in the recordings. Pauses after very many turns, for
        two parts that undo each other's work would go on for ever."""
        for _ in range(_TURNS):
            before = self.store.version
            wakes = []
            for part in self._parts:
                wake = self._step(part, now)
                if self.store.version != before:
                    break
                if wake is not None:
                    wakes.append(wake)
            else:
                next_wake = min(wakes, default=None)
                if self._answered.is_set():
                    self._answered.clear()
                elif next_wake is None or next_wake > now:
                    return next_wake
        return now + _PAUSE

    def _step(self, part: Part, now: datetime) -> datetime | None:
        """A part that loses a race against a client (its object is gone or newer) looks again."""
        try:
            return part.step(now)
        except ApiStatus:
            return now

    def run(self, stop: threading.Event, now: Callable[[], datetime] | None = None) -> None:
        """Acts in real time until `stop` is set; `store.wake` makes it look at once."""
        clock = now or self.store.now
        while not stop.is_set():
            version = self.store.version
            self._answered.clear()
            wake = self._settle_safely(clock())
            if self.store.version != version:
                continue
            left = _LONGEST if wake is None else wake - clock()
            seconds = max(min(left, _LONGEST), _SHORTEST).total_seconds()
            self.store.wait(version, seconds, lambda: stop.is_set() or self._answered.is_set())

    def _settle_safely(self, now: datetime) -> datetime | None:
        """A defect of ours shows in the log and does not stop the cluster."""
        try:
            return self.settle(now)
        except Exception:
            _LOG.exception("a controller of the sandbox failed; it tries again")
            return now + _PAUSE

    def freeze(self, until: datetime | None = None) -> None:
        """Our controller of Rollouts and AnalysisRuns stands still, until then or until `thaw`;
        pods, ReplicaSets and traffic go on."""
        self.freezer.freeze(until)
        self._hear()

    def thaw(self) -> None:
        self.freezer.thaw()
        self._hear()

    def _hear(self) -> None:
        self._answered.set()
        self.store.wake()


class _Heard:
    """A provider whose answers wake the cluster."""

    def __init__(self, provider: Provider, hear: Callable[[], None]) -> None:
        self._provider = provider
        self._hear = hear

    def submit(self, request: Request, address: str) -> Future[Response]:
        future = self._provider.submit(request, address)
        future.add_done_callback(lambda _: self._hear())
        return future
