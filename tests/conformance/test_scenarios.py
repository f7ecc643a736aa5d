"""Every recorded scenario, played by the sandbox, ends and goes as the real controller's did."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.errors import UsageError
from tests.conformance.__main__ import HERE, check_scenario, recorded_with, scenario_folders
from tests.conformance.comparison import problems
from tests.conformance.play import Player
from tests.conformance.projection import projection

RELEASED = HERE / "release-1.9.1"
FOLDERS = [*scenario_folders(HERE), *scenario_folders(RELEASED)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parents[1].name}-{f.name}")
def test_the_sandbox_does_what_was_recorded(folder: Path) -> None:
    assert check_scenario(folder) == []


def test_all_recorded_scenarios_are_there() -> None:
    """Those of `scenarios-stories` are random stories, played twice with the real controller on this sandbox's API
    server and its controller of ReplicaSets."""
    assert len(FOLDERS) == 2 * 37 + 2 * 29 + 16 + 4 + 11


def test_the_file_beside_the_scenarios_names_the_controller() -> None:
    assert {recorded_with(f).name for f in scenario_folders(HERE)} == {"head"}
    assert {recorded_with(f).name for f in scenario_folders(RELEASED)} == {"1.9"}
    assert recorded_with(RELEASED / "scenarios").name == recorded_with(RELEASED).name == "1.9"


def test_a_recording_of_one_controller_is_not_what_the_other_one_does(tmp_path: Path) -> None:
    for here, own, other in ((HERE, "head", "1.9"), (RELEASED, "1.9", "head")):
        copied = tmp_path / own / "scenarios" / "analysis-failed"
        shutil.copytree(here / "scenarios" / "analysis-failed", copied)
        (tmp_path / own / "controller").write_text(own)
        assert check_scenario(copied) == []
        (tmp_path / own / "controller").write_text(other)
        assert check_scenario(copied) != []


def test_a_controller_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "controller").write_text("1.7")
    with pytest.raises(UsageError, match=r"cannot behave as a controller `1\.7`"):
        recorded_with(tmp_path)


@pytest.fixture(scope="module")
def played() -> tuple[dict[str, Any], dict[str, Any]]:
    folder = HERE / "scenarios" / "analysis-failed"
    expected = json.loads((folder / "expected.json").read_text())
    return expected, projection(Player(folder).play())


def _drop_state(got: dict[str, Any]) -> None:
    del got["rollout"]["coarse"][-1]


def _drop_event(got: dict[str, Any]) -> None:
    got["events"].remove(next(e for e in got["events"] if e[2] == "RolloutAborted"))


def _other_size(got: dict[str, Any]) -> None:
    got["replicasets"]["<rev2>"].append(3)


def _other_set(got: dict[str, Any]) -> None:
    got["replicasets"]["<rev3>"] = [0]


def _other_count(got: dict[str, Any]) -> None:
    next(iter(got["analysisruns"].values()))["metrics"][0]["failed"] = 2


def _no_run(got: dict[str, Any]) -> None:
    got["analysisruns"].clear()


def _other_phase(got: dict[str, Any]) -> None:
    got["final"]["status"]["phase"] = "Healthy"


def _other_condition(got: dict[str, Any]) -> None:
    got["final"]["conditions"][0]["status"] = "Unknown"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (_drop_state, "rollout.coarse"),
        (_drop_event, "events"),
        (_other_size, "replicasets.<rev2>"),
        (_other_set, "replicasets.<rev3>"),
        (_other_count, "analysisruns."),
        (_no_run, "analysisruns."),
        (_other_phase, "final.status.phase"),
        (_other_condition, "final.conditions"),
    ],
    ids=lambda v: v if isinstance(v, str) else v.__name__,
)
def test_the_comparison_names_what_differs(
    played: tuple[dict[str, Any], dict[str, Any]], change: Any, part: str
) -> None:
    expected, got = played[0], copy.deepcopy(played[1])
    assert problems(expected, got) == []
    change(got)
    assert any(p.startswith(part) for p in problems(expected, got))


def test_what_a_router_did_is_compared() -> None:
    folder = HERE / "scenarios-nginx" / "timed-pauses"
    expected = json.loads((folder / "expected.json").read_text())
    got = projection(Player(folder).play())
    assert problems(expected, got) == []
    last = copy.deepcopy(got)
    last["weights"].pop()
    last["ingresses"]["companyos-api-companyos-api-canary"].pop()
    last["ingresses"]["other"] = []
    last["scaleDownDeadlines"].clear()
    found = {line.partition(": ")[0] for line in problems(expected, last)}
    ingress = "ingresses.companyos-api-companyos-api-canary"
    assert found == {"weights", ingress, "ingresses.other", "scaleDownDeadlines.<rev1>"}


def test_what_is_recorded_but_not_projected_is_a_difference() -> None:
    expected = json.loads((HERE / "scenarios" / "same-image" / "expected.json").read_text())
    got = projection(Player(HERE / "scenarios" / "same-image").play())
    assert problems({**expected, "leases": []}, got) == ["leases: is recorded, but not emulated"]
