"""`canary notifications`: the templates and triggers of notifications, and which of them hold for a Rollout."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from msgspec import Struct

from companyos_canary.actions.notices import (
    NoticeTemplate,
    NoticeTrigger,
    NoticeVerdict,
    data_of_config,
    definitions,
    event_of,
    message_of,
    notice_config,
    notice_templates,
    notice_triggers,
    notice_verdicts,
)
from companyos_canary.commands import base
from companyos_canary.commands.manifests import read_objects
from companyos_canary.commands.options import names_of, not_a_name
from companyos_canary.errors import ExitCode, Refused, UsageError, exits, near, printable
from companyos_canary.model.row import Object, Output


class NoticeTemplates(Struct, frozen=True):
    templates: tuple[NoticeTemplate, ...]


class NoticeTriggers(Struct, frozen=True):
    triggers: tuple[NoticeTrigger, ...]


class NoticeRun(Struct, frozen=True):
    """What each condition of a trigger comes to for one Rollout now. Nothing is sent."""

    trigger: str
    rollout: str
    results: tuple[NoticeVerdict, ...]


class NoticeMessage(Struct, frozen=True):
    """What a template makes of one Rollout now. Nothing is sent."""

    template: str
    rollout: str
    message: Object


EXAMPLES = (
    "canary notifications trigger get",
    "canary notifications trigger run on-rollout-aborted companyos-api",
    "canary notifications template get rollout-aborted",
    "canary notifications template notify rollout-aborted companyos-api",
)
OUTPUT = Output((NoticeTemplates, NoticeTriggers, NoticeRun, NoticeMessage))
EXITS = exits(ExitCode.REFUSED)
_ACTIONS = {"template": ("get", "notify"), "trigger": ("get", "run")}
_PLUGIN = "kubectl argo rollouts notifications"
COMPLETIONS = {
    "what": lambda _: [("template", "what is sent"), ("trigger", "when it is sent")],
    "action": lambda line: [(a, "") for a in _ACTIONS.get(str(line.given.get("what")), ())],
    "config_map": lambda _: [],
}


def notifications(
    session: base.Session,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="template or trigger")],
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="get; run for a trigger; notify for a template")
    ] = "get",
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="name of the template or trigger")] = None,
    rollout: base.RolloutArgument = None,
    config_map: Annotated[
        str | None, typer.Option("--config-map", metavar="FILE", help="read it here, not in the cluster")
    ] = None,
    rollout_file: Annotated[
        str | None, typer.Option("--rollout-file", metavar="FILE", help="read the Rollout here, not in the cluster")
    ] = None,
    recipients: Annotated[
        list[str] | None, typer.Option("--recipient", metavar="SERVICE:NAME", help="only console:stdout, the default")
    ] = None,
) -> base.Answer:
    """Show the templates and triggers of notifications, evaluate a trigger's conditions for a Rollout now, and print
    the message that a template makes of it.

    It reads the ConfigMap argo-rollouts-notification-configmap, and sends nothing: `template notify` prints the message
    as YAML. For another recipient use the plugin.
    """
    if what not in _ACTIONS:
        hint = near(what, _ACTIONS, "use template or trigger")
        raise UsageError(f"notifications have no `{printable(what)}`", hint=hint)
    if action not in _ACTIONS[what]:
        hint = near(action, _ACTIONS[what], " or ".join(_ACTIONS[what]))
        raise UsageError(f"`{printable(action)}` is nothing to do with a {what}", hint=hint)
    if action != "get" and name is None:
        raise UsageError(f"the name of the {what} is missing", hint=f"`canary notifications {what} get` lists them")
    away = [r for r in recipients or () if r.partition(":")[0] != "console"]
    if action == "notify" and away:
        words = (_PLUGIN, "template notify", name, session.resolved.rollout or "NAME", f"--recipient {away[0]}")
        shown = printable(" ".join(filter(None, words)))
        raise Refused("messages are printed by this program, and not sent", hint=f"use the plugin: `{shown}`")
    config = data_of_config(_file(session, config_map)) if config_map else notice_config(session.cluster)
    if what == "template":
        templates = notice_templates(config, name)
        if action == "notify":
            written = definitions(config, what, (templates[0].name,))[templates[0].name]
            return _notify(session, templates[0].name, written, rollout_file)
        return _templates(session, templates, definitions(config, what, (t.name for t in templates)))
    triggers = notice_triggers(config, name)
    if action == "run":
        return _run(session, triggers[0], rollout_file)
    return _triggers(session, triggers, definitions(config, what, (t.name for t in triggers)))


def _file(session: base.Session, name: str) -> Mapping[str, Any]:
    found = [obj for _, obj in read_objects(session, [name]) if obj["kind"] == "ConfigMap"]
    if not found:
        raise UsageError(printable(f"{name}: there is no ConfigMap in it"), hint="name the file of the ConfigMap")
    return found[0]


def _templates(session: base.Session, found: tuple[NoticeTemplate, ...], written: Mapping[str, Any]) -> base.Answer:
    session.answered = not found and session.output in ("name", "yaml")
    return base.Answer(
        data=NoticeTemplates(found),
        lines=tuple(f"{t.name}: {t.message or ', '.join(t.services)}" for t in found),
        notes=() if found else ("there is no template",),
        objects=(written,),
        name="\n".join(t.name for t in found),
    )


def _triggers(session: base.Session, found: tuple[NoticeTrigger, ...], written: Mapping[str, Any]) -> base.Answer:
    session.answered = not found and session.output in ("name", "yaml")
    return base.Answer(
        data=NoticeTriggers(found),
        lines=tuple(f"{t.name}: {c.when or _with_event(t)} → {', '.join(c.send)}" for t in found for c in t.conditions),
        notes=() if found else ("there is no trigger",),
        objects=(written,),
        name="\n".join(t.name for t in found),
    )


def _run(session: base.Session, trigger: NoticeTrigger, file: str | None) -> base.Answer:
    raw = _rollout(session, file)
    name = str((raw.get("metadata") or {}).get("name") or "")
    results = notice_verdicts(trigger, raw, session.runtime.clock.now())
    words = {True: "true", False: "false", None: "unknown"}
    problems = [f"not evaluated here: {r.problem}: `{r.condition.when}`" for r in results if r.problem]
    if problems:
        problems.append(f"the plugin does: `{_PLUGIN} trigger run {trigger.name} {printable(name)}`")
    return base.Answer(
        data=NoticeRun(trigger.name, name, results),
        lines=tuple(
            f"{words[r.holds] if r.condition.when else 'event'}  {r.condition.when or _with_event(trigger)}"
            f" → {', '.join(r.condition.send)}"
            for r in results
        ),
        notes=tuple(problems),
        name=trigger.name,
    )


def _notify(session: base.Session, name: str, written: Any, file: str | None) -> base.Answer:
    from companyos_canary.render.templates import to_yaml

    raw = _rollout(session, file)
    message = message_of(written, raw, session.runtime.clock.now())
    rollout = str((raw.get("metadata") or {}).get("name") or "")
    return base.Answer(
        data=NoticeMessage(name, rollout, message),
        lines=(to_yaml((message,)).rstrip("\n"),),
        objects=(message,),
        name=name,
    )


def _with_event(trigger: NoticeTrigger) -> str:
    return f"with each {event_of(trigger.name)} of the controller"


def _rollout(session: base.Session, file: str | None) -> Mapping[str, Any]:
    """The one that was named, or the one in the file."""
    if file is None:
        for name in names_of(session.resolved.rollout):
            not_a_name(name, "Rollout")
        return session.cluster.rollout(session.rollout).raw
    found = [obj for _, obj in read_objects(session, [file]) if obj["kind"] == "Rollout"]
    if not found:
        raise UsageError(printable(f"{file}: there is no Rollout in it"), hint="name the file of the Rollout")
    return found[0]


command = base.verb(notifications, forms=("human", "json", "yaml", "name"))
