"""A secret in every place that can hold one, and a broad run of verbs over it: `tests.printed` searches all that they
print. The connection is the real one, over TLS on loopback."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import Struct

from companyos_canary import adapters
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.credentials import make_identity
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, POD, SECRET
from companyos_canary.sandbox.server import Server
from tests.commands.conftest import freeze, installed, sized
from tests.printed import SECRETS
from tests.world import CONFIG, Ran, World

PLANTED = SECRETS[0]
PASSWORD = f"jane:{PLANTED}@"
HEADERS = {"authorization": f"Bearer {PLANTED}"}
VERBS = (
    *("status -v", "get -v", "get -o json", "list -o json", "history -v", "events", "analysis -v", "metrics -v"),
    *(
        "metrics --query error-rate",
        "metrics -o json",
        "why",
        "doctor",
        "version -v",
        "version -o json",
        "links",
        "logs",
    ),
    *("diff v1.2.0 -o json", "diff --canary", "apply v1.1.0 --dry-run", "history --diff 1 2", "plan"),
    *("analysis -o json", "watch --timeout 1s -v", "watch --timeout 1s -o json", "deploy v9 --dry-run -v"),
    *("abort --dry-run -v", "promote", "undo --dry-run -v", "pause -v", "resume -v", "diff v1.2.0"),
)
EXEC = "client.authentication.k8s.io/v1"
Users = Callable[[Path], dict[str, Any]]


def in_a_file(text: str) -> Users:
    def user(folder: Path) -> dict[str, Any]:
        (folder / "token").write_text(text)
        return {"tokenFile": str(folder / "token")}

    return user


def plugin(body: str) -> Users:
    """A program that is asked for credentials; its arguments and variables are secret, too."""

    def user(folder: Path) -> dict[str, Any]:
        path = folder / "login"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        told = {"apiVersion": EXEC, "kind": "ExecCredential", "status": {"token": f"{PLANTED}\n"}}
        (folder / "told").write_text(json.dumps(told))
        arguments = ["get-token", f"--oidc-client-secret={PLANTED}", "--password", PLANTED, f"-p{PLANTED}"]
        env = [{"name": "CLIENT_SECRET", "value": PLANTED}, {"name": "TOLD", "value": str(folder / "told")}]
        return {"exec": {"apiVersion": EXEC, "command": str(path), "args": arguments, "env": env}}

    return user


def provider(name: str, **config: str) -> Users:
    kept = {"id-token": PLANTED, "access-token": PLANTED, "client-secret": PLANTED, "refresh-token": PLANTED, **config}
    return lambda _: {"auth-provider": {"name": name, "config": kept}}


USERS: dict[str, Users] = {
    "token": lambda _: {"token": PLANTED},
    "token with a line end": lambda _: {"token": f"{PLANTED}\n"},
    "token that no header can carry": lambda _: {"token": f"{PLANTED}\nX: {PLANTED}"},
    "token of another": lambda _: {"token": f"x{PLANTED}"},
    "file": in_a_file(f"{PLANTED}\r\n"),
    "file of two lines": in_a_file(f"{PLANTED}\n{PLANTED}\n"),
    "file that is missing": lambda folder: {"tokenFile": str(folder / "gone"), "token": PLANTED},
    "password": lambda _: {"username": "jane", "password": PLANTED},
    "plugin": plugin('cat "$TOLD"'),
    "plugin that fails": plugin('echo "no: $* $CLIENT_SECRET" >&2; echo "$*"; exit 3'),
    "plugin that tells something else": plugin('echo "{\\"token\\": \\"$CLIENT_SECRET\\"}"'),
    "plugin that tells half of it": plugin('head -c 90 "$TOLD"'),
    "plugin of another version": plugin('sed s/v1/v7/ "$TOLD"'),
    "plugin that is missing": lambda _: {"exec": {"apiVersion": EXEC, "command": "gone", "args": [PLANTED]}},
    "oidc": provider("oidc", **{"idp-issuer-url": f"https://{PASSWORD}127.0.0.1:1"}),
    "gcp": provider("gcp", **{"cmd-args": f"--secret={PLANTED}"}),
    "another provider": provider("mine"),
    "key": lambda _: {
        "client-certificate-data": PLANTED,
        "client-key-data": base64.b64encode(PLANTED.encode()).decode(),
    },
    "impersonation": lambda _: {"token": PLANTED, "as": f"a\n{PLANTED}", "as-user-extra": {"k": [PLANTED]}},
}
CLUSTERS: dict[str, Callable[[str], dict[str, str]]] = {
    "as it is": lambda url: {},
    "a password in its address": lambda url: {"server": url.replace("://", f"://{PASSWORD}")},
    "a password for no one": lambda url: {"server": f"https://{PASSWORD}127.0.0.1:1"},
    "a password in an address that is none": lambda url: {"server": f"https://{PASSWORD}[::1"},
    "a password that is not quoted": lambda url: {"server": f"https://jane:p@{PLANTED}@127.0.0.1:1/x?token={PLANTED}"},
    "plain http": lambda url: {"server": f"http://{PASSWORD}127.0.0.1:1"},
    "a proxy": lambda url: {"proxy-url": f"http://{PASSWORD}127.0.0.1:1"},
    "a proxy of another kind": lambda url: {"proxy-url": f"socks5://{PASSWORD}127.0.0.1:1"},
    "a proxy that is none": lambda url: {"proxy-url": f"ftp://{PASSWORD}127.0.0.1:1"},
    "an unknown certificate": lambda url: {"certificate-authority-data": ""},
}
PROXIES = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"), f"http://{PASSWORD}127.0.0.1:1")


class Stage(Struct):
    """A world that is asked over TLS; `refuses` answers in its place, if it is set."""

    world: World
    url: str
    ca: bytes
    refuses: int = 0

    def kubeconfig(self, user: dict[str, Any], cluster: dict[str, str]) -> None:
        ca = base64.b64encode(self.ca).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.url, "certificate-authority-data": ca, **cluster}}],
            "users": [{"name": "jane", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "jane", "namespace": "companyos"}}],
        }
        (self.world.folder / "kubeconfig").write_text(yaml.safe_dump(content))

    def run(self, verb: str) -> Ran:
        environ = {
            "KUBECONFIG": str(self.world.folder / "kubeconfig"),
            "HOME": str(self.world.folder),
            "TOKEN": PLANTED,
            "PATH": "/usr/bin:/bin",
            **PROXIES,
            "NO_PROXY": "",
        }
        return self.world.canary(*verb.split(), environ=environ)


@contextmanager
def opened(folder: Path) -> Iterator[Stage]:
    world = installed(folder, sized(CONFIG, 4))
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(2)
    identity = make_identity()
    stage = Stage(world, "", identity.ca)

    def handle(request: Request) -> Response:
        if stage.refuses:
            told = json.dumps({"kind": "Status", "message": f"no: {dict(request.headers)}"}).encode()
            return Response(stage.refuses, {}, told)
        return world.faults(request)

    server = Server(handle, tls=identity.context, token=PLANTED).start()
    stage.url = server.url
    world.connect = adapters.connect  # type: ignore[method-assign]
    try:
        yield stage
    finally:
        server.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened(tmp_path) as made:
        yield made


def in_the_cluster(world: World) -> None:
    """A Secret, what an AnalysisRun read from it, the environment of pods, and the address of a Prometheus."""
    store = world.store
    store.create(SECRET, {"metadata": {"namespace": "companyos", "name": "tok"}, "data": {"k": PLANTED}})
    for found in store.items(POD, "companyos"):
        pod = deepcopy(found)
        pod["spec"]["containers"][0]["env"] = [{"name": "DATABASE", "value": f"postgres://{PASSWORD}db"}]
        pod["metadata"].setdefault("annotations", {})["login"] = PLANTED
        store.update(POD, pod)
    for kind in (ANALYSISTEMPLATE, ANALYSISRUN):
        for found in store.items(kind, "companyos"):
            store.update(kind, _with_a_secret(deepcopy(found)))
    freeze(world)


def _with_a_secret(found: dict[str, Any]) -> dict[str, Any]:
    spec = found["spec"]
    spec["args"] = [*spec.get("args", []), {"name": "tok", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "k"}}}]
    for metric in spec["metrics"]:
        prometheus = metric["provider"]["prometheus"]
        prometheus["address"] = f"http://{PASSWORD}prometheus.monitoring:9090"
        prometheus["headers"] = [{"key": "Authorization", "value": PLANTED}]
        prometheus["query"] = f"{prometheus['query']} or up{{t='{{{{args.tok}}}}'}}"
    for result in found.get("status", {}).get("metricResults", []):
        query = next(m["provider"]["prometheus"]["query"] for m in spec["metrics"] if m["name"] == result["name"])
        told = f"cannot parse {query.replace('{{args.tok}}', PLANTED)}"
        result["metadata"] = {"ResolvedPrometheusQuery": query.replace("{{args.tok}}", PLANTED)}
        result["message"] = f'Post "http://{PASSWORD}prometheus.monitoring:9090/api/v1/query": {told}'
        for measurement in result.get("measurements", []):
            measurement["message"] = result["message"]
    return found


@pytest.mark.parametrize("name", USERS)
def test_no_verb_prints_the_credentials_of_a_user(stage: Stage, name: str) -> None:
    stage.kubeconfig(USERS[name](stage.world.folder), {})
    codes = {stage.run(verb).code for verb in ("status -v", "version -v", "doctor", "pause -v")}
    assert codes <= {0, 1, 2, 3, 4, 8}


@pytest.mark.parametrize("name", CLUSTERS)
def test_no_verb_prints_a_password_of_an_address(stage: Stage, name: str) -> None:
    stage.kubeconfig({"token": PLANTED}, CLUSTERS[name](stage.url))
    codes = {
        stage.run(f"{verb} --request-timeout 2s").code for verb in ("status -v", "version -v", "doctor", "pause -v")
    }
    assert codes <= {0, 1, 2, 3, 4, 8}


@pytest.mark.parametrize("code", [401, 403, 404, 409, 422, 500])
def test_no_verb_prints_what_a_server_tells_back_of_the_credentials(stage: Stage, code: int) -> None:
    """Some proxies answer with the headers of the request."""
    stage.kubeconfig({"token": PLANTED}, {})
    stage.refuses = code
    for verb in ("status -v", "version -v", "pause -v", "list"):
        assert stage.run(verb).code


@pytest.mark.parametrize("prometheus", ["url", "cli_url"])
def test_no_verb_prints_a_secret_of_the_cluster_or_of_a_prometheus(stage: Stage, prometheus: str) -> None:
    world = stage.world
    stage.kubeconfig({"token": PLANTED}, {})
    config = f"prometheus: {{{prometheus}: 'http://{PASSWORD}127.0.0.1:1/x?token={PLANTED}'}}\n"
    (world.folder / "canary.yaml").write_text(CONFIG + config)
    world.metrics = adapters.prometheus  # type: ignore[method-assign]
    in_the_cluster(world)
    found = []
    for verb in VERBS:
        try:
            stage.run(verb)
        except AssertionError as error:
            found.append(str(error).splitlines()[0])
    assert not found


@pytest.mark.parametrize("verb", ["diff", "diff -o json", "apply --dry-run", "apply --dry-run -o json", "apply"])
def test_a_variable_that_is_called_as_a_secret_changes_without_its_value(world: World, verb: str) -> None:
    variables = [{"name": "DB_PASSWORD", "value": PLANTED}, {"name": "DATABASE", "value": f"postgres://{PASSWORD}db"}]
    container = {"name": "companyos-api", "env": variables}
    meta = {"name": "companyos-api"}
    merged = {"kind": "Rollout", "metadata": meta, "spec": {"template": {"spec": {"containers": [container]}}}}
    (world.folder / "more.yaml").write_text(yaml.safe_dump(merged))
    (world.folder / "canary.yaml").write_text(f"{CONFIG}merge: [more.yaml]\n")
    ran = world.canary(*verb.split())
    assert "DB_PASSWORD" in ran.out + ran.err, ran
    assert "***" in ran.out + ran.err, ran
