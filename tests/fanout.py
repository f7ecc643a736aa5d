"""Many watchers of one object, over real connections: do they see every update, and how soon."""

import json
import threading
import time
from typing import Any

from msgspec import Struct

from companyos_canary.cluster.client import Cluster
from companyos_canary.model.http import MERGE_PATCH, Request

NAME = "fan-out"
PATIENCE = 120.0


class FanOut(Struct, frozen=True):
    """`lost`: updates that a watcher did not see, over all of them. `seconds`: from the first
    update until everyone has seen the last."""

    watchers: int
    updates: int
    lost: int
    seconds: float


def fan_out(cluster: Cluster, watchers: int = 50, updates: int = 200) -> FanOut:
    """Watchers that all see every change of a ConfigMap, while one client changes it."""
    path = f"/api/v1/namespaces/{cluster.namespace}/configmaps"
    made = cluster.send(_request("POST", path, {"metadata": {"name": NAME}, "data": {"n": "-"}}))
    since = ("resourceVersion", made["metadata"]["resourceVersion"])
    which = ("fieldSelector", f"metadata.name={NAME}")
    streams = [
        cluster.transport.stream(Request("GET", path, (("watch", "1"), which, since))).stream for _ in range(watchers)
    ]
    seen: list[list[int]] = [[] for _ in streams]
    readers = [
        threading.Thread(target=_read, args=(stream, numbers, updates), daemon=True)
        for stream, numbers in zip(streams, seen, strict=True)
    ]
    for reader in readers:
        reader.start()
    began = time.perf_counter()
    for n in range(updates):
        cluster.send(_request("PATCH", f"{path}/{NAME}", {"data": {"n": str(n)}}))
    for reader in readers:
        reader.join(max(PATIENCE - (time.perf_counter() - began), 0))
    seconds = time.perf_counter() - began
    for stream in streams:
        assert stream is not None
        stream.close()
    cluster.send(_request("DELETE", f"{path}/{NAME}", {}))
    lost = sum(updates - len(set(numbers)) for numbers in seen)
    out_of_order = sum(numbers != sorted(numbers) for numbers in seen)
    return FanOut(watchers, updates, lost + out_of_order, seconds)


def _request(method: str, path: str, body: dict[str, Any]) -> Request:
    media = MERGE_PATCH if method == "PATCH" else "application/json"
    return Request(method, path, (), {"Content-Type": media}, json.dumps(body).encode())


def _read(stream: Any, numbers: list[int], updates: int) -> None:
    rest = b""
    for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        numbers += [int(json.loads(line)["object"]["data"]["n"]) for line in lines]
        if len(numbers) >= updates:
            return
