"""Whether the metrics of a Rollout count the requests of its own pods alone."""

import re
from dataclasses import dataclass

from companyos_canary.actions.traffic import bounds
from companyos_canary.analysis.evidence import REQUESTS
from companyos_canary.diagnosis.doubts import others
from companyos_canary.errors import CanaryError
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.render.evidence import at_least
from companyos_canary.render.plan import boundaries
from companyos_canary.render.questions import Questions

_OF_A_ROLLOUT = re.compile(r"(.+)-[a-z0-9]+-[a-z0-9]+")
_HASH = "rollouts_pod_template_hash"
_MOST = 3


@dataclass(frozen=True, slots=True)
class Crowd:
    """The other services that answer, as `name` or `namespace/name`; or the `problem` for which no one knows."""

    others: tuple[str, ...] = ()
    problem: str = ""


def crowd(prometheus: Prometheus, selector: str, rollout: str, namespace: str) -> Crowd:
    """Who answers `selector`, the metric and matchers that canary and stable have in common. By the names of pods;
    where series have none, by `app`. A series with neither says nothing."""
    try:
        found = prometheus.query(f"group by (namespace, pod, app) ({selector})")
    except CanaryError as error:
        return Crowd(problem=error.message)
    return Crowd(tuple(sorted(others((s.labels for s in found), rollout, namespace, frozenset()))))


@dataclass(frozen=True, slots=True)
class Series:
    """What the series of a Rollout's pods carry next to `namespace` and `pod`: whether the hash of the pod template;
    whether a service with a longer name answers `pod=~"NAME-.*"`, too; the boundaries of the histogram."""

    hashed: bool
    shared: bool
    bounds: tuple[str, ...]


def series(prometheus: Prometheus, rollout: str, namespace: str) -> Series | None:
    """None if Prometheus has none of this Rollout yet. Raises the errors of Prometheus."""
    found = prometheus.query(
        f'group by (namespace, pod, {_HASH}) ({REQUESTS}{{namespace="{namespace}",pod=~"{rollout}-.*"}})'
    )
    names = [(pod[1], s) for s in found if (pod := _OF_A_ROLLOUT.fullmatch(s.labels.get("pod", "")))]
    own = [s for name, s in names if name == rollout]
    if not own:
        return None
    return Series(
        hashed=all(s.labels.get(_HASH) for s in own),
        shared=any(name != rollout for name, _ in names),
        bounds=bounds(prometheus, f'namespace="{namespace}",pod=~"{rollout}-.*"'),
    )


def between_buckets(prometheus: Prometheus, asked: Questions) -> tuple[str, ...]:
    """What is said of a limit of the p95 that is no boundary of the histogram; raises the errors of Prometheus."""
    p95 = next((q for q in asked.metrics if q.name == "latency-p95" and q.limit), None)
    if p95 is None or p95.limit is None or (p95.row and at_least(p95.limit.value) not in p95.query):
        return ()
    known = bounds(prometheus, asked.everybody.partition("{")[2].removesuffix("}"))
    return tuple(warned.message for warned in boundaries(p95.limit.value, known))


def sentence(found: Crowd, rollout: str, namespace: str) -> str:
    """What is wrong, and the line to write; empty if nothing is."""
    if found.problem:
        return f"whether the metrics count the requests of `{rollout}` alone could not be checked: {found.problem}"
    if not found.others:
        return ""
    names = ", ".join(f"`{o}`" for o in found.others[:_MOST])
    more = f" and {len(found.others) - _MOST} more" if len(found.others) > _MOST else ""
    return f"the metrics of `{rollout}` also count the requests of {names}{more}: {remedy(rollout, namespace)}"


def remedy(rollout: str, namespace: str) -> str:
    return f"write into canary.yaml: {line(rollout, namespace)}"


def line(rollout: str, namespace: str) -> str:
    """The line of canary.yaml that counts the pods of one Rollout."""
    return f"analysis: {{scope: '{exact(rollout, namespace)}'}}"


def exact(rollout: str, namespace: str) -> str:
    """Pods have the name of the Rollout, a hash, and five characters."""
    return f'namespace="{namespace}",pod=~"{rollout}-[^-]+-[^-]+"'
