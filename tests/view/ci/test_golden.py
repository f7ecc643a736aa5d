"""Whole runs as GitHub Actions and GitLab see them: the log, the outputs, the summary."""

from collections.abc import Callable
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from tests.commands.conftest import installed, interrupt
from tests.world import CONFIG, MANUAL

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": "outputs", "GITHUB_STEP_SUMMARY": "summary.md"}
GITLAB = {"GITLAB_CI": "true", "CANARY_DOTENV": "outputs", "CANARY_SUMMARY": "summary.md"}
SYSTEMS = {"github": GITHUB, "gitlab": GITLAB}
ENDS: dict[str, tuple[str, tuple[str, ...], ExitCode]] = {
    "good": (CONFIG, ("v1.1.0",), ExitCode.OK),
    "rolled-back": (CONFIG, ("v1.2.0",), ExitCode.DEGRADED),
    "bad-image": (CONFIG + "progress_deadline: 20s\n", ("bad1", "--heartbeat", "10s"), ExitCode.DEGRADED),
    "pause": (MANUAL, ("v1.1.0",), ExitCode.UNFINISHED),
    "interruption": (CONFIG, ("v1.1.0",), ExitCode.INTERRUPTED),
    "refused": (CONFIG, ("v1.1.0",), ExitCode.REFUSED),
}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("end", ENDS)
def test_a_whole_run_is_told_to_the_ci_system(
    tmp_path: Path, same_as_file: Callable[[str, str], None], system: str, end: str
) -> None:
    config, arguments, code = ENDS[end]
    world = installed(tmp_path, config)
    if end == "interruption":
        interrupt(world, after=5)
    if end == "refused":
        world.canary("deploy", "v1.3.0", "--no-wait")
        world.advance(3)
    ran = world.canary("deploy", *arguments, environ=SYSTEMS[system], together=True)
    assert ran.code == code
    assert ran.last.startswith("verdict=") or end == "refused"
    parts = [
        ran.out.replace("\x1b", "\\e").replace("\r", "\\r"),
        (tmp_path / "outputs").read_text(),
        (tmp_path / "summary.md").read_text(),
    ]
    same_as_file(f"ci/{system}-{end}", "\n──────────\n".join(p.rstrip() for p in parts))
