"""Acts out cases of blue-green, of experiments and of a Rollout that takes its template from a Deployment:
`python -m tests.diagnosis.strategies [FOLDER]`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from companyos_canary.cluster.kinds import KNOWN
from companyos_canary.cluster.requests import create_request, patch_request
from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.sandbox.behaviour import V1_9, Release
from companyos_canary.sandbox.provider import TransportError
from tests.diagnosis.__main__ import CASES
from tests.diagnosis.acted import Scene, folder_of_a_world, write
from tests.world import World

SCENARIOS = Path(__file__).parents[1] / "conformance"
KINDS = {kind.kind: kind for kind in KNOWN}
NAME, NAMESPACE = "companyos-api", "companyos"
STRATEGIES: dict[str, Callable[[], Scene]] = {}
Edit = Callable[[str], str]


def strategy(make: Callable[[], Scene]) -> Callable[[], Scene]:
    STRATEGIES[make.__name__.replace("_", "-")] = make
    return make


def installed(folder: str, *values: float | None, edit: Edit = lambda text: text, release: Release = V1_9) -> World:
    """v1 of a recorded scenario's manifests is stable; Prometheus gives one value after the other, None: no answer."""
    world, left = World(folder_of_a_world(), "", release=release), list(values) or [1]

    def measured(request: Request) -> Response:
        value = left.pop(0) if len(left) > 1 else left[0]
        if value is None:
            raise_away()
        found = {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(value)]}]}
        return Response(200, {}, json.dumps({"status": "success", "data": found}).encode())

    world.prometheus = measured
    text = edit((SCENARIOS / folder / "manifests.yaml").read_text().replace("$PROMETHEUS", "http://prometheus:9090"))
    for obj in yaml.safe_load_all(text):
        obj["metadata"]["namespace"] = NAMESPACE
        assert world.answer(create_request(obj, KINDS[obj["kind"]], NAMESPACE)).status == 201
    world.advance(10)
    return world


def raise_away() -> None:
    raise TransportError(
        'Post "http://prometheus:9090/api/v1/query": dial tcp 10.96.4.2:9090: connect: connection refused'
    )


def deployed(world: World, version: str, seconds: float) -> World:
    assert world.canary("deploy", version, "--rollout", NAME, "-n", NAMESPACE, "--no-wait").code == 0
    world.advance(seconds)
    return world


def blue_green(scenario: str, version: str, seconds: float, *, edit: Edit = lambda text: text) -> World:
    return deployed(installed(f"scenarios-bluegreen/{scenario}", edit=edit), version, seconds)


def selector(world: World, service: str, **labels: str) -> World:
    """Someone edits a Service while no controller looks."""
    world.sandbox.settle = lambda now: None  # type: ignore[method-assign]
    patch = {"spec": {"selector": {HASH_LABEL if k == "hash" else k: v for k, v in labels.items()}}}
    assert world.answer(patch_request(KINDS["Service"], NAMESPACE, service, patch)).status == 200
    return world


# Blue-green


@strategy
def preview_waits_for_a_person() -> Scene:
    return Scene(blue_green("pause-promote", "v2", 7200), "waiting-for-a-person", healthy=True)


@strategy
def preview_is_switched_in_a_minute() -> Scene:
    world = blue_green(
        "pause-promote", "v2", 60, edit=lambda t: t.replace("autoPromotionEnabled: false", "autoPromotionSeconds: 120")
    )
    return Scene(world, "timed-pause", healthy=True)


@strategy
def pods_of_the_preview_crash() -> Scene:
    return Scene(blue_green("pause-promote", "crash1", 60), "crash-loop")


@strategy
def active_service_was_pinned_to_the_version_before() -> Scene:
    world = installed("scenarios-bluegreen/auto-promotion")
    before = world.rollout().stable_hash
    deployed(world, "v2", 300)
    return Scene(selector(world, "companyos-api-active", hash=before), "service-pinned")


@strategy
def active_service_selects_another_label() -> Scene:
    world = blue_green("auto-promotion", "v2", 300)
    return Scene(selector(world, "companyos-api-active", app="companyos-web"), "service-selects-nothing")


@strategy
def preview_service_selects_another_label() -> Scene:
    world = blue_green("pause-promote", "v2", 300)
    return Scene(selector(world, "companyos-api-preview", app="companyos-web"), "service-selects-nothing")


@strategy
def blue_green_was_switched_and_the_old_pods_stay_a_while() -> Scene:
    return Scene(blue_green("auto-promotion", "v2", 5), "healthy", healthy=True)


@strategy
def blue_green_abort_after_the_switch() -> Scene:
    world = blue_green("auto-promotion", "v2", 300)
    world.patch({"status": {"abort": True}}, "status")
    world.advance(10)
    did = {"verb": "abort", "at": world.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return Scene(world, "abort-dropped", case={"did": did})


# Experiments


def experiment(scenario: str, version: str, seconds: float, *values: float | None, edit: Edit = lambda t: t) -> World:
    return deployed(installed(f"scenarios-experiments/{scenario}", *values, edit=edit), version, seconds)


def longer(text: str) -> str:
    return text.replace("duration: 3s", "duration: 10m").replace("count: 3", "count: 300")


@strategy
def metric_of_an_experiment_fails() -> Scene:
    return Scene(experiment("experiment-failed", "v2", 12, 0.99, 0.5), "analysis-failed")


@strategy
def experiment_is_running() -> Scene:
    return Scene(experiment("experiment-failed", "v2", 200, 0.99, edit=longer), "in-progress", healthy=True)


@strategy
def experiment_has_no_verdict() -> Scene:
    return Scene(experiment("experiment-inconclusive", "v2", 2, 0.7), "inconclusive")


@strategy
def experiment_cannot_reach_prometheus() -> Scene:
    return Scene(experiment("experiment-failed", "v2", 120, None, edit=longer), "prometheus-unreachable")


@strategy
def image_of_an_experiment_does_not_exist() -> Scene:
    world = experiment("experiment-bad-image", "bad1", 90, edit=lambda t: t.replace("Seconds: 4", "Seconds: 600"))
    return Scene(world, "image-pull")


@strategy
def pods_of_an_experiment_were_late_and_are_gone() -> Scene:
    return Scene(experiment("experiment-bad-image", "bad1", 60), "progress-deadline")


# Templates of a Deployment


@strategy
def template_of_a_deployment_crashes() -> Scene:
    return Scene(deployed(installed("scenarios/workload-ref"), "crash1", 60), "crash-loop")


@strategy
def template_of_a_deployment_waits() -> Scene:
    return Scene(deployed(installed("scenarios/workload-ref"), "v2", 60), "waiting-for-a-person", healthy=True)


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CASES
    for name, make in STRATEGIES.items():
        write(name, make(), root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
