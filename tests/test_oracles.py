"""What `python -m tests.oracles` may do to a machine, and what it says."""

import pytest

from tests import oracles


@pytest.mark.parametrize(
    ("arguments", "environment", "root", "allowed"),
    [
        ([], {}, True, False),
        ([], {"CI": "true"}, False, False),
        ([], {"CI": ""}, True, False),
        ([], {"CI": "true"}, True, True),
        (["--install"], {}, False, True),
    ],
)
def test_nothing_is_installed_unless_asked_for_or_as_root_of_ci(
    arguments: list[str], environment: dict[str, str], root: bool, allowed: bool
) -> None:
    assert oracles.may_install(arguments, environment, root=root) is allowed


def test_every_tool_has_its_line_here_or_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    tool = folder / "kubectl"
    tool.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    found = oracles.lines()
    assert [line.partition(":")[0] for line in found] == list(oracles.TOOLS)
    assert found[0] == "kubectl: present"
    assert all(": skipped: " in line for line in found[1:])


def test_without_apt_get_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("bin")))
    oracles.install()


def test_an_installation_that_fails_or_hangs_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    apt = folder / "apt-get"
    apt.write_text("#!/bin/sh\necho noise; echo noise >&2; exit 100\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}")
    oracles.install()
    apt.write_text("#!/bin/sh\nwhile :; do :; done\n")
    monkeypatch.setattr(oracles, "PATIENCE", 0.2)
    oracles.install()
