"""`canary init`: a canary.yaml to start from, never over an existing one."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Drop, Effect, Fault
from tests.commands.conftest import changing
from tests.world import Ran, World


@pytest.fixture
def bare(tmp_path: Path) -> World:
    return World(tmp_path, config="")


def test_it_writes_a_file_and_says_what_is_next(bare: World) -> None:
    asked = "Prometheus has no requests of `companyos-api` yet: by default those of pods named companyos-api-… count\n"
    short = "this cluster is a sandbox: the steps take seconds, and those of a real service minutes\n"
    said = asked + short + "next: canary render, then canary apply VERSION\n"
    assert bare.canary("init") == Ran(0, "wrote canary.yaml\n", said)
    assert bare.canary("render", "v1.0.0").code == ExitCode.OK
    assert changing(bare) == []


def test_flags_are_its_values(bare: World) -> None:
    bare.canary("init", "billing", "-n", "shop", "--image", "registry.example.com/pay")
    written = yaml.safe_load((bare.folder / "canary.yaml").read_text())
    assert (written["rollout"], written["namespace"], written["image"]) == (
        "billing",
        "shop",
        "registry.example.com/pay",
    )


def test_the_image_is_called_as_the_rollout(bare: World) -> None:
    bare.canary("init", "billing")
    assert yaml.safe_load((bare.folder / "canary.yaml").read_text())["image"] == "billing"


def test_what_was_written_can_be_installed_and_shipped(bare: World) -> None:
    bare.canary("init", "billing", "-n", "companyos")
    assert bare.canary("apply", "v1.0.0").code == ExitCode.OK
    assert bare.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK


@pytest.mark.prompt_only("says how long a release takes where nothing is late")
def test_on_a_sandbox_a_release_ends_within_a_minute(bare: World) -> None:
    bare.canary("init")
    assert bare.canary("apply", "v1.0.0").code == ExitCode.OK
    before = bare.now
    assert bare.canary("deploy", "v1.1.0").code == ExitCode.OK
    assert bare.now - before < timedelta(minutes=1)


@pytest.mark.parametrize("faults", [(), (Fault(Answer(404), path="^/version$"),)], ids=["sandbox", "cluster"])
def test_lint_has_nothing_to_say_about_what_was_written(bare: World, faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        bare.faults.add(fault)
    bare.canary("init")
    ran = bare.canary("lint")
    assert (ran.code, ran.out, ran.err[: len("no findings")]) == (0, "", "no findings")


@pytest.mark.parametrize("fault", [Answer(404), Answer(403), Drop()])
def test_on_a_cluster_that_does_not_say_that_it_is_a_sandbox_steps_take_minutes(bare: World, fault: Effect) -> None:
    bare.faults.add(Fault(fault, path="^/version$"))
    ran = bare.canary("init")
    assert (ran.code, "sandbox" in ran.err) == (ExitCode.OK, False)
    written = yaml.safe_load((bare.folder / "canary.yaml").read_text())
    assert [step["analysis"] for step in written["steps"]] == ["2m", "2m", "3m"]


def test_an_existing_file_stays(empty: World) -> None:
    before = (empty.folder / "canary.yaml").read_text()
    ran = empty.canary("init")
    assert ran == Ran(
        2,
        "",
        "error: `canary.yaml` already exists and was not changed\n"
        "hint: edit it, or write another one with --file NAME\n",
    )
    assert (empty.folder / "canary.yaml").read_text() == before


def test_another_name_is_written_beside_it_even_if_that_one_is_broken(empty: World) -> None:
    (empty.folder / "canary.yaml").write_text("steps: [")
    assert empty.canary("init", "--file", "other.yaml").out == "wrote other.yaml\n"
    assert empty.canary("render", "v1", "-f", "other.yaml").code == ExitCode.OK


def test_a_folder_that_is_not_there_is_said(empty: World) -> None:
    ran = empty.canary("init", "-f", "no/such/canary.yaml")
    assert ran.code == ExitCode.USAGE
    assert "cannot be written: No such file or directory" in ran.err


def test_quiet_json_and_name(bare: World) -> None:
    assert bare.canary("init", "-q", "-f", "a.yaml").err == ""
    path = str(bare.folder / "b.yaml")
    assert bare.canary("init", "-f", "b.yaml", "-o", "json").json["data"] == {"path": path}
    assert bare.canary("init", "-f", "c.yaml", "-o", "name").out == f"{bare.folder / 'c.yaml'}\n"
