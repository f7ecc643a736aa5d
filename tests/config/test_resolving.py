"""Flag over CANARY_* over environment block over file; and when a broken file does not matter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from companyos_canary.config import Flags, Resolved, find, owned_by_another, resolve
from companyos_canary.errors import ConfigError

FILE = """\
schema: canary/v1
rollout: from-file
namespace: from-file
image: companyos-api
environments:
  prod: {namespace: from-block, context: from-block}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "canary.yaml").write_text(FILE)
    return tmp_path


def test_the_nearest_file_above_is_found(project: Path) -> None:
    deep = project / "a" / "b"
    deep.mkdir(parents=True)
    assert find(deep) == project / "canary.yaml"
    (project / "a" / "canary.yaml").write_text(FILE)
    assert find(deep) == project / "a" / "canary.yaml"
    assert find(Path("/")) is None


FLAG = Flags(namespace="from-flag")
VARIABLE = {"CANARY_NAMESPACE": "from-variable"}
BLOCK = Flags(env="prod")


@pytest.mark.parametrize(
    ("flags", "environ", "namespace", "origin"),
    [
        (Flags(namespace="from-flag", env="prod"), VARIABLE, "from-flag", "flag"),
        (BLOCK, VARIABLE, "from-variable", "CANARY_NAMESPACE"),
        (BLOCK, {}, "from-block", "environment prod"),
        (Flags(), {"CANARY_ENV": "prod"}, "from-block", "environment prod"),
        (Flags(), {}, "from-file", "canary.yaml"),
        (Flags(), {"CANARY_NAMESPACE": ""}, "from-file", "canary.yaml"),
    ],
)
def test_the_first_source_that_speaks_wins(
    project: Path, flags: Flags, environ: dict[str, str], namespace: str, origin: str
) -> None:
    resolved = resolve(flags, environ, project)
    assert resolved.namespace == namespace
    assert resolved.origins["namespace"] == origin


def test_what_nobody_says_is_left_to_the_kubeconfig(tmp_path: Path) -> None:
    assert resolve(Flags(), {}, tmp_path) == Resolved()


def test_every_flag_has_its_variable(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(FILE)
    environ = {
        "CANARY_ROLLOUT": "r",
        "CANARY_CONTEXT": "c",
        "CANARY_KUBECONFIG": "k",
        "CANARY_ENV": "prod",
        "CANARY_FILE": "other.yaml",
    }
    resolved = resolve(Flags(), environ, tmp_path)
    assert (resolved.rollout, resolved.namespace) == ("r", "from-block")
    assert (resolved.context, resolved.kubeconfig) == ("c", "k")
    assert resolved.origins == {
        "rollout": "CANARY_ROLLOUT",
        "namespace": "environment prod",
        "context": "CANARY_CONTEXT",
        "kubeconfig": "CANARY_KUBECONFIG",
        "env": "CANARY_ENV",
        "file": "CANARY_FILE",
    }


NAMED = Flags(rollout="r", namespace="n")


def test_a_broken_file_is_no_matter_when_nothing_is_asked_of_it(project: Path) -> None:
    (project / "canary.yaml").write_text("{")
    resolved = resolve(NAMED, {}, project)
    assert (resolved.rollout, resolved.namespace, resolved.settings) == ("r", "n", None)
    assert "canary.yaml:2: not plain YAML" in str(resolved.problem)
    assert resolve(Flags(rollout="r"), {"CANARY_NAMESPACE": "n"}, project).problem
    asked = Flags(rollout="r", namespace="n", env="prod", context="c")
    assert resolve(asked, {}, project).context == "c"


@pytest.mark.parametrize(
    "flags",
    [
        Flags(),
        Flags(rollout="r"),  # the file may name another namespace than the kubeconfig
        Flags(namespace="n"),
        Flags(rollout="r", namespace="n", env="prod"),  # the block may name another cluster
    ],
)
def test_a_broken_file_stops_what_would_follow_it(project: Path, flags: Flags) -> None:
    (project / "canary.yaml").write_text("{")
    with pytest.raises(ConfigError):
        resolve(flags, {}, project)


def test_an_environment_that_is_not_there_stops_too(project: Path) -> None:
    with pytest.raises(ConfigError, match="no environment `staging`"):
        resolve(Flags(env="staging"), {}, project)
    (project / "canary.yaml").unlink()
    with pytest.raises(ConfigError, match=r"no canary\.yaml here or above"):
        resolve(Flags(env="prod"), {}, project)


def test_a_file_elsewhere_is_named_as_it_would_be_typed(project: Path) -> None:
    (project / "canary.yaml").write_text(FILE + "x: 1\n")
    (project / "sub").mkdir()
    with pytest.raises(ConfigError, match=r"^\.\./canary\.yaml:7: field `x`"):
        resolve(Flags(), {}, project / "sub")
    with pytest.raises(ConfigError, match=r"^nowhere\.yaml: no such file"):
        resolve(Flags(file="nowhere.yaml"), {}, project)


def test_the_file_is_not_read_when_it_is_not_needed(project: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from companyos_canary.config import *;"
        "found = resolve(Flags(rollout='r', namespace='n'), {}, Path(sys.argv[1]),"
        " needs_settings=False);"
        "print(found.rollout, sorted({'yaml', 'companyos_canary.config.document'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program, str(project)], capture_output=True, text=True, check=True)
    assert run.stdout == "r []\n"


def test_objects_and_links_follow_the_namespace_that_won(project: Path) -> None:
    (project / "canary.yaml").write_text(FILE + "links: {board: 'https://x/{namespace}/{rollout}'}\n")
    settings = resolve(FLAG, {}, project).file
    assert settings is not None
    assert settings.namespace == "from-flag"
    assert settings.links == {"board": "https://x/from-flag/from-file"}


def test_a_directory_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "canary.yaml").mkdir()
    with pytest.raises(ConfigError) as wrong:
        resolve(Flags(), {}, tmp_path)
    assert "it is a directory" in wrong.value.message


def test_a_link_to_nothing_is_not_passed_over_for_a_file_above(project: Path) -> None:
    here = project / "a"
    here.mkdir()
    (here / "canary.yaml").symlink_to("gone.yaml")
    with pytest.raises(ConfigError, match=r"canary\.yaml is a link to `gone\.yaml`, which does not exist"):
        resolve(Flags(), {}, here)


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(project: Path) -> None:
    here = project / "a"
    here.mkdir()
    os.mkfifo(here / "canary.yaml")
    with pytest.raises(ConfigError, match=r"canary\.yaml is not a regular file"):
        resolve(Flags(), {}, here)


def test_only_a_file_above_of_another_user_is_named_with_its_owner(project: Path) -> None:
    path, me = project / "canary.yaml", os.geteuid()
    os.chown(path, 12345, -1) if me == 0 else None
    deep = project / "a"
    other = path.stat().st_uid + 1 if me else me
    assert owned_by_another(path, deep, other)
    assert owned_by_another(path, deep, path.stat().st_uid) == ""
    assert owned_by_another(path, project, other) == ""


@pytest.mark.parametrize("nested", ["[", "{a: ", "- "])
@pytest.mark.parametrize("levels", [3000, 50_000])
def test_values_inside_one_another_without_an_end_are_refused(project: Path, nested: str, levels: int) -> None:
    (project / "canary.yaml").write_text(f"schema: canary/v1\nrollout:\n  {nested * levels}x")
    with pytest.raises(ConfigError, match=r"canary\.yaml:3: not plain YAML: more than 100 values inside one another"):
        resolve(Flags(), {}, project)
