"""What goes wrong before or around a command: one sentence, a hint, a code, and nothing is sent."""

import errno
import io
import json
from pathlib import Path

import pytest
from msgspec import Struct

from companyos_canary import cli
from companyos_canary.errors import ExitCode
from companyos_canary.runtime import Runtime
from companyos_canary.sandbox.faults.effects import Answer, Drop, Effect, Fault, Silence
from companyos_canary.sandbox.kinds import ROLLOUT
from companyos_canary.sandbox.provider import TransportError
from tests import world as world_module
from tests.commands.conftest import changing, freeze, interrupt
from tests.world import CONFIG, Pipe, Ran, World

VERBS = {
    "why": (),
    "analysis": (),
    "history": (),
    "status": (),
    "get": (),
    "watch": (),
    "promote": (),
    "metrics": (),
    "abort": (),
    "pause": (),
    "resume": (),
    "retry": (),
    "undo": (),
    "restart": (),
    "apply": ("v1.0.0",),
    "deploy": ("v1.1.0",),
}
ASKS = pytest.mark.parametrize("verb", VERBS)


def told(ran: Ran) -> tuple[str, str]:
    """The sentence and the hint (empty if the sentence says it all); fails for anything else
    on stderr."""
    error, hint, *more = [*ran.err.splitlines(), "hint: "]
    assert (error[:7], hint[:6], more in ([], ["hint: "])) == ("error: ", "hint: ", True)
    assert not error.endswith(".")
    return error[7:], hint[6:]


def refused(world: World, *arguments: str, code: ExitCode) -> tuple[str, str]:
    """Runs it twice, for people and for machines; nothing may be sent. The sentence and hint."""
    ran = world.canary(*arguments)
    assert (ran.code, ran.out) == (code, ""), ran
    machine = world.canary(*arguments, "-o", "json")
    lines = machine.out.splitlines() if arguments[0] == "watch" else [machine.out]
    data = json.loads(lines[-1])
    errors = data["data"]["errors"] if arguments[0] == "watch" else data["errors"]
    assert (errors[0]["message"], errors[0]["hint"]) == told(machine) == told(ran)
    assert changing(world) == []
    return told(ran)


# what canary.yaml says


class Wrong(Struct, frozen=True):
    """One mistake in canary.yaml, and what must be in the sentence and in the hint."""

    old: str
    new: str
    sentence: str
    hint: str = ""


MISTAKES = {
    "unknown field": Wrong("replicas: 10", "replcas: 10", "5: field `replcas`: unknown", "`image`"),
    "near field": Wrong("replicas: 10", "replcas: 10", "did you mean `replicas`", "`replicas`"),
    "weight 0": Wrong("weight: 10", "weight: 0", "7: field `steps[0].weight`: found `0`"),
    "weight 101": Wrong("weight: 50", "weight: 101", "9: field `steps[2].weight`: found `101`"),
    "descending": Wrong("weight: 50", "weight: 20", "allowed: a whole number from 1 to 100, not l"),
    "duration": Wrong("analysis: 6s}", "analysis: 2 minutes}", "`2 minutes`, allowed: a duration"),
    "no yaml": Wrong("steps:", "steps: [", "not plain YAML", "indent with spaces"),
    "no schema": Wrong("schema: canary/v1", "schema: canary/v9", "1: field `schema`: found"),
}


@pytest.mark.parametrize("verb", ["deploy", "apply", "status", "links", "render"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_canary_yaml_names_file_line_and_field(empty: World, mistake: str, verb: str) -> None:
    wrong = MISTAKES[mistake]
    assert wrong.old in CONFIG
    (empty.folder / "canary.yaml").write_text(CONFIG.replace(wrong.old, wrong.new))
    arguments = VERBS.get(verb, ())
    sentence, hint = refused(empty, verb, *arguments, code=ExitCode.USAGE)
    assert sentence.startswith("canary.yaml:")
    assert wrong.sentence in sentence
    assert wrong.hint in hint
    assert empty.requests == []


def test_no_config_and_no_name_where_there_is_no_rollout(empty: World) -> None:
    (empty.folder / "canary.yaml").unlink()
    sentence, hint = refused(empty, "status", "-n", "companyos", code=ExitCode.NOT_FOUND)
    assert sentence == "no Rollout in namespace `companyos`, and no canary.yaml names one"
    assert "canary init" in hint


def test_no_config_and_no_name_where_there_are_two(world: World) -> None:
    (world.folder / "canary.yaml").unlink()
    another(world, "billing")
    sentence, hint = refused(world, "abort", "-n", "companyos", code=ExitCode.USAGE)
    assert sentence == "which Rollout of namespace `companyos`?"
    assert hint == "one of `billing`, `companyos-api`"


def test_an_environment_that_is_not_there(empty: World) -> None:
    sentence, _ = refused(empty, "deploy", "v1", "-e", "prd", code=ExitCode.USAGE)
    assert "`prd`" in sentence
    assert empty.requests == []


# what the command line says


@pytest.mark.parametrize("version", ["v1 0", "v1;rm", "", "-", "v" * 200, "a\nb", "repo:v1:v2"])
def test_a_version_that_no_image_can_have(world: World, version: str) -> None:
    sentence, hint = refused(world, "deploy", version, code=ExitCode.USAGE)
    assert "is not a version" in sentence
    assert "\n" not in sentence
    assert "v1.2.3" in hint
    assert world.requests == []


def test_a_container_that_is_not_there(world: World) -> None:
    arguments = ("deploy", "v1.1.0", "--container", "api")
    sentence, hint = refused(world, *arguments, code=ExitCode.NOT_FOUND)
    assert sentence == "Rollout `companyos-api` has no container `api`"
    assert "`companyos-api`" in hint


@pytest.mark.parametrize("text", ["2 minutes", "soon", "-5s", "1x"])
@pytest.mark.parametrize("verb", ["deploy", "watch", "abort", "apply", "restart", "undo"])
def test_a_timeout_that_is_no_duration(world: World, verb: str, text: str) -> None:
    arguments = (verb, *VERBS[verb], f"--timeout={text}")
    sentence, hint = refused(world, *arguments, code=ExitCode.USAGE)
    assert f"`{text}`" in sentence
    assert "10m" in hint


# where the cluster is: with the real adapters


def real(folder: Path, *arguments: str, **environ: str) -> Ran:
    """A command as the program runs it, on the network."""
    out, err = Pipe(), Pipe()
    plain = Runtime.real()
    plain.stdout, plain.stderr, plain.cwd = out, err, folder
    plain.environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin", **environ}
    return Ran(cli.run(arguments, plain), out.getvalue(), err.getvalue())


def kubeconfig(folder: Path, server: str) -> str:
    path = folder / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
        f"clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n"
        "contexts: [{name: here, context: {cluster: c}}]\n"
    )
    return str(path)


@ASKS
def test_a_server_that_is_not_there(empty: World, verb: str) -> None:
    path = kubeconfig(empty.folder, "http://127.0.0.1:1")
    ran = real(empty.folder, verb, *VERBS[verb], KUBECONFIG=path)
    sentence, _ = told(ran)
    assert (ran.code, ran.out) == (ExitCode.FAILED, "")
    assert "127.0.0.1:1" in sentence


def test_a_context_that_is_not_there_names_those_that_are(empty: World) -> None:
    path = kubeconfig(empty.folder, "http://127.0.0.1:1")
    ran = real(empty.folder, "status", "--context", "prod", KUBECONFIG=path)
    sentence, hint = told(ran)
    assert ran.code == ExitCode.USAGE
    assert "`prod`" in sentence
    assert "here" in hint


def test_no_kubeconfig_at_all(empty: World) -> None:
    ran = real(empty.folder, "status", KUBECONFIG=str(empty.folder / "nothing"))
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "kubeconfig" in told(ran)[0]


# what the cluster answers

ANSWERS: dict[str, tuple[Effect, ExitCode, str]] = {
    "401": (Answer(401), ExitCode.DENIED, "the API server does not accept the credentials"),
    "403": (Answer(403), ExitCode.DENIED, "not permitted to `get` `rollouts.argoproj.io`"),
    "404": (Answer(404), ExitCode.NOT_FOUND, "Argo Rollouts is not installed"),
    "429": (Answer(429), ExitCode.FAILED, "the API server answered 429"),
    "500": (Answer(500), ExitCode.FAILED, "the API server answered 500"),
    "drop": (Drop(), ExitCode.FAILED, "connection"),
    "silence": (Silence(), ExitCode.FAILED, "did not answer in time"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@ASKS
def test_every_verb_tells_what_the_server_says(world: World, verb: str, answer: str) -> None:
    effect, code, said = ANSWERS[answer]
    world.faults.add(Fault(effect, path="rollouts"))
    ran = world.canary(verb, *VERBS[verb])
    assert (ran.code, ran.out) == (code, ""), ran
    sentence = ran.err.splitlines()[0]
    assert sentence.startswith("error: ")
    assert said in sentence
    assert changing(world) == []


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("promote", "rollouts.argoproj.io/status"),
        ("abort", "rollouts.argoproj.io/status"),
        ("pause", "rollouts.argoproj.io"),
        ("deploy", "rollouts.argoproj.io/status"),
    ],
)
def test_a_patch_that_is_forbidden_names_verb_and_resource(waiting: World, verb: str, resource: str) -> None:
    waiting.faults.add(Fault(Answer(403), method="PATCH"))
    more = ("v1.3.0", "--supersede") if verb == "deploy" else ()
    ran = waiting.canary(verb, *more)
    assert ran.code == ExitCode.DENIED
    sentence, hint = told(ran)
    assert sentence == f"not permitted to `patch` `{resource}` in namespace `companyos`"
    assert hint.startswith("the server says: ")


@pytest.mark.parametrize("code", [409, 422])
@pytest.mark.parametrize("verb", ["promote", "abort", "pause", "deploy"])
def test_five_conflicts_are_enough(waiting: World, verb: str, code: int) -> None:
    waiting.faults.add(Fault(Answer(code), method="PATCH"))
    more = ("v1.3.0", "--supersede") if verb == "deploy" else ()
    ran = waiting.canary(verb, *more)
    assert ran.code == ExitCode.FAILED
    sentence, hint = told(ran)
    assert sentence.endswith(" (5 times)")
    assert hint == "something else keeps writing to it; look with `canary status`"
    assert len(changing(waiting)) == 5


# what is not there


@ASKS
def test_a_name_that_is_nearly_right(world: World, verb: str) -> None:
    if verb == "apply":
        return
    option = ("--rollout", "companyos-ap") if verb in ("deploy", "analysis") else ("companyos-ap",)
    sentence, hint = refused(world, verb, *VERBS[verb], *option, code=ExitCode.NOT_FOUND)
    assert sentence == "Rollout `companyos-ap` not found in namespace `companyos`"
    assert hint == "did you mean `companyos-api`?"


def test_a_name_that_is_like_no_other_lists_them(world: World) -> None:
    sentence, hint = refused(world, "status", "zzz", code=ExitCode.NOT_FOUND)
    assert sentence == "Rollout `zzz` not found in namespace `companyos`"
    assert hint == "there is `companyos-api`"


@ASKS
def test_a_version_in_the_place_of_a_name_is_said_to_be_one(world: World, verb: str) -> None:
    if verb == "apply":
        return
    option = ("--rollout", "v1.0.0") if verb in ("deploy", "analysis") else ("v1.0.0",)
    sentence, hint = refused(world, verb, *VERBS[verb], *option, code=ExitCode.NOT_FOUND)
    assert sentence == "Rollout `v1.0.0` not found in namespace `companyos`"
    version = "and the version with `--to v1.0.0`" if verb == "undo" else "not a version"
    assert hint == f"give the name of a Rollout, {version}; there is `companyos-api`"
    _, hint = refused(world, verb, *VERBS[verb], *option[:-1], "companyos-api:v1.0.0", code=ExitCode.USAGE)
    assert hint == "give the name of a Rollout, not an image"


def test_an_image_is_no_name_of_one_of_several(world: World) -> None:
    assert refused(world, "abort", "web", "web@sha256:0", code=ExitCode.USAGE)[1].endswith("not an image")
    ran = world.canary("abort", "v1.0.0", "2.0")
    assert ran.err.count("(give the name of a Rollout, not a version; there is `companyos-api`)") == 2


def test_near_names_are_left_out_where_they_may_not_be_listed(world: World) -> None:
    world.faults.add(Fault(Answer(403), verb="list"))
    ran = world.canary("status", "companyos-ap")
    assert ran == Ran(5, "", "error: Rollout `companyos-ap` not found in namespace `companyos`\n")


def test_a_version_of_a_missing_rollout_names_the_command_that_installs_it(empty: World) -> None:
    _, hint = refused(empty, "deploy", "v1.1.0", code=ExitCode.NOT_FOUND)
    assert hint == "install it first: `canary apply v1.1.0`"


@ASKS
def test_a_missing_namespace_is_told_apart_from_a_missing_rollout(empty: World, verb: str) -> None:
    arguments = (verb, *VERBS[verb], "-n", "elsewhere")
    sentence, hint = refused(empty, *arguments, code=ExitCode.NOT_FOUND)
    assert sentence == "namespace `elsewhere` does not exist"
    assert hint == "choose one with -n, or create it first"


@pytest.mark.parametrize("verb", ["status", "deploy", "apply"])
def test_a_cluster_without_argo_rollouts(empty: World, verb: str) -> None:
    empty.faults.add(Fault(Answer(404), path="argoproj"))
    sentence, hint = refused(empty, verb, *VERBS[verb], code=ExitCode.NOT_FOUND)
    assert sentence.startswith("Argo Rollouts is not installed: the cluster does not know `")
    assert "install Argo Rollouts" in hint


# what happens on the way


@pytest.mark.prompt_only("asserts what the controller has tried in a number of seconds")
def test_a_prometheus_that_is_away_is_said_and_does_not_end_the_command(world: World) -> None:
    def away(_: object) -> None:
        raise TransportError("dial tcp: connection refused")

    world.prometheus = away  # type: ignore[assignment]
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(2)
    world.until(lambda r: r.step_run is not None)
    world.advance(3)
    looked = world.canary("get")
    assert looked.code == ExitCode.OK
    assert "connection refused" in looked.out
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.DEGRADED, "the controller's own verdict, not an error of ours"
    assert "error-rate error" in ran.out
    unchecked, verdict, *_ = ran.err.splitlines()
    assert unchecked.endswith("could not be checked: dial tcp: connection refused")
    assert verdict.startswith("✖ v1.1.0 was rolled back at 10 %: error-rate could not be measured")


def test_ctrl_c_before_the_controller_has_acted(world: World) -> None:
    freeze(world)
    interrupt(world)
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.INTERRUPTED
    assert ran.err == (
        "interrupted: the rollout of `companyos-api` continues\n"
        "hint: follow it with `canary watch`, stop it with `canary abort`\n"
    )
    assert world.rollout().image() == "companyos-api:v1.1.0"


def test_ctrl_c_while_it_is_followed(world: World) -> None:
    interrupt(world, after=3, once=lambda: world.rollout().step_run is not None)
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.INTERRUPTED
    assert "no longer watching: the rollout of v1.1.0 continues" in ran.err
    assert "stop:  canary abort" in ran.err
    world.until(lambda r: r.is_fully_promoted)


def test_ctrl_c_with_json_is_an_envelope(world: World) -> None:
    freeze(world)
    interrupt(world)
    ran = world.canary("deploy", "v1.1.0", "-o", "json")
    assert ran.json["errors"][0]["code"] == "interrupted"
    assert (ran.json["exit_code"], ran.code) == (130, 130)


class Closed(Pipe):
    """A pipe whose reader goes away after so many lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.left = lines

    def write(self, text: str) -> int:
        if self.left <= 0:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        self.left -= text.count("\n")
        return super().write(text)


@pytest.mark.parametrize("output", [(), ("-o", "json")])
def test_a_reader_that_goes_away_ends_the_command_without_a_word(
    running: World, output: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Closed(1)
    monkeypatch.setattr(world_module, "Pipe", lambda *_: streams.pop(0))
    streams: list[io.StringIO] = [closed, Pipe(), Pipe()]
    ran = running.canary("watch", *output)
    assert ran.code == ExitCode.INTERRUPTED
    assert (len(ran.out.splitlines()), ran.err) == (1, "")


def another(world: World, name: str) -> None:
    live = world.rollout().raw
    spec = {**live["spec"], "replicas": 0}
    world.store.create(ROLLOUT, {"metadata": {"name": name, "namespace": "companyos"}, "spec": spec})


@pytest.mark.parametrize("flag", ["--kubeconfig", "--context", "--file", "--env"])
def test_an_empty_flag_is_no_flag_that_was_left_out(world: World, flag: str) -> None:
    ran = world.canary("get", flag, "")
    assert (ran.code, world.requests) == (ExitCode.USAGE, []), ran
    assert f"{flag} is empty" in ran.err
