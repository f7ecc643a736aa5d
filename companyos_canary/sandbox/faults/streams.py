"""Answers and streams that end too early, or fall silent."""

import threading
from collections.abc import Generator, Iterator

from companyos_canary.model.http import Response, Stream
from companyos_canary.sandbox.api.answer import encoded
from companyos_canary.sandbox.faults.effects import Cut, Dropped, Silence, Silent, Truncate


def spoilt(response: Response, effect: Cut | Truncate | Silence) -> Response:
    """A real answer, spoilt. Raises Dropped or Silent where no Response can say it."""
    if response.stream is not None:
        stream: Stream = _Spoilt(response.stream, effect)
        return Response(response.status, response.headers, stream=stream)
    if isinstance(effect, Truncate):
        return Response(response.status, response.headers, response.body[: effect.bytes])
    if isinstance(effect, Cut):
        raise Dropped(response, min(effect.bytes, max(len(response.body) - 1, 0)))
    raise Silent("no answer")


class _Spoilt:
    def __init__(self, stream: Stream, effect: Cut | Truncate | Silence) -> None:
        self._stream = stream
        self._effect = effect
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        self._stream.close()

    def __iter__(self) -> Iterator[bytes]:
        if isinstance(self._effect, Silence):
            yield from self._until_silent(self._effect.lines or 0)
        else:
            cut = yield from self._until_cut(self._effect.bytes)
            if cut and isinstance(self._effect, Cut):
                raise Dropped

    def _until_cut(self, length: int) -> Generator[bytes, None, bool]:
        sent = 0
        for chunk in self._stream:
            if sent + len(chunk) > length:
                yield chunk[: max(length - sent, 1)]
                self._stream.close()
                return True
            yield chunk
            sent += len(chunk)
        return False

    def _until_silent(self, lines: int) -> Iterator[bytes]:
        if lines:
            for number, chunk in enumerate(self._stream, start=1):
                yield chunk
                if number == lines:
                    break
            else:
                return
        self._closed.wait()


class Once:
    """A watch that says one ERROR event, and ends."""

    def __init__(self, error: object) -> None:
        self._line = encoded({"type": "ERROR", "object": error})

    def close(self) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[bytes]:
        yield self._line
