"""What `canary doctor` asks Prometheus: whether each metric has data, whose requests it counts, and how many."""

import re
from collections.abc import Iterator

from companyos_canary.actions.traffic import between_buckets, crowd, remedy
from companyos_canary.commands import base
from companyos_canary.config import Settings
from companyos_canary.diagnosis import readiness
from companyos_canary.diagnosis.readiness import Check
from companyos_canary.errors import CanaryError
from companyos_canary.model.quantity import parse_duration
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.render.questions import Question, Questions, of_stable, questions
from companyos_canary.render.steps import step_timing

_COUNTED = re.compile(r'([A-Za-z_:][\w:]*)(\{[^{}]*canary="true"[^{}]*\})\s*\[(\w+)\]')
_HASH = re.compile(r'rollouts_pod_template_hash\s*=~?\s*"[^"]*",?')


def metric_checks(session: base.Session, snapshot: Snapshot, settings: Settings | None) -> Iterator[Check]:
    """What Prometheus says of the stable pods: what has no data for them has none for a canary."""
    asked = questions(snapshot, settings)
    if not asked.metrics:
        yield Check("metrics", "warning", "no metric judges it", "canary init")
        return
    prometheus = session.prometheus(asked.address)
    reading = prometheus.ask("vector(1)")
    if reading.problem:
        yield Check("prometheus", "unknown", reading.problem, "see `canary metrics`")
        return
    yield Check("prometheus", "ok", f"Prometheus answers ({prometheus.address})")
    stable = snapshot.pods_of(snapshot.stable) if snapshot.stable else ()
    young = readiness.just_started((p.created_at for p in stable), session.runtime.clock.now())
    checks = [c for question in asked.metrics for c in _metric(prometheus, question, young)]
    yield from checks
    if not checks:
        count = len(asked.metrics)
        yield Check("metrics", "ok", f"{count} metric{'s have' if count > 1 else ' has'} data for the stable pods")
    if not young:
        yield from _series(prometheus, asked, settings)
    yield from _counted(prometheus, asked, snapshot)


def _counted(prometheus: Prometheus, asked: Questions, snapshot: Snapshot) -> Iterator[Check]:
    """Whose requests are counted, and whether the limit of the p95 is one that the histogram can tell."""
    if not asked.everybody:
        return
    name, namespace = snapshot.rollout.name, snapshot.rollout.namespace
    found = crowd(prometheus, asked.everybody, name, namespace)
    yield from readiness.alone(found.others, found.problem, remedy(name, namespace))
    try:
        yield from readiness.buckets(between_buckets(prometheus, asked))
    except CanaryError as error:
        yield Check("buckets", "unknown", f"not checked: {error.message}", error.hint)


def _metric(prometheus: Prometheus, question: Question, young: bool) -> Iterator[Check]:
    """A comparison can only be asked whole: whether it is understood, not whether there is data."""
    problem, found = question.problem, None
    if not problem:
        reading = prometheus.ask(question.stable or question.query)
        problem, found = reading.problem, bool(reading.samples) if question.stable else None
    yield from readiness.metric(question.name, problem, found, young=young)


def _series(prometheus: Prometheus, asked: Questions, settings: Settings | None) -> Iterator[Check]:
    """The series behind the first query that counts requests: its label, its scrapes, its traffic."""
    counted = next((m for q in asked.metrics if (m := _COUNTED.search(q.query))), None)
    if counted is None:
        return
    name, matchers, window = counted.groups()
    everyone = _HASH.sub("", matchers).replace('canary="true"', "").replace(",,", ",").replace("{,", "{")
    everyone = re.sub(r'status=~"[^"]*",?|result="[^"]*",?', "", everyone)
    by_label = prometheus.ask(f"count by (canary) ({name}{everyone})")
    if not by_label.samples:
        return
    yield from readiness.label((s.labels.get("canary", "") for s in by_label.samples), name)
    try:
        lasts = parse_duration(window)
    except ValueError:
        return
    stable = of_stable(f"max(count_over_time({name}{matchers}[{window}]))")
    yield from readiness.scraping(name, lasts, prometheus.ask(stable).value)
    rate = prometheus.ask(f"sum(rate({name}{everyone}[{window}]))").value
    first = next((s for s in settings.steps if s.analysis), None) if settings else None
    needed = max((q.needed for q in asked.metrics if q.needed), default=None)
    timing = step_timing(settings, first) if settings and first else None
    if rate is not None and first and first.analysis and needed and timing and settings:
        longest = max(settings.analysis.longest_of(first.analysis), timing.duration)
        yield from readiness.enough_traffic(rate, first.weight, first.analysis, needed, longest)
