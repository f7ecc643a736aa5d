"""Fields and values that the kind does not have."""

from collections.abc import Iterator
from typing import Any

from companyos_canary.lint import fields
from companyos_canary.lint.finding import Found, rule
from companyos_canary.lint.objects import Case
from companyos_canary.lint.paths import dotted

_GATEWAY = ("spec", "strategy", "canary", "trafficRouting", "gatewayAPI")
_PLUGIN = "argoproj-labs/gatewayAPI"


@rule("unknown-field", "error", *fields.ROOTS)
def unknown_field(case: Case) -> Iterator[Found]:
    """A field that the kind does not have.

    The API server drops it, often with no more than a warning, and the object does something else than it says.
    `kubectl argo rollouts lint` and a strict `kubectl apply` refuse it.
    """
    for fault in fields.faults(case.object.kind, case.object.data):
        if isinstance(fault, fields.Unknown) and fault.path != _GATEWAY:
            hint = f"did you mean `{fault.near}`?" if fault.near else ""
            yield Found(fault.path, f"{case.object.kind} has no field `{dotted(fault.path)}`", hint)


@rule("native-gateway-api", "error", "Rollout")
def native_gateway_api(case: Case) -> Iterator[Found]:
    """`trafficRouting.gatewayAPI` does not exist: the Gateway API is a plugin.

    The field is dropped without a word, so that the Rollout has no router: the weights of its steps become numbers of
    pods, and the HTTPRoute is never changed (argo-rollouts #4569).
    """
    for fault in fields.faults(case.object.kind, case.object.data):
        if isinstance(fault, fields.Unknown) and fault.path == _GATEWAY:
            yield Found(
                fault.path,
                "Argo Rollouts has no router `gatewayAPI`; the field is dropped, and no traffic is routed",
                f"move it to trafficRouting.plugins, as `{_PLUGIN}`",
            )


@rule("wrong-type", "error", *fields.ROOTS)
def wrong_type(case: Case) -> Iterator[Found]:
    """A value of another type than its field takes.

    The API server refuses the object. Numbers and `true` in labels, annotations, environment variables and arguments
    of an analysis need quotes, because these fields take texts.
    """
    for fault in fields.faults(case.object.kind, case.object.data):
        if isinstance(fault, fields.WrongType):
            hint = "put it in quotes" if fault.wanted == "a text" and isinstance(fault.found, int | float) else ""
            yield Found(fault.path, f"`{dotted(fault.path)}` takes {fault.wanted}, not {_shown(fault.found)}", hint)


@rule("missing-field", "error", *fields.ROOTS)
def missing_field(case: Case) -> Iterator[Found]:
    """A field that the kind requires is missing.

    The API server refuses the object.
    """
    for fault in fields.faults(case.object.kind, case.object.data):
        if isinstance(fault, fields.Missing) and fault.path != ("spec", "template", "spec", "containers"):
            yield Found(fault.path, f"`{dotted(fault.path)}` is required")


@rule("duplicate-key", "warning", "")
def duplicate_key(case: Case) -> Iterator[Found]:
    """A mapping has a key twice.

    YAML readers take the last one, or refuse the file; whichever stands first is never used.
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


RULES = (unknown_field, native_gateway_api, wrong_type, missing_field, duplicate_key)
