"""`canary notifications template notify … --recipient`: what each service is sent is what the real plugin sent it, and
nothing that is printed shows a value of the Secret."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from companyos_canary.delivery.message import Mail, Parcel, Post
from companyos_canary.errors import ExitCode, Unreachable
from companyos_canary.model.http import Response
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import CONFIGMAP, NAMESPACE, SECRET
from tests.world import Ran, World

pytestmark = pytest.mark.replicas(4)

RECORDED = yaml.load((Path(__file__).parent / "notify" / "recorded.yaml").read_text(), yaml.CSafeLoader)
META = {"name": "argo-rollouts-notification-configmap", "namespace": "companyos"}
TAKEN = b'{"ok": true, "success": true, "status": 1, "data": {"authToken": "tok", "userId": "u1"}}'
# Ours leaves out what means nothing to the service, or changes at each time.
LEFT_OUT = (
    "cardId",
    "collapsed",
    "username",
    "startsAt",
    "time",
    "reply_parameters",
    "link_preview_options",
    "entities",
)


class Services:
    """Takes every message, or answers as it is told; keeps what it is sent."""

    def __init__(self, *answers: Response | Unreachable) -> None:
        self.answers, self.sent = list(answers), list[Parcel]()

    def __call__(self, step: Parcel, timeout: float) -> Response:
        self.sent.append(step)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Unreachable):
                raise answer
            return answer
        if isinstance(step, Mail):
            return Response(250, {}, b"queued")
        host = urlsplit(step.url).hostname
        if "/teams/" in step.url:
            return Response(200, {}, b"1")
        return Response(202 if host == "events.pagerduty.com" else 200, {}, TAKEN)


def configured(world: World, config: dict[str, str], secret: dict[str, str] | None = None) -> World:
    world.store.create(CONFIGMAP, {"metadata": META, "data": config})
    if secret is not None:
        data = {k: base64.b64encode(v.encode()).decode() for k, v in secret.items()}
        world.store.create(SECRET, {"metadata": {**META, "name": "argo-rollouts-notification-secret"}, "data": data})
    return world


@pytest.fixture
def recorded(waiting: World) -> World:
    waiting.carry_out = Services()
    return configured(waiting, RECORDED["config"], RECORDED["secret"])


def notify(world: World, template: str, *recipients: str, more: tuple[str, ...] = ()) -> Ran:
    to = (word for r in recipients for word in ("--recipient", r))
    return world.canary("notifications", "template", "notify", template, "companyos-api", *to, *more)


def essence(value: Any) -> Any:
    """Without empty parts, and without what is LEFT_OUT."""
    if isinstance(value, dict):
        parts = {k: essence(v) for k, v in value.items() if k not in LEFT_OUT or (k == "username" and v)}
        return {k: v for k, v in parts.items() if v not in ("", None, [], {}, "null")}
    if isinstance(value, list):
        return [essence(v) for v in value]
    return value.strip() if isinstance(value, str) else value


def shape(step: Parcel) -> dict[str, Any]:
    """A step as the recordings have it."""
    if isinstance(step, Mail):
        kind = "text/html" if step.html else "text/plain"
        head = {
            "from": step.sender.rpartition("<")[2].rstrip(">"),
            "to": list(step.recipients),
            "login": bool(step.username),
        }
        return {"mail": {**head, "subject": step.subject, "type": kind, "body": step.body}}
    kind, body = step.headers.get("Content-Type", ""), step.body.decode()
    parsed: Any = body
    if "json" in kind:
        parsed = json.loads(body)
    elif "form" in kind:
        form = dict(parse_qsl(body))
        parsed = form | {k: json.loads(form[k]) for k in ("attachments", "blocks") if k in form}
    return {"method": step.method, "url": step.url, "headers": dict(step.headers), "body": parsed}


def as_ours(sent: dict[str, Any]) -> dict[str, Any]:
    """A recorded request, but for a tab at the end of a type, and the charset of JSON."""
    told = json.dumps(sent).replace("incident_details\\t", "incident_details").replace("json; charset=utf-8", "json")
    found: dict[str, Any] = json.loads(told)
    return found


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda c: f"{c['template']}-{c['recipient']}")
def test_a_service_gets_what_the_real_plugin_sends_it(recorded: World, case: dict[str, Any]) -> None:
    services = recorded.carry_out = Services()
    ran = notify(recorded, case["template"], case["recipient"])
    assert ran.code == ExitCode.OK, ran
    assert ran.out.startswith(f"sent to `{case['recipient']}`: ")
    ours = [essence(shape(step)) for step in services.sent]
    for step in services.sent:
        if isinstance(step, Post):
            (ours[services.sent.index(step)].get("headers") or {}).pop("Accept", None)
    assert ours == [essence(as_ours(sent)) for sent in case["sent"]]


def test_every_service_was_recorded() -> None:
    from companyos_canary.delivery.services import SERVICES

    kinds = {key.split(".")[1] for key in RECORDED["config"] if key.startswith("service.")}
    assert kinds == set(SERVICES)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda c: f"{c['template']}-{c['recipient']}")
def test_no_value_of_the_secret_is_ever_printed(recorded: World, case: dict[str, Any]) -> None:
    pair = base64.b64encode(b"u:s3cret").decode()
    for status in (200, 400, 503):
        recorded.carry_out = lambda step, _, status=status: Response(status, {}, echo(step))
        for form in ((), ("-o", "json"), ("-v",)):
            ran = notify(recorded, case["template"], case["recipient"], more=form)
            for value in (*RECORDED["secret"].values(), pair):
                assert value not in ran.out + ran.err


def echo(step: Parcel) -> bytes:
    """All that was sent, as some services say it back."""
    if isinstance(step, Mail):
        return repr((step.username, step.password)).encode()
    return step.body + step.url.encode() + repr(dict(step.headers)).encode()


def test_only_a_service_with_a_reference_reads_the_secret(recorded: World) -> None:
    def reads() -> int:
        return sum(r.path.endswith("/secrets/argo-rollouts-notification-secret") for r in recorded.requests)

    assert notify(recorded, "plain", "bare:x").code == ExitCode.OK
    assert notify(recorded, "plain", "console:stdout").code == ExitCode.OK
    assert reads() == 0
    assert notify(recorded, "plain", "slack:ops", "mattermost:town").code == ExitCode.OK
    assert reads() == 1


def test_the_configuration_of_the_controller_counts_where_the_namespace_has_none(waiting: World) -> None:
    services = waiting.carry_out = Services()
    theirs = {**META, "namespace": "argo-rollouts"}
    waiting.store.create(NAMESPACE, {"metadata": {"name": "argo-rollouts"}})
    waiting.store.create(CONFIGMAP, {"metadata": theirs, "data": RECORDED["config"]})
    data = {k: base64.b64encode(v.encode()).decode() for k, v in RECORDED["secret"].items()}
    secret = {"metadata": {**theirs, "name": "argo-rollouts-notification-secret"}, "data": data}
    waiting.store.create(SECRET, secret)
    ran = notify(waiting, "plain", "mattermost:town")
    assert (ran.code, ran.err) == (ExitCode.OK, "notifications are configured in namespace `argo-rollouts`\n")
    (sent,) = services.sent
    assert isinstance(sent, Post)
    assert sent.headers["Authorization"] == "Bearer xoxb-SLACK"
    waiting.faults.add(Fault(Answer(403), path="/namespaces/argo-rollouts/"))
    ran = notify(waiting, "plain", "mattermost:town")
    assert ran.code == ExitCode.NOT_FOUND
    configured(waiting, {"template.plain": "message: ours"})
    assert notify(waiting, "plain").out == "message: ours\n"


def test_who_may_not_read_the_secret_is_denied_and_nothing_is_sent(recorded: World) -> None:
    services = recorded.carry_out = Services()
    recorded.faults.add(Fault(Answer(403), path="/secrets"))
    ran = notify(recorded, "plain", "slack:ops")
    assert (ran.code, ran.out, services.sent) == (ExitCode.DENIED, "", [])


def test_config_map_and_secret_may_be_files(waiting: World) -> None:
    services = waiting.carry_out = Services()
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": RECORDED["config"]}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": META, "stringData": RECORDED["secret"]}
    (waiting.folder / "config.yaml").write_text(yaml.dump(config, Dumper=yaml.CSafeDumper))
    (waiting.folder / "secret.yaml").write_text(yaml.dump(secret, Dumper=yaml.CSafeDumper))
    files = ("--config-map", "config.yaml", "--secret", "secret.yaml")
    assert notify(waiting, "plain", "mattermost:town", more=files).code == ExitCode.OK
    (sent,) = services.sent
    assert isinstance(sent, Post)
    assert sent.headers["Authorization"] == "Bearer xoxb-SLACK"
    ran = notify(waiting, "plain", "mattermost:town", more=("--config-map", "config.yaml", "--secret", ":empty"))
    assert ran.code == ExitCode.OK
    assert ran.err == "the Secret has no `slack-token`: service `mattermost` gets `$slack-token` as it is\n"
    ran = notify(waiting, "plain", "mattermost:town", more=("--config-map", "config.yaml", "--secret", "config.yaml"))
    assert (ran.code, "there is no Secret in it" in ran.err) == (ExitCode.USAGE, True)


def test_with_files_alone_no_cluster_is_asked(waiting: World) -> None:
    services = waiting.carry_out = Services()
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": RECORDED["config"]}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": META, "stringData": RECORDED["secret"]}
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "filed"}}
    for name, obj in (("config", config), ("secret", secret), ("rollout", rollout)):
        (waiting.folder / f"{name}.yaml").write_text(yaml.dump(obj, Dumper=yaml.CSafeDumper))
    waiting.requests.clear()
    waiting.connect = lambda *_: pytest.fail("no cluster is needed")  # type: ignore[method-assign]
    files = ("--rollout-file", "rollout.yaml", "--config-map", "config.yaml", "--secret", "secret.yaml")
    ran = waiting.canary("notifications", "template", "notify", "plain", *files, "--recipient", "mattermost:town")
    assert (ran.code, waiting.requests) == (ExitCode.OK, []), ran
    (sent,) = services.sent
    assert isinstance(sent, Post)
    assert json.loads(sent.body)["message"] == "plain filed"


def test_several_recipients_get_it_one_after_the_other_and_the_first_that_fails_ends_it(recorded: World) -> None:
    recorded.carry_out = Services(Response(200, {}, TAKEN), Response(404, {}, b"no such channel"))
    ran = notify(recorded, "plain", "console:stdout", "slack:ops", "mattermost:none", "bare:x")
    assert (ran.code, ran.out) == (ExitCode.FAILED, "")
    assert "`mattermost:none` was not sent: 127.0.0.1:18080 answered 404: no such channel" in ran.err
    assert "before it the message was sent to `slack:ops`" in ran.err
    ran = notify(recorded, "plain", "console:stdout", "slack:ops")
    assert ran.out == "message: plain companyos-api\nsent to `slack:ops`: 127.0.0.1:18080 answered 200\n"
    found = notify(recorded, "plain", "slack:ops", more=("-o", "json")).json["data"]["sent"]
    assert [(s["recipient"], s["service"], s["server"], s["status"]) for s in found] == [
        ("slack:ops", "slack", "127.0.0.1:18080", 200)
    ]


@pytest.mark.parametrize(
    ("recipient", "answer", "code", "said"),
    [
        ("slack:ops", Response(200, {}, b'{"ok": false, "error": "invalid_auth"}'), 4, "invalid_auth"),
        ("slack:ops", Response(200, {}, b'{"ok": false, "error": "channel_not_found"}'), 1, "channel_not_found"),
        ("slack:ops", Response(200, {}, b"<html>\n\n<title>\x1b[31mproxy</title>"), 1, "<html> <title>\\x1b[31mproxy"),
        ("webex:room", Response(401, {}, b"who?"), 4, "webex:room` was not sent: 127.0.0.1:18080 answered 401: who?"),
        ("bare:x", Response(400, {}, b"a" * 500), 1, "a" * 199 + "a…"),
        (
            "teams:ch",
            Response(200, {}, b"Webhook message delivery failed"),
            1,
            "answered 200: Webhook message delivery",
        ),
        ("googlechat:space", Response(400, {}, b'{"error": {"code": 400, "status": "X"}}'), 1, "answered 400"),
        (
            "telegram:pub",
            Response(404, {}, b'{"ok":false,"description":"Not Found"}'),
            1,
            "api.telegram.org answered 404",
        ),
        ("pushover:u", Response(400, {}, b'{"status":0,"errors":["user is invalid"]}'), 1, "user is invalid"),
        ("rocketchat:#ch", Response(401, {}, b'{"status":"error"}'), 4, "answered 401"),
        ("email:a@b.c", Response(535, {}, b"5.7.8 bad credentials"), 4, "127.0.0.1:18025 answered 535: 5.7.8 bad"),
        ("html:a@b.c", Response(550, {}, b"no such user"), 1, "answered 550: no such user"),
        ("opsgenie:team", Response(422, {}, b'{"message": "no"}'), 1, "api.opsgenie.com answered 422"),
        ("grafana:a", Response(500, {}, b""), 1, "answered 500\n"),
    ],
)
def test_what_a_service_refuses_is_said_in_one_line(
    recorded: World, recipient: str, answer: Response, code: int, said: str
) -> None:
    services = recorded.carry_out = Services(answer)
    ran = notify(recorded, "plain", recipient)
    assert (ran.code, ran.out, len(services.sent)) == (code, "", 1)
    first, hint = ran.err.splitlines()
    assert said in first + "\n"
    service = recipient.partition(":")[0]
    assert hint == f"hint: check service `{service}` in the ConfigMap, the values of the Secret, and the recipient"


def lost(sent: bool) -> Unreachable:
    error = Unreachable("did not answer in time" if sent else "cannot be reached: Connection refused")
    error.sent = sent
    return error


def test_a_message_that_may_have_arrived_is_not_sent_twice(recorded: World) -> None:
    services = recorded.carry_out = Services(lost(sent=True))
    ran = recorded.canary("notifications", "template", "notify", "all", "companyos-api", "--recipient", "hook:x")
    assert (ran.code, len(services.sent)) == (ExitCode.UNOBSERVED, 1)
    assert ran.err == (
        "error: `hook:x`: 127.0.0.1:18080 did not answer in time: the message may have arrived\n"
        "hint: look there before you send it again\n"
    )


def test_a_webhook_is_tried_again_as_upstream_does(recorded: World) -> None:
    waits: list[float] = []
    recorded.sleep = waits.append  # type: ignore[method-assign]
    services = recorded.carry_out = Services(lost(sent=False), Response(503), Response(429), Response(200))
    assert notify(recorded, "plain", "bare:x").code == ExitCode.OK
    assert (waits, len(services.sent)) == ([1.0, 2.0, 4.0], 4)
    services = recorded.carry_out = Services(*[Response(500, {}, b"down")] * 9)
    ran = notify(recorded, "plain", "bare:x")
    assert (ran.code, len(services.sent)) == (ExitCode.FAILED, 4)
    assert "answered 500 (4 requests): down" in ran.err
    services = recorded.carry_out = Services(Response(501))
    assert (notify(recorded, "plain", "bare:x").code, len(services.sent)) == (ExitCode.FAILED, 1)


def test_one_alertmanager_that_takes_it_is_enough(waiting: World) -> None:
    config = {
        "service.alertmanager": "targets: [one:9093, two:9093, three:9093]\n",
        "template.t": "alertmanager: {labels: {severity: info}, generatorURL: 'https://x'}\n",
    }
    world = configured(waiting, config)
    services = world.carry_out = Services(lost(sent=False), Response(200))
    assert notify(world, "t", "alertmanager:x").out == "sent to `alertmanager:x`: two:9093 answered 200\n"
    services = world.carry_out = Services(Response(500), lost(sent=True), Response(400, {}, b"bad"))
    ran = notify(world, "t", "alertmanager:x")
    assert (ran.code, len(services.sent), "three:9093 answered 400: bad" in ran.err) == (ExitCode.FAILED, 3, True)


def test_a_value_of_the_secret_in_a_message_is_sent_and_masked_where_it_is_printed(waiting: World) -> None:
    template = "message: 'key {{ .secrets.key | toString }} {{ .secrets.none }}'\n"
    world = configured(waiting, {"service.webhook.w": "url: http://w/", "template.t": template}, {"key": "k3y"})
    services = world.carry_out = Services()
    assert notify(world, "t", "w:x").code == ExitCode.OK
    assert isinstance(services.sent[0], Post)
    assert services.sent[0].body == b"key k3y <no value>"
    ran = notify(world, "t", "w:x", more=("-o", "json"))
    assert ran.json["data"]["message"] == {"message": "key *** ***"}
    world.requests.clear()
    ran = notify(world, "t")
    assert (ran.out, ran.err) == ("message: key *** ***\n", "values of the Secret are shown as ***\n")
    assert not [r for r in world.requests if "secrets" in r.path]


def test_a_mistake_with_a_value_of_the_secret_shows_nothing_of_it(waiting: World) -> None:
    template = "message: '{{ .secrets.key.x }}{{ (.secrets.key | toString).y }}'\n"
    world = configured(waiting, {"service.webhook.w": "url: http://w/", "template.t": template}, {"key": "k3y"})
    ran = notify(world, "t", "w:x")
    assert (ran.code, "k3y" in ran.err) == (ExitCode.FAILED, False)


def test_names_of_fields_and_options_may_be_in_any_case_and_others_are_ignored(waiting: World) -> None:
    part = "{title: t, priorityID: P1, urgent: x}"
    config = {"service.pagerduty": "Token: t0ken\n", "template.t": f"message: m\nPagerDuty: {part}\nsleck: {{}}\n"}
    world = configured(waiting, config)
    services = world.carry_out = Services()
    ran = notify(world, "t", "pagerduty:S")
    assert ran.code == ExitCode.OK
    (sent,) = services.sent
    assert isinstance(sent, Post)
    assert sent.headers["Authorization"] == "Token token=t0ken"
    assert json.loads(sent.body)["incident"]["priority"] == {"id": "P1", "type": "priority"}
    assert ran.err == (
        "`pagerduty.urgent` is not a field of a template: it is ignored\n"
        "`sleck` is not a field of a template: it is ignored\n"
    )


@pytest.mark.parametrize(
    ("recipient", "code", "error", "hint"),
    [
        ("slak:ops", 5, "there is no service `slak` in the ConfigMap", "did you mean `slack`?"),
        ("teams:none", 5, "service `teams` has no recipient `none` in `recipientUrls`", "use one of `ch`"),
        (":ops", 2, "`:ops` is not a recipient", "use SERVICE:NAME, e.g. slack:ops"),
        ("slack:a:b", 2, "`slack:a:b` is not a recipient", "use SERVICE:NAME, e.g. slack:ops"),
        ("telegram:-1x", 2, "`-1x` is not a chat of Telegram", "a group is a number"),
        ("github:x", 7, "this program cannot send to a service of type `github`", "use the plugin: `kubectl argo"),
        ("queue:x", 7, "this program cannot send to a service of type `awssqs`", "use the plugin: `kubectl argo"),
        ("pagerdutyv2:svc", 1, "the template has nothing for service `pagerdutyv2`", "add the service's part"),
    ],
)
def test_a_recipient_that_cannot_be_sent_to_is_an_error(
    recorded: World, recipient: str, code: int, error: str, hint: str
) -> None:
    services = recorded.carry_out = Services()
    config = {**RECORDED["config"], "service.github": "appID: 1\n", "service.awssqs.queue": "region: x\n"}
    recorded.store.delete(CONFIGMAP, "companyos", META["name"])
    recorded.store.create(CONFIGMAP, {"metadata": META, "data": config})
    ran = recorded.canary("notifications", "template", "notify", "plain", "companyos-api", "--recipient", recipient)
    assert (ran.code, ran.out, services.sent) == (code, "", [])
    assert (ran.code == ExitCode.REFUSED) == ("use the plugin" in hint), "what another program can do is refused"
    assert ran.err.startswith(f"error: {error}")
    assert f"\nhint: {hint}" in ran.err


@pytest.mark.parametrize(
    ("service", "template", "said"),
    [
        ("service.email: {host: h, port: '25', from: a@b.c}", "message: x", "`port` of service `email` is not a whole"),
        ("service.slack: {token: t}", "slack: {attachments: '[{'}", "`attachments` of the template is not valid JSON"),
        ("service.slack: 'a: b: c'", "message: x", "service `slack`, line 1: "),
        ("service.webhook.slack: {url: 'http://x', retryMax: a}", "message: x", "`retryMax` of service `slack` is not"),
    ],
)
def test_options_and_parts_that_cannot_be_used_are_named(
    waiting: World, service: str, template: str, said: str
) -> None:
    key, _, text = service.partition(": ")
    world = configured(
        waiting, {key: yaml.load(text, yaml.CSafeLoader) if text.startswith("'") else text, "template.t": template}
    )
    ran = notify(world, "t", f"{key.rpartition('.')[2]}:x")
    assert (ran.code, ran.out) == (ExitCode.FAILED, "")
    assert said in ran.err


def test_a_secret_without_base64_is_named_without_its_value(waiting: World) -> None:
    world = configured(waiting, {"service.webhook.w": "url: $url", "template.t": "message: x"})
    (world.folder / "s.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {url: 'http://no'}\n"
    )
    ran = notify(world, "t", "w:x", more=("--secret", "s.yaml"))
    assert (ran.code, "http://no" in ran.err) == (ExitCode.FAILED, False)
    assert "`url` in `data` of the Secret is not base64" in ran.err
