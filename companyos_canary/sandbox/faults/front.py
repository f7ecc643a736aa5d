"""`Faulty`: a handle with faults in front of another one."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.answer import failure, status_object
from companyos_canary.sandbox.api.call import Handle
from companyos_canary.sandbox.faults.answers import Once, page, spoilt, status
from companyos_canary.sandbox.faults.effects import (
    Answer,
    Cut,
    Drop,
    Dropped,
    Effect,
    Expire,
    Fault,
    Html,
    Lose,
    Race,
    Silence,
    Silent,
    Slow,
    Truncate,
    call_of,
)  # fmt: skip

_MERGE = {"Content-Type": "application/merge-patch+json", "User-Agent": "somebody-else"}


@dataclass(slots=True)
class _Rule:
    fault: Fault
    seen: int = 0
    met: int = 0

    def applies(self, request: Request) -> bool:
        if not self.fault.matches(request):
            return False
        self.seen += 1
        last = None if self.fault.times is None else self.fault.after + self.fault.times
        applies = self.seen > self.fault.after and (last is None or self.seen <= last)
        self.met += applies
        return applies


class Faulty:
    """A handle with faults in front; the first rule that applies wins. What no Response can say is
    raised: `Dropped` and `Silent` are the errors that a client would meet. `sleep` is for Slow."""

    def __init__(
        self, handle: Handle, *faults: Fault, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._handle = handle
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rules = [_Rule(fault) for fault in faults]
        self._races = 0

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._rules = []

    def rules(self) -> list[tuple[Fault, int]]:
        """Every rule, and how many requests have met it."""
        with self._lock:
            return [(rule.fault, rule.met) for rule in self._rules]

    def __call__(self, request: Request) -> Response:
        with self._lock:
            rule = next((rule for rule in self._rules if rule.applies(request)), None)
        return self._handle(request) if rule is None else self._met(request, rule.fault.effect)

    def _met(self, request: Request, effect: Effect) -> Response:
        match effect:
            case Answer():
                return failure(status(effect, request))
            case Html():
                return page(effect)
            case Drop():
                raise Dropped
            case Silence(lines=None):
                raise Silent("no answer")
            case Expire():
                error = status_object(status(Answer(410), request))
                return Response(200, {"Content-Type": "application/json"}, stream=Once(error))
            case Slow():
                self._sleep(effect.seconds)
                return self._handle(request)
            case Lose():
                return self._handle(replace(request, query=(*request.query, ("dryRun", "All"))))
            case Race():
                self._write_before(request)
                refusal = failure(status(Answer(409), request))
                return refusal if effect.refuse else self._handle(request)
            case Cut() | Truncate() | Silence():
                return spoilt(self._handle(request), effect)

    def _write_before(self, request: Request) -> None:
        """Somebody else writes an annotation to the object that a request is about to change."""
        call = call_of(request)
        if call is None or not call.name:
            return
        with self._lock:
            self._races += 1
            annotations = {"sandbox/race": str(self._races)}
        path = request.path.rstrip("/").removesuffix(f"/{call.rest}" if call.rest else "")
        body = json.dumps({"metadata": {"annotations": annotations}}).encode()
        path = path.removesuffix(f"/{call.subresource}" if call.subresource else "")
        self._handle(Request("PATCH", path, (), _MERGE, body))
