"""A cluster, a clock and a terminal that a test owns: whole commands run in milliseconds.

`World.canary(...)` runs the command line against the sandbox's `handle` function. Whenever the
product sleeps or waits, the clock jumps to the next moment at which the sandbox has something to
do; nothing ever really sleeps.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import pytest
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary import cli
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.failure import unreachable
from companyos_canary.cluster.feed import WatchFeed
from companyos_canary.cluster.kinds import Selection
from companyos_canary.cluster.reflector import TRIES
from companyos_canary.config import Resolved, Settings
from companyos_canary.delivery.message import Parcel
from companyos_canary.errors import CanaryError, DeniedError, NotFound, Unreachable
from companyos_canary.model.http import Json, Request, Response
from companyos_canary.model.place import NOBODY, Identity
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.runtime import Clock, Runtime
from companyos_canary.sandbox import cluster as sandbox
from companyos_canary.sandbox.api.access import Attributes, Policy, Roles, all_rules, everything
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.behaviour import PROMPT, V1_9, Lag, Pace, Release
from companyos_canary.sandbox.controller.rollouts import refusal
from companyos_canary.sandbox.faults.effects import Dropped, Silent
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.kinds import NAMESPACE, POD
from companyos_canary.sandbox.prometheus import PrometheusApi
from companyos_canary.sandbox.provider import TransportError
from companyos_canary.sandbox.scenarios import Scenario, default
from companyos_canary.sandbox.store import Store
from companyos_canary.sandbox.traffic import Traffic
from companyos_canary.sandbox.tsdb import Tsdb
from tests import printed, schema
from tests.provider import FunctionProvider

TOGETHER = 0.1  # seconds in which changes come as one, as the view draws them
START = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
CONFIG = """\
schema: canary/v1
rollout: companyos-api
namespace: companyos
image: companyos-api
replicas: 10
steps:
  - {weight: 10, analysis: 6s}
  - {weight: 25, analysis: 6s}
  - {weight: 50, analysis: 6s}
analysis: {window: 5s, min_requests: 10, by_hash: true, form: safe}
links:
  dashboard: https://argo.example.com/{namespace}/{rollout}
"""
WEB = """\
schema: canary/v1
rollout: web
namespace: companyos
image: web
replicas: 4
"""
"""What a canary.yaml of a small Rollout begins with."""
MANUAL = CONFIG.replace("{weight: 10, analysis: 6s}", "{weight: 10, pause: manual}")


class Ran(Struct, frozen=True):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def last(self) -> str:
        """The last line of stdout."""
        return self.out.rstrip("\n").rsplit("\n", 1)[-1]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Pipe(io.StringIO):
    encoding = "utf-8"


def one_after_the_other(works: Sequence[Callable[[], None]]) -> None:
    for work in works:
        work()


@dataclass
class World:
    """`config` is written as canary.yaml into `folder` (none where it is empty). `controller`
    False: no one acts on Rollouts. `scrape` is in seconds. `scenario` says what versions do; with
    a `seed` requests are drawn. `pace` says how late controllers and kubelet act (unless given: as `usual` says, which
    the option `--pace` of the tests sets), `release` which Argo Rollouts it is.
    `on_wait` runs each time that a command waits, `allowed` says what the
    user may do, `breaks` for which requests the product itself has a mistake, `start` begins
    work next to a command, `together` does several works in parallel. `feed` makes what a
    command follows; a test of the real one sets it (`over_the_real_feed`)."""

    folder: Path
    config: str = CONFIG
    controller: bool = True
    scrape: float = 0.5
    scenario: Scenario = field(default_factory=default)
    seed: int | None = None
    pace: Pace = field(default_factory=lambda: World.usual())  # noqa: PLW0108 - it may be set later
    release: Release = V1_9
    environ: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    on_wait: list[Callable[[], None]] = field(default_factory=list)
    allowed: Policy = everything
    breaks: Callable[[Request], bool] = lambda _: False
    start: Callable[[Callable[[], None]], None] = lambda work: work()
    together: Callable[[Sequence[Callable[[], None]]], None] = one_after_the_other
    expires: datetime | None = None
    carry_out: Callable[[Parcel, float], Response] = lambda step, _: pytest.fail(
        f"nothing is sent by this test: {step}"
    )

    feed: ClassVar["type[LockstepFeed] | type[SteppedFeed]"]
    usual: ClassVar[Callable[[], Pace]] = staticmethod(lambda: PROMPT)

    def __post_init__(self) -> None:
        self.now = START
        self.clock: Callable[[], datetime] = self._now
        self.keys: Keys | None = None
        self.store, self.tsdb = Store(self._now), Tsdb()
        metrics = PrometheusApi(self.tsdb, self._now)
        self.prometheus: Callable[[Request], Response] = metrics.handle
        provider = FunctionProvider(self._measured, self._now)
        played = self.scenario
        lag = Lag()
        traffic = Traffic(
            self.store,
            self.tsdb,
            played.behaviour,
            rate=lambda: played.traffic,
            bounds=lambda: played.buckets,
            interval=self.scrape,
            seed=self.seed,
            lag=lag,
        )
        self.sandbox = sandbox.Cluster(
            self.store,
            provider=provider,
            traffic=traffic,
            controller=self.controller,
            behave=played.behaviour,
            pace=self.pace,
            release=self.release,
            lag=lag,
        )
        api = Api(self.store, refuse=refusal, elapsed=self._elapsed, allowed=self._allows, rules=self._rules)
        self.faults = Faulty(api.handle, sleep=self.sleep)
        self.store.create(NAMESPACE, {"metadata": {"name": "companyos"}})
        if self.config:
            (self.folder / "canary.yaml").write_text(self.config)

    def canary(
        self,
        *arguments: str,
        terminal: bool = False,
        environ: Mapping[str, str] | None = None,
        answer: str = "",
        keys: Sequence[tuple[float, str]] = (),
        size: tuple[int, int] = (80, 24),
        together: bool = False,
    ) -> Ran:
        """One command, from argv to exit; `answer` is what a person types, `keys` what is pressed
        so many seconds after the key before. `together`: stderr is read in its place between the
        lines of stdout, as a CI system shows it."""
        out = Terminal() if terminal else Pipe()
        err = out if together else Pipe()
        runtime = Runtime(
            stdout=out,
            stderr=err,
            stdin=Terminal(answer) if terminal else Pipe(answer),
            environ={"USER": "ana", "CANARY_USER": "ana", **self.environ, **(environ or {})},
            cwd=self.folder,
            clock=Clock(now=self.clock, sleep=lambda seconds: self.sleep(seconds)),  # noqa: PLW0108 - it may be set later
            connect=self.connect,
            feed=lambda cluster, name: self.feed(self, cluster, name),
            prometheus=self.metrics,
            keyboard=lambda *_: Keys(self, keys),
            start=self.start,
            together=self.together,
            host=lambda: "laptop",
            size=lambda: size,
            carry_out=lambda step, timeout: self.carry_out(step, timeout),  # noqa: PLW0108 - it may be set later
        )
        code = cli.run(arguments, runtime)
        if not together:
            schema.check(arguments, out.getvalue())
        told = "" if together else err.getvalue()
        printed.check(arguments, code, out.getvalue(), told, terminal=terminal, environ=runtime.environ)
        return Ran(code, out.getvalue(), told)

    # Methods, so that those of a copy speak of the copy; `allowed` and `prometheus` may be set later.

    def _now(self) -> datetime:
        return self.now

    def _measured(self, request: Request, _: str) -> Response:
        return self.prometheus(request)

    def _allows(self, asked: Attributes) -> bool:
        return self.allowed(asked)

    def _rules(self, place: str) -> list[Json]:
        return self.allowed.listed(place) if isinstance(self.allowed, Roles) else all_rules(place)

    def _elapsed(self) -> float:
        return self.now.timestamp()

    def connect(self, resolved: Resolved, environ: Mapping[str, str], timeout: float) -> Cluster:
        return Cluster(HandleTransport(self, resolved.identity), resolved.namespace or "default", "sandbox")

    def metrics(self, cluster: Cluster, settings: Settings | None, address: str) -> Prometheus:
        return Prometheus("", MetricsTransport(self))

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        for act in list(self.on_wait):
            act()

    def advance(self, seconds: float, *, until_change: bool = False) -> None:
        """Lets the time pass, in jumps from one wake-up of the sandbox to the next; with
        `until_change` only to the first one that writes something."""
        end, version = self.now + timedelta(seconds=seconds), self.store.version
        while True:
            wake = self.sandbox.settle(self.now)
            if until_change and self.store.version != version:
                return
            if wake is None or wake >= end:
                break
            self.now = max(wake, self.now)
        self.now = end
        self.sandbox.settle(self.now)

    def until(self, condition: Callable[[Rollout], bool], *, name: str = "companyos-api", most: float = 300) -> None:
        """Lets the time pass, change by change, until this holds of the Rollout; fails after so many seconds."""
        end = self.now + timedelta(seconds=most)
        while not condition(self.rollout(name)):
            assert self.now < end, self.rollout(name)
            self.advance(1, until_change=True)

    def rollout(self, name: str = "companyos-api") -> Rollout:
        return Cluster(HandleTransport(self), "companyos").rollout(name)

    def pods(self) -> list[dict[str, Any]]:
        """The pods that are there, without those that are going."""
        found = self.store.items(POD, "companyos")
        return [p for p in found if "deletionTimestamp" not in p["metadata"]]

    def patch(self, body: Mapping[str, Any], subresource: str = "") -> None:
        """A merge patch of the Rollout, as someone else would send it."""
        path = "/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/companyos-api"
        content = {"Content-Type": "application/merge-patch+json"}
        target = f"{path}/{subresource}" if subresource else path
        self.answer(Request("PATCH", target, (), content, json.dumps(body).encode()))

    @property
    def answers(self) -> tuple[int, Policy] | None:
        """As long as this is equal, a read is answered as before; None: that cannot be told."""
        played = isinstance(self.faults, Faulty) and not self.faults.rules()
        told = played and self.breaks is World.breaks and "answer" not in vars(self)
        return (self.store.version, self.allowed) if told else None

    def answer(self, request: Request) -> Response:
        response = self.faults(request)
        self.sandbox.settle(self.now)
        return response


@dataclass
class HandleTransport:
    """The product's transport over the sandbox's `handle`; it keeps what was asked."""

    world: World
    identity: Identity = NOBODY

    @property
    def expires(self) -> datetime | None:
        """When the credentials end."""
        return self.world.expires

    def send(self, request: Request) -> Response:
        request = self._in_the_name(request)
        self.world.requests.append(request)
        if self.world.breaks(request):
            raise ZeroDivisionError("a mistake of ours")
        try:
            return self.world.answer(request)
        except (Dropped, Silent) as error:
            changing = request.method not in ("GET", "HEAD")
            raise unreachable(error, "https://sandbox", changing=changing) from error

    def stream(self, request: Request) -> Response:
        """What there is now; a followed log ends at the present moment, as a connection that
        breaks. It may be asked on another thread: nothing acts on the cluster here."""
        query = tuple(pair for pair in request.query if pair[0] != "follow")
        self.world.requests.append(request)
        return self.world.faults(self._in_the_name(Request(request.method, request.path, query)))

    def _in_the_name(self, request: Request) -> Request:
        """As the server gets it where the command line says whom to act as."""
        names = {"Impersonate-User": self.identity.acts_as, "Impersonate-Group": "\n".join(self.identity.groups)}
        return replace(request, headers={**request.headers, **{k: v for k, v in names.items() if v}})

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class MetricsTransport(HandleTransport):
    """The product's way to the sandbox's Prometheus."""

    address = "http://prometheus"

    def send(self, request: Request) -> Response:
        try:
            return self.world.prometheus(request)
        except TransportError as error:
            raise Unreachable(str(error)) from error


class Keys:
    """A keyboard on which keys are pressed when their time has come."""

    def __init__(self, world: World, keys: Sequence[tuple[float, str]]) -> None:
        self._world, self._last = world, world.now
        self._keys = list(keys)
        world.keys = self

    def __enter__(self) -> "Keys":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was changed."""

    def pressed(self) -> Iterator[str]:
        while (due := self.due) and self._world.now >= due:
            self._last = self._world.now
            yield self._keys.pop(0)[1]

    @property
    def due(self) -> datetime | None:
        """When the next one is pressed: it ends a wait."""
        return self._last + timedelta(seconds=self._keys[0][0]) if self._keys else None


class KeptLists(Cluster):
    """A list is asked for again where an object of its kind was written, as a watch would have told."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        vars(self).update(vars(cluster))
        self._world = world
        self._kept: dict[Selection, tuple[int, object, list[Json]]] = {}

    def items(self, selection: Selection, *, seen: str = "") -> list[Json]:
        answers = self._world.answers
        if answers is None:
            return super().items(selection, seen=seen)
        (version, allowed), kept = answers, self._kept.get(selection)
        again = kept is None or kept[1] is not allowed or self._written(selection, kept[0])
        found = super().items(selection, seen=seen) if again else kept[2]
        self._kept[selection] = version, allowed, found
        return found

    def _written(self, selection: Selection, since: int) -> bool:
        return any(change.kind.plural == selection.kind.plural for change in self._world.store.changes(since))


class LockstepFeed:
    """Snapshots that are read when they are asked for; waiting lets the time pass."""

    stale_since: datetime | None = None
    trouble: CanaryError | None = None

    def __init__(self, world: World, cluster: Cluster, name: str) -> None:
        self._world, self.cluster, self._name = world, cluster, name
        self._lists = KeptLists(world, cluster)
        self._last: Snapshot | None = None
        self._read: tuple[object, Snapshot] | None = None
        self._refusals = 0

    def snapshot(self) -> Snapshot | None:
        """The last one stays where it cannot be read again; what is refused again and again is
        raised, as a watch does. Where nothing was written a watch says nothing, and nothing is read again."""
        try:
            self._last = self._lists.with_words(self._found(), self._world.now)
        except NotFound:
            raise
        except CanaryError as error:
            self._refusals += isinstance(error, DeniedError)
            if self._refusals >= TRIES:
                raise
            self.stale_since, self.trouble = self.stale_since or self._world.now, error
            return replace(self._last, stale_since=self.stale_since) if self._last else None
        self.stale_since, self.trouble, self._refusals = None, None, 0
        return self._last

    def _found(self) -> Snapshot:
        answers = self._world.answers
        if answers is None or self._read is None or self._read[0] != answers:
            self._read = answers, self._lists.snapshot(self._name)
            self.cluster.server_time = self._lists.server_time
        return self._read[1]

    def wait(self, timeout: float) -> bool:
        due = self._world.keys.due if self._world.keys else None
        if due:
            timeout = max(0.0, min(timeout, (due - self._world.now).total_seconds()))
        before, end = self._world.store.version, self._world.now + timedelta(seconds=timeout)
        self._world.advance(timeout, until_change=True)
        left = (end - self._world.now).total_seconds()
        self._world.sleep(min(left, TOGETHER))
        return self._world.store.version != before

    def poke(self) -> None:
        """A wait ends after a moment."""

    def close(self) -> None:
        """Nothing is open."""


World.feed = LockstepFeed


class SteppedTransport(HandleTransport):
    """For the threads of a real feed: what they ask lets no time pass, and nothing acts on the cluster meanwhile."""

    def send(self, request: Request) -> Response:
        return self.stream(request)

    def stream(self, request: Request) -> Response:
        try:
            return super().stream(request)
        except (Dropped, Silent) as error:
            raise unreachable(error, "https://sandbox", changing=False) from error


class SteppedFeed:
    """The product's own feed, with its watches, threads and reflectors. Time passes step by step as in a LockstepFeed;
    after each step the feed catches up with the cluster first, so that a story is the same however slow the machine."""

    def __init__(self, world: World, cluster: Cluster, name: str) -> None:
        ours = cluster.transport
        identity = ours.identity if isinstance(ours, HandleTransport) else NOBODY
        self._steps = LockstepFeed(
            world, Cluster(SteppedTransport(world, identity), cluster.namespace, cluster.context), name
        )
        self._feed = WatchFeed(self._steps.cluster, name, now=world.clock, pause=_hurry)

    @property
    def stale_since(self) -> datetime | None:
        return self._feed.stale_since

    @property
    def trouble(self) -> CanaryError | None:
        return self._feed.trouble

    def snapshot(self) -> Snapshot | None:
        self._catch_up()
        return self._feed.snapshot()

    def wait(self, timeout: float) -> bool:
        return self._steps.wait(timeout)

    def _catch_up(self) -> None:
        """Until the feed says what the cluster says: the same Snapshot, or that it is gone."""
        wanted = _said(self._steps.snapshot)
        for _ in range(_PATIENCE):
            if _said(self._feed.snapshot) == wanted:
                return
            self._feed.wait(1)
        raise AssertionError(f"the feed never saw {wanted}")

    def poke(self) -> None:
        self._feed.poke()

    def close(self) -> None:
        self._feed.close()


_PATIENCE = 60  # seconds for what takes milliseconds


def _said(ask: Callable[[], Snapshot | None]) -> Snapshot | str | None:
    """In one order: events of the same second come as they were written, and are listed by name."""
    try:
        found = ask()
    except CanaryError as error:
        return type(error).__name__
    return found and replace(found, events=tuple(sorted(found.events, key=str)))


def _hurry(closed: Event, seconds: float) -> None:
    closed.wait(min(seconds, 0.005))
