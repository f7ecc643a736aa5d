"""Answers to the questions of metrics from a function, on a clock that the test owns."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta

from msgspec import Struct

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.provider import TransportError, exchange


class Later(Struct, frozen=True):
    """An answer that takes its time."""

    after: timedelta
    answer: Response | TransportError


class _Waiting(Struct):
    future: Future[Response]
    until: datetime
    answer: Response | TransportError


class FunctionProvider:
    """Answers from a function, on a clock that someone else owns: `step(now)` completes what is
    due. The function may return a Later; `now` is the moment of the question."""

    def __init__(
        self, answer: Callable[[Request, str], Response | TransportError | Later], now: Callable[[], datetime]
    ) -> None:
        self._answer = answer
        self._now = now
        self._waiting: list[_Waiting] = []

    def submit(self, request: Request, address: str) -> Future[Response]:
        waited = timedelta()
        limit = timedelta(seconds=request.timeout)

        def send(sent: Request, to: str) -> Response:
            nonlocal waited
            if waited >= limit:
                raise TransportError("context deadline exceeded")
            found = self._answer(sent, to)
            if isinstance(found, Later):
                waited += found.after
                found = found.answer
            if waited >= limit:
                waited = limit
                raise TransportError("context deadline exceeded")
            if isinstance(found, TransportError):
                raise found
            return found

        future: Future[Response] = Future()
        result: Response | TransportError
        try:
            result = exchange(request, address, send)
        except TransportError as error:
            result = error
        self._waiting.append(_Waiting(future, self._now() + waited, result))
        self.step(self._now())
        return future

    def step(self, now: datetime) -> datetime | None:
        """Completes what is due; when the next answer is."""
        due = [w for w in self._waiting if w.until <= now]
        self._waiting = [w for w in self._waiting if w.until > now]
        for waiting in due:
            if isinstance(waiting.answer, TransportError):
                waiting.future.set_exception(waiting.answer)
            else:
                waiting.future.set_result(waiting.answer)
        return min((w.until for w in self._waiting), default=None)
