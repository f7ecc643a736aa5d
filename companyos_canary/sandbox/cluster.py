"""The acting parts of the sandbox put together: which of them writes first, when to look again, and
which of them are frozen."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from companyos_canary.errors import UsageError
from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.sandbox.analysis import AnalysisController
from companyos_canary.sandbox.behaviour import PROMPT, V1_9, Lag, Pace, Release
from companyos_canary.sandbox.controller.passes import Answer, Ask, Call
from companyos_canary.sandbox.controller.rollouts import RolloutController
from companyos_canary.sandbox.events import Events
from companyos_canary.sandbox.experiments import ExperimentController
from companyos_canary.sandbox.kinds import REPLICASET
from companyos_canary.sandbox.kubelet import Kubelet
from companyos_canary.sandbox.objects import ApiStatus, Object
from companyos_canary.sandbox.provider import Provider
from companyos_canary.sandbox.scenarios import Behaviour, behaviour
from companyos_canary.sandbox.store import Store
from companyos_canary.sandbox.workloads import DeploymentController, ReplicaSetController

_LOG = logging.getLogger(__name__)
_LONGEST = timedelta(seconds=30)
_SHORTEST = timedelta(milliseconds=5)
_LONG, _MANY_ERRORS = 3600.0, 0.05
_TURNS = 5_000
_PAUSE = timedelta(seconds=1)
_PLUGIN_TAKES = timedelta(seconds=11)


class Part(Protocol):
    """Something that acts on the store. `step` does what is due, all of it or one thing, and
    returns when it has to be called again though nothing changes."""

    def step(self, now: datetime) -> datetime | None: ...


class Freezer:
    """Holds the parts that are put into it, for a while or until they are let go. What happens in
    the meantime they see when they continue, as a controller that was restarted would."""

    def __init__(self) -> None:
        self._parts = 0
        self._frozen = False
        self._until: datetime | None = None

    def freeze(self, until: datetime | None = None) -> None:
        """UsageError if nothing was put into it."""
        if not self._parts:
            raise nothing_to_freeze()
        self._frozen, self._until = True, until

    def thaw(self) -> None:
        self._frozen, self._until = False, None

    def holds(self, now: datetime) -> bool:
        return self._frozen and (self._until is None or now < self._until)

    @property
    def until(self) -> datetime | None:
        """When they continue by themselves; None: not, or nothing is frozen."""
        return self._until

    def around(self, part: Part) -> Part:
        self._parts += 1
        return _Held(self, part)


def nothing_to_freeze() -> UsageError:
    return UsageError(
        "no controller of ours acts on Rollouts: there is nothing to freeze", hint="leave `rollouts` in `--controllers`"
    )


class _Held:
    def __init__(self, freezer: Freezer, part: Part) -> None:
        self._freezer = freezer
        self._part = part

    def step(self, now: datetime) -> datetime | None:
        if self._freezer.holds(now):
            return self._freezer.until
        return self._part.step(now)


class _Rest(Struct, frozen=True):
    """A part found nothing to do: at this resourceVersion, after what was heard until then, before that moment."""

    version: int
    heard: object
    until: datetime | None

    def lasts(self, version: int, heard: object, now: datetime) -> bool:
        same = self.version == version and self.heard is heard
        return same and (self.until is None or self.until > now)


class Cluster:
    """Acts on the store it is given; owns no thread until `run`. `provider` answers analysis
    questions (without one no one looks at AnalysisRuns), `traffic` makes metrics. With
    `controller` False Rollouts and AnalysisRuns are left to others, with `replicasets` False
    ReplicaSets and Deployments are; pods become ready and orphans are deleted all the same.
    `behave` says how the pods of an image behave, `release` as which one of Argo Rollouts its
    controller does, `pace` how late everyone acts on a change, `ask_plugin` asks step plugins in place of
    the one that is acted out. `freeze` lets Rollouts and AnalysisRuns be."""

    def __init__(
        self,
        store: Store,
        *,
        provider: Provider | None = None,
        traffic: Part | None = None,
        controller: bool = True,
        replicasets: bool = True,
        behave: Callable[[str], Behaviour] = behaviour,
        release: Release = V1_9,
        pace: Pace = PROMPT,
        lag: Lag | None = None,
        ask_plugin: Ask | None = None,
    ) -> None:
        self.store = store
        self._behave = behave
        rollouts = Events(store, "rollouts-controller")
        self._parts: list[Part] = []
        self.freezer = Freezer()
        self.lag = lag or Lag()
        self._answered = threading.Event()
        self._heard = object()  # another one with each answer, and when something is frozen or continues
        if controller and provider is not None:
            heard = _Heard(provider, self._hear)
            analysis = AnalysisController(
                store, heard, rollouts.emit, release, pace.rollouts, is_good=self._is_good, pulls=self._pulls
            )
            self._parts.append(self.freezer.around(analysis))
        if controller:
            asked = ask_plugin or self._acted_out
            self._parts.append(self.freezer.around(ExperimentController(store, rollouts.emit, pace.rollouts)))
            self._parts.append(
                self.freezer.around(RolloutController(store, rollouts.emit, release, pace, self.lag, ask_plugin=asked))
            )
        if replicasets:
            emit = Events(store, "replicaset-controller").emit
            self._parts += [DeploymentController(store), ReplicaSetController(store, emit, pace.replicasets)]
        self._parts.append(Kubelet(store, behave, pace.kubelet))
        if traffic is not None:
            self._parts.append(traffic)
        self._resting: list[_Rest | None] = [None] * len(self._parts)

    def _is_good(self, run: Object) -> bool:
        """Whether the version that a run judges has few errors in the long run, as the scenario says."""
        meta = run["metadata"]
        return self._has_few_errors(meta.get("namespace", ""), (meta.get("labels") or {}).get(HASH_LABEL) or "")

    def _has_few_errors(self, namespace: str, digest: str) -> bool:
        sets = [
            s
            for s in self.store.items(REPLICASET, namespace)
            if digest and (s["metadata"].get("labels") or {}).get(HASH_LABEL) == digest
        ]
        images = [c["image"] for s in sets for c in s["spec"]["template"]["spec"].get("containers") or []]
        return all(self._behave(image).at(_LONG, 100).errors < _MANY_ERRORS for image in images)

    def _acted_out(self, call: Call) -> Answer:
        """A step plugin that takes some seconds and ends as a Job for the same version would."""
        if call.operation != "Run":
            return Answer()
        if call.state is None:
            return Answer("Running", state={"begun": True}, after=_PLUGIN_TAKES)
        return (
            Answer()
            if self._has_few_errors(call.namespace, call.digest)
            else Answer("Failed", "the version has errors")
        )

    def _pulls(self, image: str) -> bool:
        return self._behave(image).fails != "ImagePullBackOff"

    def settle(self, now: datetime) -> datetime | None:
        """Lets everyone act until no one has anything to do at `now`; the next moment at which
        someone has, None if only a change can bring it.

        After every write the first in the order gets its turn again: the controllers see each
        single change of a pod, as they do in the recordings. A part that had nothing to do is left
        alone until its time, a change or an answer comes. Pauses after very many turns, for
        two parts that undo each other's work would continue for ever."""
        for _ in range(_TURNS):
            before = self.store.version
            wakes = []
            for number, part in enumerate(self._parts):
                rest, heard = self._resting[number], self._heard
                if rest is not None and rest.lasts(before, heard, now):
                    wake = rest.until
                else:
                    wake = self._step(part, now)
                    if self.store.version != before:
                        break
                    self._resting[number] = _Rest(before, heard, wake)
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
        """Our controller of Rollouts and AnalysisRuns is stopped, until then or until `thaw`;
        pods, ReplicaSets and traffic continue."""
        self.freezer.freeze(until)
        self._hear()

    def thaw(self) -> None:
        self.freezer.thaw()
        self._hear()

    def _hear(self) -> None:
        self._heard = object()
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
