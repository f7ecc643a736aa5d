"""What lies behind a Service or a pod: what it serves through the proxy, and the logs that a simulated app would have
written, a line a second."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from companyos_canary.model.http import Response
from companyos_canary.model.quantity import format_time, parse_time
from companyos_canary.model.workload import labels_match
from companyos_canary.sandbox.api.call import Call, Handle
from companyos_canary.sandbox.kinds import ENDPOINTS, POD, SERVICE
from companyos_canary.sandbox.objects import ApiStatus, Object, bad_request, is_ready, not_found
from companyos_canary.sandbox.store import Store

_HOP = ("authorization", "connection", "host", "transfer-encoding")


def proxied(store: Store, call: Call, proxies: Mapping[str, Handle]) -> Response:
    """The answer of the service. `NAME:PORT` may be written `http:NAME:PORT`; 503 where nothing is
    behind it."""
    parts = call.name.split(":")
    target = ":".join(parts[1:] if len(parts) == 3 else parts)
    handle = proxies.get(f"{call.namespace}/{target}")
    if handle is None:
        raise _unreachable(store, call, target)
    headers = {k: v for k, v in call.request.headers.items() if k.lower() not in _HOP}
    return handle(replace(call.request, path=f"/{call.rest}", headers=headers))


def _unreachable(store: Store, call: Call, target: str) -> ApiStatus:
    """Why a Service cannot be reached, in the words of the real server."""
    name, _, port = target.partition(":")
    service = store.get(SERVICE, call.namespace, name)
    if service is None:
        return not_found(SERVICE if port.isdecimal() else ENDPOINTS, name)
    ports = service["spec"].get("ports") or []
    if port.isdecimal() and int(port) not in [p.get("port") for p in ports]:
        return _unavailable(f'no service port {port} found for service "{name}"')
    selector = service["spec"].get("selector")
    if not selector:  # its endpoints are no pods, and only pods are gone to
        return _unavailable(f'no endpoints available for service "{name}"')
    pods = [
        p
        for p in store.items(POD, call.namespace)
        if labels_match({"matchLabels": selector}, p["metadata"].get("labels") or {})
    ]
    ready = next((p["status"]["podIP"] for p in pods if is_ready(p)), None)
    found = next((p for p in ports if port in ("", p.get("name"), str(p.get("port")))), None)
    if ready is None or found is None:
        return _unavailable(f'no endpoints available for service "{name if ready is None else target}"')
    where = f"{ready}:{found.get('targetPort', found.get('port'))}"
    return _unavailable(f"error trying to reach service: dial tcp {where}: connect: connection refused")


def _unavailable(why: str) -> ApiStatus:
    return ApiStatus(503, "ServiceUnavailable", why)


LogLine = Callable[[Object, datetime], str | None]
_SECOND = timedelta(seconds=1)
_LONGEST = 1000
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def access_line(pod: Object, at: datetime) -> str | None:
    """One access line for a second of a pod's life, the same whenever it is asked for."""
    seed = hashlib.sha256(f"{pod['metadata']['uid']} {int(at.timestamp())}".encode()).digest()
    status = 500 if seed[0] < 3 else 200
    return (
        f"time={format_time(at)} level={'error' if status == 500 else 'info'} "
        f'msg="request" method=GET path=/api status={status} duration_ms={20 + seed[1]}'
    )


def answer(store: Store, call: Call, line: LogLine) -> Response:
    """The log of a container, `follow` as a stream. 204 while the pod has no node, 400 where the
    container has not started."""
    pod = store.read(POD, call.namespace, call.name)
    if not pod["spec"].get("nodeName"):
        return Response(204, {}, b"")
    container = _container(pod, call.request.parameter("container"))
    began, ended = _life(pod, container, previous=call.flag("previous"))
    now = ended or store.now()
    begin = began or now
    if seconds := call.request.parameter("sinceSeconds"):
        begin = max(begin, now - timedelta(seconds=_count(seconds)))
    if since := parse_time(call.request.parameter("sinceTime")):
        begin = max(begin, since)
    writer = _Writer(line, stamped=call.flag("timestamps"))
    lines = list(writer.lines(pod, max(begin, now - _LONGEST * _SECOND), now))
    if ended:
        lines.append(writer.last_words(ended))
    if tail := call.request.parameter("tailLines"):
        lines = lines[-_count(tail) :] if _count(tail) else []
    if call.flag("follow") and ended is None:
        return Response(200, _TEXT, stream=_Follow(store, pod, lines, writer, now))
    return Response(200, _TEXT, b"".join(lines))


def _count(text: str) -> int:
    if not text.isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _container(pod: Object, container: str) -> str:
    """The name of the container that is meant; 400 where that is not clear or there is none."""
    name = pod["metadata"]["name"]
    names = [c["name"] for c in pod.get("spec", {}).get("containers") or []]
    if not container and len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    container = container or (names[0] if names else "")
    if container not in names:
        raise bad_request(f"container {container} is not valid for pod {name}")
    return container


def _life(pod: Object, container: str, *, previous: bool) -> tuple[datetime | None, datetime | None]:
    """When the container began to run and ended (None: it runs), for one that waits after a crash
    its last run; 400 in the words of the real server where it has none."""
    name = pod["metadata"]["name"]
    statuses: list[Any] = (pod.get("status") or {}).get("containerStatuses") or []
    status: Any = next((s for s in statuses if s.get("name") == container), {})
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    if previous and not last:
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    if last and (previous or "waiting" in state):
        began = parse_time(last.get("startedAt") or pod["metadata"]["creationTimestamp"])
        return began, parse_time(last.get("finishedAt")) or began
    if "waiting" in state or not state:
        why = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
        why = {"ImagePullBackOff": "trying and failing to pull image"}.get(why, why)
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')
    detail = state.get("running") or state.get("terminated") or {}
    began = parse_time(detail.get("startedAt") or pod["metadata"]["creationTimestamp"])
    return began, parse_time(detail.get("finishedAt"))


class _Writer:
    def __init__(self, line: LogLine, *, stamped: bool) -> None:
        self._line = line
        self._stamped = stamped

    def lines(self, pod: Object, begin: datetime, end: datetime) -> Iterator[bytes]:
        """One entry for each whole second after `begin` up to `end`."""
        at = begin.replace(microsecond=0) + _SECOND
        while at <= end:
            if (text := self._line(pod, at)) is not None:
                stamp = f"{format_time(at)} " if self._stamped else ""
                yield f"{stamp}{text}\n".encode()
            at += _SECOND

    def last_words(self, at: datetime) -> bytes:
        stamp = f"{format_time(at)} " if self._stamped else ""
        return f'{stamp}time={format_time(at)} level=fatal msg="the application has ended"\n'.encode()


class _Follow:
    """A followed log: ends with its pod."""

    def __init__(self, store: Store, pod: Object, first: list[bytes], writer: _Writer, now: datetime) -> None:
        self._store, self._pod, self._first = store, pod, first
        self._writer, self._now = writer, now
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._store.wake()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._first
        meta, told = self._pod["metadata"], self._now
        while not self._closed:
            version = self._store.version
            pod = self._store.get(POD, meta["namespace"], meta["name"])
            if pod is None or pod["metadata"]["uid"] != meta["uid"]:
                return
            now = self._store.now()
            yield from self._writer.lines(pod, told, now)
            told = max(told, now)
            self._store.wait(version, 1.0, lambda: self._closed)
