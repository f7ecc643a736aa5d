"""Threads that keep objects up to date: by a watch, or by reading one object again and again."""

import threading
from collections.abc import Callable
from datetime import datetime

from companyos_canary.cluster.errors import error_of
from companyos_canary.cluster.kinds import Selection
from companyos_canary.cluster.reflector import TRIES, Answered, Chunk, Due, Ended, Input, Reflector, Tick
from companyos_canary.errors import CanaryError, DeniedError
from companyos_canary.model.http import Json, Request, Response, Stream, Transport
from companyos_canary.model.shape import readable

Pause = Callable[[threading.Event, float], object]  # waits so long, or until the event is set


class ObjectSource:
    """Objects that are kept up to date on a daemon thread until `close`. `synced`: they are known; `stopped`: they
    will not be; `stale_since`: since when there is no connection, `trouble`: why, `failed_at`: when that was
    found. `changed` is called on that thread after every step that brought something new."""

    def __init__(
        self, transport: Transport, name: str, changed: Callable[[], None], now: Callable[[], datetime], pause: Pause
    ) -> None:
        self._transport = transport
        self._changed = changed
        self._now = now
        self._pause = pause
        self._closed = threading.Event()
        self.synced = False
        self.stale_since: datetime | None = None
        self.stopped: CanaryError | None = None
        self.trouble: CanaryError | None = None
        self.failed_at: datetime | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def objects(self) -> list[Json]:
        raise NotImplementedError

    def close(self) -> None:
        """Ends the thread soon."""
        self._closed.set()

    def join(self, timeout: float) -> None:
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        raise NotImplementedError


class Watcher(ObjectSource):
    """Drives a reflector."""

    def __init__(
        self,
        transport: Transport,
        reflector: Reflector,
        changed: Callable[[], None],
        *,
        now: Callable[[], datetime],
        pause: Pause = threading.Event.wait,
    ) -> None:
        super().__init__(transport, f"watch-{reflector.selection.kind.plural}", changed, now, pause)
        self._reflector = reflector
        self._lock = threading.Lock()
        self._stream: Stream | None = None

    def objects(self) -> list[Json]:
        with self._lock:
            return list(self._reflector.objects.values())

    def close(self) -> None:
        """A blocked read ends at once, a request when it is answered."""
        super().close()
        with self._lock:
            if self._stream:
                self._stream.close()

    def _run(self) -> None:
        try:
            step = self._step(Tick())
            while not self._closed.is_set():
                if step.request:
                    step = self._ask(step.request)
                elif step.wake_at:
                    left = (step.wake_at - self._now()).total_seconds()
                    self._pause(self._closed, max(0.0, left))
                    step = self._step(Tick())
                else:
                    return
        except Exception as error:  # a mistake of ours must not look like silence
            self.stopped = CanaryError(f"the watch ended unexpectedly: {error!r}")
            self.stopped.__cause__ = error
            self._changed()

    def _step(self, given: Input) -> Due:
        reflector = self._reflector
        if self._closed.is_set():  # that a stream was closed is no news
            return Due()
        with self._lock:
            step = reflector.step(given, self._now())
            if reflector.trouble is not self.trouble:
                self.failed_at = self._now()
        news = (reflector.synced, reflector.stale_since, reflector.stopped, reflector.trouble)
        if step.events or news != (self.synced, self.stale_since, self.stopped, self.trouble):
            self.synced, self.stale_since, self.stopped, self.trouble = news
            self._changed()
        return step

    def _ask(self, request: Request) -> Due:
        watch = bool(request.parameter("watch"))
        try:
            send = self._transport.stream if watch else self._transport.send
            response = send(request)
        except CanaryError as error:
            return self._step(Ended(error))
        if not watch or response.status != 200:
            return self._step(Answered(response))
        return self._read(response)

    def _read(self, response: Response) -> Due:
        stream = response.stream
        if stream is None:
            self._step(Answered(response))
            step = self._step(Chunk(response.body))
            return self._step(Ended()) if step.reading else step
        with self._lock:
            self._stream = stream
            if self._closed.is_set():
                stream.close()
        try:
            self._step(Answered(response))
            for chunk in stream:
                step = self._step(Chunk(chunk))
                if not step.reading:
                    return step
        except CanaryError as error:
            return self._step(Ended(error))
        finally:
            with self._lock:
                self._stream = None
            stream.close()
        return self._step(Ended())


POLL_SECONDS = 2.0


class Poller(ObjectSource):
    """Reads one object by name every two seconds."""

    def __init__(
        self,
        transport: Transport,
        selection: Selection,
        name: str,
        changed: Callable[[], None],
        *,
        now: Callable[[], datetime],
        pause: Pause,
    ) -> None:
        super().__init__(transport, "poll", changed, now, pause)
        path = selection.request().path
        self._request, self._kind = Request("GET", f"{path}/{name}"), selection.kind.kind
        self._object: Json | None = None
        self._heard = now()
        self._refusals = 0

    def objects(self) -> list[Json]:
        return [self._object] if self._object else []

    def _run(self) -> None:
        while not self._closed.is_set() and self.stopped is None:
            try:
                self._take(self._transport.send(self._request))
            except (CanaryError, ValueError) as error:
                self._fail(error)
            self._changed()
            self._pause(self._closed, POLL_SECONDS)

    def _take(self, response: Response) -> None:
        if response.status == 404:
            self._object = None
        elif response.status == 200:
            self._object = readable(response.json(), self._kind)
        else:
            raise error_of(response, self._request)
        self.synced, self.stale_since, self._heard, self._refusals = True, None, self._now(), 0
        self.trouble = None

    def _fail(self, error: Exception) -> None:
        self.stale_since = self.stale_since or self._heard
        if isinstance(error, CanaryError):
            self.trouble, self.failed_at = error, self._now()
        if isinstance(error, DeniedError):
            self._refusals += 1
            self.stopped = error if self._refusals >= TRIES else None
