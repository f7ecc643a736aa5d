"""The Gateway API plugin (argoproj-labs/gatewayAPI): the weights of the backendRefs of its routes.

Source: the plugin, 0.15: it always says that a weight is verified, it has no mirror routes, and it
marks the routes of an update in progress with a label.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.model.http import Json
from companyos_canary.model.rollout import Step
from companyos_canary.model.workload import labels_match
from companyos_canary.sandbox.controller.routers.router import Router, RouterError, Split, share_out
from companyos_canary.sandbox.kinds import GRPCROUTES, HTTPROUTES, TCPROUTES, TLSROUTES, Kind
from companyos_canary.sandbox.objects import Object, copied

LABEL = "rollouts.argoproj.io/gatewayapi-canary"
_ROUTES = {"http": HTTPROUTES, "grpc": GRPCROUTES, "tcp": TCPROUTES, "tls": TLSROUTES}
_MATCH = {"exact": "Exact", "regex": "RegularExpression", "prefix": "RegularExpression"}


class Gateway(Router):
    def set_weight(self, split: Split) -> None:
        weights = {self.canary: split.weight, self.stable: split.stable_weight}
        for _, kind, route in self._routes():
            rules = [rule for rule in self._rules(route) if rule.get("name") not in self.managed]
            served = [
                rule for rule in rules if weights.keys() <= {b.get("name") for b in rule.get("backendRefs") or []}
            ]
            if not served:
                raise RouterError(f"no rule of {kind.kind} {route['metadata']['name']} has both backendRefs")
            for rule in served:
                share_out(rule["backendRefs"], weights)
            self._mark(route, split)
            self.write(kind, route)

    def set_route(self, step: Step) -> None:
        if step.kind != "setHeaderRoute":
            return
        wanted = step.raw[step.kind]
        for named, kind, route in self._routes():
            if kind not in (*HTTPROUTES, *GRPCROUTES) or not named.get("useHeaderRoutes"):
                continue
            rules = [rule for rule in self._rules(route) if rule.get("name") != wanted["name"]]
            if wanted.get("match"):
                rules.append(self._header_rule(wanted, rules))
            route["spec"]["rules"] = rules
            self.write(kind, route)

    def remove_routes(self) -> None:
        for _, kind, route in self._routes():
            route["spec"]["rules"] = [r for r in self._rules(route) if r.get("name") not in self.managed]
            self.write(kind, route)

    def verified(self) -> bool | None:
        return True

    def _routes(self) -> Iterator[tuple[Mapping[str, Any], Kind, Object]]:
        """By name, in a list of names, or by labels."""
        settings, namespace = self.settings, str(self.settings.get("namespace") or "")
        for prefix, kinds in _ROUTES.items():
            one, several = settings.get(f"{prefix}Route"), settings.get(f"{prefix}Routes") or []
            for named in [*([{"name": one}] if one else []), *several]:
                yield named, *self.find(kinds, named["name"], namespace)
            selector = settings.get(f"{prefix}RouteSelector")
            for kind in kinds if selector is not None else ():
                for route in self.state.store.items(kind, namespace or self.namespace):
                    if labels_match(selector or {}, route["metadata"].get("labels") or {}):
                        yield {}, kind, copied(route)

    def _rules(self, route: Object) -> list[Json]:
        rules: list[Json] = route.setdefault("spec", {}).get("rules") or []
        return rules

    def _header_rule(self, wanted: Mapping[str, Any], rules: list[Json]) -> Json:
        """The rule of the canary for requests with these headers."""
        serving = next((r for r in rules if any(b.get("name") == self.canary for b in r.get("backendRefs") or [])), {})
        backend: Json = next((b for b in serving.get("backendRefs") or [] if b.get("name") == self.canary), {})
        headers = [_header(match) for match in wanted["match"]]
        matches = [{**copied(m), "headers": headers} for m in serving.get("matches") or [{}]]
        return {"name": wanted["name"], "matches": matches, "backendRefs": [{**copied(backend), "weight": 1}]}

    def _mark(self, route: Object, split: Split) -> None:
        labels = route["metadata"].setdefault("labels", {})
        if split.weight and split.weight < split.most and not self.settings.get("disableInProgressLabel"):
            labels[LABEL] = "in-progress"
        else:
            labels.pop(LABEL, None)
        if not labels:
            del route["metadata"]["labels"]


def _header(match: Mapping[str, Any]) -> Json:
    kind, value = next(iter((match.get("headerValue") or {}).items()), ("exact", ""))
    text = f"^{value}.*" if kind == "prefix" else value
    return {"name": match["headerName"], "type": _MATCH[kind], "value": text}
