"""Fields and values that the kind does not have. The fields of the kinds are in `kinds.fields`: a type a line.

`text`, `number` (whole), `fraction`, `flag`, `number|text`, `any`, `map` (an object with any fields)
and the names of other types are types; so are `[T]`, a list of T, and `{T}`, an object whose values
are T. A field that is required ends in `!`, and `*` represents any other field. The Argo fields are
those of the CRDs of Argo Rollouts 9f8d111d8, the others those of Kubernetes 1.37.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Struct

from companyos_canary.errors import nearest
from companyos_canary.lint.finding import Found, Path, dotted, rule
from companyos_canary.lint.objects import RuleCase
from companyos_canary.model.rollout import GATEWAY

ROOTS = {
    "Rollout": "RolloutSpec",
    "AnalysisTemplate": "AnalysisTemplateSpec",
    "ClusterAnalysisTemplate": "AnalysisTemplateSpec",
    "Experiment": "ExperimentSpec",
    "Service": "ServiceSpec",
    "Ingress": "IngressSpec",
    "HorizontalPodAutoscaler": "HorizontalPodAutoscalerSpec",
}
"""The type of `spec`, by kind."""

_VERSIONS = {"Ingress": "networking.k8s.io/v1", "HorizontalPodAutoscaler": "autoscaling/v2"}
"""Older versions of these have other fields."""

_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int,),
    "fraction": (int, float),
    "flag": (bool,),
    "number|text": (int, str),
    "map": (dict,),
}
_WORDS = {
    "text": "a text",
    "number": "a whole number",
    "fraction": "a number",
    "flag": "true or false",
    "number|text": "a whole number or a text",
}


class Unknown(Struct, frozen=True):
    """A field that the kind does not have. `near` is one that is spelled alike, or empty."""

    path: Path
    near: str


class WrongType(Struct, frozen=True):
    """A value that is not what its field takes."""

    path: Path
    wanted: str
    found: Any


class MissingField(Struct, frozen=True):
    """A field that is required."""

    path: Path


_Fault = Unknown | WrongType | MissingField


def faults(kind: str, data: Mapping[str, Any]) -> Iterator[_Fault]:
    """What of an object does not fit its kind; nothing for a kind that is not in the table."""
    if kind not in ROOTS or _VERSIONS.get(kind, data.get("apiVersion")) != data.get("apiVersion"):
        return
    yield from _faults(data.get("metadata"), "ObjectMeta", ("metadata",))
    if data.get("spec") is None:
        yield MissingField(("spec",))
    yield from _faults(data.get("spec"), ROOTS[kind], ("spec",))


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    text = (files("companyos_canary.lint") / "kinds.fields").read_text(encoding="utf-8")
    types = (line.partition(": ") for line in text.splitlines())
    return {name: dict(f.split(" ") for f in fields.split(", ")) for name, _, fields in types}


def _faults(value: Any, type_: str, path: Path) -> Iterator[_Fault]:
    if value is None or type_ == "any":
        return
    if type_ in _TYPES:
        if not _fits(value, type_):
            yield WrongType(path, _WORDS.get(type_, "an object"), value)
    elif type_.startswith("["):
        yield from _list_faults(value, type_[1:-1], path)
    elif not isinstance(value, dict):
        yield WrongType(path, "an object", value)
    elif type_.startswith("{"):
        for name, item in value.items():
            yield from _faults(item, type_[1:-1], (*path, name))
    else:
        yield from _object_faults(value, _table()[type_], path)


def _list_faults(value: Any, type_: str, path: Path) -> Iterator[_Fault]:
    if not isinstance(value, list):
        yield WrongType(path, "a list", value)
        return
    for index, item in enumerate(value):
        if item is None:
            yield WrongType((*path, index), "a value", item)
        yield from _faults(item, type_, (*path, index))


def _object_faults(value: Mapping[str, Any], fields: Mapping[str, str], path: Path) -> Iterator[_Fault]:
    known = {name.rstrip("!"): type_ for name, type_ in fields.items()}
    for name, item in value.items():
        if name in known:
            yield from _faults(item, known[name], (*path, name))
        elif "*" not in known:
            near = next((k for k in known if k.lower() == name.lower()), "")
            yield Unknown((*path, name), near or nearest(name, known, cutoff=0.7))
    for name in fields:
        if name.endswith("!") and value.get(name[:-1]) is None:
            yield MissingField((*path, name[:-1]))


def _fits(value: Any, type_: str) -> bool:
    if isinstance(value, bool):
        return type_ == "flag"
    if isinstance(value, float) and value.is_integer():
        return "number" in type_ or type_ == "fraction"
    return isinstance(value, _TYPES[type_])


_GATEWAY = ("spec", "strategy", "canary", "trafficRouting", "gatewayAPI")


@rule("unknown-field", "error", *ROOTS)
def unknown_field(case: RuleCase) -> Iterator[Found]:
    """A field that the kind does not have.

    The API server drops it, often with no more than a warning, and the object does something else than it says.
    `kubectl argo rollouts lint` and a strict `kubectl apply` refuse it.
    """
    for fault in faults(case.object.kind, case.object.data):
        if isinstance(fault, Unknown) and fault.path != _GATEWAY:
            hint = f"did you mean `{fault.near}`?" if fault.near else ""
            yield Found(fault.path, f"{case.object.kind} has no field `{dotted(fault.path)}`", hint)


@rule("native-gateway-api", "error", "Rollout")
def native_gateway_api(case: RuleCase) -> Iterator[Found]:
    """`trafficRouting.gatewayAPI` does not exist: the Gateway API is a plugin.

    The field is dropped without a word, so that the Rollout has no router: the weights of its steps become numbers of
    pods, and the HTTPRoute is never changed (argo-rollouts #4569).
    """
    for fault in faults(case.object.kind, case.object.data):
        if isinstance(fault, Unknown) and fault.path == _GATEWAY:
            yield Found(
                fault.path,
                "Argo Rollouts has no router `gatewayAPI`; the field is dropped, and no traffic is routed",
                f"move it to trafficRouting.plugins, as `{GATEWAY}`",
            )


@rule("wrong-type", "error", *ROOTS)
def wrong_type(case: RuleCase) -> Iterator[Found]:
    """A value of another type than its field takes.

    The API server refuses the object. Numbers and `true` in labels, annotations, environment variables and arguments
    of an analysis need quotes, because these fields take texts.
    """
    for fault in faults(case.object.kind, case.object.data):
        if isinstance(fault, WrongType):
            hint = "put it in quotes" if fault.wanted == "a text" and isinstance(fault.found, int | float) else ""
            yield Found(fault.path, f"`{dotted(fault.path)}` takes {fault.wanted}, not {_shown(fault.found)}", hint)


@rule("missing-field", "error", *ROOTS)
def required_field_missing(case: RuleCase) -> Iterator[Found]:
    """A field that the kind requires is missing.

    The API server refuses the object.
    """
    for fault in faults(case.object.kind, case.object.data):
        if isinstance(fault, MissingField) and fault.path != ("spec", "template", "spec", "containers"):
            yield Found(fault.path, f"`{dotted(fault.path)}` is required")


@rule("duplicate-key", "warning", "")
def duplicate_key(case: RuleCase) -> Iterator[Found]:
    """A mapping has a key twice.

    YAML readers take the last one, or refuse the file; whichever is first is never used.
    """
    at = case.object.at
    for path, _, first in case.object.document.twice:
        if path[: len(at)] == at:
            yield Found(path[len(at) :], f"`{path[-1]}` is also in line {first}; only the last one counts")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    return f"`{' '.join(str(value).split())[:60]}`"


RULES = (unknown_field, native_gateway_api, wrong_type, required_field_missing, duplicate_key)
