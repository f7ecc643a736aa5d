"""`canary sandbox`: what it refuses before it serves. How it serves and ends: tests/e2e."""

import pytest

from companyos_canary.errors import ExitCode
from tests.world import World


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (("--port", "70000"), "`--port` is 70000: it must be 0 to 65535", "canary sandbox --help"),
        (("--controllers", "nginx"), "the sandbox has no controller `nginx`", "`rollouts`"),
        (("--fault", "often"), "`often` names no fault", "PATCH 409 x2"),
        (("--fault", "freeze", "--no-controller"), "there is nothing to freeze", "`rollouts`"),
        (("--scenario", "flaping"), "`flaping`; did you mean `flapping`", "canary sandbox --list"),
        (("--scenario", "canary.yaml"), "canary.yaml:1: field `schema`: unknown", "`versions`"),
        (("-o", "yaml"), "--output `yaml` is not a format here", "use human or json"),
        (("--write", "canary.yaml"), "`canary.yaml` already exists", "choose another file"),
        (("-n", "a b"), "`a b` cannot be the name of a namespace", "small letters"),
    ],
)
def test_what_it_cannot_do_is_said_before_it_serves(
    empty: World, arguments: tuple[str, ...], said: str, hint: str
) -> None:
    before = (empty.folder / "canary.yaml").read_text()
    ran = empty.canary("sandbox", *arguments)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    error, told = ran.err.splitlines()
    assert said in error
    assert hint in told
    assert (empty.folder / "canary.yaml").read_text() == before


@pytest.mark.parametrize("option", ["--role", "--scenario"])
def test_a_file_that_is_too_deep_is_refused(empty: World, option: str) -> None:
    """PyYAML calls itself for each level, in C: a process would end with a fault."""
    path = empty.folder / "deep.yaml"
    path.write_text("[" * 100_000)
    ran = empty.canary("sandbox", option, str(path))
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert ran.err.startswith(f"error: {path}: too many values are inside one another")


def test_the_scenarios_are_listed_with_their_promise_and_nothing_is_served(empty: World) -> None:
    lines = empty.canary("sandbox", "--list").out.splitlines()
    assert lines[0].startswith("default             the tag decides what a version does")
    at = next(i for i, line in enumerate(lines) if line.startswith("low-traffic "))
    assert lines[at].split(None, 1)[1] == "there are too few requests to judge by"
    assert lines[at + 1].split() == ["v1.1.0:", "paused,", "error-rate,", "exit", "8"]
    listed = empty.canary("sandbox", "--list", "-o", "json").json["data"]["scenarios"]
    assert len(listed) * 2 == len(lines)
    assert listed[0]["promise"] == {"exit": 3, "verdict": "rolled-back", "metric": "error-ratio", "deploy": "v1.2.0"}
