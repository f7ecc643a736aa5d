"""The ConfigMap of notifications: templates and triggers by name.

Upstream: argoproj/notifications-engine pkg/api and pkg/triggers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from companyos_canary.analysis.expr.objects import holds_for
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import CanaryError, NotFound, near
from companyos_canary.lint.documents import Unreadable, read

CONFIG_MAP = "argo-rollouts-notification-configmap"


@dataclass(frozen=True, slots=True)
class NoticeTemplate:
    """`services` are what it is written for besides its message: `slack`, `email` …"""

    name: str
    message: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoticeCondition:
    """Sends the templates when it holds; `once_per` is the expression whose value sends them again."""

    when: str
    send: tuple[str, ...]
    once_per: str


@dataclass(frozen=True, slots=True)
class NoticeTrigger:
    name: str
    conditions: tuple[NoticeCondition, ...]


@dataclass(frozen=True, slots=True)
class NoticeVerdict:
    """`holds` is None where the condition could not be evaluated here; then `problem` says why."""

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


def notice_verdicts(trigger: NoticeTrigger, rollout: Mapping[str, Any], now: datetime) -> tuple[NoticeVerdict, ...]:
    """Each condition of a trigger for one Rollout. `time` and other functions of the engine are not there."""
    return tuple(_verdict(c, rollout, now) for c in trigger.conditions)


def _verdict(condition: NoticeCondition, rollout: Mapping[str, Any], now: datetime) -> NoticeVerdict:
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
