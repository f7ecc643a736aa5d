"""What `make bench` measures: each function is a part of its page (tests/bench.py says what they are for)."""

import contextlib
import io
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from companyos_canary import cli
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.credentials import open_transport
from companyos_canary.cluster.kinds import POD, ROLLOUT
from companyos_canary.cluster.requests import create_request
from companyos_canary.commands.demo import CONFIG
from companyos_canary.commands.demo import DEMO_NAMESPACE as NAMESPACE
from companyos_canary.runtime import Clock, Runtime
from companyos_canary.sandbox.kinds import ROLLOUT as STORED
from tests import growth
from tests.commands.conftest import paused_world
from tests.commands.test_scale import ROLLOUTS, alone, another, grow
from tests.fanout import fan_out
from tests.performance import Found, Goal, table
from tests.screen_times import event_to_screen, first_frame
from tests.world import MANUAL, World

CANARY = (sys.executable, "-m", "companyos_canary")
NAME = "companyos-api"
KUBECTL = "kubectl get rollout -o json"
PLUGIN = "kubectl-argo-rollouts"
VERBS = (("--help",), ("status",), ("get",), ("why",), ("promote", "--dry-run"))
COMPLETED = ("canary st", "canary undo --to ")
GROWN = (("status",), ("get",), ("watch", "--until", "paused"))
OWN = (("status",), ("get",), ("why",), ("watch", "--until", "paused"))
MANY = 5_000  # pods of others, for what is compared with the plugin
SHOWN = 8  # packages of the table of imports; the rest is one line
PATIENCE = 240.0


class Size(Struct, frozen=True):
    """How much is tried. `sizes` are pods of others, `rollouts` (10 pods each) and `watchers` those of the sandbox."""

    rounds: int = 15
    sizes: tuple[int, ...] = (10, 100, 1_000, 5_000, 20_000)
    rollouts: int = 200
    watchers: int = 50
    updates: int = 200
    events: int = 20
    idle: float = 20.0


SHORT = Size(rounds=2, sizes=(10, 100, 300), rollouts=5, watchers=5, updates=20, events=3, idle=2.0)

QUIET = "quiet-api"


class Place(Struct, frozen=True):
    """A folder with a canary.yaml, and the sandbox that `env` names: companyos-api waits for a person at 10 %."""

    folder: Path
    env: Mapping[str, str]
    size: Size

    @property
    def cluster(self) -> Cluster:
        found = open_transport(self.env["KUBECONFIG"], None, environ=self.env, timeout=30)
        return Cluster(found.transport, NAMESPACE)

    def run(self, command: Sequence[str], **more: str) -> float:
        """Processor seconds of one process, to its end."""
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=self.folder, env={**self.env, **more}, stdout=nothing, stderr=nothing)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        return usage.ru_utime + usage.ru_stime

    def in_turns(self, commands: Mapping[str, Sequence[str]]) -> dict[str, list[float]]:
        """Processor seconds of each round, by the words of the command."""
        costs: dict[str, list[float]] = {words: [] for words in commands}
        for _ in range(self.size.rounds):
            for words, command in commands.items():
                more = {"_CANARY_COMPLETE": words.removesuffix("⇥")} if words.endswith("⇥") else {}
                costs[words].append(self.run(command, **more))
        return costs


@contextlib.contextmanager
def sandbox(size: Size) -> Iterator[Place]:
    """A sandbox process with the demo's service in it, at a pause that no one ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # No number of requests is enough for a verdict: a machine that is busy must not end the release.
        steps = CONFIG.replace("{weight: 10, analysis: 6s}", "{weight: 10, pause: manual}")
        (folder / "canary.yaml").write_text(steps.replace("min_requests: 10,", "min_requests: 1000000, no_data: pass,"))
        env = {**os.environ, "KUBECONFIG": str(folder / "config")}
        command = (*CANARY, "sandbox", "-q", "--write", str(folder / "config"))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                for arguments in (("apply", "v1.0.0"), ("deploy", "v1.1.0", "--until", "paused")):
                    ready = (*CANARY, *arguments, "-q")
                    subprocess.run(ready, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
                yield Place(folder, env, size)
            finally:
                process.terminate()


def ratio(costs: Mapping[str, Sequence[float]], words: str, other: str) -> float:
    pairs = zip(costs[words], costs[other], strict=True)
    return statistics.median(mine / yardstick for mine, yardstick in pairs)


def yardsticks() -> dict[str, tuple[str, ...]]:
    """The first is what is compared with."""
    python = {"python -c pass": (sys.executable, "-c", "pass")}
    if not shutil.which("kubectl"):
        return python
    found = {KUBECTL: ("kubectl", "get", "rollout", NAME, "-n", NAMESPACE, "-o", "json")}
    if shutil.which(PLUGIN):
        found[f"{PLUGIN} get rollout"] = (PLUGIN, "get", "rollout", NAME, "-n", NAMESPACE)
    return {**found, **python}


def commands(place: Place) -> Found:
    compared = yardsticks()
    yardstick = next(iter(compared))
    ours = {f"canary {' '.join(verb)}": (*CANARY, *verb) for verb in VERBS}
    completed = {f"{line}⇥": CANARY for line in COMPLETED}
    costs = place.in_turns({**compared, **ours, **completed})
    rows, numbers = [], {}
    for words in costs:
        of_yardstick = ratio(costs, words, yardstick)
        asked = requests_of(ours[words][3:], place) if words in ours and words != "canary --help" else ("", "")
        rows.append((f"`{words}`", f"{of_yardstick:.1f}", *asked))
        if yardstick == KUBECTL:
            numbers[f"`{words}`, of `{KUBECTL}`"] = of_yardstick
    why = "" if yardstick == KUBECTL else "There was no kubectl on this machine. "
    head = f"{why}× of `{yardstick}`.\n\n"
    return Found(head + table(("command", "×", "requests", "bytes"), rows), numbers)


def requests_of(arguments: Sequence[str], place: Place) -> tuple[str, str]:
    """Requests and bytes that a verb needs, from the requests of its transport."""
    seen: list[Cluster] = []
    sizes: list[int] = []
    runtime = Runtime(
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        stdin=io.StringIO(),
        environ=place.env,
        cwd=place.folder,
        clock=Clock(now=lambda: datetime.now(UTC), sleep=time.sleep),
    )
    plain = runtime.connect

    def counting(*given: object) -> Cluster:
        cluster = plain(*given)  # type: ignore[arg-type]
        send = cluster.transport.send

        def weighed(request: object) -> object:
            response = send(request)  # type: ignore[arg-type]
            sizes.append(len(response.body))
            return response

        cluster.transport.send = weighed  # type: ignore[method-assign,assignment]
        seen.append(cluster)
        return cluster

    runtime.connect = counting  # type: ignore[assignment]
    cli.run(arguments, runtime)
    return str(len(sizes)), f"{sum(sizes):,}"


def imports(place: Place) -> Found:
    parts = []
    for verb in ("status", "get"):
        command = (sys.executable, "-X", "importtime", "-m", "companyos_canary", verb)
        run = subprocess.run(
            command, cwd=place.folder, env=dict(place.env), text=True, capture_output=True, check=False
        )
        times: Counter[str] = Counter()
        modules: Counter[str] = Counter()
        for own, module in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", run.stderr, re.MULTILINE):
            package = module.partition(".")[0]
            package = "Python's own" if package in sys.stdlib_module_names else package
            times[package] += int(own)
            modules[package] += 1
        whole = sum(times.values())
        first = [package for package, _ in times.most_common(SHOWN)]
        rows = [(p, modules[p], f"{100 * times[p] / whole:.0f} %") for p in first]
        rest = [p for p in times if p not in first]
        share = sum(times[p] for p in rest)
        rows.append(("all others", sum(modules[p] for p in rest), f"{100 * share / whole:.0f} %"))
        parts.append(table((f"`canary {verb}`", "modules", "share"), rows))
    return Found("\n\n".join(parts))


def screen(place: Place) -> Found:
    watch = (*CANARY, "watch")
    loaded = []
    for _ in range(place.size.rounds):
        began = time.perf_counter()
        place.run((*watch, "--help"))
        loaded.append(time.perf_counter() - began)
    start = statistics.median(loaded)
    few = max(place.size.rounds // 2, 2)
    first = first_frame(watch, place.folder, place.env, NAME, few) - start
    whole = first_frame(watch, place.folder, place.env, "stable  v1.0.0", few) - start
    size = place.size
    waits, measured = event_to_screen(watch, place.folder, place.env, place.cluster, NAME, size.events, size.idle)
    stay = (*watch, "--stay")
    _, idle = event_to_screen(stay, quiet(place), place.env, place.cluster, QUIET, 0, size.idle)
    p95 = statistics.quantiles(waits, n=20, method="inclusive")[-1]
    rows = (
        ("from an Event to its text, median", f"{statistics.median(waits) * 1000:.0f} ms"),
        ("from an Event to its text, 95th percentile", f"{p95 * 1000:.0f} ms"),
        ("first frame, behind `canary watch --help`", f"{first * 1000:.0f} ms"),
        ("all of the first frame, behind `canary watch --help`", f"{whole * 1000:.0f} ms"),
        ("idle: share of a core", f"{idle.share * 100:.1f} %"),
        ("idle: memory", f"{idle.mib:.1f} MiB"),
        ("five metrics are measured each second: share of a core", f"{measured.share * 100:.1f} %"),
        ("five metrics are measured each second: memory", f"{measured.mib:.1f} MiB"),
    )
    numbers = dict(zip(SCREEN_GOALS, (p95 * 1000, first * 1000, idle.share * 100, idle.mib), strict=True))
    return Found(table(("`canary watch`", ""), rows), numbers)


def quiet(place: Place) -> Path:
    """The folder of a second service, which has only its first version: nothing of it is measured."""
    folder = place.folder / QUIET
    folder.mkdir()
    (folder / "canary.yaml").write_text(CONFIG.replace(f"rollout: {NAME}", f"rollout: {QUIET}"))
    applied = (*CANARY, "apply", "v1.0.0", "-q")
    subprocess.run(applied, cwd=folder, env=place.env, check=True, stdout=subprocess.DEVNULL)
    return folder


SCREEN_GOALS = {
    "an Event is on the screen (95th percentile)": Goal(
        "an Event is on the screen (95th percentile)", 200, "{:.0f} ms"
    ),
    "first frame of `watch` after the process is loaded": Goal(
        "first frame of `watch` after the process is loaded", 200, "{:.0f} ms"
    ),
    "idle `watch`": Goal("idle `watch`", 0.5, "{:.1f} % of a core"),
    "memory of idle `watch`": Goal("memory of idle `watch`", 35, "{:.1f} MiB"),
}


def others(place: Place) -> Found:
    """In memory: the sandbox's API without a server, so that 20,000 pods are made in a minute."""
    rows: dict[tuple[str, ...], list[growth.Row]] = {verb: [] for verb in GROWN}
    with tempfile.TemporaryDirectory() as name:
        world, there = paused_world(Path(name), MANUAL), 0
        for size in place.size.sizes:
            growth.neighbours(world, size - there, first=there)
            there = size
            for verb, found in rows.items():
                found.append(growth.Row(size, *growth.answered(world, *verb)))
    lines = [
        (f"{size:,}", *(f"{found[n].requests}, {found[n].received:,} bytes" for found in rows.values()))
        for n, size in enumerate(place.size.sizes)
    ]
    exponents = {v: growth.exponent([(r.pods, r.received) for r in found]) for v, found in rows.items()}
    lines.append(("exponent", *(f"{e:.2f}" for e in exponents.values())))
    numbers = {f"`{' '.join(v)}`: exponent of the bytes": e for v, e in exponents.items()}
    more = {
        f"`{' '.join(v)}`: bytes more with {MANY:,} pods of others": float(at[MANY] - found[0].received)
        for v, found in rows.items()
        if MANY in (at := {r.pods: r.received for r in found})
    }
    return Found(table(("pods of others", *(f"`{' '.join(v)}`" for v in rows)), lines), {**numbers, **more})


def crowd(place: Place) -> Found:
    if not shutil.which(PLUGIN):
        return Found("The plugin was not on PATH: not measured.")
    cluster = place.cluster
    labels = {"app": "neighbour"}
    spec = {"containers": [{"name": "c", "image": "neighbour:v1"}]}
    for n in range(MANY if place.size != SHORT else 50):
        meta = {"name": f"neighbour-{n}", "namespace": NAMESPACE, "labels": labels}
        cluster.send(
            create_request({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}, POD, NAMESPACE)
        )
    plugin = f"{PLUGIN} get rollout"
    ours = {f"canary {verb}": (*CANARY, verb) for verb in ("status", "get")}
    costs = place.in_turns({plugin: (PLUGIN, "get", "rollout", NAME, "-n", NAMESPACE), **ours})
    ratios = {words: ratio(costs, words, plugin) for words in ours}
    rows = [(f"`{words}`", f"{found:.2f}") for words, found in ratios.items()]
    numbers = {f"`{words}`, of the plugin, with {MANY:,} pods": found for words, found in ratios.items()}
    return Found(table(("command", f"× of `{plugin}`"), rows), numbers)


def own(place: Place) -> Found:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        world = paused_world(Path(name), MANUAL)
        alone(world)
        few = {verb: _played(world, verb) for verb in OWN}
        grow(world)
        for verb in OWN:
            (_, _, before), (requests, received, seconds) = few[verb], _played(world, verb)
            rows.append((f"`{' '.join(verb)}`", requests, f"{received:,}", f"{seconds / before:.1f}"))
    with tempfile.TemporaryDirectory() as name:
        world = paused_world(Path(name), MANUAL)
        alone(world)
        verb = ("list", "-A")
        before = _played(world, verb)[2]
        (live,) = world.store.items(STORED)
        for n in range(ROLLOUTS):
            world.store.create(STORED, another(live, name=f"api-{n}", namespace=f"team-{n % 40}"))
        requests, received, seconds = _played(world, verb)
        rows.append((f"`{' '.join(verb)}`", requests, f"{received:,}", f"{seconds / before:.1f}"))
    return Found(table(("verb", "requests", "bytes", "× time of a small one"), rows))


def _played(world: World, verb: Sequence[str]) -> tuple[int, int, float]:
    """Requests, bytes, and the least processor seconds of three runs."""
    times = []
    for _ in range(3):
        began = time.process_time()
        requests, received = growth.answered(world, *verb)
        times.append(time.process_time() - began)
    return requests, received, min(times)


def embedded(place: Place) -> Found:
    """In a sandbox of its own, so that nothing else of the run is in it."""
    size = place.size
    with sandbox(size) as there:
        cluster, began = there.cluster, time.perf_counter()
        live = cluster.object(ROLLOUT, NAME)
        assert live is not None
        for n in range(size.rollouts):
            cluster.send(create_request(service(live, f"service-{n:03}"), ROLLOUT, NAMESPACE))
        healthy, end = 0, time.perf_counter() + PATIENCE
        while healthy < size.rollouts and time.perf_counter() < end:
            time.sleep(1)
            found = cluster.rollouts()
            healthy = sum(r.name.startswith("service-") and r.available_replicas == 10 for r in found)
        took = time.perf_counter() - began
        sys.stdout.write(f"    {healthy} rollouts were up after {took:.0f} s\n")
        seen = fan_out(cluster, size.watchers, size.updates)
        sys.stdout.write(f"    {seen.watchers} watchers saw {seen.updates} updates in {seen.seconds:.1f} s\n")
    rows = (
        ("rollouts of 10 pods that became available", f"{healthy} of {size.rollouts}"),
        ("updates of one object, each seen by all of so many watchers", f"{seen.updates} by {seen.watchers}"),
        ("updates that a watcher did not see, or saw out of order", seen.lost),
    )
    return Found(table(("the sandbox", ""), rows), {LOST.words: float(seen.lost)})


LOST = Goal("updates that one of 50 watchers did not see", 0, "{:.0f}")


def service(live: Mapping[str, object], name: str) -> dict[str, object]:
    """The same service under another name, with pods of its own."""
    spec = {**live["spec"]}  # type: ignore[dict-item]
    labels = {"app": name}
    spec["selector"] = {"matchLabels": labels}
    spec["template"] = {**spec["template"], "metadata": {"labels": labels}}
    spec["strategy"] = {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": spec,
    }
