"""`make bench`: what the verbs cost, as medians of whole processes against the sandbox.

Writes docs/performance.md, which has ratios only. Times are printed, never asserted; the yardstick
is `kubectl get rollout NAME -o json` in the same run, where kubectl is there.
Requests and bytes are asserted in tests/commands/test_requests.py.
"""

import contextlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pexpect

from companyos_canary import cli
from companyos_canary.cluster.client import Cluster, create_request
from companyos_canary.cluster.credentials import open_transport
from companyos_canary.cluster.kinds import EVENT
from companyos_canary.commands.demo import CONFIG, NAMESPACE
from companyos_canary.model.quantity import format_time
from companyos_canary.runtime import Clock, Runtime
from tests import performance
from tests.fanout import fan_out

CANARY = (sys.executable, "-m", "companyos_canary")
NAME = "companyos-api"
ROUNDS = 9
EVENTS = 20


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    rss_mib: float


COMPLETED = ("canary st", "canary get --context ", "canary get ", "canary undo --to ")


def cost_of(command: tuple[str, ...], cwd: Path, env: dict[str, str]) -> Cost:
    """Median wall time and peak memory of a process that is run several times."""
    seconds, peaks = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with open(os.devnull, "w") as nothing:
            process = subprocess.Popen(command, cwd=cwd, env=env, stdout=nothing, stderr=nothing)
            _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        seconds.append(time.perf_counter() - began)
        peaks.append(usage.ru_maxrss / 1024)
    return Cost(statistics.median(seconds), statistics.median(peaks))


@contextlib.contextmanager
def sandbox(folder: Path) -> Iterator[float]:
    """A sandbox process with the demo's service in it; yields the seconds until it was ready."""
    began = time.perf_counter()
    command = (*CANARY, "sandbox", "-q", "--write", str(folder / "config"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield time.perf_counter() - began
        finally:
            process.terminate()


def requests_of(arguments: tuple[str, ...], cwd: Path, env: dict[str, str]) -> tuple[int, int]:
    """Requests and bytes that a verb needs, from the counters of its transport."""
    seen: list[Cluster] = []
    runtime = Runtime(
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        stdin=io.StringIO(),
        environ=env,
        cwd=cwd,
        clock=Clock(now=lambda: datetime.now(UTC), sleep=time.sleep),
    )
    plain = runtime.connect

    def counting(*given: object) -> Cluster:
        seen.append(plain(*given))  # type: ignore[arg-type]
        return seen[-1]

    runtime.connect = counting  # type: ignore[assignment]
    cli.run(arguments, runtime)
    transport = seen[-1].transport
    return transport.requests, transport.received  # type: ignore[attr-defined]


def event_to_screen(cwd: Path, env: dict[str, str]) -> tuple[list[float], float, float]:
    """Seconds from an Event's creation to its text on a live screen; then the screen's memory and
    the share of a core that it uses while nothing changes."""
    found = open_transport(env["KUBECONFIG"], None, environ=env, timeout=10)
    cluster = Cluster(found.transport, NAMESPACE)
    uid = cluster.rollout(NAME).uid
    child = pexpect.spawn(
        CANARY[0],
        [*CANARY[1:], "watch"],
        cwd=cwd,
        dimensions=(40, 120),
        env={**env, "TERM": "xterm", "NO_COLOR": "1"},
        encoding="utf-8",
        timeout=10,
    )
    child.expect("Healthy|paused|waits")
    waits = []
    for n in range(EVENTS):
        time.sleep(0.3 + n % 3 * 0.1)
        cluster.send(create_request(_event(n, uid), EVENT, NAMESPACE))
        began = time.perf_counter()
        child.expect(f"bench-{n:03}")
        waits.append(time.perf_counter() - began)
    rss, ticks = _memory(child.pid), _ticks(child.pid)
    time.sleep(5)
    child.expect(pexpect.TIMEOUT, timeout=0.1)
    busy = (_ticks(child.pid) - ticks) / os.sysconf("SC_CLK_TCK") / 5
    child.sendintr()
    child.expect(pexpect.EOF)
    return waits, rss, busy


def first_frame(cwd: Path, env: dict[str, str]) -> list[float]:
    """Seconds from the start of `watch` to something on the screen, and to all of it."""
    medians = []
    for seen in (NAME, "stable  v1.0.0"):
        waits = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            child = pexpect.spawn(
                CANARY[0],
                [*CANARY[1:], "watch"],
                cwd=cwd,
                dimensions=(40, 120),
                env={**env, "TERM": "xterm", "NO_COLOR": "1"},
                encoding="utf-8",
                timeout=10,
            )
            child.expect(seen)
            waits.append(time.perf_counter() - began)
            child.sendintr()
            child.expect(pexpect.EOF)
        medians.append(statistics.median(waits))
    return medians


def _event(n: int, uid: str) -> dict[str, object]:
    now = format_time(datetime.now(UTC))
    about = {"kind": "Rollout", "name": NAME, "namespace": NAMESPACE, "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": about,
        "type": "Normal",
        "metadata": {"name": f"bench-{n:03}", "namespace": NAMESPACE},
        "reason": "Bench",
        "message": f"bench-{n:03}",
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
    }


def _memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = CONFIG.replace("{weight: 10, analysis: 6s}", "{weight: 10, pause: manual}")
        (folder / "canary.yaml").write_text(steps)
        with sandbox(folder) as ready:
            env = {**os.environ, "KUBECONFIG": str(folder / "config")}
            for arguments in (("apply", "v1.0.0"), ("deploy", "v1.1.0", "--until", "paused")):
                subprocess.run((*CANARY, *arguments, "-q"), cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
            report(folder, env, ready)
            performance.write(folder, env, NAME, NAMESPACE)
            sys.stdout.write(f"wrote {performance.PAGE}\n")


def report(folder: Path, env: dict[str, str], ready: float) -> None:
    yardstick = None
    if shutil.which("kubectl"):
        kubectl = ("kubectl", "get", "rollout", NAME, "-n", NAMESPACE, "-o", "json")
        yardstick = cost_of(kubectl, folder, env)
    verbs = (("--help",), ("status",), ("get",), ("promote", "--dry-run"))
    say = sys.stdout.write
    say(f"{'':<20}{'ms':>7}{'kubectl':>9}{'MiB':>7}{'requests':>10}{'bytes':>10}\n")
    for line in COMPLETED:
        asking = {**env, "_CANARY_COMPLETE": line}
        cost = cost_of(CANARY, folder, asking)
        say(f"{line[7:] + '⇥':<20}{cost.seconds * 1000:>7.0f}{'':>9}{cost.rss_mib:>7.0f}\n")
    for arguments in verbs:
        cost = cost_of((*CANARY, *arguments), folder, env)
        network = ("", "")
        if arguments != ("--help",):
            network = tuple(map(str, requests_of(arguments, folder, env)))
        ratio = f"{cost.seconds / yardstick.seconds:.1f} ×" if yardstick else "-"
        say(
            f"{' '.join(arguments):<20}{cost.seconds * 1000:>7.0f}{ratio:>9}{cost.rss_mib:>7.0f}"
            f"{network[0]:>10}{network[1]:>10}\n"
        )
    if yardstick:
        say(f"{'kubectl get -o json':<20}{yardstick.seconds * 1000:>7.0f}{'1.0 ×':>9}{yardstick.rss_mib:>7.0f}\n")
    say(f"{'sandbox ready':<20}{ready * 1000:>7.0f}\n")
    found = open_transport(env["KUBECONFIG"], None, environ=env, timeout=10)
    watched = fan_out(Cluster(found.transport, NAMESPACE))
    many = f"{watched.watchers} watchers × {watched.updates}"
    say(f"{many:<20}{watched.seconds * 1000:>7.0f}   lost {watched.lost}\n")
    waits, rss, busy = event_to_screen(folder, env)
    p95 = statistics.quantiles(waits, n=20)[-1]
    say(f"{'event → screen':<20}{statistics.median(waits) * 1000:>7.0f}   p95 {p95 * 1000:.0f} ms\n")
    first, whole = first_frame(folder, env)
    say(f"{'first frame':<20}{first * 1000:>7.0f}   all of it {whole * 1000:.0f} ms\n")
    say(f"{'watch, idle':<20}{'':>16}{rss:>7.0f}   {busy * 100:.1f} % of a core\n")


if __name__ == "__main__":
    main()
