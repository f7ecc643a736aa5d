"""A scenario: how each version behaves, how much traffic there is, and what comes of a deploy."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from companyos_canary.sandbox.scenarios.behaviour import HEALTHY, Behaviour

STABLE = "v1.0.0"
VERSION = "v1.1.0"
RATE = 200.0


@dataclass(frozen=True, slots=True)
class Promise:
    """What `canary deploy VERSION` comes to over v1.0.0, with the demo's canary.yaml: its exit
    code, its verdict, and the metric that it names (empty: none)."""

    exit: int
    verdict: str
    metric: str = ""
    deploy: str = VERSION

    def __str__(self) -> str:
        named = f", {self.metric}" if self.metric else ""
        return f"{self.deploy}: {self.verdict}{named}, exit {self.exit}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`versions` are patterns of tags (`v1.2.0`, `bad*`), the first that fits counts; a tag that
    fits none is healthy. `traffic` is in requests a second, for each Rollout."""

    name: str
    description: str
    promise: Promise | None = None
    versions: tuple[tuple[str, Behaviour], ...] = ()
    traffic: float = RATE

    def behaviour(self, image: str) -> Behaviour:
        """How pods of an image such as `registry:5000/companyos-api:v1.2.0@sha256:…` behave."""
        tag = image_tag(image)
        return next((b for pattern, b in self.versions if fnmatchcase(tag, pattern)), HEALTHY)


@dataclass(slots=True)
class Playing:
    """The scenario that is played now; another one may take its place while the sandbox runs."""

    scenario: Scenario

    def behaviour(self, image: str) -> Behaviour:
        return self.scenario.behaviour(image)

    def traffic(self) -> float:
        return self.scenario.traffic


def image_tag(image: str) -> str:
    """The tag of an image, `latest` where it has none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2] or "latest"
