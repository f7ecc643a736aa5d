"""A strategy with an antiAffinity keeps the pods of a new version away from the nodes of the stable one."""

from pathlib import Path
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import REPLICASET, ROLLOUT
from tests.commands.conftest import sized
from tests.world import CONFIG, World

REQUIRED = "{requiredDuringSchedulingIgnoredDuringExecution: {}}"
PREFERRED = "{preferredDuringSchedulingIgnoredDuringExecution: {weight: 7}}"
MERGE = "kind: Rollout\nmetadata: {name: companyos-api}\nspec:\n  strategy: {canary: {antiAffinity: %s}}\n"


def world(folder: Path, wanted: str) -> World:
    """v1.0.0 is Healthy, with that antiAffinity."""
    (folder / "apart.yaml").write_text(MERGE % wanted)
    made = World(folder, f"{sized(CONFIG, 4)}merge: [apart.yaml]\n")
    ran = made.canary("apply", "v1.0.0", "-q")
    assert ran.code == ExitCode.OK, ran
    made.advance(10)
    return made


def rules(made: World) -> dict[str, Any]:
    """The podAntiAffinity of each version's pods, by its tag."""
    found = {}
    for one in made.store.items(REPLICASET, "companyos"):
        spec = one["spec"]["template"]["spec"]
        tag = spec["containers"][0]["image"].rpartition(":")[2]
        found[tag] = (spec.get("affinity") or {}).get("podAntiAffinity")
    return found


@pytest.mark.parametrize("wanted", [REQUIRED, PREFERRED])
def test_a_new_version_is_kept_away_from_the_stable_one(tmp_path: Path, wanted: str) -> None:
    made = world(tmp_path, wanted)
    stable = made.rollout().stable_hash
    assert rules(made) == {"v1.0.0": None}
    assert made.canary("deploy", "v1.1.0", "--until", "weight=10").code == ExitCode.OK
    of_stable = {"key": "rollouts-pod-template-hash", "operator": "In", "values": [stable]}
    rule = {
        "labelSelector": {"matchExpressions": [of_stable]},
        "namespaces": ["companyos"],
        "topologyKey": "kubernetes.io/hostname",
    }
    if wanted == REQUIRED:
        there = {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}
    else:
        there = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "podAffinityTerm": rule}]}
    assert rules(made) == {"v1.0.0": None, "v1.1.0": there}
    assert "affinity" not in made.store.read(ROLLOUT, "companyos", "companyos-api")["spec"]["template"]["spec"]


@pytest.mark.parametrize("wanted", [REQUIRED, PREFERRED])
def test_an_undo_leaves_the_rule_out_and_finds_the_version_that_was_there(tmp_path: Path, wanted: str) -> None:
    made = world(tmp_path, wanted)
    for version in ("v1.1.0", "v1.3.0"):
        assert made.canary("deploy", version).code == ExitCode.OK
        made.advance(60)
    before = len(made.store.items(REPLICASET, "companyos"))
    assert made.canary("undo").code == ExitCode.OK
    made.advance(60)
    assert made.rollout().image() == "companyos-api:v1.1.0"
    spec = made.store.read(ROLLOUT, "companyos", "companyos-api")["spec"]["template"]["spec"]
    assert "affinity" not in spec
    assert len(made.store.items(REPLICASET, "companyos")) == before


def test_a_third_version_is_kept_away_from_what_is_stable_then(tmp_path: Path) -> None:
    made = world(tmp_path, REQUIRED)
    assert made.canary("deploy", "v1.1.0").code == ExitCode.OK
    made.advance(60)
    stable = made.rollout().stable_hash
    assert made.canary("deploy", "v1.3.0", "--until", "weight=10").code == ExitCode.OK
    rule = rules(made)["v1.3.0"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert rule["labelSelector"]["matchExpressions"][0]["values"] == [stable]
