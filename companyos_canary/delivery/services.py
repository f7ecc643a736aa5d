"""What each service of notifications is sent, as argoproj/notifications-engine v0.5.0 sends it (pkg/services). Pure.

A service is a generator: it yields what to send, and gets the answer. github and awssqs are not here: they are more
than a request (an app's signed token, the AWS SDK).
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec.structs import replace

from companyos_canary.delivery.message import (
    Exchange,
    Mail,
    Post,
    Retrying,
    Sending,
    accepted,
    basic,
    given,
    non_empty,
    says,
    text_of,
)
from companyos_canary.errors import CanaryError, UsageError
from companyos_canary.model.http import Response

_EMOJI = re.compile(r":.+:")
_EMAIL = re.compile(r"\S+@\S+\.\S+")
_GIT = re.compile(r"^git@([^:]*):")
_NANOSECOND = 1e-9


def _webhook(s: Sending) -> Exchange:
    url, path = s.option("url"), s.field("path")
    if path:
        url = f"{url.rstrip('/')}/{path.lstrip('/')}"
    listed = given(s.options, "headers")
    headers = [h for h in (listed if isinstance(listed, list) else ()) if isinstance(h, Mapping)]
    yield Post(
        url,
        {text_of(given(h, "name")): text_of(given(h, "value")) for h in headers} | basic(s.options),
        (s.text if s.part is None else s.field("body")).encode(),
        accepted(),
        method=s.field("method") or "GET",
        verify=s.verify,
        retrying=Retrying(
            _whole(s, "retryMax") or 3,
            (_whole(s, "retryWaitMin") or 10**9) * _NANOSECOND,
            (_whole(s, "retryWaitMax") or 5 * 10**9) * _NANOSECOND,
        ),
    )


def _slack(s: Sending) -> Exchange:
    icon = s.field("icon") or s.option("icon")
    form = {
        "token": s.option("token"),
        "channel": s.to.recipient,
        "text": s.text,
        **non_empty(username=s.field("username") or s.option("username")),
        **({"icon_emoji": icon} if _EMOJI.fullmatch(icon) else {}),
        **({"icon_url": icon} if _is_url(icon) else {}),
        **{
            name: json.dumps(parsed, ensure_ascii=False)
            for name in ("attachments", "blocks")
            if (parsed := s.parsed(name))
        },
        **({"unfurl_links": "false", "unfurl_media": "false"} if given(s.options, "disableUnfurl") else {}),
        **({"reply_broadcast": "true"} if s.field("notifyBroadcast") == "true" else {}),
    }
    yield s.form(s.option("apiURL", "https://slack.com/api/") + "chat.postMessage", form, says("ok"))


def _email(s: Sending) -> Exchange:
    yield Mail(
        host=s.option("host"),
        port=_whole(s, "port"),
        sender=s.option("from"),
        recipients=tuple(r.strip(" ") for r in s.to.recipient.split(",")),
        subject=s.field("subject"),
        body=s.field("body") or s.text,
        html=bool(given(s.options, "html")),
        username=s.option("username") if s.option("password") else "",
        password=s.option("password") if s.option("username") else "",
        verify=not given(s.options, "insecure_skip_verify"),
    )


def _teams(s: Sending) -> Exchange:
    sections = [*(s.parsed("sections") or ())]
    if facts := s.parsed("facts"):
        sections.append({"facts": facts})
    card = {
        "@type": "MessageCard",
        "context": "https://schema.org/extensions",
        "title": s.field("title"),
        "summary": s.field("summary"),
        "text": s.field("text") or s.text,
        **non_empty(themeColor=s.field("themeColor"), potentialAction=s.parsed("potentialAction"), sections=sections),
    }
    post = s.post(s.entry("recipientUrls"), card, lambda answer: answer.body == b"1")
    if template := s.field("template"):
        post = replace(post, body=template.encode())
    yield post


def _googlechat(s: Sending) -> Exchange:
    modern, legacy = s.parsed_yaml("cardsV2") or [], s.parsed_yaml("cards") or []
    message = {
        "text": "" if s.field("cardsV2") or s.field("cards") else s.text,
        **non_empty(cards=legacy, cardsV2=[{"cardId": f"card-{n}", "card": card} for n, card in enumerate(modern)]),
    }
    url = s.entry("webhooks")
    if key := s.field("threadKey"):
        parts = urlsplit(url)
        more = [("threadKey", key), ("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")]
        url = parts._replace(query=urlencode(sorted([*parse_qsl(parts.query), *more]))).geturl()
    yield s.post(url, message, _has_no_error)


def _mattermost(s: Sending) -> Exchange:
    body = {"channel_id": s.to.recipient, "message": s.text, "props": {"attachments": s.parsed("attachments") or []}}
    yield s.post(s.option("apiURL") + "/api/v4/posts", body, accepted(), Authorization=f"Bearer {s.option('token')}")


def _rocketchat(s: Sending) -> Exchange:
    base = s.option("serverUrl").rstrip("/") + "/api/v1/"
    answer = yield s.form(base + "login", {"user": s.option("email"), "password": s.option("password")}, accepted(200))
    data = answer.json_or_empty().get("data")
    login = data if isinstance(data, Mapping) else {}
    icon, avatar = s.option("icon"), s.option("avatar")
    body = {
        "channel" if s.to.recipient[:1] in ("#", "@") else "roomId": s.to.recipient,
        **non_empty(
            text=s.text,
            alias=s.option("alias"),
            emoji=icon if _EMOJI.fullmatch(icon) else "",
            avatar=avatar if _is_url(avatar) else "",
            attachments=s.parsed("attachments"),
        ),
    }
    who = {"X_Auth_Token": text_of(login.get("authToken")), "X_User_Id": text_of(login.get("userId"))}
    yield s.post(base + "chat.postMessage", body, says("success"), **who)


def _telegram(s: Sending) -> Exchange:
    chat, _, thread = s.to.recipient.partition("|") if s.to.recipient.startswith("-") else (s.to.recipient, "", "")
    if chat.startswith("-") and not (chat[1:].isdecimal() and (not thread or thread.isdecimal())):
        raise UsageError(
            f"`{s.to.recipient}` is not a chat of Telegram", hint="a group is a number, -100123 or -100123|THREAD"
        )
    form = {
        "chat_id": chat if chat.startswith("-") else f"@{chat}",
        "parse_mode": "Markdown",
        **non_empty(text=s.text, message_thread_id=thread),
    }
    yield s.form(f"https://api.telegram.org/bot{s.option('token')}/sendMessage", form, says("ok"))


def _opsgenie(s: Sending) -> Exchange:
    if not s.text:
        raise CanaryError("Opsgenie takes no alert without a message", hint="add `message` to the template")
    if s.part is not None and not s.field("description"):
        raise CanaryError("Opsgenie takes no alert without a description", hint="add `opsgenie.description`")
    names = ("description", "priority", "alias", "note", "entity", "user")
    alert = {
        "message": s.text,
        "responders": [{"type": "team", "id": s.to.recipient}],
        "source": "Argo CD",
        **non_empty(**{name: s.field(name) for name in names}),
        **non_empty(**{name: (s.part or {}).get(name) for name in ("actions", "tags", "details", "visibleTo")}),
    }
    host = s.option("apiUrl", "api.opsgenie.com")
    key = f"GenieKey {s.entry('apiKeys')}"
    yield s.post(f"https://{host}/v2/alerts", alert, lambda answer: answer.status < 400, Authorization=key)


def _pagerduty(s: Sending) -> Exchange:
    s.needed()
    incident = {
        "type": "incident",
        "title": s.field("title"),
        "service": non_empty(id=s.to.recipient, type="service_reference"),
        "priority": non_empty(id=s.field("priorityId"), type="priority"),
        **non_empty(urgency=s.field("urgency")),
        "body": non_empty(type="incident_details", details=s.field("body")),
    }
    yield s.post(
        "https://api.pagerduty.com/incidents",
        {"incident": incident},
        accepted(),
        Accept="application/vnd.pagerduty+json;version=2",
        Authorization=f"Token token={s.option('token')}",
        From=s.option("from"),
    )


def _pagerdutyv2(s: Sending) -> Exchange:
    key = s.entry("serviceKeys")
    s.needed()
    payload = {name: s.field(name) for name in ("summary", "source", "severity")}
    event = {
        "routing_key": key,
        "event_action": "trigger",
        "client": "ArgoCD",
        **non_empty(client_url=s.field("url")),
        "payload": payload | non_empty(**{name: s.field(name) for name in ("component", "group", "class")}),
    }
    yield s.post("https://events.pagerduty.com/v2/enqueue", event, accepted(202))


def _grafana(s: Sending) -> Exchange:
    note = {"time": int(s.now) * 1000, "isRegion": False, "tags": s.to.recipient.split("|"), "text": s.text}
    parts = urlsplit(s.option("apiUrl"))
    url = parts._replace(path=f"{parts.path.rstrip('/')}/annotations").geturl()
    yield s.post(url, note, accepted(200), Authorization=f"Bearer {s.option('apiKey')}")


def _alertmanager(s: Sending) -> Exchange:
    part = s.needed()
    alert = {
        "labels": part.get("labels"),
        "annotations": part.get("annotations") or None,
        "generatorURL": _GIT.sub(r"https://\1/", s.field("generatorURL")),
        "startsAt": datetime.fromtimestamp(s.now, UTC).isoformat().replace("+00:00", "Z"),
    }
    bearer = {"Authorization": f"Bearer {s.option('bearerToken')}"} if s.option("bearerToken") else {}
    listed = given(s.options, "targets")
    targets = [text_of(t) for t in listed] if isinstance(listed, list) and listed else ["127.0.0.1:9093"]
    where = s.option("apiPath", "/api/v2/alerts")
    limit = float(_whole(s, "timeout") or 3)
    for target in targets:
        post = s.post(f"{s.option('scheme', 'http')}://{target}{where}", [alert], accepted(200))
        headers = {**post.headers, **(basic(s.options) or bearer)}
        answer = yield replace(post, headers=headers, timeout=limit, has_next=target != targets[-1])
        if answer.status == 200:
            return


def _pushover(s: Sending) -> Exchange:
    form = {"token": s.option("token"), "user": s.to.recipient, "message": s.text, "priority": "0"}
    yield s.form("https://api.pushover.net/1/messages.json", form, says("status", 1))


def _newrelic(s: Sending) -> Exchange:
    part = s.needed()
    if not s.option("apiKey"):
        raise CanaryError(f"service `{s.to.service}` has no `apiKey`", hint="add it to the service in the ConfigMap")
    marker = {
        "revision": s.field("revision"),
        **non_empty(
            changelog=s.field("changelog"), description=text_of(part.get("description")) or s.text, user=s.field("user")
        ),
    }
    url = f"{s.option('apiURL', 'https://api.newrelic.com').removesuffix('/')}/v2/applications/{s.to.recipient}"
    accepts: Callable[[Response], bool] = lambda answer: answer.status < 400  # noqa: E731
    key = s.option("apiKey")
    yield s.post(f"{url}/deployments.json", {"deployment": marker}, accepts, X_Api_Key=key)


def _webex(s: Sending) -> Exchange:
    who = "toPersonEmail" if _EMAIL.fullmatch(s.to.recipient) else "roomId"
    url = s.option("apiURL", "https://webexapis.com").removesuffix("/") + "/v1/messages"
    body = non_empty(**{who: s.to.recipient, "markdown": s.text})
    yield s.post(url, body, accepted(200), Authorization=f"Bearer {s.option('token')}")


SERVICES: Mapping[str, Callable[[Sending], Exchange]] = {
    "webhook": _webhook,
    "slack": _slack,
    "email": _email,
    "teams": _teams,
    "googlechat": _googlechat,
    "mattermost": _mattermost,
    "rocketchat": _rocketchat,
    "telegram": _telegram,
    "opsgenie": _opsgenie,
    "pagerduty": _pagerduty,
    "pagerdutyv2": _pagerdutyv2,
    "grafana": _grafana,
    "alertmanager": _alertmanager,
    "pushover": _pushover,
    "newrelic": _newrelic,
    "webex": _webex,
}
"""By the type of a service: `service.TYPE` or `service.TYPE.NAME` of the ConfigMap."""
PARTS: Mapping[str, str] = {
    "message": "",
    "alertmanager": "labels annotations generatorURL startsAt",
    "awssqs": "",
    "email": "subject body",
    "github": "",
    "googlechat": "cards cardsV2 threadKey",
    "mattermost": "attachments",
    "newrelic": "revision changelog description user",
    "opsgenie": "description priority alias note actions tags details entity visibleTo user",
    "pagerduty": "title body urgency priorityId",
    "pagerdutyv2": "summary severity source component group class url",
    "rocketchat": "attachments",
    "slack": "username icon attachments blocks groupingKey notifyBroadcast deliveryPolicy",
    "teams": "template title summary text themeColor facts sections potentialAction",
    "webhook": "method body path",
}
"""What a template may have for each service, and its fields; those of a `webhook` are below its service's name."""


def _whole(s: Sending, name: str) -> int:
    found = given(s.options, name)
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int):
        unit = ": nanoseconds" if name.startswith("retryWait") else ""
        raise CanaryError(
            f"`{name}` of service `{s.to.service}` is not a whole number", hint=f"write a number without quotes{unit}"
        )
    return found


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _has_no_error(answer: Response) -> bool:
    try:
        return answer.json().get("error") is None
    except ValueError:
        return False
