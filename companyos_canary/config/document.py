"""What canary.yaml may say: the fields, and in one table what is allowed in each.

The JSON Schema for editors is made from these structs and that table.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

_NoData = Literal["hold", "pass", "fail"]
_Form = Literal["evidence", "safe", "literal"]

ALLOWED: dict[str, str] = {
    "schema": "`canary/v1`",
    "rollout": "a name of up to 63 small letters, digits and `-` that starts with a letter",
    "namespace": "a name of up to 63 small letters, digits and `-`",
    "image": "an image without a tag such as `registry.example.com/companyos-api`",
    "app": "the value of the label `app`, a name of up to 63 small letters, digits and `-`",
    "container": "a name of up to 63 small letters, digits and `-`",
    "replicas": "a whole number from 0, or `null` where an autoscaler decides",
    "port": "a whole number from 1 to 65535",
    "progress_deadline": "a duration of whole seconds, at least `1s`, such as `10m`",
    "abort_on": "a list such as `[crashloop, image-pull, stuck=10m]`",
    "abort_on[]": "`crashloop`, `image-pull`, or `stuck=` with a duration",
    "manage": "`all`, or `rollout` where Services and AnalysisTemplates are not rendered",
    "strategy": "`canary` or `blue-green`",
    "blue_green": "a mapping such as `{promote: manual, after: 2m}`",
    "blue_green.promote": "`auto`, `manual`, or a duration of whole seconds such as `10m`",
    "blue_green.before": "a duration of `4s` or more, such as `2m`: the analysis before all traffic goes to it",
    "blue_green.after": "a duration of `4s` or more, such as `2m`: the analysis after all traffic went to it",
    "blue_green.preview_replicas": "a whole number from 1",
    "blue_green.scale_down_delay": "a duration of whole seconds, at least `1s`, such as `30s`",
    "steps": "a list of one or more steps such as `{weight: 10, analysis: 2m}`",
    "steps[]": "a step such as `{weight: 10, analysis: 2m}`",
    "steps[].weight": "a whole number from 1 to 100, not less than the one before",
    "steps[].pods": "a number of pods such as `2`, or a share of the replicas such as `25%`",
    "steps[].analysis": "a duration of `4s` or more, such as `2m` or `90s`",
    "steps[].pause": "a duration of whole seconds such as `5m`, or `manual`",
    "traffic": "`gateway`, `istio`, `alb`, `traefik` or `nginx`, or a mapping such as `{gateway: {parent: infra/web}}`",
    **{
        f"traffic.{router}{key}": text
        for router in ("gateway", "istio", "alb", "traefik", "nginx")
        for key, text in {
            "": "a mapping such as `{route: companyos-api}`, or `{}`",
            ".route": "the name of the object that splits the traffic, of small letters, digits and `-`",
            ".parent": "the Gateway that it belongs to, such as `infra/public` or `public`",
            ".host": "a host name such as `api.example.com`",
            ".class": "the class of the Ingress, such as `nginx`",
            ".existing": "`true` if the object exists and stays someone else's, else `false`",
        }.items()
    },
    "traffic.header": "a mapping of headers to values, such as `{X-Canary: always}`",
    "traffic.header.*": "the text that the header must be equal to, such as `always`",
    "traffic.header_pause": "how long testers are alone: a duration of whole seconds such as `10m`, or `manual`",
    "traffic.stable_scales_down": "`true` or `false`",
    "traffic.abort_delay": "a duration of whole seconds, at least `1s`, such as `30s`",
    "analysis": "a mapping such as `{window: 5m, min_requests: 100}`",
    "analysis.window": "a duration of whole seconds, at least `1s`, such as `5m`",
    "analysis.min_requests": "a whole number from 1",
    "analysis.no_data": "`hold`, `pass` or `fail`",
    "analysis.scope": 'label matchers such as `namespace="companyos"`, with commas between',
    "analysis.by_hash": "`true` or `false`",
    "analysis.form": "`evidence`, `safe` or `literal`",
    "analysis.max": "a duration of whole seconds, at least `1s`, such as `10m`",
    "analysis.burst": "a number from 1 to 100",
    "analysis.warmup": "a duration of whole seconds up to `1h`, such as `1m`",
    "prometheus": "a mapping such as `{url: http://prometheus.monitoring:9090}`",
    "prometheus.url": "an address such as `http://prometheus.monitoring:9090`",
    "prometheus.cli_url": "`auto`, or an address such as `http://localhost:9090`",
    "metrics": "a mapping of names to metrics such as `error-rate: {below: 5%}`",
    "metrics.*": "a metric such as `{below: 5%}`, or `null` to leave it out",
    "metrics.*.below": "a limit such as `0.05`, `5%` or `300ms`",
    "metrics.*.above": "a limit such as `0.99` or `99%`",
    "metrics.*.boundary": "of latency-p95: a boundary of the service's histogram, such as 300ms or 0.3",
    "metrics.*.query": "a PromQL query that returns one number",
    "metrics.*.form": "`evidence`, `safe` or `literal`",
    "metrics.*.no_data": "`hold`, `pass` or `fail`",
    "pod": "fields of the pod's spec, such as `containers`, and `metadata`",
    "merge": "a list of files, each with a `kind`, a `metadata.name` and what to change",
    "merge[]": "the path of a file, relative to this one",
    "links": "a mapping of names to addresses",
    "links.*": "an address; `{namespace}` and `{rollout}` are filled in",
    "environments": "a mapping of names to the fields that differ there",
    "environments.*": "a mapping of the fields that differ there",
    "context": "the name of a context of the kubeconfig",
}


def key_of(path: Iterable[str | int]) -> str:
    """The key of a field in the table: `steps[].weight`, `metrics.*.below`."""
    text, first = "", ""
    for index, part in enumerate(path):
        first = first or str(part)
        any_name = (index == 1 and first in ("metrics", "links", "environments")) or text == "traffic.header"
        name = "*" if any_name else part
        text += "[]" if isinstance(part, int) else f".{name}" if text else str(name)
    return text


class StepDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    weight: int
    analysis: str | None = None
    pause: str | None = None
    pods: int | str | None = None


class RouterDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    route: str | None = None
    parent: str | None = None
    host: str | None = None
    class_: str | None = None
    existing: bool = False


class TrafficDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gateway: RouterDocument | None = None
    istio: RouterDocument | None = None
    alb: RouterDocument | None = None
    traefik: RouterDocument | None = None
    nginx: RouterDocument | None = None
    header: dict[str, Any] | None = None
    header_pause: str | None = None
    stable_scales_down: bool = False
    abort_delay: str | None = None


class AnalysisDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    window: str | None = None
    min_requests: int = 100
    no_data: _NoData = "hold"
    scope: str | None = None
    by_hash: bool = False
    form: _Form = "evidence"
    max: str | None = None
    burst: float = 1
    warmup: str = "0s"


class PrometheusDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str = "http://prometheus.monitoring:9090"
    cli_url: str = "auto"


class MetricDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    below: float | str | None = None
    above: float | str | None = None
    boundary: float | str | None = None
    query: str | None = None
    form: _Form | None = None
    no_data: _NoData | None = None


class BlueGreenDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    promote: str = "auto"
    before: str | None = None
    after: str | None = None
    preview_replicas: int | None = None
    scale_down_delay: str | None = None


GUIDE_STEPS = (StepDocument(10, "2m"), StepDocument(25, "2m"), StepDocument(50, "3m"))


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """canary.yaml, with the block of the chosen environment merged over it."""

    schema: Literal["canary/v1"]
    rollout: str
    namespace: str
    image: str
    app: str | None = None
    container: str | None = None
    replicas: int | None = 10
    port: int = 8080
    progress_deadline: str = "10m"
    abort_on: tuple[str, ...] = ()
    manage: Literal["all", "rollout"] = "all"
    strategy: Literal["canary", "blue-green"] = "canary"
    blue_green: BlueGreenDocument | None = None
    traffic: Literal["gateway", "istio", "alb", "traefik", "nginx"] | TrafficDocument | None = None
    steps: tuple[StepDocument, ...] = GUIDE_STEPS
    analysis: AnalysisDocument = AnalysisDocument()
    prometheus: PrometheusDocument = PrometheusDocument()
    metrics: dict[str, MetricDocument | None] = {}
    pod: dict[str, Any] = {}
    merge: tuple[str, ...] = ()
    links: dict[str, str] = {}
    environments: dict[str, dict[str, Any]] = {}


_KEYS = {
    Document: "",
    StepDocument: "steps[].",
    RouterDocument: "traffic.gateway.",
    TrafficDocument: "traffic.",
    AnalysisDocument: "analysis.",
    PrometheusDocument: "prometheus.",
    MetricDocument: "metrics.*.",
    BlueGreenDocument: "blue_green.",
}
"""Where in the table the fields of a struct are."""
_BOUNDS: dict[str, dict[str, Any]] = {
    "replicas": {"minimum": 0},
    "port": {"minimum": 1, "maximum": 65535},
    "steps[].weight": {"minimum": 1, "maximum": 100},
    "traffic.header": {"additionalProperties": {"type": "string"}},
    "analysis.min_requests": {"minimum": 1},
    "analysis.burst": {"minimum": 1, "maximum": 100},
    "blue_green.preview_replicas": {"minimum": 1},
}
"""What an editor can check of it besides the type."""


def settings_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of canary.yaml; an environment block is any part of it plus
    `context`."""
    root = msgspec.json.schema(Document)
    definitions = root["$defs"]
    for document, above in _KEYS.items():
        for name, field in definitions[document.__name__]["properties"].items():
            key = f"{above}{name}"
            field.update({"description": ALLOWED[key]}, **_BOUNDS.get(key, {}))
    whole = definitions["Document"]
    block = {**whole, "title": "Environment", "required": []}
    block["description"] = ALLOWED["environments.*"]
    block["properties"] = {
        **{k: v for k, v in whole["properties"].items() if k != "environments"},
        "context": {"type": "string", "description": ALLOWED["context"]},
    }
    whole["properties"]["environments"]["additionalProperties"] = {"$ref": "#/$defs/Environment"}
    definitions["Environment"] = block
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root}
