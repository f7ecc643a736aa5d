"""`canary notifications`: what is configured, and which conditions of a trigger hold; what a message looks like."""

from typing import Any

import pytest
import yaml

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import CONFIGMAP, ROLLOUT
from tests.world import World

pytestmark = pytest.mark.replicas(4)

TRIGGER = """\
- when: rollout.status.phase == 'Paused' and rollout.spec.replicas > 1
  send: [paused]
- when: any(rollout.status.conditions, {.type == 'Available' and .status == 'True'})
  oncePer: rollout.metadata.resourceVersion
  send: [paused, other]
- when: rollout.status?.blueGreen?.activeSelector != nil
  send: [other]
"""
TIMED = """\
- when: time.Now().Sub(time.Parse(rollout.metadata.creationTimestamp)).Minutes() > 5
  send: [paused]
"""
DATA = {
    "template.paused": "message: |\n  {{.rollout.metadata.name}} waits.\nslack: {attachments: '[]'}\n",
    "template.silent": "email: {subject: x}\n",
    "trigger.on-paused": TRIGGER,
    "trigger.on-time": TIMED,
    "trigger.on-commit": "- when: repo.GetCommitMetadata(rollout.spec.x).Author == 'ana'\n  send: [paused]\n",
    "service.slack": "token: $slack-token",
}


def config_map(data: dict[str, str] | None = None) -> dict[str, Any]:
    meta = {"name": "argo-rollouts-notification-configmap", "namespace": "companyos"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": DATA if data is None else data}


@pytest.fixture
def configured(waiting: World) -> World:
    """v1.1.0 waits for a person, and notifications are configured."""
    waiting.store.create(CONFIGMAP, config_map())
    return waiting


def test_templates_have_a_line_each(configured: World) -> None:
    ran = configured.canary("notifications", "template", "get")
    assert (ran.code, ran.out) == (ExitCode.OK, "paused: {{.rollout.metadata.name}} waits.\nsilent: email\n")
    assert configured.canary("notifications", "template", "get", "-o", "name").out == "paused\nsilent\n"
    data = configured.canary("notifications", "template", "get", "paused", "-o", "json").json["data"]
    assert [(t["name"], t["services"]) for t in data["templates"]] == [("paused", ["slack"])]


def test_triggers_have_a_line_for_each_condition(configured: World) -> None:
    ran = configured.canary("notifications", "trigger", "get", "on-paused")
    assert (
        ran.out.splitlines()[0] == "on-paused: rollout.status.phase == 'Paused' and rollout.spec.replicas > 1 → paused"
    )
    assert len(ran.out.splitlines()) == 3


def test_a_trigger_is_evaluated_for_the_rollout_as_it_is_now(configured: World) -> None:
    for words in (("companyos-api",), ("ro/companyos-api",), ()):
        ran = configured.canary("notifications", "trigger", "run", "on-paused", *words)
        assert ran.code == ExitCode.OK, ran
        assert [line.split()[0] for line in ran.out.splitlines()] == ["true", "true", "false"]
    assert configured.canary("promote").code == ExitCode.OK
    ran = configured.canary("notifications", "trigger", "run", "on-paused", "-o", "json")
    assert [r["holds"] for r in ran.json["data"]["results"]] == [False, True, False]


def test_a_condition_that_is_not_understood_is_unknown_and_the_plugin_is_named(configured: World) -> None:
    ran = configured.canary("notifications", "trigger", "run", "on-commit")
    assert (ran.code, ran.out.split()[0]) == (ExitCode.OK, "unknown")
    assert "not evaluated here: unknown name repo" in ran.err
    assert "`kubectl argo rollouts notifications trigger run on-commit companyos-api`" in ran.err


def test_a_trigger_without_a_condition_is_sent_with_an_event(configured: World) -> None:
    configured.store.delete(CONFIGMAP, "companyos", "argo-rollouts-notification-configmap")
    data = {"trigger.on-rollout-paused": "- send: [paused]\n", "trigger.on-scaling-replica-set": "- send: [scaled]\n"}
    configured.store.create(CONFIGMAP, config_map(data))
    ran = configured.canary("notifications", "trigger", "run", "on-rollout-paused")
    assert (ran.out, ran.err) == ("event  with each RolloutPaused of the controller → paused\n", "")
    ran = configured.canary("notifications", "trigger", "get", "on-scaling-replica-set")
    assert ran.out == "on-scaling-replica-set: with each ScalingReplicaSet of the controller → scaled\n"


def test_a_condition_about_the_time_is_evaluated_now(configured: World) -> None:
    def holds() -> str:
        return configured.canary("notifications", "trigger", "run", "on-time").out.split()[0]

    assert holds() == "false"
    configured.advance(360)
    assert holds() == "true"


def test_a_message_is_printed_as_the_template_makes_it(configured: World) -> None:
    for recipient in ((), ("--recipient", "console:stdout")):
        ran = configured.canary("notifications", "template", "notify", "paused", "companyos-api", *recipient)
        assert ran.code == ExitCode.OK, ran
        assert yaml.safe_load(ran.out) == {"message": "companyos-api waits.\n", "slack": {"attachments": "[]"}}
    ran = configured.canary("notifications", "template", "notify", "paused", "-o", "json")
    assert ran.json["data"]["message"]["message"] == "companyos-api waits.\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{.secrets.token | upper}}", "error calling upper: wrong type for value; expected string; got []uint8"),
        ("{{.rollout.metadata.name.y}}", "can't evaluate field y in companyos-api"),
        ("{{if .rollout}}", "`if` has no {{end}}"),
        ("{{ getHostByName .rollout }}", "the function `getHostByName` is not supported here"),
    ],
)
def test_a_message_that_cannot_be_rendered_is_an_error_with_its_part(waiting: World, text: str, said: str) -> None:
    waiting.store.create(CONFIGMAP, config_map({"template.t": yaml.safe_dump({"message": text})}))
    ran = waiting.canary("notifications", "template", "notify", "t", "companyos-api")
    assert (ran.code, ran.out) == (ExitCode.FAILED, "")
    assert said in ran.err


def test_the_config_map_may_be_a_file(waiting: World) -> None:
    (waiting.folder / "config.yaml").write_text(yaml.safe_dump(config_map()))
    ran = waiting.canary("notifications", "template", "get", "--config-map", "config.yaml")
    assert len(ran.out.splitlines()) == 2
    ran = waiting.canary("notifications", "trigger", "run", "on-paused", "--config-map", "config.yaml")
    assert ran.out.startswith("true  ")
    ran = waiting.canary("notifications", "template", "get", "--config-map", "canary.yaml")
    assert ran.code == ExitCode.USAGE


def test_without_a_configuration_it_is_5(waiting: World) -> None:
    ran = waiting.canary("notifications", "trigger", "get")
    assert ran.code == ExitCode.NOT_FOUND
    assert ran.err.startswith(
        "error: notifications are not configured: ConfigMap `argo-rollouts-notification-configmap`"
    )


def test_nothing_configured_is_a_note(waiting: World) -> None:
    waiting.store.create(CONFIGMAP, config_map({}))
    assert waiting.canary("notifications", "template", "get").err == "there is no template\n"
    assert waiting.canary("notifications", "trigger", "get").err == "there is no trigger\n"


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        ("trigger get on-pausd", 5, "there is no trigger `on-pausd`", "did you mean `on-paused`?"),
        ("template get x", 5, "there is no template `x`", "there is `paused`, `silent`"),
        ("triger get", 2, "notifications have no `triger`", "did you mean `trigger`?"),
        ("trigger notify x", 2, "`notify` is nothing to do with a trigger", "get or run"),
        ("trigger run", 2, "the name of the trigger is missing", "`canary notifications trigger get` lists them"),
        ("trigger run on-paused other", 5, "Rollout `other` not found", ""),
    ],
)
def test_what_is_wrong_is_said(configured: World, words: str, code: int, error: str, hint: str) -> None:
    ran = configured.canary("notifications", *words.split())
    assert ran.code == code
    assert ran.err.startswith(f"error: {error}")
    assert f"hint: {hint}" in ran.err


def test_a_text_that_is_not_yaml_is_said_with_its_line(waiting: World) -> None:
    waiting.store.create(CONFIGMAP, config_map({"trigger.x": "- when: a: b: c\n"}))
    ran = waiting.canary("notifications", "trigger", "get")
    assert (ran.code, ran.err.startswith("error: trigger `x`, line 1: ")) == (ExitCode.FAILED, True)


def test_tab_offers_what_there_is_to_do(configured: World) -> None:
    ran = configured.canary(environ={"_CANARY_COMPLETE": "canary notifications t"})
    assert [line.partition("\t")[0] for line in ran.out.splitlines()] == ["template", "trigger"]
    assert configured.canary(environ={"_CANARY_COMPLETE": "canary notifications trigger "}).out == "get\nrun\n"


def test_who_may_not_read_the_configuration_is_denied(configured: World) -> None:
    configured.faults.add(Fault(Answer(403), path="/configmaps"))
    ran = configured.canary("notifications", "template", "get")
    assert (ran.code, ran.out) == (ExitCode.DENIED, "")


def test_a_definition_is_printed_as_it_is_written(configured: World) -> None:
    ran = configured.canary("notifications", "template", "get", "paused", "-o=yaml")
    written = {"message": "{{.rollout.metadata.name}} waits.\n", "slack": {"attachments": "[]"}}
    assert (ran.code, yaml.safe_load(ran.out)) == (ExitCode.OK, {"paused": written})
    ran = configured.canary("notifications", "trigger", "get", "-o", "yaml")
    assert yaml.safe_load(ran.out)["on-paused"] == yaml.safe_load(TRIGGER)


def test_a_trigger_is_evaluated_for_a_rollout_in_a_file(configured: World) -> None:
    live = configured.store.read(ROLLOUT, "companyos", "companyos-api")
    (configured.folder / "live.yaml").write_text(yaml.safe_dump({**live, "kind": "Rollout", "apiVersion": "x/v1"}))
    configured.requests.clear()
    ran = configured.canary("notifications", "trigger", "run", "on-paused", "./live.yaml")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["true", "true", "false"], ran
    ran = configured.canary("notifications", "trigger", "run", "on-paused", "canary.yaml")
    assert ran.code == ExitCode.USAGE
