"""`canary apply`: installs, updates, and never starts a canary as a side effect."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.cluster.kinds import AUTOSCALER, ROLLOUT
from companyos_canary.cluster.requests import apply_request, create_request, patch_request
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.sandbox.faults.effects import Answer, Drop, Fault
from tests.commands.conftest import changing, freeze, installed, interrupt
from tests.world import CONFIG, Ran, World

FIRST = "the first version of companyos-api: no canary, no analysis: nothing to compare with\n"


def config(world: World, old: str, new: str) -> None:
    path = world.folder / "canary.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def somebody_applies(world: World, manager: str, obj: Mapping[str, Any]) -> None:
    """A server-side apply by another manager."""
    whole = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "companyos-api"}, **obj}
    request = apply_request(whole, ROLLOUT, "companyos", force=True, field_manager=manager)
    assert world.answer(request).status == 200


def an_autoscaler_is_attached(world: World) -> None:
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "companyos-api"}
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "companyos-api"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 20},
    }
    world.answer(create_request(scaler, AUTOSCALER, "companyos"))


def scaled(world: World, replicas: int, manager: str) -> None:
    """Another size through the scale subresource: an autoscaler's way, and `kubectl scale`'s."""
    request = patch_request(
        ROLLOUT,
        "companyos",
        "companyos-api",
        {"spec": {"replicas": replicas}},
        subresource="scale",
        field_manager=manager,
    )
    assert world.answer(request).status == 200


def sizes(world: World) -> tuple[int, int]:
    """What the Rollout asks for, and its pods, once all has come to rest."""
    world.advance(30)
    return world.rollout().replicas, len(world.pods())


def test_a_first_install_is_followed_until_it_is_healthy(empty: World) -> None:
    ran = empty.canary("apply", "v1.0.0")
    assert ran == Ran(
        0,
        "AnalysisTemplate companyos-api-6s: created\n"
        "Service companyos-api: created\n"
        "Rollout companyos-api: created\n"
        "companyos-api in companyos @ sandbox is Healthy, 10/10 available\n",
        FIRST,
    )


def test_everything_is_tried_before_anything_is_sent(empty: World) -> None:
    empty.canary("apply", "v1.0.0")
    patches = [bool(r.parameter("dryRun")) for r in empty.requests if r.method == "PATCH"]
    assert patches == [True] * 3 + [False] * 3


def test_a_first_install_needs_a_version(empty: World) -> None:
    ran = empty.canary("apply")
    assert (ran.code, changing(empty)) == (ExitCode.USAGE, [])
    assert "name its first version" in ran.err
    assert "hint: canary apply VERSION" in ran.err


def test_once_more_changes_nothing(world: World) -> None:
    before = world.rollout().generation
    ran = world.canary("apply")
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines()[:3] == [
        "AnalysisTemplate companyos-api-6s: unchanged",
        "Service companyos-api: unchanged",
        "Rollout companyos-api: unchanged",
    ]
    assert world.rollout().generation == before


def test_the_live_image_stays(shipped: World) -> None:
    config(shipped, "replicas: 10", "replicas: 8")
    ran = shipped.canary("apply")
    assert ran.code == ExitCode.OK, ran
    assert "Rollout companyos-api: configured" in ran.out
    live = shipped.rollout()
    assert (live.image(), live.replicas) == ("companyos-api:v1.1.0", 8)


def test_an_autoscaler_that_has_not_scaled_yet_keeps_every_pod(world: World) -> None:
    an_autoscaler_is_attached(world)
    assert world.canary("apply").code == ExitCode.OK
    assert sizes(world) == (10, 10)


def test_what_an_autoscaler_decides_stays_at_the_next_applies(world: World) -> None:
    an_autoscaler_is_attached(world)
    assert world.canary("apply").code == ExitCode.OK
    scaled(world, 12, "kube-controller-manager")
    for _ in range(2):
        ran = world.canary("apply")
        assert (ran.code, ran.err) == (ExitCode.OK, "")
        assert sizes(world) == (12, 12)


def test_replicas_left_to_others_in_the_file_keep_every_pod(world: World) -> None:
    config(world, "replicas: 10", "replicas: null")
    ran = world.canary("apply")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert "Rollout companyos-api: unchanged" in ran.out
    assert sizes(world) == (10, 10)


def test_a_dry_run_hands_nothing_over(world: World) -> None:
    config(world, "replicas: 10", "replicas: null")
    before = world.rollout().raw
    ran = world.canary("apply", "--dry-run")
    assert "Rollout companyos-api: unchanged" in ran.out
    assert world.rollout().raw == before
    assert changing(world) == []


def test_replicas_named_again_are_taken_back(world: World) -> None:
    config(world, "replicas: 10", "replicas: null")
    assert world.canary("apply").code == ExitCode.OK
    config(world, "replicas: null", "replicas: 6")
    ran = world.canary("apply")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert sizes(world) == (6, 6)
    config(world, "replicas: 6", "replicas: null")
    assert world.canary("apply").code == ExitCode.OK
    assert sizes(world) == (6, 6)


@pytest.mark.parametrize("nth", range(4))
def test_an_autoscaler_that_scales_in_the_middle_of_an_apply_is_not_undone(world: World, nth: int) -> None:
    """`deploy` owns the image, so that this apply is forced."""
    assert world.canary("deploy", "v1.1.0").code == ExitCode.OK
    an_autoscaler_is_attached(world)
    changes = iter(range(nth))

    def scales(request: Request) -> bool:
        changing = request.method == "PATCH" and not request.parameter("dryRun")
        if changing and next(changes, None) is None:
            world.breaks = lambda _: False
            scaled(world, 14, "kube-controller-manager")
        return False

    world.breaks = scales
    assert world.canary("apply").code == ExitCode.OK
    assert world.breaks is not scales
    assert sizes(world) == (14, 14)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["named", "null", "kubectl", "scaler"]), st.integers(1, 6)),
            st.tuples(st.just("attach"), st.just(0)),
        ),
        max_size=8,
    )
)
def test_apply_never_changes_the_replicas_unless_the_file_names_them(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int]]
) -> None:
    world = installed(tmp_path_factory.mktemp("world"), CONFIG.replace("10\nsteps", "4\nsteps"))
    file, attached = world.folder / "canary.yaml", False
    for act, number in [*history, ("null", 0)]:
        before = world.rollout().replicas
        if act == "attach":
            an_autoscaler_is_attached(world)
            attached = True
        elif act in ("kubectl", "scaler"):
            scaled(world, number, {"scaler": "kube-controller-manager"}.get(act, act))
        else:
            wanted = number if act == "named" else "null"
            file.write_text(CONFIG.replace("replicas: 10", f"replicas: {wanted}"))
            ran = world.canary("apply")
            taken = act == "named" and not attached and ran.code == ExitCode.OK
            assert ran.code in (ExitCode.OK, ExitCode.REFUSED), ran
            assert ran.code == ExitCode.OK or act == "named", ran
            assert world.rollout().replicas == (number if taken else before)


def test_what_would_start_a_canary_is_refused_without_roll(world: World) -> None:
    env = "{containers: [{name: companyos-api, env: [{name: A, value: b}]}]}"
    config(world, "links:", f"pod: {env}\nlinks:")
    ran = world.canary("apply")
    assert (ran.code, changing(world)) == (ExitCode.REFUSED, [])
    assert "applying this would start a canary of `companyos-api`: " in ran.err
    assert "pod template spec.containers[companyos-api].env" in ran.err
    assert "hint: pass --roll to start it; to ship a version, use `canary deploy VERSION`\n" in ran.err


@pytest.mark.parametrize("aborted", [False, True])
def test_new_steps_under_a_version_in_its_steps_are_refused_without_roll(running: World, aborted: bool) -> None:
    running.until(lambda r: r.step_index == 3)
    if aborted:
        assert running.canary("abort").code == ExitCode.OK
    running.requests.clear()
    config(running, "{weight: 50, analysis: 6s}", "{weight: 60, analysis: 6s}")
    ran = running.canary("apply")
    assert (ran.code, changing(running)) == (ExitCode.REFUSED, [])
    assert ("applying this would start the rollout of `companyos-api` again at its first step: steps[") in ran.err
    before = running.rollout()
    assert running.canary("apply", "--roll").code == ExitCode.OK
    running.until(lambda r: r.observed and r.step_index == 1)
    now = running.rollout()
    assert (now.aborted, now.current_hash) == (False, before.current_hash)


def test_a_version_of_a_live_rollout_is_refused_too(world: World) -> None:
    ran = world.canary("apply", "v1.5.0")
    assert ran.code == ExitCode.REFUSED
    assert '"companyos-api:v1.0.0" → "companyos-api:v1.5.0"' in ran.err


def test_a_version_and_another_number_of_pods_are_not_applied_at_once(world: World) -> None:
    config(world, "replicas: 10", "replicas: 14")
    ran = world.canary("apply", "v1.5.0", "--roll")
    assert (ran.code, changing(world)) == (ExitCode.REFUSED, [])
    assert ran.err == (
        "error: this changes spec.replicas of `companyos-api` from 10 to 14 together with its pod template: the "
        "controller would give the new version pods before its first step, as if the steps of the version before "
        "counted for it\n"
        "hint: `canary apply` changes the replicas alone, `canary apply v1.5.0 --roll` then does the rest; --force "
        "does both at once\n"
    )
    assert world.canary("apply").code == ExitCode.OK
    assert world.canary("apply", "v1.5.0", "--roll").code == ExitCode.OK
    assert world.rollout().replicas == 14


def test_forced_it_gives_the_new_version_all_pods_at_once(world: World) -> None:
    config(world, "replicas: 10", "replicas: 14")
    assert world.canary("apply", "v1.5.0", "--roll", "--force").code == ExitCode.OK
    new = ":v1.5.0"
    world.until(lambda _: any(c["image"].endswith(new) for p in world.pods() for c in p["spec"]["containers"]))
    found = [p for p in world.pods() if p["spec"]["containers"][0]["image"].endswith(new)]
    assert len(found) > 2, "a tenth of 14 would be 2"


def test_roll_starts_it(world: World) -> None:
    ran = world.canary("apply", "v1.5.0", "--roll")
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines()[-1] == "a canary has started: follow it with `canary watch`"
    world.until(lambda r: r.observed and r.is_fully_promoted)
    assert world.rollout().image() == "companyos-api:v1.5.0"


def test_a_dry_run_says_what_would_change_and_what_it_would_start(world: World) -> None:
    ran = world.canary("apply", "v1.5.0", "--dry-run")
    assert ran == Ran(
        0,
        "AnalysisTemplate companyos-api-6s: unchanged\n"
        "Service companyos-api: unchanged\n"
        "Rollout companyos-api: configured\n"
        "starts a canary: pod template spec.containers[companyos-api].image: "
        '"companyos-api:v1.0.0" → "companyos-api:v1.5.0"\n',
        "dry run: nothing was sent\n",
    )
    assert changing(world) == []


def test_a_changed_step_shows_the_value_that_differs(world: World) -> None:
    config(world, "{weight: 50, analysis: 6s}", "{weight: 50, analysis: 8s}")
    ran = world.canary("apply", "--dry-run")
    changed = 'steps[5].analysis.templates[0].templateName: "companyos-api-6s" → "companyos-api-8s"'
    assert f"counts from the next version: {changed}\n" in ran.out


LONG = "x" * 200


def test_of_two_long_values_the_place_where_they_differ_is_shown(world: World) -> None:
    pod = "pod: {{containers: [{{name: companyos-api, env: [{{name: OPTIONS, value: {}}}]}}]}}\n"
    path = world.folder / "canary.yaml"
    before = path.read_text()
    path.write_text(before + pod.format(f"{LONG}-first-{LONG}"))
    assert world.canary("apply", "--roll").code == ExitCode.OK
    world.advance(60)
    path.write_text(before + pod.format(f"{LONG}-second-{LONG}"))
    for ran in (world.canary("apply", "--dry-run"), world.canary("apply")):
        told = ran.out + ran.err
        assert "env[OPTIONS].value: …xxx" in told
        assert "x-first-x" in told
        assert "x-second-x" in told


def test_a_dry_run_names_the_fields_that_start_nothing(world: World) -> None:
    config(world, "replicas: 10", "replicas: 12")
    ran = world.canary("apply", "--dry-run")
    assert "Rollout companyos-api: configured\nRollout companyos-api: spec.replicas: 10 → 12\n" in ran.out


def test_fields_of_another_manager_are_a_conflict_that_names_force(world: World) -> None:
    somebody_applies(world, "gitops", {"spec": {"revisionHistoryLimit": 3}})
    ran = world.canary("apply")
    assert (ran.code, changing(world)) == (ExitCode.REFUSED, [])
    assert (
        "applying this would change fields of Rollout companyos-api that `gitops` manages: .spec.revisionHistoryLimit\n"
    ) in ran.err
    assert "hint: pass --force to take over these fields" in ran.err
    assert world.canary("apply", "--force").code == ExitCode.OK
    assert world.rollout().raw["spec"]["revisionHistoryLimit"] == 10


def test_only_the_fields_of_others_are_named_and_each_owner_once(shipped: World) -> None:
    somebody_applies(shipped, "gitops", {"spec": {"revisionHistoryLimit": 3, "replicas": 9}})
    somebody_applies(shipped, "team", {"spec": {"progressDeadlineSeconds": 7}})
    ran = shipped.canary("apply")
    assert ran.code == ExitCode.REFUSED
    assert ran.err.splitlines()[0] == (
        "error: applying this would change fields of Rollout companyos-api that `gitops` and "
        "`team` manage: .spec.replicas, .spec.revisionHistoryLimit, .spec.progressDeadlineSeconds"
    )


def test_the_image_that_deploy_wrote_is_no_conflict(shipped: World) -> None:
    ran = shipped.canary("apply")
    assert (ran.code, ran.err) == (ExitCode.OK, "")


def test_a_failure_in_the_middle_says_what_is_applied(empty: World) -> None:
    empty.faults.add(Fault(Answer(500), method="PATCH", path="/services/", after=1))
    ran = empty.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.UNOBSERVED
    assert "(already applied: AnalysisTemplate companyos-api-6s)" in ran.err


def test_a_connection_that_is_lost_in_the_middle_says_it_too(empty: World) -> None:
    empty.faults.add(Fault(Drop(), method="PATCH", path="/rollouts/", after=1))
    ran = empty.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.UNOBSERVED
    assert "(already applied: AnalysisTemplate companyos-api-6s, Service companyos-api)" in ran.err


def test_no_wait_ends_once_it_is_sent(empty: World) -> None:
    ran = empty.canary("apply", "v1.0.0", "--no-wait")
    assert ran.code == ExitCode.OK
    assert ran.out.count("created") == 3
    assert [r.method for r in empty.requests[-2:]] == ["PATCH", "POST"]
    assert empty.requests[-1].path.endswith("/events")


def test_no_controller_is_9(tmp_path: Path) -> None:
    empty = World(tmp_path, controller=False)
    ran = empty.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.UNOBSERVED
    assert "is not available yet" in ran.out


def test_pods_that_never_come_are_124(empty: World) -> None:
    ran = empty.canary("apply", "bad-1", "--timeout", "20s")
    assert ran.code == ExitCode.TIMEOUT
    assert "0/10 available" in ran.out


def test_a_first_version_that_ends_degraded_is_3(empty: World) -> None:
    config(empty, "replicas: 10", "replicas: 10\nprogress_deadline: 30s")
    ran = empty.canary("apply", "bad-1", "--timeout", "10m")
    assert ran.code == ExitCode.DEGRADED, ran
    assert "is Degraded: " in ran.out


def test_ctrl_c_while_it_waits_says_that_it_is_applied(empty: World) -> None:
    interrupt(empty)
    ran = empty.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.INTERRUPTED
    assert "interrupted: `companyos-api` is applied, and its rollout continues" in ran.err


def test_an_update_without_a_controller_is_9(world: World) -> None:
    freeze(world)
    config(world, "replicas: 10", "replicas: 8")
    assert world.canary("apply").code == ExitCode.UNOBSERVED


def test_a_missing_namespace_and_missing_kinds_are_5(empty: World) -> None:
    config(empty, "namespace: companyos", "namespace: elsewhere")
    ran = empty.canary("apply", "v1.0.0")
    assert (ran.code, changing(empty)) == (ExitCode.NOT_FOUND, [])
    assert "namespace `elsewhere` does not exist" in ran.err
    (empty.folder / "canary.yaml").write_text(CONFIG)
    empty.faults.add(Fault(Answer(404), path="argoproj"))
    ran = empty.canary("apply", "v1.0.0")
    assert (ran.code, changing(empty)) == (ExitCode.NOT_FOUND, [])
    assert "Argo Rollouts is not installed" in ran.err


def test_denied_is_4_before_anything_is_sent(empty: World) -> None:
    empty.faults.add(Fault(Answer(403), method="PATCH", path="/services/"))
    ran = empty.canary("apply", "v1.0.0")
    assert (ran.code, changing(empty)) == (ExitCode.DENIED, [])
    assert "not permitted to `patch` `services`" in ran.err


def test_the_forms_of_its_answer(world: World) -> None:
    data = world.canary("apply", "-o", "json").json["data"]
    assert (data["applied"], data["first"]) == (True, False)
    assert [o["change"] for o in data["objects"]] == ["unchanged"] * 3
    assert world.canary("apply", "-o", "name").out.splitlines()[-1] == "rollout/companyos-api"
    assert json.dumps(data["starts_canary"]) == "[]"


@pytest.mark.parametrize("roll", [(), ("--roll",)])
def test_new_steps_of_a_stable_version_start_nothing_and_say_so(world: World, roll: tuple[str, ...]) -> None:
    config(world, "{weight: 50, analysis: 6s}", "{weight: 60, analysis: 6s}")
    dry = world.canary("apply", "--dry-run", *roll)
    assert "counts from the next version: steps[4].setWeight: 50 → 60\n" in dry.out
    assert "starts a canary" not in dry.out
    ran = world.canary("apply", "-o", "json")
    assert ran.code == ExitCode.OK
    assert ran.json["data"]["starts_canary"] == []
    assert len(ran.json["data"]["from_next_version"]) == 1
    assert world.canary("apply").out.splitlines()[-1].endswith(" is Healthy")
    config(world, "weight: 60", "weight: 70")
    ran = world.canary("apply", *roll)
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert "is Healthy: what changed counts from the next version" in ran.out
    world.advance(5)
    assert world.rollout().is_fully_promoted
    assert (len(world.pods()), world.rollout().aborted) == (10, False)


def test_a_field_that_an_older_argo_rollouts_does_not_know_is_explained(empty: World) -> None:
    told = 'AnalysisTemplate: strict decoding error: unknown field "spec.metrics[0].consecutiveSuccessLimit"'
    empty.faults.add(Fault(Answer(422, told), method="PATCH", path="analysistemplates"))
    ran = empty.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.FAILED
    assert "hint: Argo Rollouts before 1.8 does not know this field: update it, or set `form: safe`\n" in ran.err
    assert changing(empty) == []
