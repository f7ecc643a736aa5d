"""What can go wrong with one request, in front of the sandbox's `handle`.

A change that met a fault may have been made, or cannot have been: `MADE` are the faults behind which it was, `UNSURE`
those behind which no one can know, and with all others the server has refused it or never saw it.
"""

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec.structs import replace

from companyos_canary.cluster.failure import unreachable
from companyos_canary.model.http import Request, Response, Stream
from companyos_canary.sandbox.faults.effects import Answer, Dropped, Fault, Silent
from companyos_canary.sandbox.faults.injection import Faulty
from tests.world import World

Handle = Callable[[Request], Response]
Meet = Callable[[World, Handle, Request], Response]
"""(world, the handle behind, the request) -> what the client gets. Raises what a client would meet."""

_PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"
_TIME_OUT = 30.0


def _answers(code: int, retry_after: int | None = None) -> Meet:
    fault = Fault(Answer(code, retry_after=retry_after))
    return lambda _world, handle, request: Faulty(handle, fault)(request)


def _fails(error: Callable[[], OSError]) -> Meet:
    def meet(_world: World, _handle: Handle, request: Request) -> Response:
        raise unreachable(error(), "https://sandbox", changing=request.method != "GET")

    return meet


def _drops(_world: World, _handle: Handle, _request: Request) -> Response:
    raise Dropped


def _drops_after(_world: World, handle: Handle, request: Request) -> Response:
    handle(request)
    raise Dropped


def _silent(world: World, _handle: Handle, _request: Request) -> Response:
    world.advance(_TIME_OUT)
    raise Silent("no answer")


def _silent_after(world: World, handle: Handle, request: Request) -> Response:
    handle(request)
    world.advance(_TIME_OUT)
    raise Silent("no answer")


def _spoils(spoil: Callable[[bytes], bytes], code: int = 200, kind: str = "") -> Meet:
    """It is carried out, and something in between spoils the answer."""

    def meet(_world: World, handle: Handle, request: Request) -> Response:
        found = handle(request)
        return Response(code, {"Content-Type": kind}, spoil(found.body)) if found.status < 300 else found

    return meet


def _freezes(world: World, handle: Handle, request: Request) -> Response:
    world.sandbox.freeze()
    return handle(request)


class Stale:
    """Reads are answered as they were answered the first time, as by a cache that is behind."""

    def __init__(self) -> None:
        self._first: dict[str, Response] = {}

    def __call__(self, _world: World, handle: Handle, request: Request) -> Response:
        found = handle(request)
        return self._first.get(request.target, found) if request.method == "GET" else found

    def remember(self, request: Request, response: Response) -> None:
        if request.method == "GET":
            self._first.setdefault(request.target, response)


FAULTS: Mapping[str, Meet] = {
    "refused": _fails(lambda: ConnectionRefusedError(111, "Connection refused")),
    "reset before it is sent": _drops,
    "reset after it is sent": _drops_after,
    "no answer in time": _silent,
    "no answer though it is done": _silent_after,
    "a byte a second": _silent_after,
    "TLS": _fails(lambda: ssl.SSLError(1, "wrong version number")),
    **{str(code): _answers(code) for code in (401, 403, 404, 409, 410, 422)},
    "429 + Retry-After": _answers(429, 2),
    "500": _answers(500),
    "503": _answers(503),
    "504 though it is done": _spoils(lambda _: b"<html>gateway time-out</html>", 504),
    "200, empty": _spoils(lambda _: b""),
    "200, another object": _spoils(lambda _: b"{}"),
    "200, half the JSON": _spoils(lambda body: body[: len(body) // 2]),
    "200, a login page": _spoils(lambda _: _PAGE, kind="text/html"),
    "200, gzip that nobody asked for": _spoils(lambda _: b"\x1f\x8b\x08\x00" + bytes(range(256))),
    "200, 10 MB of something else": _spoils(lambda _: b"x" * 10_000_000),
    "frozen controller": _freezes,
}


def _twice(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for line in _lines(chunks):
        yield line + line


def _behind(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """After each event once more the one before it: what is older comes after what is newer."""
    before = b""
    for line in _lines(chunks):
        yield line + before
        before = line


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)


class Watched:
    """The stream of a watch, with other events in it."""

    def __init__(self, stream: Stream, change: Callable[[Iterable[bytes]], Iterator[bytes]]) -> None:
        self._stream, self._chunks = stream, change(stream)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self._stream.close()


def _watches(change: Callable[[Iterable[bytes]], Iterator[bytes]]) -> Meet:
    def meet(_world: World, handle: Handle, request: Request) -> Response:
        found = handle(request)
        return replace(found, stream=Watched(found.stream, change)) if found.stream else found

    return meet


#: Of verbs that follow, over the product's own watches.
EVENTS: Mapping[str, Meet] = {"duplicated events": _watches(_twice), "reordered events": _watches(_behind)}
STALE = "stale reads"
CLOCKS = {"clock an hour ahead": 3600.0, "clock an hour behind": -3600.0}
#: The server has not carried it out, and the client can know.
NOT_MADE = frozenset(("refused", "TLS", "401", "403", "404", "409", "410", "422", "429 + Retry-After"))
#: Nothing fails: the answers are true, or were.
NO_FAILURE = frozenset(("frozen controller", STALE, *CLOCKS, *EVENTS))
