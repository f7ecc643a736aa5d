"""What every router does: take a weight and the routes of a step, and say whether it is so."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from companyos_canary.model.http import Json
from companyos_canary.model.rollout import Step
from companyos_canary.sandbox.controller.passes import Pass
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import Object, copied


class RouterError(Exception):
    """A router cannot take a weight; the controller tries again, later each time."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Split(Struct, frozen=True):
    """`weight` of `most` to the canary; the rest to stable, without what experiments get."""

    weight: int
    most: int
    canary_hash: str
    stable_hash: str
    additional: tuple[Mapping[str, Any], ...] = ()

    @property
    def stable_weight(self) -> int:
        return self.most - self.weight - sum(int(d["weight"]) for d in self.additional)


def share_out(backends: list[Json], weights: Mapping[str, int], name: str = "name") -> None:
    """Writes weights into the backends that name a Service; others keep theirs."""
    for backend in backends:
        if backend.get(name) in weights:
            backend["weight"] = weights[backend[name]]


class Router:
    """One way to split traffic; `settings` is its part of trafficRouting. A subclass writes the
    objects of its kind."""

    def __init__(self, state: Pass, settings: Mapping[str, Any]) -> None:
        self.state = state
        self.settings = settings

    @property
    def canary(self) -> str:
        return self.state.services[0]

    @property
    def stable(self) -> str:
        return self.state.services[1]

    @property
    def namespace(self) -> str:
        return self.state.view.namespace

    def set_weight(self, split: Split) -> None:
        raise NotImplementedError

    def set_route(self, step: Step) -> None:
        """Acts on a setHeaderRoute or a setMirrorRoute, if it can."""

    def remove_routes(self) -> None:
        """Takes the header and mirror routes away that it has made."""

    def verified(self) -> bool | None:
        """Whether the weight is in force; None: it cannot tell."""
        return None

    @property
    def managed(self) -> list[str]:
        """The names of the header and mirror routes that it may make, the first ones first."""
        routing = self.state.strategy.get("trafficRouting") or {}
        return [route.get("name") or "" for route in routing.get("managedRoutes") or []]

    def find(self, kinds: Sequence[Kind], name: str, namespace: str = "") -> tuple[Kind, Object]:
        """A copy of the object, in the version it was written in. Raises RouterError without one."""
        for kind in kinds:
            found = self.state.store.get(kind, namespace or self.namespace, name)
            if found is not None:
                return kind, copied(found)
        raise RouterError(f'{kinds[0].resource} "{name}" not found')

    def write(self, kind: Kind, new: Object) -> bool:
        """Replaces an object, where anything differs; whether it did."""
        meta = new["metadata"]
        before = self.state.store.get(kind, meta["namespace"], meta["name"])
        if before is None or before == new:
            return False
        self.state.write(kind, new)
        return True
