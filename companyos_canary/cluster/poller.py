"""A thread that reads one object again and again, for those who may get it, but not watch it."""

import threading
from collections.abc import Callable
from datetime import datetime

from companyos_canary.cluster.errors import error_of
from companyos_canary.cluster.reads import Selection
from companyos_canary.cluster.reflector import TRIES
from companyos_canary.cluster.watcher import Pause
from companyos_canary.errors import CanaryError, DeniedError
from companyos_canary.model.http import Json, Request, Response, Transport

POLL_SECONDS = 2.0


class Poller:
    """Reads one object by name every two seconds; a `cluster.watcher.Source`."""

    def __init__(
        self,
        transport: Transport,
        selection: Selection,
        name: str,
        changed: Callable[[], None],
        *,
        now: Callable[[], datetime],
        pause: Pause = threading.Event.wait,
    ) -> None:
        self._pause = pause
        self._transport = transport
        path = selection.request().path
        self._request = Request("GET", f"{path}/{name}")
        self._changed = changed
        self._now = now
        self._closed = threading.Event()
        self._object: Json | None = None
        self._heard = now()
        self._refusals = 0
        self.synced = False
        self.stale_since: datetime | None = None
        self.stopped: CanaryError | None = None
        self.trouble: CanaryError | None = None
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def objects(self) -> list[Json]:
        return [self._object] if self._object else []

    def close(self) -> None:
        self._closed.set()

    def join(self, timeout: float) -> None:
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

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
            self._object = response.json()
        else:
            raise error_of(response, self._request)
        self.synced, self.stale_since, self._heard, self._refusals = True, None, self._now(), 0
        self.trouble = None

    def _fail(self, error: Exception) -> None:
        self.stale_since = self.stale_since or self._heard
        self.trouble = error if isinstance(error, CanaryError) else self.trouble
        if isinstance(error, DeniedError):
            self._refusals += 1
            self.stopped = error if self._refusals >= TRIES else None
