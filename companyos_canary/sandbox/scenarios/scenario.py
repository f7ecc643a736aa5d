"""A scenario: how each version behaves (which may change with a pod's age or its share of traffic),
how much traffic there is, and what comes of a deploy."""

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

Failure = Literal["ImagePullBackOff", "CrashLoopBackOff"]
Shown = Literal["all", "none", "unlabelled"]
Axis = Literal["seconds", "weight"]


class Course(Struct, frozen=True):
    """A value that changes along an axis: `seconds` since the pod was first seen ready, or the
    `weight` (percent of the ready pods) of its version. Each point is (from where, value) and holds
    up to the next; before the first one its value holds, too."""

    points: tuple[tuple[float, float], ...]
    axis: Axis = "seconds"

    def at(self, seconds: float, weight: float) -> float:
        here = seconds if self.axis == "seconds" else weight
        for start, value in reversed(self.points):
            if here >= start:
                return value
        return self.points[0][1]


_FEW_ERRORS = Course(((0.0, 0.01),))
_AS_FAST = Course(((0.0, 1.0),))
_NEARLY_ALL = Course(((0.0, 0.9999),))


class Rates(Struct, frozen=True):
    """What holds for a pod at one moment: shares of 1, and how many times slower it answers. Where
    requests are drawn, errors come `clumps` at a time."""

    errors: float
    latency: float
    opa: float
    clumps: int = 1


class Behaviour(Struct, frozen=True):
    """`errors`: the share of requests that end in a 5xx; `latency`: how many times slower than the
    healthy distribution; `opa`: the share of policy decisions that are made. `starts_in`: seconds
    from a pod's creation to Ready. `fails`: why its pods never get Ready. `metrics`: what is
    scraped of them: all, none (the scrape fails), or everything without the label `canary`.
    `clumps`: how many errors come at a time, where requests are drawn."""

    errors: Course = _FEW_ERRORS
    latency: Course = _AS_FAST
    opa: Course = _NEARLY_ALL
    starts_in: float = 0.5
    fails: Failure | None = None
    metrics: Shown = "all"
    clumps: int = 1

    def at(self, seconds: float, weight: float) -> Rates:
        """The rates of a pod that is ready for so long, while its version has `weight` percent."""
        asked = seconds, weight
        return Rates(self.errors.at(*asked), self.latency.at(*asked), self.opa.at(*asked), self.clumps)


HEALTHY = Behaviour()


VERSION = "v1.1.0"
RATE = 200.0
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)


class Promise(Struct, frozen=True):
    """What `canary deploy VERSION` comes to over v1.0.0, with the demo's canary.yaml: its exit
    code, its verdict, and the metric that it names (empty: none)."""

    exit: int
    verdict: str
    metric: str = ""
    deploy: str = VERSION

    def __str__(self) -> str:
        named = f", {self.metric}" if self.metric else ""
        return f"{self.deploy}: {self.verdict}{named}, exit {self.exit}"


class Scenario(Struct, frozen=True):
    """`versions` are patterns of tags (`v1.2.0`, `bad*`), the first that fits counts; a tag that
    fits none is healthy. `traffic` is in requests a second, for each Rollout; `buckets` are the upper
    bounds of the latency histogram, in seconds."""

    name: str
    description: str
    promise: Promise | None = None
    versions: tuple[tuple[str, Behaviour], ...] = ()
    traffic: float = RATE
    buckets: tuple[float, ...] = BOUNDS

    def behaviour(self, image: str) -> Behaviour:
        """How pods of an image such as `registry:5000/companyos-api:v1.2.0@sha256:…` behave."""
        tag = image_tag(image)
        return next((b for pattern, b in self.versions if fnmatchcase(tag, pattern)), HEALTHY)


class Playing(Struct):
    """The scenario that is played now; another one may take its place while the sandbox runs."""

    scenario: Scenario

    def behaviour(self, image: str) -> Behaviour:
        return self.scenario.behaviour(image)

    def traffic(self) -> float:
        return self.scenario.traffic

    def buckets(self) -> tuple[float, ...]:
        return self.scenario.buckets


def image_tag(image: str) -> str:
    """The tag of an image, `latest` where it has none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2] or "latest"
