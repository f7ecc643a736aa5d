"""An hour of `watch` over the product's own watches, on the clock of the test: what it needs does not grow, and nothing
of it is left when it has ended."""

import gc
import os
import threading
from collections import deque
from copy import deepcopy
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import POD
from tests.commands.conftest import freeze, installed
from tests.world import CONFIG, Ran

HOUR = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 4") + (
    "steps: [{weight: 25, pause: 2h}]\nanalysis: {window: 5s, min_requests: 10, by_hash: true}\n"
)
MIB = 1024 * 1024
MOST = 5 * MIB


def memory() -> int:
    """Bytes that are resident now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def followed(folder: Path, minutes: int, events: int) -> tuple[Ran, list[int]]:
    """v1.1.0 is followed in a pause of two hours, while a pod is changed so many times, evenly: what was said, and the
    memory at each tenth of the changes. What the sandbox itself remembers does not count: no one else acts in it."""
    world = installed(folder, HOUR)
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    world.advance(10)
    freeze(world)
    world.requests = deque(maxlen=10)  # type: ignore[assignment]
    name = world.pods()[0]["metadata"]["name"]
    began, told, seen = world.now, 0, list[int]()

    def act() -> None:
        nonlocal told
        for told in range(told + 1, int((world.now - began).total_seconds() * events / (60 * minutes)) + 1):  # noqa: B020
            pod = deepcopy(world.store.read(POD, "companyos", name))
            pod["status"]["containerStatuses"][0]["restartCount"] = told
            world.store.update(POD, pod)
            if told * 10 % events == 0:
                seen.append(memory())

    world.on_wait.append(act)
    ran = world.canary("watch", "--timeout", f"{minutes}m")
    assert told >= events * 0.99
    return ran, seen


def check(folder: Path, minutes: int, events: int) -> None:
    threads, open_ones = threading.active_count(), descriptors()
    gc.collect()
    gc.freeze()  # what other tests keep need not be looked at with each measurement
    ran, seen = followed(folder, minutes, events)
    assert ran.code == ExitCode.TIMEOUT, ran
    assert abs(seen[-1] - seen[1]) <= MOST, [value // MIB for value in seen]
    assert threading.active_count() == threads
    assert descriptors() == open_ones


@pytest.mark.usefixtures("over_the_real_feed")
def test_a_watch_leaves_nothing_behind(tmp_path: Path) -> None:
    check(tmp_path, 3, 200)


@pytest.mark.soak
@pytest.mark.usefixtures("over_the_real_feed")
def test_soak_of_a_watch_of_an_hour(tmp_path: Path) -> None:
    check(tmp_path, 60, 10_000)
