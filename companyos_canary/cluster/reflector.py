"""Keeps a copy of some objects of a cluster, without doing I/O itself.

list → watch from the list's resourceVersion → resume from the newest one seen → on 410 list again
and tell the difference. Whoever drives it (`cluster.sources`) sends the requests it asks for and
feeds back what comes; time and chance come from outside, too.

A failure is forgotten when a watch made progress: it brought a new resourceVersion or lived for
SETTLED. So neither an endless row of failures, nor lists that succeed between watches that do not,
makes it ask faster than the back-off allows.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from companyos_canary.cluster.errors import error_of, retry_after, status_of
from companyos_canary.cluster.kinds import Selection
from companyos_canary.errors import CanaryError, DeniedError
from companyos_canary.model.http import Json, Request, Response
from companyos_canary.model.shape import has_name, readable


class Tick(Struct, frozen=True):
    """Time passed; also the first input."""


class Answered(Struct, frozen=True):
    """The answer to the request that was asked for (of a watch: its head)."""

    response: Response


class Chunk(Struct, frozen=True):
    """A piece of the watch's body."""

    data: bytes


class Ended(Struct, frozen=True):
    """The watch's body ended, or no answer came; `error` where it was not in order."""

    error: CanaryError | None = None


class Pushed(Struct, frozen=True):
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Json


class Due(Struct, frozen=True):
    """What to do next: send `request` (a watch if it says so) and leave a stream that is still
    open; or continue reading it where `reading`; or come back with a Tick at `wake_at`. Nothing of
    these: it has stopped."""

    request: Request | None = None
    events: tuple[Pushed, ...] = ()
    wake_at: datetime | None = None
    reading: bool = False


Input = Tick | Answered | Chunk | Ended


SILENCE = timedelta(seconds=90)  # a server sends a bookmark about once a minute
SETTLED = timedelta(seconds=5)
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 0.25, 30.0, 300.0
TRIES = 3  # of what is refused, and of resuming before the list is asked for again
PATIENT_TRIES = 8  # about half a minute


State = Literal["idle", "listing", "opening", "watching", "waiting", "stopped"]


class Reflector:
    """The objects of a selection by uid, as far as they are known. `synced`: the first list came.
    `stale_since`: the last good word, while there is no connection. `trouble`: why it is lost.
    `stopped`: why it gave up (not permitted, no such resource). `random`: numbers from 0 to 1."""

    def __init__(self, selection: Selection, random: Callable[[], float]) -> None:
        self.selection = selection
        self.objects: dict[str, Json] = {}
        self.version = ""
        self.synced = False
        self.stale_since: datetime | None = None
        self.stopped: CanaryError | None = None
        self.trouble: CanaryError | None = None
        self._random = random
        self._state: State = "idle"
        self._request: Request | None = None
        self._due: datetime | None = None
        self._heard: datetime | None = None
        self._opened: datetime | None = None
        self._progress = False
        self._watched_once = False
        self._failures = 0
        self._refusals = 0
        self._rest = b""
        self._events: list[Pushed] = []
        self._listed_at = ""
        self._gone: dict[str, str] = {}  # since the last list

    def step(self, given: Input, now: datetime) -> Due:
        """Takes in what happened at `now` and says what to do next. Inputs that no longer fit (a
        chunk of a watch that was left) change nothing."""
        self._events, self._request = [], None
        if isinstance(given, Tick):
            self._tick(now)
        elif isinstance(given, Answered) and self._state == "listing":
            self._listed(given.response, now)
        elif isinstance(given, Answered) and self._state == "opening":
            self._watched(given.response, now)
        elif isinstance(given, Chunk) and self._state == "watching":
            self._read(given.data, now)
        elif isinstance(given, Ended) and self._state in ("listing", "opening", "watching"):
            self._ended(given.error, now)
        return Due(self._request, tuple(self._events), self._wake_at(), self._state == "watching")

    def _wake_at(self) -> datetime | None:
        if self._state == "watching" and self._heard:
            return self._heard + SILENCE
        return self._due if self._state == "waiting" else None

    def _tick(self, now: datetime) -> None:
        if self._state == "idle":
            self._heard = now
            self._ask(now)
            return
        slept = self._state == "waiting" and self._due is not None and now >= self._due
        if slept or (self._state == "watching" and self._silent(now)):
            self._ask(now)

    def _ask(self, now: datetime) -> None:
        """A watch where there is a version to watch from, else a list."""
        if not self.version:
            self._state, self._request = "listing", self.selection.request()
            return
        self._state, self._opened, self._progress, self._rest = "opening", now, False, b""
        self._request = self.selection.request(
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self.version),
            ("timeoutSeconds", str(240 + int(240 * self._random()))),
            timeout=SILENCE.total_seconds(),
        )

    def _listed(self, response: Response, now: datetime) -> None:
        if response.status != 200:
            self._refused(response, now)
            return
        try:
            answer = response.json()
            items, version = answer.get("items") or [], answer["metadata"]["resourceVersion"]
            found = {_key(item): readable(item, self.selection.kind.kind) for item in items}
            new = {key: item for key, item in found.items() if has_name(item)}
        except (ValueError, KeyError, TypeError):
            self._failed(now)
            return
        for key in [k for k in self.objects if k not in new]:
            self._events.append(Pushed("DELETED", self.objects.pop(key)))
        for key, item in new.items():
            self._put(key, item)
        self.version, self.synced, self._heard = str(version), True, now
        self._listed_at, self._gone = self.version, {}
        self._ask(now)

    def _watched(self, response: Response, now: datetime) -> None:
        if response.status != 200:
            self._refused(response, now)
            return
        self._state, self._heard, self.stale_since = "watching", now, None
        self.trouble = None
        self._watched_once = True

    def _read(self, data: bytes, now: datetime) -> None:
        self._heard = now
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in filter(bytes.strip, lines):
            try:
                event = json.loads(line)
                self._take(event["type"], event["object"], now)
            except (ValueError, KeyError, TypeError, AttributeError):
                self._failed(now)
            if self._state != "watching":
                return

    def _take(self, kind: str, obj: Json, now: datetime) -> None:
        if kind == "ERROR":
            code, details = obj.get("code"), obj.get("details") or {}
            body = json.dumps(obj).encode()
            headers = {"Retry-After": str(details.get("retryAfterSeconds", ""))}
            self._refused(Response(code if code else 500, headers, body), now)
            return
        version = str(obj["metadata"]["resourceVersion"])
        key = "" if kind == "BOOKMARK" else _key(obj)
        if not _newer(version, self._known(key)):
            return  # a server that repeats itself, or something in between that changes the order
        self.version = version if _newer(version, self.version) else self.version
        self._progress = True
        self._failures = self._refusals = 0
        if kind == "DELETED":
            self._gone[key] = version
            if self.objects.pop(key, None) is not None:
                self._events.append(Pushed("DELETED", obj))
        elif key and has_name(obj := readable(obj, self.selection.kind.kind)):
            self._put(key, obj)

    def _known(self, key: str) -> str:
        """The version up to which all about an object is known: its own, that of its end, or that of the list."""
        if not key:
            return self.version
        held = self.objects.get(key)
        return _version(held) if held else self._gone.get(key, self._listed_at)

    def _put(self, key: str, obj: Json) -> None:
        old = self.objects.get(key)
        if old and _version(old) == _version(obj):
            return
        self.objects[key] = obj
        self._events.append(Pushed("MODIFIED" if old else "ADDED", obj))

    def _ended(self, error: CanaryError | None, now: datetime) -> None:
        watched = self._state == "watching"
        lived = watched and self._opened is not None and now - self._opened >= SETTLED
        if lived:
            self._failures = self._refusals = 0
        if isinstance(error, DeniedError) and self._give_up(error):
            return
        if watched and ((error is None and (lived or self._progress)) or self._silent(now)):
            self._ask(now)
        else:
            self._failed(now, error=error)

    def _silent(self, now: datetime) -> bool:
        return self._heard is not None and now - self._heard >= SILENCE

    def _refused(self, response: Response, now: datetime) -> None:
        """An HTTP status or an ERROR event."""
        status = response.status
        if status == 410 or status_of(response).get("reason") in ("Expired", "Gone"):
            self.version = ""
            self._failed(now, at_once=self._failures == 0)
            return
        watch = () if self._state == "listing" else (("watch", "true"),)
        error = error_of(response, self.selection.request(*watch))
        if 400 <= status < 500 and status not in (408, 409, 429) and self._give_up(error):
            return
        self._failed(now, retry_after(response) or 0.0, error=error)

    def _give_up(self, error: CanaryError) -> bool:
        """Stops at the third refusal. Where a watch was open before, it is more patient: an API
        server that restarts may refuse everyone for a while."""
        self._refusals += 1
        if self._refusals < (PATIENT_TRIES if self._watched_once else TRIES):
            return False
        self.stopped, self._state = error, "stopped"
        self.stale_since = self.stale_since or self._heard
        return True

    def _failed(
        self, now: datetime, pause: float = 0.0, *, at_once: bool = False, error: CanaryError | None = None
    ) -> None:
        """Tries again later: at the latest of back-off and Retry-After."""
        self.trouble = error or self.trouble
        self.stale_since = self.stale_since or self._heard or now
        self._failures += 1
        if self._failures >= TRIES:
            self.version = ""  # what the server now says may not fit to what it said before
        if at_once:
            self._ask(now)
            return
        backoff = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(self._failures - 1, 10)))
        wait = max(backoff * (0.5 + self._random() / 2), min(pause, LONGEST_RETRY_AFTER))
        self._state, self._due = "waiting", now + timedelta(seconds=wait)


def _version(obj: Json) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))


def _newer(version: str, than: str) -> bool:
    """Versions of one resource grow as numbers, wherever they are numbers."""
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than


def _key(obj: Json) -> str:
    meta: Json = obj["metadata"]
    return str(meta.get("uid") or f"{meta.get('namespace', '')}/{meta['name']}")
