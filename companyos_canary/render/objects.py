"""Settings → the objects to apply: AnalysisTemplates, Service, Rollout."""

from collections.abc import Mapping
from typing import Any

from companyos_canary.config import MANUAL, BlueGreenSettings, Settings, image_reference
from companyos_canary.config.source import merged
from companyos_canary.errors import ConfigError
from companyos_canary.model.http import Json, merge_patched
from companyos_canary.render.analysis import analysis_templates, placeholders, switch_template_name
from companyos_canary.render.steps import analysis_reference, background, preview_service, steps
from companyos_canary.render.templates import filled_template, parsed
from companyos_canary.render.traffic import route, routed_services, routing

_ROLLOUT, _SERVICE = "rollout.yaml", "service.yaml"


def objects(settings: Settings, version: str | None = None) -> tuple[dict[str, Any], ...]:
    """The AnalysisTemplates in the order of the steps, the Services, the route of a traffic router and the Rollout,
    `pod:` and `merge:` applied. Without a version the image has no tag. UsageError for a version that is
    none; ConfigError for a merge file that fits no object."""
    if settings.manage == "rollout":
        return tuple(_patched(settings, [rollout(settings, version)]))
    found = [*analysis_templates(settings), *_network(settings), rollout(settings, version)]
    return tuple(_patched(settings, found))


def rollout(settings: Settings, version: str | None = None) -> dict[str, Any]:
    """The Rollout, with `pod:` merged into its pod template."""
    image = settings.image if version is None else image_reference(settings.image, version)
    values = {
        **placeholders(settings),
        "container": settings.container,
        "image": image,
        "replicas": settings.replicas,
        "progress-deadline": int(settings.progress_deadline.total_seconds()),
        "background": background(settings),
        "steps": steps(settings),
    }
    found: dict[str, Any] = filled_template(parsed(_ROLLOUT), values, _ROLLOUT)
    if settings.blue_green:
        found["spec"]["strategy"] = {"blueGreen": _blue_green_strategy(settings, settings.blue_green)}
    if settings.traffic:
        canary = found["spec"]["strategy"]["canary"]
        found["spec"]["strategy"]["canary"] = {**routing(settings, settings.traffic), **canary}
    found["spec"]["template"] = merged(found["spec"]["template"], _pod_template(settings.pod))
    return found


def _blue_green_strategy(settings: Settings, given: BlueGreenSettings) -> Json:
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
    for name, duration in given.analyses:
        found[name] = analysis_reference(settings, switch_template_name(settings, name, duration))
    return found


def _network(settings: Settings) -> list[dict[str, Any]]:
    """The Services, and the object of a traffic router that splits between them."""
    one = service(settings)
    if settings.blue_green:
        # The active one has the Rollout's name; each selects one version once the controller has set its hash.
        return [one, {**one, "metadata": {**one["metadata"], "name": preview_service(settings)}}]
    if settings.traffic is None:
        return [one]
    between = route(settings, settings.traffic)
    return [*routed_services(settings, settings.traffic, one), *([between] if between else [])]


def service(settings: Settings) -> dict[str, Any]:
    """The one Service, which selects canary and stable pods alike."""
    found: dict[str, Any] = filled_template(parsed(_SERVICE), placeholders(settings), _SERVICE)
    return found


def _pod_template(pod: Mapping[str, Any]) -> dict[str, Any]:
    """`pod:` as a pod template: its fields are those of the pod's spec, next to `metadata`; a whole
    template with `spec` is understood too."""
    spec = {k: v for k, v in pod.items() if k not in ("metadata", "spec")}
    template: dict[str, Any] = {"spec": merged(spec, pod.get("spec") or {})}
    if pod.get("metadata"):
        template["metadata"] = pod["metadata"]
    return template


def _patched(settings: Settings, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    at = {(obj["kind"], obj["metadata"]["name"]): index for index, obj in enumerate(found)}
    for patch in settings.merge:
        index = at.get((patch.kind, patch.name))
        if index is None:
            known = ", ".join(f"`{kind} {name}`" for kind, name in at)
            raise ConfigError(
                f"{patch.path}: no object `{patch.kind} {patch.name}` is rendered", hint=f"rendered: {known}"
            )
        found[index] = merge_patched(found[index], patch.patch)
    return found
