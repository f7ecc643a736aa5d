"""AWS ALB: weights as an action in the annotations of the Ingress that leads to the root Service.

Upstream rollout/trafficrouting/alb and utils/ingress. No load balancer is asked whether it has taken
them: that is what the controller does unless it is told to verify.
"""

import json
from collections.abc import Mapping
from typing import Any

from companyos_canary.model.http import Json
from companyos_canary.model.rollout import Step
from companyos_canary.sandbox.controller.routers.router import Router, Split
from companyos_canary.sandbox.kinds import INGRESS
from companyos_canary.sandbox.objects import Object

_MANAGED = "rollouts.argoproj.io/managed-alb-annotations"
_WHOLE = 100


class Alb(Router):
    def set_weight(self, split: Split) -> None:
        for name in self._names:
            _, ingress = self.find((INGRESS,), name)
            root = self.settings.get("rootService") or self.stable
            groups = [
                (self.canary, split.weight),
                *((d["serviceName"], d["weight"]) for d in split.additional),
                (self.stable, split.stable_weight),
            ]
            key = self._key("actions", root)
            annotations = ingress["metadata"].setdefault("annotations", {})
            annotations[key] = self._forward(groups)
            self._manage(annotations, add=[key])
            if self.write(INGRESS, ingress):
                told = f"Updating Ingress `{name}` to desiredWeight '{split.weight}'"
                self.state.tell("Normal", "PatchingALBIngress", told)

    def set_route(self, step: Step) -> None:
        if step.kind != "setHeaderRoute":
            return
        wanted = step.raw[step.kind]
        for name in self._names:
            _, ingress = self.find((INGRESS,), name)
            annotations = ingress["metadata"].setdefault("annotations", {})
            action, condition = (self._key(what, wanted["name"]) for what in ("actions", "conditions"))
            self._drop(ingress, wanted["name"])
            if wanted.get("match"):
                annotations[action] = self._forward([(self.canary, _WHOLE)])
                annotations[condition] = json.dumps([_condition(m) for m in wanted["match"]], separators=(",", ":"))
                self._manage(annotations, add=[action, condition])
                self._lead(ingress, wanted["name"])
            if self.write(INGRESS, ingress):
                told = f"Updating Ingress `{name}` to headerRoute '{wanted['name']}'"
                self.state.tell("Normal", "PatchingALBIngress", told)

    def remove_routes(self) -> None:
        if not self.managed:
            return
        for name in self._names:
            _, ingress = self.find((INGRESS,), name)
            annotations = ingress["metadata"].setdefault("annotations", {})
            for route in self.managed:
                self._drop(ingress, route)
                self._manage(annotations, drop=route)
            if self.write(INGRESS, ingress):
                self.state.tell("Normal", "PatchingALBIngress", f"Updating Ingress `{name}` removing managed routes")

    @property
    def _names(self) -> list[str]:
        several = self.settings.get("ingresses")
        return list(several) if several is not None else [self.settings.get("ingress") or ""]

    def _key(self, what: str, name: str) -> str:
        prefix = self.settings.get("annotationPrefix") or "alb.ingress.kubernetes.io"
        return f"{prefix}/{what}.{name}"

    def _forward(self, groups: list[tuple[str, int]]) -> str:
        port = str(self.settings.get("servicePort") or 0)
        config: Json = {
            "TargetGroups": [{"ServiceName": name, "ServicePort": port, "Weight": weight} for name, weight in groups]
        }
        sticky = self.settings.get("stickinessConfig") or {}
        if sticky.get("enabled"):
            config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky.get("durationSeconds")}
        return json.dumps({"Type": "forward", "ForwardConfig": config}, separators=(",", ":"))

    def _manage(self, annotations: dict[str, str], *, add: list[str] | None = None, drop: str = "") -> None:
        """Which annotations are ours, for several Rollouts in one object."""
        try:
            known: dict[str, list[str]] = json.loads(annotations.get(_MANAGED) or "{}")
        except ValueError:
            known = {}
        own = [key for key in known.get(self.state.view.name, []) if not drop or not key.endswith(f".{drop}")]
        known[self.state.view.name] = [*own, *(key for key in add or [] if key not in own)]
        annotations[_MANAGED] = json.dumps(known, separators=(",", ":"))

    def _drop(self, ingress: Object, route: str) -> None:
        annotations = ingress["metadata"].get("annotations") or {}
        keys = [self._key(what, route) for what in ("actions", "conditions")]
        if any(annotations.pop(key, None) is not None for key in keys):
            for key in keys:
                annotations.pop(key, None)
            self._manage(annotations, drop=route)
        for paths in _paths(ingress):
            paths[:] = [path for path in paths if _service(path) != route]

    def _lead(self, ingress: Object, route: str) -> None:
        """A path of the route before all others: the load balancer takes the first that fits."""
        port = {"name": "use-annotation"}
        path = {
            "path": "/*",
            "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": route, "port": port}},
        }
        for paths in _paths(ingress):
            led = {_service(p): p for p in [path, *paths] if _service(p) in self.managed}
            paths[:] = [
                *(led[name] for name in self.managed if name in led),
                *(p for p in paths if _service(p) not in led),
            ]


def _paths(ingress: Object) -> list[list[Json]]:
    return [rule["http"].setdefault("paths", []) for rule in ingress["spec"].get("rules") or [] if rule.get("http")]


def _service(path: Mapping[str, Any]) -> str:
    return str(((path.get("backend") or {}).get("service") or {}).get("name") or "")


def _condition(match: Mapping[str, Any]) -> Json:
    value = (match.get("headerValue") or {}).get("exact") or ""
    return {"field": "http-header", "httpHeaderConfig": {"httpHeaderName": match["headerName"], "values": [value]}}
