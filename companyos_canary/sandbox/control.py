"""The control endpoint: faults, and a controller that is stopped, switched while it runs.

GET    /sandbox          scenario, faults with how often each was met, frozen
POST   /sandbox/faults   rules as `--fault` takes them, one a line
DELETE /sandbox/faults   a good day again: no rules, nothing frozen
POST   /sandbox/freeze   for the duration in the body (empty: until thawed)
POST   /sandbox/thaw
POST   /sandbox/scenario one that ships, by name, or YAML: what versions do from now on
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from companyos_canary.errors import UsageError
from companyos_canary.model.http import Json, Request, Response
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.api.answer import failure, ok, page_not_found
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.faults.effects import Fault, Freeze, RouterLag, parse_fault, rule_text
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.objects import ApiStatus, bad_request, method_not_allowed
from companyos_canary.sandbox.scenarios import Playing, given

_ROOT = "/sandbox"
Answers = dict[str, Callable[[str], None]]


class Control:
    """A handle that answers what is below `/sandbox`, whatever the faults and the Role, and hands
    on the rest. Every answer is the state after it."""

    def __init__(self, faults: Faulty, cluster: Cluster, playing: Playing, now: Callable[[], datetime]) -> None:
        self._faults = faults
        self._cluster = cluster
        self._playing = playing
        self._now = now
        self._routes: dict[str, Answers] = {
            _ROOT: {"GET": lambda _: None},
            f"{_ROOT}/faults": {"POST": self._add, "DELETE": lambda _: self.clear()},
            f"{_ROOT}/freeze": {"POST": self._freeze},
            f"{_ROOT}/scenario": {"POST": self._play},
            f"{_ROOT}/thaw": {"POST": lambda _: cluster.thaw()},
        }

    def __call__(self, request: Request) -> Response:
        path = request.path.rstrip("/")
        if path != _ROOT and not path.startswith(_ROOT + "/"):
            return self._faults(request)
        if path not in self._routes:
            return page_not_found()
        act = self._routes[path].get(request.method)
        if act is None:
            return failure(method_not_allowed())
        try:
            act(request.body.decode())
        except UsageError as error:
            return failure(bad_request(f"{error.message} ({error.hint})"))
        except UnicodeDecodeError:
            return failure(ApiStatus(400, "BadRequest", "the body is not UTF-8"))
        return ok(self.state())

    def state(self) -> Json:
        now, until = self._now(), self._cluster.freezer.until
        frozen = self._cluster.freezer.holds(now)
        lag = self._cluster.lag.seconds
        return {
            **({"routerLagSeconds": lag} if lag else {}),
            "scenario": self._playing.scenario.name,
            "faults": [{"rule": rule_text(f), "met": met} for f, met in self._faults.rules()],
            "frozen": frozen,
            "frozenUntil": format_time(until) if frozen and until else None,
        }

    def switch(self, *faults: Fault | Freeze | RouterLag) -> None:
        """Adds rules; a Freeze begins now, and routers lag from the next weight on."""
        for fault in faults:
            if isinstance(fault, Freeze):
                seconds = fault.seconds
                until = None if seconds is None else self._now() + timedelta(seconds=seconds)
                self._cluster.freeze(until)
            elif isinstance(fault, RouterLag):
                self._cluster.lag.seconds = fault.seconds
            else:
                self._faults.add(fault)

    def clear(self) -> None:
        self._faults.clear()
        self._cluster.lag.seconds = 0
        self._cluster.thaw()

    def _add(self, body: str) -> None:
        lines = [line for line in body.splitlines() if line.strip()]
        if not lines:
            raise UsageError("the body names no fault", hint="a rule a line, as `PATCH 409 x2`")
        self.switch(*[parse_fault(line) for line in lines])

    def _play(self, body: str) -> None:
        self._playing.scenario = given(body)

    def _freeze(self, body: str) -> None:
        self.switch(parse_fault(f"freeze={body.strip()}" if body.strip() else "freeze"))
