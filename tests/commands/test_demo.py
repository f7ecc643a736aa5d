"""`canary demo`: its story and what it hands to the commands. It is run in test_package.py."""

import os
from pathlib import Path

import pytest

from companyos_canary import cli
from companyos_canary.commands import demo
from companyos_canary.config import load
from companyos_canary.errors import CanaryError, ExitCode
from tests.world import World


def test_the_story_is_of_verbs_that_exist_and_has_a_good_and_a_bad_end() -> None:
    assert {arguments[0] for _, arguments, _ in demo.STORY} <= set(cli.VERBS)
    assert [code for _, _, code in demo.STORY] == [ExitCode.OK, ExitCode.OK, ExitCode.DEGRADED]


def test_its_canary_yaml_is_a_good_one_and_short(tmp_path: Path) -> None:
    path = tmp_path / "canary.yaml"
    path.write_text(demo.CONFIG)
    settings = load(path)
    assert settings.namespace == demo.DEMO_NAMESPACE
    spans = [step.analysis.total_seconds() for step in settings.steps if step.analysis]
    assert (len(spans), sum(spans) < 20) == (3, True)


def test_the_commands_see_its_cluster_and_none_of_the_users_settings(tmp_path: Path) -> None:
    kept = {"PATH": "/bin", "NO_COLOR": "1", "CANARY_THEME": "light"}
    given = {"CANARY_NAMESPACE": "prod", "KUBECONFIG": "/mine", **kept}
    made = demo._environment(given, tmp_path / "kubeconfig")
    assert made.pop("PYTHONPATH").split(os.pathsep)[0] == str(Path(cli.__file__).parents[1])
    kubeconfig = str(tmp_path / "kubeconfig")
    assert made == {"KUBECONFIG": kubeconfig, "CANARY_CI": "none", **kept}


def test_another_end_than_the_story_has_is_a_failure_that_names_the_command() -> None:
    with pytest.raises(CanaryError, match=r"`canary deploy v1.2.0` ended with 0 where .* 3") as found:
        demo._expect(("deploy", "v1.2.0"), 0, ExitCode.DEGRADED)
    assert found.value.exit_code is ExitCode.FAILED


@pytest.mark.parametrize("code", [130, -2])
def test_a_command_that_was_interrupted_ends_the_demo(code: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        demo._expect(("apply", "v1.0.0"), code, ExitCode.OK)


def test_wrong_flags_cost_nothing(empty: World) -> None:
    assert empty.canary("demo", "--fast").code == ExitCode.USAGE
    assert empty.canary("demo", "-o", "name").code == ExitCode.USAGE


@pytest.mark.soak
def test_with_other_seeds_hardly_any_demo_ends_otherwise(tmp_path: Path) -> None:
    ended = []
    for seed in range(1, 51):
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = World(folder, demo.CONFIG, seed=seed)
        ended.append([world.canary(*arguments).code for _, arguments, _ in demo.STORY])
    others = [codes for codes in ended if codes != [code for _, _, code in demo.STORY]]
    print(f"{len(others)} of {len(ended)} demos ended otherwise")
    assert len(others) <= 5
