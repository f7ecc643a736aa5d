"""Istio: the weights of a VirtualService's routes, and the hashes of a DestinationRule's subsets.

Upstream rollout/trafficrouting/istio.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.argo.validation import MANAGED_BY
from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import Step
from companyos_canary.sandbox.controller.routers.router import Router, RouterError, Split
from companyos_canary.sandbox.kinds import DESTINATIONRULES, VIRTUALSERVICES, Kind
from companyos_canary.sandbox.objects import Object, copied

_WHOLE = 100


class Istio(Router):
    def set_weight(self, split: Split) -> None:
        rule = self.settings.get("destinationRule")
        if rule is not None:
            self._set_hashes(rule, split)
        for named, kind, service in self._services():
            for route in self._routes(named, service):
                self._share(route, split)
            if self.write(kind, service):
                told = f"VirtualService `{named['name']}` set to desiredWeight '{split.weight}'"
                self.state.tell("Normal", "Updated VirtualService", told)

    def set_route(self, step: Step) -> None:
        if step.kind not in ("setHeaderRoute", "setMirrorRoute"):
            return
        wanted, header = step.raw[step.kind], step.kind == "setHeaderRoute"
        for named, kind, service in self._services():
            routes = [r for r in service["spec"].get("http") or [] if r.get("name") != wanted["name"]]
            if wanted.get("match"):
                rest = self._routes(named, service)
                routes.append(self._header_route(wanted, rest) if header else self._mirror_route(wanted, rest))
            service["spec"]["http"] = self._in_order(routes)
            if self.write(kind, service):
                what = "headerRoute" if header else "mirrorRoute"
                told = f"VirtualService `{named['name']}` set {what} '{wanted['name']}'"
                self.state.tell("Normal", "Updated VirtualService", told)

    def remove_routes(self) -> None:
        if not self.managed:
            return
        for named, kind, service in self._services():
            routes = service["spec"].get("http") or []
            service["spec"]["http"] = [r for r in routes if r.get("name") not in self.managed]
            if len(service["spec"]["http"]) < len(routes) and self.write(kind, service):
                told = f"VirtualService `{named['name']}` removed all managed routes."
                self.state.tell("Normal", "Updated VirtualService", told)

    def _services(self) -> Iterator[tuple[Mapping[str, Any], Kind, Object]]:
        one = self.settings.get("virtualService")
        for named in self.settings.get("virtualServices") or ([one] if one else []):
            name, _, namespace = named["name"].partition(".")
            yield named, *self.find(VIRTUALSERVICES, name, namespace)

    def _routes(self, named: Mapping[str, Any], service: Object) -> list[Json]:
        """The routes that the Rollout names, the only one where it names none, and all tls and tcp
        routes; mirror routes of ours follow the weight, too."""
        spec, names = service["spec"], named.get("routes") or []
        http = spec.get("http") or []
        if names and http:
            found = [r for r in http if r.get("name") in names]
            if missing := set(names) - {r.get("name") for r in found}:
                raise RouterError(f"HTTP Route `{sorted(missing)[0]}` is not found")
        else:
            found = [r for r in http if r.get("name") not in self.managed]
            if len(found) > 1 and not (named.get("tlsRoutes") or named.get("tcpRoutes")):
                raise RouterError("VirtualService has multiple HTTP routes. At least one route name is required")
        mirrors = [r for r in http if r.get("mirror") and r.get("name") in self.managed and r not in found]
        plain = [*(spec.get("tls") or []), *(spec.get("tcp") or [])]
        ours = {self.canary, self.stable, ""}
        served = [r for r in plain if any(d["destination"].get("host", "") in ours for d in r.get("route") or [])]
        return [*found, *mirrors, *(served if not self._subsets else plain)]

    @property
    def _subsets(self) -> tuple[str, str] | None:
        """The subsets of the canary and of the stable version, where a DestinationRule makes them."""
        rule = self.settings.get("destinationRule")
        return (rule["canarySubsetName"], rule["stableSubsetName"]) if rule else None

    def _share(self, route: Json, split: Split) -> None:
        canary, stable = self._subsets or (self.canary, self.stable)
        weights = {canary: split.weight, stable: split.stable_weight}
        added = {str(d["serviceName"]): int(d["weight"]) for d in split.additional}
        kept: list[Json] = []
        for destination in route.get("route") or []:
            to = destination.get("destination") or {}
            name = to.get("subset") if self._subsets else str(to.get("host", "")).partition(".")[0]
            if name in weights:
                kept.append({**destination, "weight": weights[name]})
            elif name in added:
                kept.append({**destination, "weight": added.pop(name)})
        for name, weight in added.items():
            host = kept[0]["destination"].get("host", "") if self._subsets and kept else name
            to = {"host": host, **({"subset": name} if self._subsets else {})}
            kept.append({"destination": to, "weight": weight})
        route["route"] = kept

    def _set_hashes(self, rule: Mapping[str, Any], split: Split) -> None:
        kind, found = self.find(DESTINATIONRULES, rule["name"])
        canary, stable = rule["canarySubsetName"], rule["stableSubsetName"]
        hashes = {canary: split.canary_hash, stable: split.stable_hash}
        hashes |= {str(d["serviceName"]): str(d.get("podTemplateHash") or "") for d in split.additional}
        subsets = {s.get("name"): s for s in found["spec"].get("subsets") or []}
        for name in hashes:
            subsets.setdefault(name, {"name": name}).setdefault("labels", {})[HASH_LABEL] = hashes[name]
        found["spec"]["subsets"] = [s for name, s in subsets.items() if name in hashes]
        found["metadata"].setdefault("annotations", {})[MANAGED_BY] = self.state.view.name
        if self.write(kind, found):
            told = f"({canary}: {hashes[canary]}, {stable}: {hashes[stable]})"
            self.state.tell("Normal", "UpdatedDestinationRule", f"DestinationRule {rule['name']} subset updated {told}")

    def _destination(self, routes: list[Json]) -> Json:
        """The canary, by the host and the port that its weighted route has."""
        name = self._subsets[0] if self._subsets else self.canary
        for route in routes:
            for destination in route.get("route") or []:
                to = destination.get("destination") or {}
                if name in (to.get("subset"), str(to.get("host", "")).partition(".")[0]):
                    return {k: copied(v) for k, v in to.items() if k in ("host", "subset", "port")}
        return {"host": self.canary}

    def _header_route(self, wanted: Mapping[str, Any], routes: list[Json]) -> Json:
        matches = [{"headers": {m["headerName"]: dict(m["headerValue"])}} for m in wanted["match"]]
        destination = {"destination": self._destination(routes), "weight": _WHOLE}
        return {"name": wanted["name"], "match": matches, "route": [destination]}

    def _mirror_route(self, wanted: Mapping[str, Any], routes: list[Json]) -> Json:
        matches = [
            {
                to: m[field]
                for field, to in (("method", "method"), ("path", "uri"), ("headers", "headers"))
                if field in m
            }
            for m in wanted["match"]
        ]
        percentage = wanted.get("percentage")
        return {
            "name": wanted["name"],
            "match": matches,
            "route": copied(routes[0].get("route") or []) if routes else [],
            "mirror": self._destination(routes),
            "mirrorPercentage": {"value": float(_WHOLE if percentage is None else percentage)},
        }

    def _in_order(self, routes: list[Json]) -> list[Json]:
        """Managed routes first, in the order in which the Rollout has them."""
        managed = [r for name in self.managed for r in routes if r.get("name") == name]
        return [*managed, *(r for r in routes if r not in managed)]
