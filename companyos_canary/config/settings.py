"""What canary.yaml says, complete and typed: every default is in, every unit is read; and what a name, an image and
a version may look like."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from companyos_canary.errors import UsageError, printable
from companyos_canary.model.abort_on import NEVER, AbortOn
from companyos_canary.model.image import repository
from companyos_canary.model.quantity import parse_duration

NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
NAMESPACE_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})+(?::[0-9]{{1,5}})?|{_LABEL}:[0-9]{{1,5}}|localhost)"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = rf"({_HOST}/)?{_PART}(/{_PART})*"


def image_reference(image: str, version: str) -> str:
    """The image to run for a version: `v1.2.3` is a tag of `image`, `sha256:…` a digest of it, and
    a whole reference (`registry/name:tag`) is taken as it is. UsageError for anything else."""
    if re.fullmatch(_DIGEST, version):
        return f"{image}@{version}"
    if re.fullmatch(TAG, version):
        return f"{image}:{version}"
    if is_reference(version):
        return version
    raise UsageError(
        f"`{printable(version)}` is not a version",
        hint="a version is an image tag such as `v1.2.3`, a digest `sha256:…`, "
        "or a whole reference such as `registry/name:v1.2.3`",
    )


def is_reference(text: str) -> bool:
    """A repository followed by a tag, a digest or both."""
    name, at, digest = text.partition("@")
    base = repository(name)
    tag = name[len(base) :]
    if base == "sha256" or not re.fullmatch(REPOSITORY, base) or (at and not re.fullmatch(_DIGEST, digest)):
        return False
    return bool(re.fullmatch(TAG, tag[1:])) if tag else bool(at)


_NUMBER = r"(?a)[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_LONGEST = timedelta(days=30)


def parsed_duration(text: str) -> timedelta:
    """A Go duration above zero and up to 30 days; ValueError for anything else."""
    value = parse_duration(text)
    if not timedelta() < value <= _LONGEST:
        raise ValueError(f"`{text}` is not a duration of more than 0s and up to 720h")
    return value


def limit(value: float | str) -> float:
    """A limit as a number: `300ms` is 0.3 (seconds), `5%` is 0.05; ValueError for anything else."""
    number = _limit(value.strip()) if isinstance(value, str) else float(value)
    if not math.isfinite(number):
        raise ValueError(f"`{value}` is not a finite number")
    return number


def _limit(text: str) -> float:
    if re.fullmatch(_NUMBER, text):
        return float(text)
    if text.endswith("%") and re.fullmatch(_NUMBER, text[:-1].strip()):
        try:
            return float(Decimal(text[:-1].strip()) / 100)
        except ArithmeticError:
            raise ValueError(f"`{text}` is not a share") from None
    try:
        return parse_duration(text).total_seconds()
    except ValueError:
        raise ValueError(f"`{text}` is not a number, a share or a duration") from None


def plain_number(number: float) -> str:
    """A number without an exponent, shortest: `0.3`, `100`, `0.0000001`."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_NoData = Literal["hold", "pass", "fail"]
_Form = Literal["evidence", "safe", "literal"]
MANUAL: Literal["manual"] = "manual"
MINUTE = timedelta(minutes=1)
LONGEST_WINDOW = timedelta(minutes=5)


class StepSettings(Struct, frozen=True):
    """One step: a weight in percent, then an analysis that lasts `analysis`, then a pause. A pause
    of `manual` waits for a person. `pods`: so many, or a share of the replicas (`25%`), where a router
    makes the weight; None: as the weight says."""

    weight: int
    analysis: timedelta | None = None
    pause: timedelta | Literal["manual"] | None = None
    pods: int | str | None = None

    @property
    def waits_for_a_person(self) -> bool:
        return self.pause == MANUAL


Router = Literal["gateway", "istio", "alb", "traefik", "nginx"]
HEADER_ROUTERS = ("gateway", "istio", "alb")


class TrafficSettings(Struct, frozen=True):
    """Who splits the traffic. `route` is the object with the weights, which is someone else's where it is `existing`;
    `parent` is a Gateway as `NAMESPACE/NAME` or `NAME`. Requests with all of these headers (`header`) reach the canary
    before it has a weight, and are alone there for the `header_pause`. `abort_delay`: how long its pods stay after an
    abort; None: the controller's 30 s."""

    router: Router
    route: str
    parent: str = ""
    host: str = ""
    ingress_class: str = ""
    existing: bool = False
    header: Mapping[str, str] = field(default_factory=dict)
    header_pause: timedelta | Literal["manual"] | None = None
    stable_scales_down: bool = False
    abort_delay: timedelta | None = None


class BlueGreenSettings(Struct, frozen=True):
    """`promote`: when all traffic goes to the new version: at once (None), after so long, or by a person. `before` and
    `after` are the lengths of the analyses around that."""

    promote: timedelta | Literal["manual"] | None = None
    before: timedelta | None = None
    after: timedelta | None = None
    preview_replicas: int | None = None
    scale_down_delay: timedelta | None = None

    @property
    def analyses(self) -> Iterator[tuple[str, timedelta]]:
        """The field of each analysis in the Rollout, and how long it lasts."""
        for name, duration in (("prePromotionAnalysis", self.before), ("postPromotionAnalysis", self.after)):
            if duration is not None:
                yield name, duration


class Analysis(Struct, frozen=True):
    """How all metrics are asked. `window` is the range of every rate; None: derived, see `window_of`. `scope` holds
    further label matchers; None: see `Settings.scope`. `min_requests` is the least traffic in the window that is worth
    a judgement. A step waits for them up to `longest`; None: three times its own duration. Errors come `burst` at a
    time. What a step's new pods do in their `warmup` is not judged."""

    window: timedelta | None = None
    min_requests: int = 100
    no_data: _NoData = "hold"
    scope: str | None = None
    by_hash: bool = False
    longest: timedelta | None = None
    burst: float = 1.0
    warmup: timedelta = timedelta()

    def longest_of(self, duration: timedelta) -> timedelta:
        """How long an analysis of that duration may last while it waits for requests."""
        return max(duration, duration * 3 if self.longest is None else self.longest)

    def window_of(self, duration: timedelta) -> timedelta:
        """The window for an analysis of that duration: two and a half times as long, so 5m for the
        guide's 2m, between 1m (four scrapes at the usual 15 s) and 5m."""
        if self.window is not None:
            return self.window
        derived = timedelta(seconds=int((duration * 2.5).total_seconds()))
        return max(MINUTE, min(LONGEST_WINDOW, derived))


class MetricSettings(Struct, frozen=True):
    """A metric is good while its value is `below` or `above` the limit (seconds, shares or plain
    numbers). `query` is the user's own; None: the guide's, in the form `form`. Requests count as slow beyond
    `boundary` seconds, a bucket of the service's histogram; None: the smallest that is not below the limit."""

    name: str
    direction: Literal["below", "above"]
    limit: float
    query: str | None = None
    form: _Form = "evidence"
    no_data: _NoData = "hold"
    burst: float = 1.0
    boundary: float | None = None


class PrometheusSettings(Struct, frozen=True):
    """`url` is what the controller in the cluster asks, `cli_url` what `canary` asks: an address,
    or `auto` for directly, else through the API server's proxy."""

    url: str = "http://prometheus.monitoring:9090"
    cli_url: str = "auto"


def default_scope(rollout: str, namespace: str) -> str:
    """By the labels that Prometheus gives the series of a pod."""
    return f'namespace="{namespace}",pod=~"{rollout}-.*"' if namespace else f'pod=~"{rollout}-.*"'


class MergePatch(Struct, frozen=True):
    """A JSON merge patch (RFC 7396) for the rendered object of that kind and name."""

    path: str
    kind: str
    name: str
    patch: Mapping[str, Any]


class Settings(Struct, frozen=True):
    """`manage` says whether more is rendered than the Rollout. `blue_green` None: a canary.
    `replicas` None: not ours (an autoscaler owns it). `context` is that of the environment block
    in use, `from_environment` the fields it gave. `environments` lists the names of all blocks."""

    rollout: str
    namespace: str
    image: str
    app: str
    container: str
    replicas: int | None = None
    port: int = 8080
    progress_deadline: timedelta = timedelta(minutes=10)
    abort_on: AbortOn = NEVER
    manage: Literal["all", "rollout"] = "all"
    blue_green: BlueGreenSettings | None = None
    traffic: TrafficSettings | None = None
    steps: tuple[StepSettings, ...] = ()
    analysis: Analysis = Analysis()
    prometheus: PrometheusSettings = PrometheusSettings()
    metrics: tuple[MetricSettings, ...] = ()
    pod: Mapping[str, Any] = field(default_factory=dict)
    merge: tuple[MergePatch, ...] = ()
    link_texts: Mapping[str, str] = field(default_factory=dict)
    context: str | None = None
    environment: str | None = None
    environments: tuple[str, ...] = ()
    from_environment: frozenset[str] = frozenset()
    path: Path | None = None

    @property
    def window(self) -> timedelta:
        """The one window for `canary metrics`: that of the longest analysis."""
        longest = max((s.analysis for s in self.steps if s.analysis), default=LONGEST_WINDOW)
        return self.analysis.window_of(longest)

    @property
    def scope(self) -> str:
        """The label matchers of canary and stable alike: by default the pods of this Rollout alone."""
        if self.analysis.scope is not None:
            return self.analysis.scope
        return default_scope(self.rollout, self.namespace)

    @property
    def links(self) -> dict[str, str]:
        """Complete addresses by name."""
        values = {"{namespace}": self.namespace, "{rollout}": self.rollout}
        filled = dict(self.link_texts)
        for placeholder, value in values.items():
            filled = {name: text.replace(placeholder, value) for name, text in filled.items()}
        return filled

    @property
    def waits_for_a_person(self) -> bool:
        return any(step.waits_for_a_person for step in self.steps)
