"""What every router does: take a weight and the routes of a step, and say whether it is so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from companyos_canary.model.rollout import Step
from companyos_canary.sandbox.controller.passes import Pass
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import Object

Json = dict[str, Any]


class RouterError(Exception):
    """A router cannot take a weight; the controller tries again, later each time."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Split:
    """`weight` of `most` to the canary; the rest to stable, without what experiments get."""

    weight: int
    most: int
    canary_hash: str
    stable_hash: str
    additional: tuple[Mapping[str, Any], ...] = ()

    @property
    def stable_weight(self) -> int:
        return self.most - self.weight - sum(int(d["weight"]) for d in self.additional)


class Router:
    """One way to split traffic; `settings` is its part of trafficRouting. A subclass writes the
    objects of its kind."""

    def __init__(self, work: Pass, settings: Mapping[str, Any]) -> None:
        self.work = work
        self.settings = settings

    @property
    def canary(self) -> str:
        return str(self.work.strategy.get("canaryService") or "")

    @property
    def stable(self) -> str:
        return str(self.work.strategy.get("stableService") or "")

    @property
    def namespace(self) -> str:
        return self.work.view.namespace

    def set_weight(self, split: Split) -> None:
        raise NotImplementedError

    def set_route(self, step: Step) -> None:
        """Acts on a setHeaderRoute or a setMirrorRoute, if it can."""

    def remove_routes(self) -> None:
        """Takes the header and mirror routes away that it has made."""

    def verified(self) -> bool | None:
        """Whether the weight is in force; None: it cannot tell."""
        return None

    def write(self, kind: Kind, before: Object, after: Object) -> bool:
        """Replaces an object; whether anything differs."""
        if before == after:
            return False
        self.work.write(kind, after)
        return True
