"""The steps of a Rollout, when each analysis measures, and how long it takes when nothing stops it."""

from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct

from companyos_canary.config import MANUAL, Settings, StepSettings, TrafficSettings
from companyos_canary.model.quantity import format_duration

SECOND = timedelta(seconds=1)
LEAST = 4
_LONGEST_INTERVAL = timedelta(minutes=1)
BACKGROUND_INTERVAL = timedelta(seconds=20)


class Timing(Struct, frozen=True):
    """When an analysis measures: first after `initial_delay`, then every `interval`, `count` times
    (None: until it is stopped), over `window` of samples; `most` times while requests are few.
    Whole seconds."""

    initial_delay: timedelta
    interval: timedelta
    count: int | None
    window: timedelta
    most: int

    @property
    def duration(self) -> timedelta:
        """How long it takes, counted to the last measurement; nothing for an endless one."""
        return self.initial_delay + self.interval * ((self.count or 1) - 1)


def timing(duration: timedelta, window: timedelta, longest: timedelta, warmup: timedelta = timedelta()) -> Timing:
    """At least four measurements that end with the duration and never after it; while requests are
    too few it continues up to `longest`. A `warmup` comes before all that, and no window reaches back into it.

    The first comes when half of the time or the window is over, whichever is shorter, so that it
    sees the canary at this weight; then up to a minute between two. The guide's 2m is measured
    after 60, 80, 100 and 120 s, 6s after 3, 4, 5 and 6 s. The controller counts in whole seconds
    from cut times (recorded: initial-delay-2s), so a run may end up to 1 s before its duration:
    the delay never drops below 1 s.
    """
    whole = timedelta(seconds=int(duration.total_seconds()))
    interval = _whole(min(max(whole / 6, SECOND), _LONGEST_INTERVAL))
    delay = min(_whole(min(whole / 2, window)), whole - interval * (LEAST - 1))
    count = (whole - delay) // interval + 1
    first = whole - interval * (count - 1)
    # The controller needs one more than those that end it (recorded: failure-plus-success-over-count).
    most = max((longest - first) // interval + 1, count + 1)
    return Timing(warmup + first, interval, count, min(window, first) if warmup else window, most)


def background_timing(settings: Settings) -> Timing:
    """An analysis next to the steps: it measures until the rollout is promoted or aborted."""
    window = settings.window
    interval = max(SECOND, min(BACKGROUND_INTERVAL, _whole(window / 5)))
    first = min(window, timedelta(minutes=1))
    asked = max((s.analysis for s in settings.steps if s.analysis), default=window)
    most = max((settings.analysis.longest_of(asked) - first) // interval + 1, LEAST)
    warmup = settings.analysis.warmup
    return Timing(warmup + window if warmup else first, interval, None, window, most)


def step_timing(settings: Settings, step: StepSettings) -> Timing | None:
    """The timing of a step's analysis; None for a step without one."""
    return None if step.analysis is None else timing_of(settings, step.analysis)


def timing_of(settings: Settings, duration: timedelta) -> Timing:
    """The timing of an analysis that lasts so long."""
    analysis = settings.analysis
    return timing(duration, analysis.window_of(duration), analysis.longest_of(duration), analysis.warmup)


def template_name(settings: Settings, step: StepSettings | None) -> str:
    """The AnalysisTemplate of a step, or of the background.

    There is one for each distinct duration, with its numbers written out: that is what the
    controller is recorded to accept in a step, and what a person reads in the cluster. Counts by
    argument work in a run (recorded: arg-in-count) but are checked against the template's
    defaults, not against the step's values.
    """
    if step is None or step.analysis is None:
        return f"{settings.rollout}-background"
    alone = "-full" if step.weight == 100 else ""
    return f"{settings.rollout}-{format_duration(step.analysis).replace('.', '-')}{alone}"


def steps(settings: Settings) -> list[dict[str, Any]]:
    """spec.strategy.canary.steps: the pods where they are not as the weight says, a weight, then the analysis, then the
    pause of each step. Once pods are set apart from the weight, each later step sets them before its weight: with
    matchTrafficWeight they would first follow the weight before it, which is 0 behind a header route."""
    found: list[dict[str, Any]] = header_steps(settings, settings.traffic) if settings.traffic else []
    apart = bool(found)
    for step in settings.steps:
        if step.pods is not None:
            found.append({"setCanaryScale": _scale(step.pods)})
        elif apart:
            found.append({"setCanaryScale": {"weight": step.weight}})
        apart = apart or step.pods is not None
        found.append({"setWeight": step.weight})
        if step.analysis is not None:
            found.append({"analysis": analysis_reference(settings, template_name(settings, step))})
        found += _pause(step.pause)
    return found


def _pause(length: timedelta | Literal["manual"] | None) -> list[dict[str, Any]]:
    if length is None:
        return []
    return [{"pause": {} if length == MANUAL else {"duration": format_duration(length)}}]


def background(settings: Settings) -> dict[str, Any] | None:
    """spec.strategy.canary.analysis: from the first pause that waits for a person on, so that a
    canary no one looks at is still judged; None without such a pause while it has a weight."""
    found = steps(settings)
    weighed = next((i for i, step in enumerate(found) if "setWeight" in step), len(found))
    for index, step in enumerate(found):
        if step.get("pause") == {} and index > weighed:
            return {**analysis_reference(settings, template_name(settings, None)), "startingStep": index}
    return None


def preview_service(settings: Settings) -> str:
    return f"{settings.rollout}-preview"


def header_route(settings: Settings) -> str:
    return f"{settings.rollout}-header"


def header_steps(settings: Settings, traffic: TrafficSettings) -> list[dict[str, Any]]:
    """One pod of the canary, and the route that testers reach it by, before it gets a weight."""
    if not traffic.header:
        return []
    match = [{"headerName": name, "headerValue": {"exact": value}} for name, value in traffic.header.items()]
    name = header_route(settings)
    found: list[dict[str, Any]] = [
        {"setCanaryScale": {"replicas": 1}},
        {"setHeaderRoute": {"name": name, "match": match}},
    ]
    return [*found, *_pause(traffic.header_pause)]


def _scale(pods: int | str) -> dict[str, Any]:
    """A share in percent is a weight for the number of pods."""
    return {"replicas": pods} if isinstance(pods, int) else {"weight": int(pods.removesuffix("%"))}


def analysis_reference(settings: Settings, template: str) -> dict[str, Any]:
    """A reference to an AnalysisTemplate; with `by_hash` the canary's own hash as argument."""
    reference: dict[str, Any] = {"templates": [{"templateName": template}]}
    if settings.analysis.by_hash:
        reference["args"] = [{"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
    return reference


def _whole(duration: timedelta) -> timedelta:
    return timedelta(seconds=int(duration.total_seconds()))
