"""`--field a.b.c`: single values for shell scripts."""

import pytest

from companyos_canary import cli
from companyos_canary.errors import ExitCode
from tests.commands.conftest import changing, freeze
from tests.world import Ran, World


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("phase", "Paused"),
        ("revision", "2"),
        ("aborted", "false"),
        ("cause", ""),
        ("steps.0.weight", "10"),
        ("weights", '{"set":10,"actual":10}'),
        ("notes", "[]"),
        ("images.companyos-api", "companyos-api:v1.1.0"),
    ],
)
def test_a_value_is_a_line_as_a_script_wants_it(waiting: World, path: str, line: str) -> None:
    assert waiting.canary("get", "--field", path) == Ran(ExitCode.OK, f"{line}\n", "")


def test_several_fields_are_a_line_each_in_their_order(waiting: World) -> None:
    ran = waiting.canary("get", "--field", "phase", "--field", "weights.set")
    assert ran.out == "Paused\n10\n"


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("get", "--field", "phse"), "the data of `canary get` have no field `phse`", "did you mean `phase`?"),
        (
            ("get", "--field", "weights.sett"),
            "the data of `canary get` have no field `weights.sett`",
            "did you mean `weights.set`?",
        ),
        (
            ("get", "--field", "steps.first"),
            "the data of `canary get` have no field `steps.first`",
            "items are numbered from 0",
        ),
        (("render", "--field", "x"), "the data of `canary render` have no field `x`", "there is `objects`"),
        (("abort", "--field", "verdict"), "the data of `canary abort` have no field `verdict`", None),
        (("get", "--field", "phase.x"), "the data of `canary get` have no field `phase.x`", ""),
    ],
)
def test_a_field_that_cannot_be_is_refused_before_anything_is_asked(
    waiting: World, arguments: tuple[str, ...], error: str, hint: str | None
) -> None:
    ran = waiting.canary(*arguments)
    assert (ran.code, ran.out, waiting.requests) == (ExitCode.USAGE, "", [])
    said, *hints = ran.err.splitlines()
    assert said == f"error: {error}"
    if hint is not None:
        assert hints == ([f"hint: {hint}"] if hint else [])


@pytest.mark.parametrize("form", ["json", "yaml", "name"])
def test_a_field_and_a_form_exclude_each_other(waiting: World, form: str) -> None:
    ran = waiting.canary("abort", "--field", "phase", "-o", form)
    assert ran.code == ExitCode.USAGE
    assert f"error: --field and --output {form} exclude each other\n" in ran.err
    assert changing(waiting) == []


def test_a_field_that_is_not_there_this_time_is_an_empty_line_and_exit_2(waiting: World) -> None:
    ran = waiting.canary("get", "--field", "metrics.7.value", "--field", "phase")
    assert ran == Ran(
        ExitCode.USAGE,
        "\nPaused\n",
        "error: the answer has no field `metrics.7.value`\nhint: it has 5 items there; the first is 0\n",
    )


def test_a_member_of_an_empty_list_is_not_there(world: World) -> None:
    ran = world.canary("analysis", "--field", "runs.0.phase")
    assert ran.code == ExitCode.USAGE
    assert ran.err.endswith("hint: its list is empty\n")


def test_there_is_nothing_in_null(world: World) -> None:
    ran = world.canary("get", "--field", "cause.message")
    assert (ran.code, ran.out) == (ExitCode.USAGE, "\n")
    assert ran.err.endswith("hint: the value before `message` is null\n")


def test_the_exit_code_of_a_verb_that_failed_wins(waiting: World) -> None:
    freeze(waiting)
    ran = waiting.canary("pause", "--field", "requests")
    assert (ran.code, ran.out) == (ExitCode.UNOBSERVED, "\n")
    assert "the answer has no field `requests`" in ran.err


def test_a_change_is_made_and_its_field_printed(waiting: World) -> None:
    assert waiting.canary("promote", "--field", "observed").out == "true\n"
    assert changing(waiting) == ["PATCH"]


@pytest.mark.parametrize("verb", ["watch", "deploy"])
def test_what_is_followed_prints_the_field_of_its_verdict_alone(waiting: World, verb: str) -> None:
    version = ("v1.1.0",) if verb == "deploy" else ()
    ran = waiting.canary(verb, *version, "--until", "paused", "--field", "verdict", terminal=True)
    assert ran == Ran(ExitCode.OK, "reached\n", "")


def test_an_error_prints_nothing_on_stdout(waiting: World) -> None:
    ran = waiting.canary("status", "other", "--field", "phase")
    assert (ran.code, ran.out) == (ExitCode.NOT_FOUND, "")


@pytest.mark.parametrize("arguments", [("logs", "-f", "--field", "lines"), ("events", "-w", "--field", "events")])
def test_what_has_no_end_has_no_field(waiting: World, arguments: tuple[str, ...]) -> None:
    ran = waiting.canary(*arguments)
    assert (ran.code, ran.out, waiting.requests) == (ExitCode.USAGE, "", [])
    assert ran.err.endswith("which never ends\nhint: use -o json\n")


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_fields(empty: World, verb: str) -> None:
    given = {
        "verify": ("x",),
        "notifications": ("trigger",),
        "deploy": ("v1",),
        "completion": ("bash",),
        "rbac": ("viewer",),
        "terminate": ("analysisrun", "x"),
    }.get(verb, ())
    ran = empty.canary(verb, *given, "--field", "there.is.no.such")
    assert ran.code == ExitCode.USAGE
    assert f"the data of `canary {verb}` have no field `there.is.no.such`" in ran.err
