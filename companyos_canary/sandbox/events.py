"""Writes Event objects as the controllers' client library does: with a budget and by folding.

Recorded: 25 Normal events about one object, then one more every five minutes; Warnings have a
budget of their own; equal events are counted up; after ten with the same reason within ten
minutes the rest become one object.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct, field

from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.kinds import EVENT
from companyos_canary.sandbox.objects import Object, copied
from companyos_canary.sandbox.store import Store

BURST = 25
REFILL = timedelta(minutes=5)
SIMILAR = 10
WINDOW = timedelta(minutes=10)
COMBINED = "(combined from similar events): "

_About = tuple[str, str, str]

Emit = Callable[[Object, str, str, str], None]
"""(about what, type, reason, message) -> an Event."""


class _Budget(Struct):
    left: float
    at: datetime


class _Similar(Struct):
    last: datetime
    messages: set[str] = field(default_factory=set)


class Events:
    """`component` is the source that the events name."""

    def __init__(self, store: Store, component: str) -> None:
        self._store = store
        self._component = component
        self._lock = threading.Lock()
        self._budgets: dict[tuple[str, str], _Budget] = {}
        self._similar: dict[_About, _Similar] = {}
        self._written: dict[tuple[_About, str], str] = {}
        self._number = 0

    def emit(self, about: Object, type_: str, reason: str, message: str) -> None:
        """One event about an object; dropped when its budget is used up."""
        with self._lock:
            now = self._store.now()
            uid = about["metadata"].get("uid", "")
            message, folded = self._fold((uid, type_, reason), message, now)
            if self._spend((uid, type_), now):
                key = ((uid, type_, reason), COMBINED if folded else message)
                self._write(key, about, message, now)

    def _fold(self, about: _About, message: str, now: datetime) -> tuple[str, bool]:
        group = self._similar.get(about)
        if group is None or now - group.last > WINDOW:
            group = self._similar[about] = _Similar(now)
        group.last = now
        group.messages.add(message)
        if len(group.messages) < SIMILAR:
            return message, False
        group.messages.discard(message)
        return COMBINED + message, True

    def _spend(self, key: tuple[str, str], now: datetime) -> bool:
        budget = self._budgets.setdefault(key, _Budget(BURST, now))
        budget.left = min(BURST, budget.left + (now - budget.at) / REFILL)
        budget.at = now
        if budget.left < 1:
            return False
        budget.left -= 1
        return True

    def _write(self, key: tuple[_About, str], about: Object, message: str, now: datetime) -> None:
        namespace = about["metadata"].get("namespace", "") or "default"
        old = self._store.get(EVENT, namespace, self._written.get(key, ""))
        if old is not None:
            new = copied(old)
            new["count"], new["message"] = old["count"] + 1, message
            new["lastTimestamp"] = format_time(now)
            self._store.update(EVENT, new)
            return
        (_, type_, reason), _ = key
        self._number += 1
        stamp = int(now.timestamp() * 1_000_000_000) + self._number
        name = f"{about['metadata']['name']}.{stamp:x}"
        self._written[key] = name
        self._store.create(
            EVENT,
            {
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {
                    "apiVersion": about.get("apiVersion", ""),
                    "kind": about.get("kind", ""),
                    "name": about["metadata"]["name"],
                    "namespace": namespace,
                    "uid": about["metadata"].get("uid", ""),
                    "resourceVersion": about["metadata"].get("resourceVersion", ""),
                },
                "source": {"component": self._component},
                "type": type_,
                "reason": reason,
                "message": message,
                "count": 1,
                "firstTimestamp": format_time(now),
                "lastTimestamp": format_time(now),
                "reportingComponent": self._component,
                "reportingInstance": "",
            },
        )
