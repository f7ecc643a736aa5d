"""What canary.yaml says about traffic: which router splits it and what that router can do, or the switch of
blue-green."""

import re
from typing import TYPE_CHECKING, Any, get_args

from companyos_canary.config.document import GUIDE_STEPS, Document, RouterDocument, TrafficDocument
from companyos_canary.config.settings import HEADER_ROUTERS, NAME, BlueGreenSettings, Router, TrafficSettings
from companyos_canary.config.source import FieldPath

if TYPE_CHECKING:
    from companyos_canary.config.checks import Checker

_FIELDS = {
    "gateway": ("route", "parent", "host", "existing"),
    "istio": ("route", "parent", "host", "existing"),
    "alb": ("route", "host", "class", "existing"),
    "traefik": ("route", "existing"),
    "nginx": ("route", "host", "class", "existing"),
}


def traffic_settings(check: "Checker", given: Router | TrafficDocument | None, rollout: str) -> TrafficSettings | None:
    """ConfigError for a router that is none, for several, and for what a router cannot do."""
    path: FieldPath = ("traffic",)
    if given is None:
        return None
    if isinstance(given, str):
        return TrafficSettings(router=given, route=rollout, parent=_PARENT[given])
    named = [name for name in get_args(Router) if getattr(given, name) is not None]
    one = "one router: `gateway`, `istio`, `alb`, `traefik` or `nginx`"
    check.that(len(named) == 1, path, one, " and ".join(f"`{n}`" for n in named) or "none")
    router = named[0]
    document: RouterDocument = getattr(given, router)
    _fits(check, (*path, router), router, document)
    header = {name: _header(check, (*path, "header", name), value) for name, value in (given.header or {}).items()}
    check.that(not header or router in HEADER_ROUTERS, (*path, "header"), _HEADERS, f"with `{router}`")
    alone, path_of_pause = given.header_pause, (*path, "header_pause")
    check.that(header or alone is None, path_of_pause, "together with `header`", "no `header`")
    return TrafficSettings(
        router=router,
        route=check.name((*path, router, "route"), document.route or rollout, NAME),
        parent=document.parent or _PARENT[router],
        host=document.host or "",
        ingress_class=document.class_ or "",
        existing=document.existing,
        header=header,
        header_pause=None if alone is None else check.pause(path_of_pause, alone),
        stable_scales_down=given.stable_scales_down,
        abort_delay=check.seconds_if_any((*path, "abort_delay"), given.abort_delay),
    )


_PARENT: dict[Router, str] = {"gateway": "gateway", "istio": "", "alb": "", "traefik": "", "nginx": ""}
_HEADERS = "with `gateway`, `istio` or `alb`: the controller has no header routes for the others"


_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_GATEWAY = rf"(?:{_LABEL}/)?{_LABEL}(?:\.{_LABEL})*"
_HOST = rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*"
_CLASS = rf"{_LABEL}(?:\.{_LABEL})*"
_HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}"


def _header(check: "Checker", path: FieldPath, value: Any) -> str:
    """The value of a header; both as HTTP can send them."""
    check.that(
        re.fullmatch(_HEADER, str(path[-1])), path, "a name of letters, digits and `-`", "another name of a header"
    )
    good = isinstance(value, str) and value.isascii() and value.isprintable() and value.strip() == value != ""
    check.that(good, path)
    return str(value)


def _fits(check: "Checker", path: FieldPath, router: str, document: RouterDocument) -> None:
    """Fields that another router has, and what an object that exists has itself."""
    for name, value, form in (
        ("parent", document.parent, _GATEWAY),
        ("host", document.host, _HOST),
        ("class", document.class_, _CLASS),
    ):
        check.that(value is None or re.fullmatch(form, value), (*path, name))
    given = {"parent": document.parent, "host": document.host, "class": document.class_}
    for name, value in given.items():
        if value is None:
            continue
        fields = ", ".join(f"`{f}`" for f in _FIELDS[router])
        check.that(name in _FIELDS[router], (*path, name), f"of `{router}`: {fields}", f"`{name}`")
        theirs = "nothing but `route` next to `existing: true`: the object has its own"
        check.that(not document.existing, (*path, name), theirs, f"`{name}`")


def step_pods(
    check: "Checker", given: TrafficSettings | None, value: int | str | None, path: FieldPath
) -> int | str | None:
    """A number of pods, or their percentage as `25%`."""
    if value is None:
        return None
    found = "no `traffic`: without a router the weight is made by the number of pods"
    check.that(given is not None, (*path, "pods"), "`pods` together with `traffic`", found)
    if isinstance(value, int):
        check.that(1 <= value <= 2**31 - 1, (*path, "pods"))
        return value
    number = value.removesuffix("%")
    check.that(value.endswith("%") and number.isascii() and number.isdecimal(), (*path, "pods"))
    check.that(1 <= int(number[:4]) <= 100, (*path, "pods"))
    return f"{int(number)}%"


def blue_green_settings(check: "Checker", document: Document) -> BlueGreenSettings | None:
    """ConfigError where fields of both strategies are there."""
    given, path = document.blue_green, ("blue_green",)
    if document.strategy == "canary":
        check.that(given is None, path, "together with `strategy: blue-green`", "`strategy: canary`")
        return None
    check.that(document.steps is GUIDE_STEPS, ("steps",), "no `steps` with `strategy: blue-green`", "steps")
    check.that(document.traffic is None, ("traffic",), "no `traffic` with `strategy: blue-green`", "a router")
    if given is None:
        return BlueGreenSettings()
    judged = given.before is not None or given.after is not None
    by_hash = "`by_hash: true` with an analysis of blue-green: its pods keep no label of their role over the switch"
    check.that(document.analysis.by_hash or not judged, ("analysis", "by_hash"), by_hash, "`false`")
    count = given.preview_replicas
    check.that(count is None or 1 <= count <= 2**31 - 1, (*path, "preview_replicas"))
    return BlueGreenSettings(
        promote=None if given.promote == "auto" else check.pause((*path, "promote"), given.promote),
        before=check.analysis((*path, "before"), given.before),
        after=check.analysis((*path, "after"), given.after),
        preview_replicas=count,
        scale_down_delay=check.seconds_if_any((*path, "scale_down_delay"), given.scale_down_delay),
    )
