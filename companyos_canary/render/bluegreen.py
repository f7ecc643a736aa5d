"""The blue-green strategy: two Services, a switch of all traffic, and the analyses before and after it."""

from typing import Any

from companyos_canary.config import MANUAL, BlueGreenSettings, Settings
from companyos_canary.model.http import Json
from companyos_canary.model.quantity import format_duration
from companyos_canary.render.steps import Timing, preview_service, timing

_OWN = 'canary="true",'
_OTHERS = ('canary!="true"', 'canary="false"')
_HASH = 'rollouts_pod_template_hash!~"{{args.canary-hash}}"'


def blue_green_strategy(settings: Settings, given: BlueGreenSettings) -> Json:
    """spec.strategy.blueGreen."""
    found: Json = {"activeService": settings.rollout, "previewService": preview_service(settings)}
    if given.promote == MANUAL:
        found["autoPromotionEnabled"] = False
    elif given.promote is not None:
        found["autoPromotionSeconds"] = int(given.promote.total_seconds())
    if given.preview_replicas is not None:
        found["previewReplicaCount"] = given.preview_replicas
    if given.scale_down_delay is not None:
        found["scaleDownDelaySeconds"] = int(given.scale_down_delay.total_seconds())
    for field, duration in (("prePromotionAnalysis", given.before), ("postPromotionAnalysis", given.after)):
        if duration is not None:
            latest = {"podTemplateHashValue": "Latest"}
            args = [{"name": "canary-hash", "valueFrom": latest}]
            found[field] = {"templates": [{"templateName": _template_name(settings, field, duration)}], "args": args}
    return found


def blue_green_services(settings: Settings, one: Json) -> list[Json]:
    """The active Service has the Rollout's name; each selects one version once the controller has set its hash."""
    preview = {**one, "metadata": {**one["metadata"], "name": preview_service(settings)}}
    return [one, preview]


def blue_green_timings(settings: Settings, given: BlueGreenSettings) -> list[tuple[str, Timing, bool]]:
    """Name and timing of each AnalysisTemplate, and whether the version before may have no traffic any more."""
    found = []
    analysis = settings.analysis
    for field, duration in (("prePromotionAnalysis", given.before), ("postPromotionAnalysis", given.after)):
        if duration is not None:
            when = timing(duration, analysis.window_of(duration), analysis.longest_of(duration))
            found.append((_template_name(settings, field, duration), when, field == "postPromotionAnalysis"))
    return found


def told_by_hash(template: Json) -> Json:
    """A version keeps no label of its role over the switch, so the hash of its pods tells it from the others."""
    for metric in template["spec"]["metrics"]:
        asked = metric["provider"]["prometheus"]
        query = asked["query"].replace(_OWN, "")
        for others in _OTHERS:
            query = query.replace(others, _HASH)
        asked["query"] = query
    return template


def _template_name(settings: Settings, field: str, duration: Any) -> str:
    word = "before" if field == "prePromotionAnalysis" else "after"
    return f"{settings.rollout}-{word}-{format_duration(duration).replace('.', '-')}"
