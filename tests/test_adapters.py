"""The real world of a run, as far as it can be tried without one."""

import gc
from pathlib import Path

import pytest

from companyos_canary import adapters
from companyos_canary.adapters import program
from companyos_canary.cluster.client import Cluster
from tests.world import HandleTransport, World


def installed(folder: Path) -> Path:
    """A new `canary` in a folder that is made for it."""
    folder.mkdir(parents=True)
    path = folder / "canary"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_program_is_its_name_where_the_path_leads_to_it(tmp_path: Path) -> None:
    own = installed(tmp_path / "venv" / "bin")
    link = tmp_path / "local" / "canary"
    link.parent.mkdir()
    link.symlink_to(own)
    for folder in (own.parent, link.parent):
        assert program({"PATH": f"/bin:{folder}"}, tmp_path, str(own), "/bin/python3") == "canary"


def test_the_program_is_the_path_that_runs_from_here_where_the_path_has_none_or_another(tmp_path: Path) -> None:
    own = installed(tmp_path / "a b" / ".venv" / "bin")
    other = installed(tmp_path / "other")
    for path in ("/nowhere", str(other.parent)):
        environ = {"PATH": path}
        assert program(environ, tmp_path / "a b", str(own), "/x/python") == ".venv/bin/canary"
        assert program(environ, tmp_path / "other", str(own), "/x/python") == f"'{own}'"
        assert program(environ, own.parent, str(own), "/x/python") == "./canary"


@pytest.mark.parametrize("started_as", ["/x/companyos_canary/__main__.py", ""])
def test_a_program_that_was_started_as_a_module_is_the_one_beside_its_python(tmp_path: Path, started_as: str) -> None:
    own = installed(tmp_path / ".venv" / "bin")
    python = str(own.parent / "python3")
    assert program({}, tmp_path, started_as, python) == ".venv/bin/canary"
    own.unlink()
    assert program({}, tmp_path, started_as, python) == (".venv/bin/python3 -m companyos_canary")


@pytest.mark.parametrize(("before", "after"), [(200_000, 700), (500, 500)])
def test_what_follows_collects_again_what_it_does_not_need_any_more(tmp_path: Path, before: int, after: int) -> None:
    kept = gc.get_threshold()
    gc.set_threshold(before)
    try:
        adapters.feed(Cluster(HandleTransport(World(tmp_path)), "companyos"), "companyos-api").close()
        assert gc.get_threshold()[0] == after
        assert (gc.get_freeze_count() > 1_000) is (before > after)
    finally:
        gc.unfreeze()
        gc.set_threshold(*kept)
