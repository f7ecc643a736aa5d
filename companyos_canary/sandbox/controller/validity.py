"""Whether a Rollout's spec is valid. It is looked at in every pass, and seldom another one than before."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from companyos_canary.argo.canary_faults import Fault
from companyos_canary.argo.validation import first_fault
from companyos_canary.sandbox.controller.passes import Pass
from companyos_canary.sandbox.controller.routers import find_route
from companyos_canary.sandbox.controller.runs import lookup
from companyos_canary.sandbox.kinds import SERVICE
from companyos_canary.sandbox.objects import Object

_Find = Callable[..., Any]
_MOVES = ("generation", "managedFields", "resourceVersion")


class _Seen(Struct, frozen=True):
    """What a fault was looked for in: the Rollout, and what the store had of all that was asked for."""

    spec: Object
    metadata: Object
    asked: list[tuple[str, tuple[Any, ...], Any]]
    fault: Fault | None


class Validity(Struct):
    """The first fault of each Rollout. It is looked for again when the Rollout or an object to which it refers has
    changed; the store never changes one in place."""

    _seen: dict[str, _Seen] = field(default_factory=dict)

    def fault(self, state: Pass) -> Fault | None:
        uid, find = state.rollout["metadata"]["uid"], _finders(state)
        spec = state.rollout["spec"]
        metadata = {k: v for k, v in state.rollout["metadata"].items() if k not in _MOVES}
        seen = self._seen.get(uid)
        if seen is None or not (
            seen.spec == spec
            and seen.metadata == metadata
            and all(find[what](*names) is found for what, names, found in seen.asked)
        ):
            seen = self._seen[uid] = _looked(state, spec, metadata, find)
        return seen.fault

    def forget(self, uid: str) -> None:
        self._seen.pop(uid, None)


def _finders(state: Pass) -> dict[str, _Find]:
    return {
        "template": lambda name, cluster: lookup(state, name, cluster),
        "service": lambda name: state.store.get(SERVICE, state.view.namespace, name),
        "route": lambda resource, name: find_route(state, resource, name),
    }


def _looked(state: Pass, spec: Object, metadata: Object, find: dict[str, _Find]) -> _Seen:
    asked: list[tuple[str, tuple[Any, ...], Any]] = []

    def noting(what: str) -> _Find:
        def ask(*names: Any) -> Any:
            asked.append((what, names, find[what](*names)))
            return asked[-1][2]

        return ask

    asking = noting("template"), noting("service"), noting("route")
    fault = first_fault(state.rollout, *asking, plugins=state.release.routes_by_plugins)
    return _Seen(spec, metadata, asked, fault)
