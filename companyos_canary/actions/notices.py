"""The ConfigMap of notifications: templates, triggers and services by name; and the Secret next to it.

Upstream: argoproj/notifications-engine pkg/api and pkg/triggers.
"""

import base64
import contextlib
import copy
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from companyos_canary.analysis.expr.objects import holds_for
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.gotemplate import render
from companyos_canary.analysis.gotemplate_printf import Concealed, TemplateFault, go_text
from companyos_canary.analysis.gotemplate_time import Moment, moment_of
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import CONFIGMAP, SECRET
from companyos_canary.delivery.message import Destination
from companyos_canary.delivery.services import PARTS
from companyos_canary.diagnosis.control import CONTROLLER
from companyos_canary.errors import CanaryError, DeniedError, NotFound, near
from companyos_canary.lint.documents import Unreadable, read

CONFIG_MAP = "argo-rollouts-notification-configmap"
SECRET_NAME = "argo-rollouts-notification-secret"
CONSOLE = Destination("console", "stdout")
_REFERENCE = re.compile(r"[$][\w-]+", re.ASCII)


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


class NoticeConfig(Struct, frozen=True):
    """The data of the ConfigMap, and the namespace that it and the Secret are in; `place` is None for a file."""

    data: dict[str, str]
    place: Cluster | None = None


def notice_config(cluster: Cluster) -> NoticeConfig:
    """That of the namespace, else that of the controller, which is where the controller looks unless it lets namespaces
    have their own. Raises NotFound where notifications are configured in neither."""
    if (found := cluster.object(CONFIGMAP, CONFIG_MAP)) is not None:
        return NoticeConfig(data_of_config(found), cluster)
    there = cluster.elsewhere(CONTROLLER)
    with contextlib.suppress(DeniedError):
        if (found := there.object(CONFIGMAP, CONFIG_MAP)) is not None:
            return NoticeConfig(data_of_config(found), there)
    raise NotFound(
        f"notifications are not configured: ConfigMap `{CONFIG_MAP}` not found in namespace `{cluster.namespace}`",
        hint="choose another namespace with -n, or a file with --config-map",
    )


def data_of_config(obj: Mapping[str, Any]) -> dict[str, str]:
    data = obj.get("data")
    return {str(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}


class NoticeService(Struct, frozen=True):
    """A service as the ConfigMap has it: its options are YAML, `$name` in a text stands for a value of the Secret."""

    name: str
    kind: str
    text: str

    @property
    def needs_secret(self) -> bool:
        return _REFERENCE.search(self.text) is not None

    def options(self, secrets: Mapping[str, bytes]) -> dict[str, Any]:
        """Its options with the values of the Secret. A name that the Secret does not have stays as it is."""
        found = _with_values(_parsed("service", self.name, self.text), secrets)
        return found if isinstance(found, dict) else {}

    def missing(self, secrets: Mapping[str, bytes]) -> list[str]:
        """The names that the Secret does not have."""
        return sorted({name[1:] for name in _REFERENCE.findall(self.text)} - set(secrets))


def notice_service(config: Mapping[str, str], name: str) -> NoticeService:
    """Raises NotFound if there is no service of that name."""
    found: dict[str, NoticeService] = {}
    for key, text in config.items():
        head, *parts = key.split(".")
        if head == "service" and len(parts) in (1, 2):
            found[parts[-1]] = NoticeService(parts[-1], parts[0], text)
    if name not in found:
        known = "there is " + ", ".join(f"`{n}`" for n in sorted(found)[:8]) if found else "add one to the ConfigMap"
        raise NotFound(f"there is no service `{name}` in the ConfigMap", hint=near(name, found, known))
    return found[name]


def notice_secret(cluster: Cluster) -> dict[str, bytes]:
    """The values of the Secret. Raises NotFound where it does not exist."""
    found = cluster.object(SECRET, SECRET_NAME)
    if found is None:
        raise NotFound(
            f"the service needs a value of Secret `{SECRET_NAME}`, which is not in namespace `{cluster.namespace}`",
            hint="choose another namespace with -n, or a file with --secret",
        )
    return values_of_secret(found)


def values_of_secret(obj: Mapping[str, Any]) -> dict[str, bytes]:
    """`data`, and `stringData` over it, as in a file. Raises CanaryError for a value that is not base64."""
    found: dict[str, bytes] = {}
    for name, value in (obj.get("data") or {}).items():
        try:
            found[str(name)] = base64.b64decode(str(value), validate=True)
        except ValueError:
            raise CanaryError(
                f"`{name}` in `data` of the Secret is not base64", hint="write it in `stringData` as it is"
            ) from None
    return found | {str(k): str(v).encode() for k, v in (obj.get("stringData") or {}).items()}


def _with_values(value: Any, secrets: Mapping[str, bytes]) -> Any:
    if isinstance(value, dict):
        return {_with_values(k, secrets): _with_values(v, secrets) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_values(v, secrets) for v in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda m: secrets[m[0][1:]].decode(errors="replace") if m[0][1:] in secrets else m[0], value)


def notice_templates(config: Mapping[str, str], name: str | None) -> tuple[NoticeTemplate, ...]:
    """Those of that name, or all. Raises NotFound, CanaryError for a text that is not YAML."""
    return tuple(_template(n, _parsed("template", n, text)) for n, text in _of_kind(config, "template", name))


def notice_triggers(config: Mapping[str, str], name: str | None) -> tuple[NoticeTrigger, ...]:
    """The same for triggers."""
    return tuple(_trigger(n, _parsed("trigger", n, text)) for n, text in _of_kind(config, "trigger", name))


def definitions(config: Mapping[str, str], kind: str, names: Iterable[str]) -> dict[str, Any]:
    """What the templates or triggers of these names are in YAML."""
    return {name: _parsed(kind, name, config[f"{kind}.{name}"]) for name in names}


def message_of(
    definition: Any,
    rollout: Mapping[str, Any],
    now: datetime,
    *,
    to: Destination = CONSOLE,
    secrets: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """What a template makes of a Rollout: its texts, rendered. Without `secrets` each of their values is `***`. Raises
    CanaryError with the part that cannot be rendered; with `secrets` it quotes nothing of them."""
    data = {
        "rollout": copy.deepcopy(rollout),  # `set` and `unset` change it
        "time": {"Now": lambda: Moment(now), "Parse": _moment},
        "secrets": _Concealing() if secrets is None else secrets,
        "serviceType": to.service,
        "recipient": to.recipient,
    }
    try:
        found = _rendered(definition, data, "")
    except CanaryError:
        if secrets is None:
            raise
        raise CanaryError(
            "the template cannot be rendered with the values of the Secret",
            hint="print it to the console to see its rest",
        ) from None
    return found if isinstance(found, dict) else {}


def as_read(name: str, definition: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A template as the engine reads it, and the fields in it that it does not know: `slack.atachments`. Names of
    fields may be in any case."""
    ignored: list[str] = []
    found: dict[str, Any] = {}
    for key, value in (definition if isinstance(definition, dict) else {}).items():
        kind = next((k for k in PARTS if k.lower() == str(key).lower()), "")
        if not kind:
            ignored.append(str(key))
        elif kind == "webhook" and isinstance(value, dict):
            found[kind] = {n: _with_names(f"{kind}.{n}", v, PARTS[kind], ignored) for n, v in value.items()}
        else:
            found[kind] = _with_names(kind, value, PARTS[kind], ignored)
    return _with_defaults(name, found), tuple(ignored)


def _with_names(where: str, part: Any, names: str, ignored: list[str]) -> Any:
    if not isinstance(part, dict) or not names:
        return part
    known = {name.lower(): name for name in names.split()}
    ignored += [f"{where}.{key}" for key in part if str(key).lower() not in known]
    return {known[str(k).lower()]: v for k, v in part.items() if str(k).lower() in known}


def _with_defaults(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """What a template does not say about an alert or a deployment marker is what an Application of Argo CD has; a
    Rollout has none of it."""
    if isinstance(alert := found.get("alertmanager"), dict):
        url = alert.get("generatorURL") or "{{.app.spec.source.repoURL}}"
        labels = {"alertname": name, **(alert.get("labels") or {})}
        found["alertmanager"] = {**alert, "generatorURL": url, "labels": labels}
    if isinstance(marker := found.get("newrelic"), dict):
        commit = "(call .repo.GetCommitMetadata .app.status.sync.revision)"
        found["newrelic"] = {
            **marker,
            "revision": "{{.app.status.operationState.syncResult.revision}}",  # v0.5.0 does not read the template's
            "changelog": marker.get("changelog") or f"{{{{{commit}.Message}}}}",
            "user": marker.get("user") or f"{{{{{commit}.Author}}}}",
        }
    return found


def _rendered(value: Any, data: Mapping[str, Any], where: str) -> Any:
    if isinstance(value, dict):
        parts = {str(k): _rendered(v, data, f"{where}.{k}" if where else str(k)) for k, v in value.items()}
        return {k: v for k, v in parts.items() if v not in ("", None, {}, [])}
    if isinstance(value, list):
        return [_rendered(v, data, f"{where}.{n}") for n, v in enumerate(value)]
    if not isinstance(value, str):
        is_text = value is not None and not where.endswith(".notifyBroadcast")  # the only field that is not one
        return go_text(value) if is_text else value
    try:
        return render(value, data)
    except TemplateFault as error:
        raise CanaryError(f"`{where}` of the template cannot be rendered here: {error}") from None


class _Concealing(dict[str, Any]):
    """The Secret of notifications, which is not read: what a message shows of it is not shown here."""

    def get(self, *_: Any) -> Any:
        return Concealed(b"***")

    def __contains__(self, _: object) -> bool:
        return True


def _moment(text: Any) -> Moment:
    found = moment_of(text)
    if found is None:
        raise TemplateFault(f"`{text}` is not a time")
    return found


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
