"""What an image's tag makes the sandbox do: the one table of ready-made versions.

tag        what it does
v1.2.0     healthy until it has 25 % of the traffic, then 12 % of its requests fail (5xx)
bad…       the image cannot be pulled: ImagePullBackOff
crash…     the container ends as soon as it starts: CrashLoopBackOff
slow…      three times the latency
errors…    12 % of its requests fail from the start
policy…    only 90 % of its policy decisions are made
others     healthy: 1 % 5xx, p95 about 0.18 s, 99.9 % of policy decisions made
"""

import re
from dataclasses import dataclass
from typing import Literal

Failure = Literal["ImagePullBackOff", "CrashLoopBackOff"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Rates are shares of 1. `starts_in`: seconds from the pod's creation to Ready. `fails`: why
    its pods never get Ready. `bad_from_weight`: the share of the ready pods, in percent, from
    which on `bad_error_rate` holds instead of `error_rate`; None for never."""

    error_rate: float = 0.01
    latency_factor: float = 1.0
    opa_success: float = 0.999
    starts_in: float = 0.5
    fails: Failure | None = None
    bad_from_weight: int | None = None
    bad_error_rate: float = 0.12

    def errors_at(self, weight: float) -> float:
        """The share of failing requests while `weight` percent of the traffic is served."""
        bad = self.bad_from_weight is not None and weight >= self.bad_from_weight
        return self.bad_error_rate if bad else self.error_rate


HEALTHY = Behaviour()

_BY_TAG: tuple[tuple[re.Pattern[str], Behaviour], ...] = (
    (re.compile(r"v1\.2\.0"), Behaviour(bad_from_weight=25)),
    (re.compile(r"bad.*"), Behaviour(fails="ImagePullBackOff")),
    (re.compile(r"crash.*"), Behaviour(fails="CrashLoopBackOff")),
    (re.compile(r"slow.*"), Behaviour(latency_factor=3.0)),
    (re.compile(r"errors.*"), Behaviour(error_rate=0.12)),
    (re.compile(r"policy.*"), Behaviour(opa_success=0.9)),
)


def behaviour(image: str) -> Behaviour:
    """How pods of an image such as `registry:5000/companyos-api:v1.2.0@sha256:…` behave."""
    tag = image_tag(image)
    return next((found for pattern, found in _BY_TAG if pattern.fullmatch(tag)), HEALTHY)


def image_tag(image: str) -> str:
    """The tag of an image, `latest` where it has none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2] or "latest"
