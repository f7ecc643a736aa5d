"""nginx: an Ingress beside each stable one, for the canary Service, with the weight as an annotation.

Upstream rollout/trafficrouting/nginx; recorded: the scenarios with nginx.
"""

import copy
from collections.abc import Mapping
from typing import Any

from companyos_canary.sandbox.controller.routers.router import Json, Router, RouterError, Split
from companyos_canary.sandbox.kinds import INGRESS
from companyos_canary.sandbox.objects import Object, is_owned, owner_reference

_CLASS = "kubernetes.io/ingress.class"
_SUFFIX = "-canary"
_LONGEST = 253


class Nginx(Router):
    def set_weight(self, split: Split) -> None:
        for name in stable_ingresses(self.settings):
            self._set(name, split)

    def _set(self, name: str, split: Split) -> None:
        stable = self.work.store.get(INGRESS, self.namespace, name)
        if stable is None:
            raise RouterError(f"error retrieving stableIngress `{name}` from cache: ingress {name!r} not found")
        wanted = self._canary_ingress(stable, name, split)
        target = wanted["metadata"]["name"]
        found = self.work.store.get(INGRESS, self.namespace, target)
        if found is None:
            told = f"Creating canary ingress `{target}` with weight `{split.weight}`"
            self.work.tell("Normal", "CreatingCanaryIngress", told)
            self.work.store.create(INGRESS, wanted)
            return
        if not is_owned(found, self.work.view.uid):
            raise RouterError(f"canary ingress `{target}` controlled by different object")
        new = copy.deepcopy(found)
        kept = found["metadata"].get("annotations") or {}
        new["metadata"]["annotations"] = {**kept, **wanted["metadata"]["annotations"]}
        new["spec"] = wanted["spec"]
        if new != found:
            told = f"Updating Ingress `{target}` to desiredWeight '{split.weight}'"
            self.work.tell("Normal", "PatchingCanaryIngress", told)
            self.write(INGRESS, new)

    def _canary_ingress(self, stable: Object, name: str, split: Split) -> Object:
        spec: Json = {"rules": self._rules(stable, name)}
        for field in ("tls", "ingressClassName"):
            if stable["spec"].get(field) is not None:
                spec[field] = copy.deepcopy(stable["spec"][field])
        return {
            "apiVersion": INGRESS.api_version,
            "kind": INGRESS.kind,
            "metadata": {
                "name": f"{self.work.view.name}-{name}"[: _LONGEST - len(_SUFFIX)] + _SUFFIX,
                "namespace": self.namespace,
                "annotations": self._annotations(stable, split),
                "ownerReferences": [owner_reference(self.work.rollout)],
            },
            "spec": spec,
        }

    def _rules(self, stable: Object, name: str) -> list[Json]:
        """The rules that lead to the stable Service, led to the canary's."""
        found = []
        for rule in copy.deepcopy(stable["spec"].get("rules") or []):
            backends = [p["backend"].get("service") or {} for p in (rule.get("http") or {}).get("paths") or []]
            mine = [b for b in backends if b.get("name") == self.stable]
            for backend in mine:
                backend["name"] = self.canary
            if mine:
                found.append(rule)
        if not found:
            raise RouterError(f"ingress `{name}` has no rules using service {self.stable} backend")
        return found

    def _annotations(self, stable: Object, split: Split) -> dict[str, str]:
        prefix = self.settings.get("annotationPrefix") or "nginx.ingress.kubernetes.io"
        found: dict[str, str] = {}
        given = stable["metadata"].get("annotations") or {}
        if _CLASS in given:
            found[_CLASS] = given[_CLASS]
        for key, value in (self.settings.get("additionalIngressAnnotations") or {}).items():
            found[key if key.startswith(prefix) else f"{prefix}/{key}"] = value
        found.update(self.settings.get("canaryIngressAnnotations") or {})
        found[f"{prefix}/canary"] = "true"
        found[f"{prefix}/canary-weight"] = str(split.weight)
        routing = self.work.strategy["trafficRouting"]
        if routing.get("maxTrafficWeight") is not None:
            found[f"{prefix}/canary-weight-total"] = str(routing["maxTrafficWeight"])
        return found


def stable_ingresses(settings: Mapping[str, Any]) -> list[str]:
    several = settings.get("stableIngresses")
    return list(several) if several is not None else [settings.get("stableIngress") or ""]
