"""How soon `watch` shows something on a terminal, and what it costs while nothing happens."""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pexpect
from msgspec import Struct

from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import EVENT
from companyos_canary.cluster.requests import create_request
from companyos_canary.model.quantity import format_time

PATIENCE = 60.0  # seconds until what hangs is given up


class Idle(Struct, frozen=True):
    """`share` of a core while nothing changes; the memory of the process in MiB."""

    share: float
    mib: float


def opened(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        command[0],
        list(command[1:]),
        cwd=cwd,
        dimensions=(40, 120),
        env={**env, "TERM": "xterm", "NO_COLOR": "1"},
        encoding="utf-8",
        timeout=PATIENCE,
    )


def first_frame(command: Sequence[str], cwd: Path, env: Mapping[str, str], seen: str, rounds: int) -> float:
    """Seconds from the start of the process to that text on the screen: the median."""
    waits = []
    for _ in range(rounds):
        began = time.perf_counter()
        child = opened(command, cwd, env)
        child.expect_exact(seen)
        waits.append(time.perf_counter() - began)
        _end(child)
    return statistics.median(waits)


def event_to_screen(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], cluster: Cluster, name: str, events: int, idle: float
) -> tuple[list[float], Idle]:
    """Seconds from the answer that an Event was created to its text on the screen, for each; then `idle` seconds."""
    rollout = cluster.rollout(name)
    child = opened(command, cwd, env)
    child.expect("(?i)healthy|paused|waits|degraded")
    waits = []
    for n in range(events):
        time.sleep(0.3 + n % 3 * 0.1)
        word = f"bench-{time.time_ns()}"
        about = {"kind": "Rollout", "name": name, "namespace": cluster.namespace, "uid": rollout.uid}
        cluster.send(create_request(_event(word, about), EVENT, cluster.namespace))
        began = time.perf_counter()
        child.expect_exact(word)
        waits.append(time.perf_counter() - began)
    child.expect(pexpect.TIMEOUT, timeout=1)  # the last frames are drawn
    ticks = _ticks(child.pid)
    child.expect(pexpect.TIMEOUT, timeout=idle)
    share = (_ticks(child.pid) - ticks) / os.sysconf("SC_CLK_TCK") / idle
    found = Idle(share, _memory(child.pid))
    _end(child)
    return waits, found


def _end(child: "pexpect.spawn[str]") -> None:
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()


def _event(name: str, about: Mapping[str, str]) -> dict[str, object]:
    now = format_time(datetime.now(UTC))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": dict(about),
        "type": "Normal",
        "metadata": {"name": name, "namespace": about["namespace"]},
        "reason": "Bench",
        "message": name,
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
