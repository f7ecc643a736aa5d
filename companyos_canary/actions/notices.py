"""The ConfigMap of notifications: templates and triggers by name.

Upstream: argoproj/notifications-engine pkg/api and pkg/triggers.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from companyos_canary.analysis.expr.objects import holds_for
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.gotemplate import render
from companyos_canary.analysis.gotemplate_functions import Moment, TemplateFault
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import CanaryError, NotFound, near
from companyos_canary.lint.documents import Unreadable, read
from companyos_canary.model.quantity import parse_time

CONFIG_MAP = "argo-rollouts-notification-configmap"


class NoticeTemplate(Struct, frozen=True):
    """`services` are what it is written for besides its message: `slack`, `email` …"""

    name: str
    message: str
    services: tuple[str, ...]


class NoticeCondition(Struct, frozen=True):
    """Sends the templates when it holds; `once_per` is the expression whose value sends them again."""

    when: str
    send: tuple[str, ...]
    once_per: str


class NoticeTrigger(Struct, frozen=True):
    name: str
    conditions: tuple[NoticeCondition, ...]


class NoticeVerdict(Struct, frozen=True):
    """`holds` is None where the condition could not be evaluated here, then `problem` says why; and where there is no
    condition: the trigger is sent with an Event."""

    condition: NoticeCondition
    holds: bool | None
    problem: str = ""


def notice_config(cluster: Cluster) -> dict[str, str]:
    """Raises NotFound where notifications are not configured in the namespace."""
    found = cluster.object("v1", "configmaps", CONFIG_MAP)
    if found is None:
        raise NotFound(
            f"notifications are not configured: ConfigMap `{CONFIG_MAP}` not found in namespace `{cluster.namespace}`",
            hint="choose another namespace with -n, or a file with --config-map",
        )
    return data_of_config(found)


def data_of_config(obj: Mapping[str, Any]) -> dict[str, str]:
    data = obj.get("data")
    return {str(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}


def notice_templates(config: Mapping[str, str], name: str | None) -> tuple[NoticeTemplate, ...]:
    """Those of that name, or all. Raises NotFound, CanaryError for a text that is not YAML."""
    return tuple(_template(n, _parsed("template", n, text)) for n, text in _of_kind(config, "template", name))


def notice_triggers(config: Mapping[str, str], name: str | None) -> tuple[NoticeTrigger, ...]:
    """The same for triggers."""
    return tuple(_trigger(n, _parsed("trigger", n, text)) for n, text in _of_kind(config, "trigger", name))


def definitions(config: Mapping[str, str], kind: str, names: Iterable[str]) -> dict[str, Any]:
    """What the templates or triggers of these names are in YAML."""
    return {name: _parsed(kind, name, config[f"{kind}.{name}"]) for name in names}


def message_of(definition: Any, rollout: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What a template makes of a Rollout: its texts, rendered. Raises CanaryError with the part that cannot be."""
    data = {
        "rollout": rollout,
        "time": {"Now": lambda: Moment(now), "Parse": _moment},
        "secrets": _Unread(),
        "serviceType": "console",
        "recipient": "stdout",
    }
    found = _rendered(definition, data, "")
    return found if isinstance(found, dict) else {}


def _rendered(value: Any, data: Mapping[str, Any], where: str) -> Any:
    if isinstance(value, dict):
        parts = {str(k): _rendered(v, data, f"{where}.{k}" if where else str(k)) for k, v in value.items()}
        return {k: v for k, v in parts.items() if v not in ("", None, {}, [])}
    if isinstance(value, list):
        return [_rendered(v, data, f"{where}.{n}") for n, v in enumerate(value)]
    try:
        return render(value, data) if isinstance(value, str) else value
    except TemplateFault as error:
        raise CanaryError(f"`{where}` of the template cannot be rendered here: {error}") from None


class _Unread(dict[str, Any]):
    """The Secret of notifications, which is not read."""

    def get(self, key: str, _: Any = None) -> Any:
        raise TemplateFault(f"it uses `secrets.{key}`, and Secrets are not read")


def _moment(text: Any) -> Moment:
    found = parse_time(text)
    if found is None:
        raise TemplateFault(f"`{text}` is not a time")
    return Moment(found)


def notice_verdicts(trigger: NoticeTrigger, rollout: Mapping[str, Any], now: datetime) -> tuple[NoticeVerdict, ...]:
    """Each condition of a trigger for one Rollout. `time` and other functions of the engine are not there."""
    return tuple(_verdict(c, rollout, now) for c in trigger.conditions)


def event_of(trigger: str) -> str:
    """The reason of the Events with which the controller sends a trigger without a condition: `RolloutPaused` for
    `on-rollout-paused` (upstream utils/record translateReasonToTrigger)."""
    return "".join(word.capitalize() for word in trigger.removeprefix("on-").split("-"))


def _verdict(condition: NoticeCondition, rollout: Mapping[str, Any], now: datetime) -> NoticeVerdict:
    if not condition.when:
        return NoticeVerdict(condition, None)
    try:
        return NoticeVerdict(condition, holds_for(condition.when, {"rollout": rollout}, now))
    except ConditionError as error:
        return NoticeVerdict(condition, None, str(error))


def _of_kind(config: Mapping[str, str], kind: str, name: str | None) -> list[tuple[str, str]]:
    found = {k.removeprefix(f"{kind}."): v for k, v in config.items() if k.startswith(f"{kind}.")}
    if name is None:
        return sorted(found.items())
    if name not in found:
        known = "there is " + ", ".join(f"`{n}`" for n in sorted(found)[:5]) if found else f"there is no {kind} at all"
        raise NotFound(f"there is no {kind} `{name}`", hint=near(name, found, known))
    return [(name, found[name])]


def _parsed(kind: str, name: str, text: str) -> Any:
    try:
        documents = read(f"{kind}.{name}", text.encode())
    except Unreadable as error:
        raise CanaryError(f"{kind} `{name}`, line {error.line}: {error.message}", hint=error.hint) from None
    return documents[0].root.data if documents else None


def _template(name: str, raw: Any) -> NoticeTemplate:
    fields = raw if isinstance(raw, dict) else {}
    services = tuple(str(k) for k in fields if k != "message")
    return NoticeTemplate(name, " ".join(str(fields.get("message") or "").split()), services)


def _trigger(name: str, raw: Any) -> NoticeTrigger:
    return NoticeTrigger(name, tuple(_condition(c) for c in raw or () if isinstance(c, dict)))


def _condition(raw: Mapping[str, Any]) -> NoticeCondition:
    send = raw.get("send")
    names = tuple(map(str, send)) if isinstance(send, list) else ()
    return NoticeCondition(str(raw.get("when") or ""), names, str(raw.get("oncePer") or ""))
