"""`canary notifications`: the templates and triggers of notifications, and which of them hold for a Rollout."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any

import typer
from msgspec import Struct

from companyos_canary.actions.notices import (
    NoticeConfig,
    NoticeService,
    NoticeTemplate,
    NoticeTrigger,
    NoticeVerdict,
    as_read,
    data_of_config,
    definitions,
    event_of,
    message_of,
    notice_config,
    notice_secret,
    notice_service,
    notice_templates,
    notice_triggers,
    notice_verdicts,
    values_of_secret,
)
from companyos_canary.commands import base
from companyos_canary.commands.manifests import read_objects
from companyos_canary.commands.options import names_of, not_a_name
from companyos_canary.delivery.delivery import Delivered, Ways, deliver
from companyos_canary.delivery.hiding import Hidden, credentials_in
from companyos_canary.delivery.message import Destination, Sending, text_of
from companyos_canary.delivery.services import SERVICES
from companyos_canary.errors import CanaryError, ExitCode, Refused, UsageError, exits, near, printable
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
    """What a template makes of one Rollout now, the values of the Secret as `***`; and who it was sent to."""

    template: str
    rollout: str
    message: Object
    sent: tuple[Delivered, ...] = ()


EXAMPLES = (
    "canary notifications trigger get",
    "canary notifications trigger run on-rollout-aborted companyos-api",
    "canary notifications template get rollout-aborted",
    "canary notifications template notify rollout-aborted companyos-api",
    "canary notifications template notify rollout-aborted --recipient slack:ops",
)
OUTPUT = Output((NoticeTemplates, NoticeTriggers, NoticeRun, NoticeMessage))
EXITS = exits(ExitCode.REFUSED, ExitCode.UNOBSERVED)
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
        list[str] | None,
        typer.Option("--recipient", metavar="SERVICE:NAME", help="send it there  [default: console:stdout]"),
    ] = None,
    secret: Annotated[
        str | None, typer.Option("--secret", metavar="FILE", help="read the Secret here; `:empty` for none")
    ] = None,
) -> base.Answer:
    """Show the templates and triggers of notifications, evaluate a trigger's conditions for a Rollout now, and print
    or send the message that a template makes of it.

    It reads the ConfigMap argo-rollouts-notification-configmap, that of namespace argo-rollouts where yours has none;
    and the Secret argo-rollouts-notification-secret next to it where a recipient's service, or the message sent to it,
    needs one of its values. `template notify` prints the message as YAML unless --recipient names who gets it. Nothing
    that is printed shows a value of the Secret.
    """
    if what not in _ACTIONS:
        hint = near(what, _ACTIONS, "use template or trigger")
        raise UsageError(f"notifications have no `{printable(what)}`", hint=hint)
    if action not in _ACTIONS[what]:
        hint = near(action, _ACTIONS[what], " or ".join(_ACTIONS[what]))
        raise UsageError(f"`{printable(action)}` is nothing to do with a {what}", hint=hint)
    if action != "get" and name is None:
        raise UsageError(f"the name of the {what} is missing", hint=f"`canary notifications {what} get` lists them")
    found = NoticeConfig(data_of_config(_file(session, config_map))) if config_map else notice_config(session.cluster)
    if found.place and found.place.namespace != session.cluster.namespace:
        session.note(f"notifications are configured in namespace `{found.place.namespace}`")
    config = found.data
    if what == "template":
        templates = notice_templates(config, name)
        if action == "notify":
            written, ignored = as_read(templates[0].name, definitions(config, what, (name or "",))[name or ""])
            for field in ignored:
                session.note(printable(f"`{field}` is not a field of a template: it is ignored"))
            asked = _Notifying(session, found, templates[0].name, written, rollout_file, secret)
            return asked.answer([_destination(r) for r in recipients or ["console:stdout"]])
        return _templates(session, templates, definitions(config, what, (t.name for t in templates)))
    triggers = notice_triggers(config, name)
    if action == "run":
        return _run(session, triggers[0], rollout_file)
    return _triggers(session, triggers, definitions(config, what, (t.name for t in triggers)))


def _file(session: base.Session, name: str, kind: str = "ConfigMap") -> Mapping[str, Any]:
    found = [obj for _, obj in read_objects(session, [name]) if obj["kind"] == kind]
    if not found:
        raise UsageError(printable(f"{name}: there is no {kind} in it"), hint=f"name the file of the {kind}")
    return found[0]


def _templates(session: base.Session, found: tuple[NoticeTemplate, ...], written: Mapping[str, Any]) -> base.Answer:
    return base.Answer(
        data=NoticeTemplates(found),
        lines=tuple(f"{t.name}: {t.message or ', '.join(t.services)}" for t in found),
        notes=() if found else ("there is no template",),
        objects=(written,) if found else (),
        name="\n".join(t.name for t in found),
    )


def _triggers(session: base.Session, found: tuple[NoticeTrigger, ...], written: Mapping[str, Any]) -> base.Answer:
    return base.Answer(
        data=NoticeTriggers(found),
        lines=tuple(f"{t.name}: {c.when or _with_event(t)} → {', '.join(c.send)}" for t in found for c in t.conditions),
        notes=() if found else ("there is no trigger",),
        objects=(written,) if found else (),
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


class _Notifying(Struct, dict=True):
    """One message and who gets it. The Secret is read once, and only if a recipient needs it."""

    session: base.Session
    config: NoticeConfig
    name: str
    written: Mapping[str, Any]
    file: str | None
    secret: str | None

    @cached_property
    def raw(self) -> Mapping[str, Any]:
        return _rollout(self.session, self.file)

    @cached_property
    def secrets(self) -> dict[str, bytes]:
        if self.secret == ":empty":
            return {}
        if self.secret:
            return values_of_secret(_file(self.session, self.secret, "Secret"))
        return notice_secret(self.config.place or self.session.cluster)

    def answer(self, destinations: Sequence[Destination]) -> base.Answer:
        from companyos_canary.render.templates import to_yaml

        now = self.session.runtime.clock.now()
        services = [None if d.service == "console" else self._service(d) for d in destinations]
        shown = [message_of(self.written, self.raw, now, to=d) for d in destinations]
        sent: list[Delivered] = []
        lines = []
        for to, service, message in zip(destinations, services, shown, strict=True):
            if service is None:
                lines.append(to_yaml((message,)).rstrip("\n"))
                continue
            try:
                sent.append(self._send(to, service, now))
            except CanaryError as error:
                if sent:
                    error.message += (
                        f"; before it the message was sent to {', '.join(f'`{s.recipient}`' for s in sent)}"
                    )
                raise
            lines.append(f"sent to `{to}`: {sent[-1].server} answered {sent[-1].status}")
        rollout = str((self.raw.get("metadata") or {}).get("name") or "")
        return base.Answer(
            data=NoticeMessage(self.name, rollout, shown[0], tuple(sent)),
            lines=tuple(printable(line) if line.startswith("sent") else line for line in lines),
            notes=("values of the Secret are shown as ***",) if self._names_secrets and None in services else (),
            objects=(shown[0],),
            name=self.name,
        )

    @property
    def _names_secrets(self) -> bool:
        return ".secrets" in str(self.written)

    def _service(self, to: Destination) -> NoticeService:
        """Raises NotFound, and Refused for one that is not sent to from here."""
        found = notice_service(self.config.data, to.service)
        if found.kind not in SERVICES:
            words = (
                _PLUGIN,
                "template notify",
                self.name,
                self.session.resolved.rollout or "NAME",
                f"--recipient {to}",
            )
            raise Refused(
                f"this program cannot send to a service of type `{printable(found.kind)}`",
                hint=f"use the plugin: `{printable(' '.join(words))}`",
            )
        return found

    def _send(self, to: Destination, service: NoticeService, now: datetime) -> Delivered:
        secrets = self.secrets if service.needs_secret or self._names_secrets else {}
        options = service.options(secrets)
        for key in service.missing(secrets):
            self.session.note(printable(f"the Secret has no `{key}`: service `{service.name}` gets `${key}` as it is"))
        message = message_of(self.written, self.raw, now, to=to, secrets=secrets)
        part = message.get(service.kind)
        if service.kind == "webhook" and isinstance(part, dict):
            part = part.get(service.name)
        sending = Sending(
            options, text_of(message.get("message")), part if isinstance(part, dict) else None, to, now.timestamp()
        )
        values = (v.decode(errors="replace") for v in secrets.values())
        runtime = self.session.runtime
        ways = Ways(runtime.carry_out, runtime.clock.sleep, self.session.request_timeout)
        return deliver(service.kind, sending, Hidden([*values, *credentials_in(options)]), ways)


def _destination(text: str) -> Destination:
    service, _, recipient = text.partition(":")
    if not service or ":" in recipient:
        raise UsageError(f"`{printable(text)}` is not a recipient", hint="use SERVICE:NAME, e.g. slack:ops")
    return Destination(service, recipient)


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
