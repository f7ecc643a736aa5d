"""nginx, Traefik, SMI, APISIX, Ambassador and App Mesh: a weight for each backend of one object, or, for nginx, an
Ingress next to each stable one with the weight as an annotation.

Upstream rollout/trafficrouting; recorded: the scenarios with nginx.
"""

from collections.abc import Mapping
from typing import Any

from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import Step
from companyos_canary.sandbox.controller.routers.router import Router, RouterError, Split, share_out
from companyos_canary.sandbox.kinds import (
    APISIXROUTES,
    INGRESS,
    MAPPINGS,
    MESHNODES,
    MESHROUTERS,
    MESHSERVICES,
    TRAEFIKSERVICES,
    TRAFFICSPLITS,
)
from companyos_canary.sandbox.objects import Object, copied, is_owned, owner_reference

_CLASS = "kubernetes.io/ingress.class"
_SUFFIX = "-canary"
_LONGEST = 253


class Nginx(Router):
    def set_weight(self, split: Split) -> None:
        for name in stable_ingresses(self.settings):
            self._set(name, split)

    def _set(self, name: str, split: Split) -> None:
        stable = self.state.store.get(INGRESS, self.namespace, name)
        if stable is None:
            raise RouterError(f"error retrieving stableIngress `{name}` from cache: ingress {name!r} not found")
        wanted = self._canary_ingress(stable, name, split)
        target = wanted["metadata"]["name"]
        found = self.state.store.get(INGRESS, self.namespace, target)
        if found is None:
            told = f"Creating canary ingress `{target}` with weight `{split.weight}`"
            self.state.tell("Normal", "CreatingCanaryIngress", told)
            self.state.store.create(INGRESS, wanted)
            return
        if not is_owned(found, self.state.view.uid):
            raise RouterError(f"canary ingress `{target}` controlled by different object")
        new = copied(found)
        kept = found["metadata"].get("annotations") or {}
        new["metadata"]["annotations"] = {**kept, **wanted["metadata"]["annotations"]}
        new["spec"] = wanted["spec"]
        if new != found:
            told = f"Updating Ingress `{target}` to desiredWeight '{split.weight}'"
            self.state.tell("Normal", "PatchingCanaryIngress", told)
            self.write(INGRESS, new)

    def _canary_ingress(self, stable: Object, name: str, split: Split) -> Object:
        spec: Json = {"rules": self._rules(stable, name)}
        for field in ("tls", "ingressClassName"):
            if stable["spec"].get(field) is not None:
                spec[field] = copied(stable["spec"][field])
        return {
            "apiVersion": INGRESS.api_version,
            "kind": INGRESS.kind,
            "metadata": {
                "name": f"{self.state.view.name}-{name}"[: _LONGEST - len(_SUFFIX)] + _SUFFIX,
                "namespace": self.namespace,
                "annotations": self._annotations(stable, split),
                "ownerReferences": [owner_reference(self.state.rollout)],
            },
            "spec": spec,
        }

    def _rules(self, stable: Object, name: str) -> list[Json]:
        """The rules that lead to the stable Service, led to the canary's."""
        found = []
        for rule in copied(stable["spec"].get("rules") or []):
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
        routing = self.state.strategy["trafficRouting"]
        if routing.get("maxTrafficWeight") is not None:
            found[f"{prefix}/canary-weight-total"] = str(routing["maxTrafficWeight"])
        return found


def stable_ingresses(settings: Mapping[str, Any]) -> list[str]:
    several = settings.get("stableIngresses")
    return list(several) if several is not None else [settings.get("stableIngress") or ""]


class Traefik(Router):
    def set_weight(self, split: Split) -> None:
        kind, service = self.find(TRAEFIKSERVICES, self.settings.get("weightedTraefikServiceName") or "")
        services = (service["spec"].get("weighted") or {}).get("services") or []
        share_out(services, {self.canary: split.weight, self.stable: split.stable_weight})
        self.write(kind, service)


class Smi(Router):
    """The controller makes the TrafficSplit, and it owns it."""

    def set_weight(self, split: Split) -> None:
        name = self.settings.get("trafficSplitName") or self.state.view.name
        kind = TRAFFICSPLITS[0]
        weights = [
            (self.canary, split.weight),
            *((str(d["serviceName"]), int(d["weight"])) for d in split.additional),
            (self.stable, split.stable_weight),
        ]
        spec: Json = {
            "service": self.settings.get("rootService") or self.stable,
            "backends": [{"service": service, "weight": str(weight)} for service, weight in weights],
        }
        found = self.state.store.get(kind, self.namespace, name)
        if found is None:
            owner = owner_reference(self.state.rollout)
            meta = {"name": name, "namespace": self.namespace, "ownerReferences": [owner]}
            self.state.store.create(
                kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}
            )
            self.state.tell("Normal", "TrafficSplitCreated", f"TrafficSplit `{name}` created")
            return
        if not is_owned(found, self.state.view.uid):
            raise RouterError(f"Rollout does not own TrafficSplit `{name}`")
        self.write(kind, {**copied(found), "spec": spec})


class Apisix(Router):
    def set_weight(self, split: Split) -> None:
        named = self.settings.get("route") or {}
        kind, route = self.find(APISIXROUTES, named.get("name") or "")
        rules = named.get("rules") or []
        for rule in route["spec"].get("http") or []:
            if not rules or rule.get("name") in rules:
                weights = {self.canary: split.weight, self.stable: split.stable_weight}
                share_out(rule.get("backends") or [], weights, "serviceName")
        self.write(kind, route)

    def set_route(self, step: Step) -> None:
        """A copy of the route for requests with the headers, which leads to the canary only."""
        if step.kind != "setHeaderRoute":
            return
        wanted, named = step.raw[step.kind], self.settings.get("route") or {}
        self._remove(wanted["name"])
        if not wanted.get("match"):
            return
        kind, route = self.find(APISIXROUTES, named.get("name") or "")
        rules = []
        for rule in route["spec"].get("http") or []:
            backends = [b for b in rule.get("backends") or [] if b.get("serviceName") == self.canary]
            for backend in backends:
                backend["weight"] = 100
            match = {**(rule.get("match") or {}), "exprs": [_expression(m) for m in wanted["match"]]}
            rules.append({**rule, "priority": int(rule.get("priority") or 0) + 1, "match": match, "backends": backends})
        owner = owner_reference(self.state.rollout)
        meta = {"name": wanted["name"], "namespace": self.namespace, "ownerReferences": [owner]}
        new = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": meta,
            "spec": {**route["spec"], "http": rules},
        }
        self.state.store.create(kind, new)

    def remove_routes(self) -> None:
        for name in self.managed:
            self._remove(name)

    def _remove(self, name: str) -> None:
        found = self.state.store.get(APISIXROUTES[0], self.namespace, name)
        if found is not None and is_owned(found, self.state.view.uid):
            self.state.store.delete(APISIXROUTES[0], self.namespace, name)


def _expression(match: Json) -> Json:
    kind, value = next(iter((match.get("headerValue") or {}).items()), ("exact", ""))
    op = "Equal" if kind == "exact" else "RegexMatch"
    text = f"^{value}.*" if kind == "prefix" else value
    return {"subject": {"scope": "Header", "name": match["headerName"]}, "op": op, "value": text}


class Ambassador(Router):
    """A second Mapping for the canary, as long as it has any weight."""

    def set_weight(self, split: Split) -> None:
        for name in self.settings.get("mappings") or []:
            kind, base = self.find(MAPPINGS, name)
            target = f"{name[:246]}-canary"
            found = self.state.store.get(kind, self.namespace, target)
            if found is None and split.weight:
                service = str(base["spec"].get("service") or "").replace(self.stable, self.canary, 1)
                spec = {**base["spec"], "service": service, "weight": split.weight}
                meta = {"name": target, "namespace": self.namespace}
                self.state.store.create(
                    kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}
                )
            elif found is not None and split.weight:
                self.write(kind, {**copied(found), "spec": {**found["spec"], "weight": split.weight}})
            elif found is not None:
                self.state.store.delete(kind, self.namespace, target)


class AppMesh(Router):
    """The weights of a VirtualRouter's routes, and the pods of both VirtualNodes."""

    def set_weight(self, split: Split) -> None:
        group = self.settings.get("virtualNodeGroup") or {}
        canary, stable = ((group.get(f"{side}VirtualNodeRef") or {}).get("name") for side in ("canary", "stable"))
        same = split.canary_hash == split.stable_hash
        for name, digest in ((stable, split.stable_hash), (canary, "" if same else split.canary_hash)):
            kind, node = self.find(MESHNODES, name or "")
            selector = node["spec"].setdefault("podSelector", {}).setdefault("matchLabels", {})
            selector[HASH_LABEL] = digest or "none"
            self.write(kind, node)
        named = self.settings.get("virtualService") or {}
        _, service = self.find(MESHSERVICES, named.get("name") or "")
        router = ((service["spec"].get("provider") or {}).get("virtualRouter") or {}).get("virtualRouterRef") or {}
        kind, mesh = self.find(MESHROUTERS, router.get("name") or "")
        chosen = named.get("routes") or []
        weights = {canary: split.weight, stable: split.stable_weight}
        for route in mesh["spec"].get("routes") or []:
            if chosen and route.get("name") not in chosen:
                continue
            for protocol in ("httpRoute", "http2Route", "grpcRoute", "tcpRoute"):
                for target in ((route.get(protocol) or {}).get("action") or {}).get("weightedTargets") or []:
                    to = (target.get("virtualNodeRef") or {}).get("name")
                    target["weight"] = weights.get(to, target.get("weight"))
        self.write(kind, mesh)
