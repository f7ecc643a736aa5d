"""How long a rollout takes if all goes well, from its steps and their AnalysisTemplates. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from companyos_canary.model.quantity import parse_duration, repeated, whole, whole_seconds
from companyos_canary.model.rollout import Rollout, Step

_ARGUMENT = re.compile(r"\{\{ *args\.([\w-]+) *\}\}")
_SETTLE = timedelta(seconds=20)
_DEADLINE = 600


def default_timeout(rollout: Rollout, templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    """What `deploy` waits at most: twice the planned time, and once the progress deadline."""
    spec = rollout.raw.get("spec") or {}
    deadline = whole_seconds(spec.get("progressDeadlineSeconds"), _DEADLINE)
    return 2 * planned_duration(rollout, templates) + deadline


def planned_duration(rollout: Rollout, templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    """The sum of timed pauses and analyses, and some seconds a step for its pods. An endless
    pause counts as nothing. `templates`: AnalysisTemplate objects by name; a missing one too. In
    blue-green: the pause that ends by itself, and the analyses around the switch."""
    steps = sum((_step(step, templates) for step in rollout.steps), timedelta())
    pause = whole_seconds(rollout.blue_green.seconds if rollout.blue_green else 0)
    around = (_analysis(found, templates) for found in _around_the_switch(rollout))
    return steps + pause + sum(around, timedelta())


def template_names(rollout: Rollout) -> tuple[str, ...]:
    """The AnalysisTemplates that the steps or the switch name, each once."""
    steps = (step.raw["analysis"] for step in rollout.steps if step.kind == "analysis")
    names = (
        t.get("templateName", "")
        for analysis in (*steps, *_around_the_switch(rollout))
        for t in analysis.get("templates") or []
        if not t.get("clusterScope")
    )
    return tuple(dict.fromkeys(n for n in names if n))


def _step(step: Step, templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    if step.kind == "pause":
        return max(step.duration or timedelta(), timedelta())
    if step.kind == "setWeight":
        return _SETTLE
    if step.kind == "analysis":
        return _analysis(step.raw["analysis"], templates)
    return timedelta()


def _around_the_switch(rollout: Rollout) -> list[Mapping[str, Any]]:
    """The analyses before and after the active Service moves."""
    if rollout.blue_green is None:
        return []
    strategy = rollout.raw["spec"]["strategy"]["blueGreen"]
    return [strategy[name] for name in rollout.blue_green.analyses]


def _analysis(analysis: Mapping[str, Any], templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    found = (templates.get(t.get("templateName", "")) for t in analysis.get("templates") or [])
    given = {a["name"]: a.get("value", "") for a in analysis.get("args") or []}
    return max((_template(t, given) for t in found if t), default=timedelta())


def _template(template: Mapping[str, Any], given: Mapping[str, str]) -> timedelta:
    spec = template.get("spec") or {}
    defaults = {a["name"]: a.get("value", "") for a in spec.get("args") or []}
    return run_duration(spec.get("metrics") or [], {**defaults, **given})


def run_duration(metrics: Iterable[Mapping[str, Any]], arguments: Mapping[str, str]) -> timedelta:
    """How long an AnalysisRun measures: the longest of its metrics. One without an end is 0."""
    return max((_metric(m, arguments) for m in metrics), default=timedelta())


def _metric(metric: Mapping[str, Any], arguments: Mapping[str, str]) -> timedelta:
    def text(key: str) -> str:
        raw = str(metric.get(key) or "")
        return _ARGUMENT.sub(lambda m: str(arguments.get(m[1], m[0])), raw)

    count = whole(text("count")) or 1
    later = repeated(_duration(text("interval")), max(count - 1, 0))
    return _duration(text("initialDelay")) + later


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        return timedelta()
