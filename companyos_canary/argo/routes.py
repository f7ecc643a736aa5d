"""What reaches the canary besides its weight: header routes and mirrors that are in effect. Pure.

Steps set them one after the other; a route without a match is removed. All of them are removed when an update ends,
by an abort too (upstream rollout/trafficrouting.go RemoveManagedRoutes).
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import Struct

from companyos_canary.model.rollout import Rollout, Step
from companyos_canary.model.row import Says


class Route(Struct, frozen=True):
    """Requests that `match` go to the canary (`header`), or are copied to it as well (`mirror`)."""

    kind: Literal["header", "mirror"]
    name: str
    match: Annotated[tuple[str, ...], Says("what a request must have, as `role: qa`; empty: every request")]
    percentage: Annotated[int | None, Says("of the matching requests, for a mirror")]


def active_routes(rollout: Rollout) -> tuple[Route, ...]:
    """Those that the steps so far have set, as far as nothing has removed them."""
    if rollout.aborted or rollout.promote_full or not rollout.is_routed or rollout.is_fully_promoted:
        return ()
    found: dict[str, Route] = {}
    for step in rollout.steps[: rollout.step_index or 0]:
        if step.kind in ("setHeaderRoute", "setMirrorRoute"):
            route = _route(step)
            found.pop(route.name, None)
            if step.raw[step.kind].get("match"):
                found[route.name] = route
    return tuple(found.values())


def _route(step: Step) -> Route:
    raw = step.raw[step.kind]
    name, matches = str(raw.get("name") or ""), [m for m in raw.get("match") or [] if isinstance(m, Mapping)]
    if step.kind == "setHeaderRoute":
        return Route("header", name, tuple(map(_header, matches)), None)
    percentage = raw.get("percentage")
    return Route(
        "mirror", name, tuple(text for m in matches for text in _parts(m)), 100 if percentage is None else percentage
    )


def _header(match: Mapping[str, Any]) -> str:
    return f"{match.get('headerName', '')}: {_value(match.get('headerValue'))}"


def _parts(match: Mapping[str, Any]) -> Iterator[str]:
    for name in ("method", "path"):
        if match.get(name):
            yield f"{name}: {_value(match[name])}"
    headers = match.get("headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        yield f"{name}: {_value(value)}"


def _value(value: Any) -> str:
    """`qa`, `qa*` for a prefix, `/^qa/` for a regular expression."""
    held = value if isinstance(value, Mapping) else {}
    if held.get("prefix"):
        return f"{held['prefix']}*"
    return f"/{held['regex']}/" if held.get("regex") else str(held.get("exact") or "")
