"""An AnalysisRun: what is asked (metrics) and what was answered (results, measurements).

The values of secret arguments are taken out before anything else sees it. The controller masks them in messages, but
writes the resolved query in clear."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from companyos_canary.errors import words
from companyos_canary.model.image import HASH_LABEL, REVISION
from companyos_canary.model.quantity import parse_duration, parse_time, repeated, whole
from companyos_canary.model.row import COMPLETED
from companyos_canary.model.sourced import Sourced

ARGUMENT = r"\{\{ *args\.([\w-]+) *\}\}"
MASK = "*****"
_RESOLVED = "ResolvedPrometheusQuery"


def masked(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The AnalysisRun object with `*****` in the place of what came from a Secret; the same object
    where no argument does."""
    spec = raw.get("spec") or {}
    arguments = [a for a in spec.get("args") or [] if isinstance(a, Mapping)]
    secret = {a.get("name", "") for a in arguments if (a.get("valueFrom") or {}).get("secretKeyRef")}
    if not secret:
        return raw
    shown = {a.get("name", ""): str(a.get("value", "")) for a in arguments if a.get("value")}
    shown |= dict.fromkeys(secret, MASK)
    queries = {str(m.get("name", "")): _query(m) for m in spec.get("metrics") or []}
    status = dict(raw.get("status") or {})
    values: set[str] = set()
    results = []
    for result in status.get("metricResults") or []:
        metadata = result.get("metadata") or {}
        template = queries.get(str(result.get("name", "")), "")
        values |= _values(template, str(metadata.get(_RESOLVED, "")), shown, secret)
        if _RESOLVED in metadata:
            metadata = {**metadata, _RESOLVED: _put_in(template, shown) or MASK}
        results.append({**result, "metadata": metadata} if metadata else result)
    status["metricResults"] = results
    return {**raw, "status": _without(status, sorted(values, key=len, reverse=True))}


def _query(metric: Mapping[str, Any]) -> str:
    provider = metric.get("provider") or {}
    return str((provider.get("prometheus") or {}).get("query") or "")


def _put_in(template: str, shown: Mapping[str, str]) -> str:
    return re.sub(ARGUMENT, lambda m: shown.get(m[1], m[0]), template)


def _values(template: str, resolved: str, shown: Mapping[str, str], secret: set[str]) -> set[str]:
    """The secret values, read off by laying the template over the resolved query: also a message
    of the provider may quote them."""
    pattern, at = "", 0
    for argument in re.finditer(ARGUMENT, template):
        pattern += re.escape(template[at : argument.start()])
        known = argument[1] not in secret
        pattern += re.escape(shown.get(argument[1], argument[0])) if known else "(.+?)"
        at = argument.end()
    found = re.fullmatch(pattern + re.escape(template[at:]), resolved, re.DOTALL)
    return {value for value in found.groups() if value} if found else set()


def _without(value: Any, secrets: list[str]) -> Any:
    """Only texts that are not ours or the controller's own words may quote a secret."""
    if isinstance(value, list):
        return [_without(v, secrets) for v in value]
    if not isinstance(value, Mapping):
        return value
    return {k: _text(v, secrets) if k in ("message", "value") else _without(v, secrets) for k, v in value.items()}


def _text(value: Any, secrets: list[str]) -> Any:
    for secret in secrets if isinstance(value, str) else ():
        value = value.replace(secret, MASK)
    return value


class Measurement(Struct, frozen=True):
    """`value` is the provider's text, for example `[0.0123]`, `NaN`, empty if there was none."""

    phase: str
    value: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None


class MetricResult(Struct, frozen=True):
    """`taken` measurements were made; the run keeps the last ten of them, and one of a Job that still runs."""

    name: str
    phase: str
    message: str
    count: int
    successful: int
    failed: int
    inconclusive: int
    error: int
    dry_run: bool
    query: str
    measurements: tuple[Measurement, ...]
    taken: int = 0

    @property
    def newest(self) -> Measurement | None:
        """The last one that has ended: that of a Job says nothing while the Job runs."""
        return next((m for m in reversed(self.measurements) if m.phase != "Running"), None)


class Metric(Struct, frozen=True):
    """What is asked, as text, with the run's arguments put in; those from a Secret stay open. A good
    course takes `planned` measurements; `count` may be the most that waiting for requests takes. `provider` is who is
    asked: `prometheus`, `web`, `job` …"""

    name: str
    success_condition: str
    failure_condition: str
    interval: str
    initial_delay: str
    count: str
    failure_limit: str
    address: str
    query: str
    planned: str
    provider: str

    @classmethod
    def from_object(cls, raw: Mapping[str, Any], arguments: Mapping[str, str]) -> "Metric":
        """One of a run, or of a template."""

        def text(key: str, of: Mapping[str, Any] = raw) -> str:
            written = str(of[key]) if of.get(key) is not None else ""
            return re.sub(ARGUMENT, lambda m: str(arguments.get(m[1], m[0])), written) if "{" in written else written

        providers = raw.get("provider") or {}
        prometheus = providers.get("prometheus") or {}
        enough = text("consecutiveSuccessLimit")
        return cls(
            name=raw.get("name", ""),
            success_condition=text("successCondition"),
            failure_condition=text("failureCondition"),
            interval=text("interval"),
            initial_delay=text("initialDelay"),
            count=text("count"),
            failure_limit=text("failureLimit"),
            address=text("address", prometheus),
            query=text("query", prometheus),
            planned=enough if whole(enough) > 0 else text("count"),
            provider=next(iter(providers), ""),
        )

    @property
    def length(self) -> timedelta | None:
        """From the start to the last measurement; None without an end, or where what is written is not a time."""
        return _length(self)


@lru_cache(maxsize=256)  # the same few in every frame
def _length(metric: Metric) -> timedelta | None:
    times = whole(metric.planned) or (0 if metric.interval else 1)
    if times < 1:
        return None
    try:
        delay, interval = parse_duration(metric.initial_delay or "0"), parse_duration(metric.interval or "0")
        return delay + repeated(interval, times - 1)
    except ValueError:
        return None


class AnalysisRun(Sourced, frozen=True):
    """`step_index` is None for a background run. What came from a Secret is already masked, in
    `raw` (the whole object), too."""

    name: str
    uid: str
    owner_uid: str
    hash: str
    revision: int
    step_index: int | None
    created_at: datetime | None
    phase: str
    message: str
    started_at: datetime | None
    completed_at: datetime | None
    terminating: bool
    metrics: tuple[Metric, ...]
    results: tuple[MetricResult, ...]
    raw: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "AnalysisRun":
        raw = masked(raw)
        meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
        labels = meta.get("labels") or {}
        owners = meta.get("ownerReferences") or [{}]
        index = labels.get("step-index", "")
        revision = (meta.get("annotations") or {}).get(REVISION, "0")
        given = (a for a in spec.get("args") or [] if a.get("value") is not None)
        arguments = {a.get("name", ""): str(a["value"]) for a in given}
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            owner_uid=owners[0].get("uid", ""),
            hash=labels.get(HASH_LABEL, ""),
            revision=whole(revision),
            step_index=whole(index) if index.isdecimal() else None,
            created_at=parse_time(meta.get("creationTimestamp")),
            phase=status.get("phase", ""),
            message=words(status.get("message", "")),
            started_at=parse_time(status.get("startedAt")),
            completed_at=parse_time(status.get("completedAt")),
            terminating=bool(spec.get("terminate")),
            metrics=tuple(Metric.from_object(m, arguments) for m in spec.get("metrics") or []),
            results=tuple(_result(r) for r in status.get("metricResults") or []),
            raw=raw,
        )

    @property
    def is_finished(self) -> bool:
        return self.phase in COMPLETED

    @property
    def passed(self) -> bool:
        """Whether it ended Successful by itself: one that is terminated gets that phase too (upstream
        analysis/analysis.go)."""
        return self.phase == "Successful" and not self.terminating and self.message != "Run Terminated"

    @property
    def length(self) -> timedelta | None:
        """From the first to the last measurement that it is asked for; None without an end."""
        spans: list[timedelta] = []
        for metric in self.metrics:
            span = _length(metric)  # asked in each frame: no second call
            if span is None:
                return None
            spans.append(span)
        return max(spans, default=None)

    def result(self, metric: str) -> MetricResult | None:
        return next((r for r in self.results if r.name == metric), None)


_COUNTERS = ("successful", "failed", "inconclusive", "error")


def _result(raw: Mapping[str, Any]) -> MetricResult:
    return MetricResult(
        name=raw.get("name", ""),
        phase=raw.get("phase", ""),
        message=words(raw.get("message", "")),
        count=raw.get("count", 0),
        successful=raw.get("successful", 0),
        failed=raw.get("failed", 0),
        inconclusive=raw.get("inconclusive", 0),
        error=raw.get("error", 0),
        dry_run=bool(raw.get("dryRun")),
        query=(raw.get("metadata") or {}).get(_RESOLVED, ""),
        measurements=tuple(
            Measurement(
                m.get("phase", ""),
                words(m.get("value", "")),
                words(m.get("message", "")),
                parse_time(m.get("startedAt")),
                parse_time(m.get("finishedAt")),
            )
            for m in raw.get("measurements") or []
        ),
        taken=max(
            sum(m.get("phase", "") != "Running" for m in raw.get("measurements") or []),
            sum(raw.get(p) or 0 for p in _COUNTERS),
        ),
    )
