"""Every way into a cluster, and what is said if there is none."""

import base64
import json
import logging
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.credentials import Connection, open_transport
from companyos_canary.errors import ConfigError, Unauthenticated, Unreachable, Untrusted, UsageError
from companyos_canary.model.http import Request
from tests.cluster.wire import answer, certificate, encrypted, serving

ANY = {"insecure-skip-tls-verify": True}


@pytest.fixture
def made() -> Any:
    """Connects and closes what it opened."""
    opened: list[Connection] = []

    def make(kubeconfig: Path | None = None, context: str | None = None, **more: Any) -> Connection:
        more.setdefault("environ", {"HOME": "/nonexistent"})
        file = str(kubeconfig) if kubeconfig else None
        opened.append(open_transport(file, context, timeout=5, **more))
        return opened[-1]

    yield make
    for connection in opened:
        connection.transport.close()


def config(user: dict[str, Any] | None = None, server: str = "http://one", **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "jane", "user": user or {}}],
        "contexts": [
            {"name": "prod", "context": {"cluster": "c", "user": "jane", "namespace": "shop"}},
            {"name": "dev", "context": {"cluster": "c", "user": "jane"}},
        ],
    }


def written(folder: Path, content: Any, name: str = "config") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def authorization(connection: Connection) -> str:
    return connection.transport._authorize()  # the header that every request will carry


def test_the_context_names_namespace_and_server(tmp_path: Path, made: Any) -> None:
    got = made(written(tmp_path, config()))
    assert (got.context, got.namespace, got.transport.server) == ("prod", "shop", "http://one")
    assert made(written(tmp_path, config()), "dev").namespace == "default"


def test_the_kubeconfig_of_the_environment_and_of_the_home_are_found(tmp_path: Path, made: Any) -> None:
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    written(home / ".kube", config(server="http://home"))
    env = written(tmp_path, config(server="http://env"))
    assert made(environ={"HOME": str(home)}).transport.server == "http://home"
    assert made(environ={"HOME": str(home), "KUBECONFIG": str(env)}).transport.server == "http://env"


def test_of_several_files_the_first_current_context_wins_as_in_kubectl(tmp_path: Path, made: Any) -> None:
    one = written(tmp_path, config(server="http://one"), "one")
    other = config(server="http://two")
    other["current-context"] = "dev"
    other["contexts"].append({"name": "only-two", "context": {"cluster": "c", "user": "jane"}})
    two = written(tmp_path, other, "two")
    environ = {"KUBECONFIG": os.pathsep.join([str(tmp_path / "missing"), str(one), str(two)])}
    assert made(environ=environ).context == "prod"
    got = made(environ=environ, context="only-two")
    assert (got.context, got.transport.server) == ("only-two", "http://one")


def test_a_token_is_sent(tmp_path: Path, made: Any) -> None:
    with encrypted(answer(200, b"{}")) as server:
        made(written(tmp_path, config({"token": "t0k"}, server.url, **ANY))).transport.send(Request("GET", "/version"))
        assert server.requests[0].headers["authorization"] == "Bearer t0k"


def test_a_token_file_is_read_beside_its_kubeconfig(tmp_path: Path, made: Any) -> None:
    written(tmp_path, "from-file", "token")
    got = made(written(tmp_path, config({"tokenFile": "token"})))
    assert authorization(got) == "Bearer from-file"


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path, made: Any) -> None:
    token = written(tmp_path, "one", "token")
    got = made(written(tmp_path, config({"tokenFile": "token"}, "https://one")))
    assert authorization(got) == "Bearer one"
    token.write_text("two")
    assert authorization(got) == "Bearer two"
    token.unlink()
    with pytest.raises(Unauthenticated, match=r"the token file `.*` cannot be read"):
        got.transport.send(Request("GET", "/version"))


def test_a_user_that_acts_as_another_does_so(tmp_path: Path, made: Any) -> None:
    user = {"token": "t", "as": "admin", "as-groups": ["a", "b"]}
    with serving(answer(200, b"{}")) as server:
        made(written(tmp_path, config(user, server.url))).transport.send(Request("GET", "/version"))
        headers = server.requests[0].headers
    assert headers["impersonate-user"] == "admin"
    assert headers["impersonate-group"] in ("a, b", "b")


def test_a_proxy_is_used(tmp_path: Path, made: Any) -> None:
    with serving(answer(200, b"{}")) as proxy:
        file = written(tmp_path, config({"token": "t"}, **{"proxy-url": proxy.url}))
        got = made(file)
        assert got.transport.send(Request("GET", "/version")).status == 200
        assert proxy.seen == ["GET http://one/version"]
        assert "authorization" not in proxy.requests[0].headers


def test_behind_a_proxy_a_plugin_that_fails_is_told_too(
    tmp_path: Path, made: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    user = plugin(tmp_path, "echo session expired >&2; exit 3")
    file = written(tmp_path, config(user, **{"proxy-url": "http://proxy"}))
    with pytest.raises(Unauthenticated, match=r"of user `jane` failed: .*session expired"):
        made(file)
    assert capfd.readouterr() == ("", "")


def test_an_auth_provider_gives_its_token(tmp_path: Path, made: Any) -> None:
    claims = base64.urlsafe_b64encode(b'{"exp": 99999999999}').decode().rstrip("=")
    token = f"a.{claims}.c"
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
    assert authorization(made(written(tmp_path, config(user)))) == f"Bearer {token}"


def test_the_transport_knows_when_what_it_sends_ends(tmp_path: Path, made: Any) -> None:
    claims = base64.urlsafe_b64encode(b'{"exp": 4102444800}').decode().rstrip("=")
    (tmp_path / "token").write_text(f"a.{claims}.c\n")
    pem, key = (base64.b64encode(part).decode() for part in certificate())  # for a day
    ends = {
        "a file": {"tokenFile": "token"},
        "both": {"token": f"a.{claims}.c", "client-certificate-data": pem, "client-key-data": key},
        "neither": {"token": "opaque"},
    }
    found = {name: made(written(tmp_path, config(user))).transport.expires for name, user in ends.items()}
    assert found["a file"] == datetime(2100, 1, 1, tzinfo=UTC)
    assert found["both"] < datetime.now(UTC) + timedelta(days=2)
    assert found["neither"] is None


def test_an_auth_provider_that_cannot_be_used_is_told(tmp_path: Path, made: Any) -> None:
    provider = {"name": "gcp", "config": {"cmd-path": "/none", "expiry": "2020-01-01T00:00:00Z"}}
    with pytest.raises(Unauthenticated, match="auth-provider `gcp`, which is gone") as raised:
        made(written(tmp_path, config({"auth-provider": provider})))
    assert "gke-gcloud-auth-plugin" in raised.value.hint


def test_name_and_password_are_sent(tmp_path: Path, made: Any) -> None:
    got = made(written(tmp_path, config({"username": "u", "password": "p"})))
    assert authorization(got) == "Basic " + base64.b64encode(b"u:p").decode()


def test_no_credentials_are_no_header(tmp_path: Path, made: Any) -> None:
    assert authorization(made(written(tmp_path, config()))) == ""


def test_certificates_of_both_sides_are_used(tmp_path: Path, made: Any) -> None:
    cert, key = certificate()
    (tmp_path / "cert.pem").write_bytes(cert)
    (tmp_path / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.load_verify_locations(tmp_path / "cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    user = {"client-certificate": "cert.pem", "client-key-data": base64.b64encode(key).decode()}
    authority = {"certificate-authority-data": base64.b64encode(cert).decode()}
    with serving(answer(200, b"{}"), context=context) as server:
        got = made(written(tmp_path, config(user, server.url, **authority)))
        assert got.transport.send(Request("GET", "/version")).status == 200


def test_the_name_in_the_certificate_may_be_another_than_in_the_address(tmp_path: Path, made: Any) -> None:
    cert, key = certificate("10.1.2.3")
    (tmp_path / "both.pem").write_bytes(cert + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    authority = {"certificate-authority-data": base64.b64encode(cert).decode()}
    with serving(answer(200, b"{}"), context=context) as server:
        with pytest.raises(Unreachable, match="is not trusted: IP address mismatch"):
            made(written(tmp_path, config({}, server.url, **authority))).transport.send(Request("GET", "/version"))
        named = {**authority, "tls-server-name": "10.1.2.3"}
        got = made(written(tmp_path, config({}, server.url, **named)))
        assert got.transport.send(Request("GET", "/version")).status == 200


def test_a_cluster_that_need_not_be_verified_is_not_nagged_about(tmp_path: Path, made: Any) -> None:
    cert, key = certificate()
    (tmp_path / "cert.pem").write_bytes(cert + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem")
    with serving(answer(200, b"{}"), context=context) as server:
        file = written(tmp_path, config({}, server.url, **{"insecure-skip-tls-verify": True}))
        assert made(file).transport.send(Request("GET", "/version")).status == 200


def plugin(folder: Path, script: str, **more: Any) -> dict[str, Any]:
    path = written(folder, f"#!/bin/sh\n{script}\n", "plugin")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": str(path), **more}}


def test_a_plugin_gives_the_token(tmp_path: Path, made: Any) -> None:
    credential = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
        ' "status": {"token": "from-plugin"}}'
    )
    got = made(written(tmp_path, config(plugin(tmp_path, f"echo '{credential}'"))))
    assert authorization(got) == "Bearer from-plugin"


def test_a_plugin_gives_a_certificate(tmp_path: Path, made: Any) -> None:
    cert, key = certificate()
    status = {"clientCertificateData": cert.decode(), "clientKeyData": key.decode()}
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    written(tmp_path, json.dumps(credential), "answer.json")
    (tmp_path / "both.pem").write_bytes(cert + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    context.load_verify_locations(cadata=cert.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(answer(200, b"{}"), context=context) as server:
        user = plugin(tmp_path, f"cat {tmp_path}/answer.json")
        authority = {"certificate-authority-data": base64.b64encode(cert).decode()}
        got = made(written(tmp_path, config(user, server.url, **authority)))
        assert got.transport.send(Request("GET", "/version")).status == 200
        assert "authorization" not in server.requests[0].headers


def test_a_plugin_is_told_what_it_wants_to_know(tmp_path: Path, made: Any) -> None:
    script = f'echo "$KUBERNETES_EXEC_INFO $PROFILE $1" > {tmp_path}/told; exit 1'
    user = plugin(tmp_path, script, provideClusterInfo=True, args=["login"], env=[{"name": "PROFILE", "value": "prod"}])
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    with pytest.raises(Unauthenticated):
        made(written(tmp_path, config(user, extensions=[extension])))
    info, profile, argument = (tmp_path / "told").read_text().rsplit(" ", 2)
    assert (profile, argument) == ("prod", "login\n")
    assert json.loads(info)["spec"] == {
        "interactive": False,
        "cluster": {"server": "http://one", "config": {"audience": "x"}},
    }


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("no json", "its answer is not an ExecCredential"),
        ("[]", "its answer is not an ExecCredential"),
        ('{"apiVersion": "client.authentication.k8s.io/v1", "status": {}}', "neither a token"),
        ('{"apiVersion": "v0", "status": {"token": "t"}}', "it speaks `v0`"),
    ],
)
def test_a_plugin_that_answers_something_else_is_told(tmp_path: Path, made: Any, output: str, reason: str) -> None:
    with pytest.raises(Unauthenticated, match=reason):
        made(written(tmp_path, config(plugin(tmp_path, f"echo '{output}'"))))


def test_a_plugin_that_fails_is_told_with_its_own_words(
    tmp_path: Path, made: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, config(plugin(tmp_path, "echo session expired >&2; exit 3")))
    with pytest.raises(Unauthenticated) as failure:
        made(file)
    assert failure.value.message == (
        f"the credential plugin `{tmp_path}/plugin` of user `jane` failed: it ended with 3: session expired"
    )
    assert capfd.readouterr() == ("", "")


def test_a_plugin_that_is_missing_is_told_with_its_install_hint(tmp_path: Path, made: Any) -> None:
    user = plugin(tmp_path, "", installHint="brew install login-tool")
    (tmp_path / "plugin").unlink()
    with pytest.raises(Unauthenticated, match="No such file") as failure:
        made(written(tmp_path, config(user)))
    assert failure.value.hint == "brew install login-tool"


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_token_that_is_no_longer_accepted_is_renewed_once(tmp_path: Path, made: Any, method: str) -> None:
    credential = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "T"}}'
    script = f"echo x >> {tmp_path}/runs; echo '{credential}' | sed s/T/t$(wc -l < {tmp_path}/runs)/"
    with encrypted(answer(401), answer(200), answer(401), answer(401)) as server:
        got = made(written(tmp_path, config(plugin(tmp_path, script), server.url, **ANY)))
        assert got.transport.send(Request(method, "/version")).status == 200
        assert got.transport.stream(Request("GET", "/version")).status == 401
        tokens = [r.headers["authorization"] for r in server.requests]
    assert tokens == ["Bearer t1", "Bearer t2", "Bearer t2", "Bearer t3"]


def test_a_plugin_that_fails_later_is_told_then(tmp_path: Path, made: Any) -> None:
    credential = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
        ' "status": {"token": "old", "expirationTimestamp": "2020-01-01T00:00:00Z"}}'
    )
    script = f"test -e {tmp_path}/second && exit 1; touch {tmp_path}/second; echo '{credential}'"
    got = made(written(tmp_path, config(plugin(tmp_path, script), "https://one")))
    with pytest.raises(Unauthenticated, match="it ended with 1"):
        got.transport.send(Request("GET", "/version"))
    assert got.transport.requests == 0


def test_the_library_makes_no_noise_of_its_own(tmp_path: Path) -> None:
    file = written(tmp_path, config(plugin(tmp_path, "exit 3")))
    code = (
        "from companyos_canary.cluster.credentials import open_transport\n"
        "try: open_transport(r'%s', None, environ={}, timeout=5)\n"
        "except Exception as e: print(type(e).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code % file], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("Unauthenticated\n", "")


def test_ordinary_credentials_do_not_load_the_library(tmp_path: Path) -> None:
    file = written(tmp_path, config({"token": "t"}, "https://one"))
    code = (
        "import sys\n"
        "from companyos_canary.cluster.credentials import open_transport\n"
        f"open_transport({str(file)!r}, None, environ={{}}, timeout=5)\n"
        "sys.exit('kubernetes' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_logging_is_left_as_it_was(tmp_path: Path, made: Any) -> None:
    before = list(logging.getLogger().handlers)
    made(written(tmp_path, config()))
    assert logging.getLogger().handlers == before


def test_inside_a_pod_the_service_account_is_used(tmp_path: Path, made: Any) -> None:
    ca = certificate()[0].decode()
    for name, text in {"token": "sa\n", "ca.crt": ca, "namespace": "shop\n"}.items():
        written(tmp_path, text, name)
    environ = {"HOME": "/nonexistent", "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    got = made(environ=environ, service_account=tmp_path)
    assert (got.context, got.namespace, got.transport.server) == ("in-cluster", "shop", "https://10.0.0.1:443")
    assert authorization(got) == "Bearer sa"
    with pytest.raises(ConfigError, match="service account cannot be used"):
        made(environ=environ, service_account=tmp_path / "none")


def test_no_kubeconfig_at_all_is_told() -> None:
    with pytest.raises(ConfigError, match="no kubeconfig: neither KUBECONFIG nor"):
        open_transport(None, None, environ={"HOME": "/nonexistent"}, timeout=5)


def test_a_named_kubeconfig_must_exist(tmp_path: Path, made: Any) -> None:
    with pytest.raises(ConfigError, match=r"the kubeconfig `.*/none` does not exist"):
        made(tmp_path / "none")


def test_an_unknown_context_is_told_with_near_and_known_names(tmp_path: Path, made: Any) -> None:
    with pytest.raises(UsageError) as failure:
        made(written(tmp_path, config()), "prd")
    assert failure.value.message == "the kubeconfig has no context `prd`"
    assert failure.value.hint == "did you mean `prod`? contexts: dev, prod"


def test_no_current_context_is_told_with_the_choices(tmp_path: Path, made: Any) -> None:
    content = config()
    del content["current-context"]
    with pytest.raises(UsageError, match="has no `current-context`") as failure:
        made(written(tmp_path, content))
    assert failure.value.hint == "choose one with --context; contexts: dev, prod"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("just words", "is not a kubeconfig"),
        ("[1, 2]", "is not a kubeconfig"),
        ("a: [1\nb: 2\n", r"is not valid YAML: .* \(line 2 of"),
        ({"contexts": [{"name": "x", "context": {}}], "current-context": "x"}, "cannot be used"),
        ({**config(), "clusters": []}, "cannot be used: it needs the cluster `c`"),
        (config(server="https://x", **{"certificate-authority": "gone.pem"}), r"`.*gone\.pem`: No such file"),
        (config(server="https://x", **{"certificate-authority-data": "YQ"}), "cannot be used"),
    ],
)
def test_a_broken_kubeconfig_is_told(tmp_path: Path, made: Any, content: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        made(written(tmp_path, content))


def test_a_folder_is_no_kubeconfig(tmp_path: Path, made: Any) -> None:
    with pytest.raises(ConfigError, match=f"`{tmp_path}` cannot be read: it is a directory"):
        made(tmp_path)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, companyos_canary.cluster.client, companyos_canary.cluster.credentials, "
        "companyos_canary.cluster.feed\n"
        "heavy = {'kubernetes', 'urllib3', 'yaml', 'httpx', 'rich'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("user", [{"token": "t0k"}, {"username": "u", "password": "t0k"}])
def test_credentials_do_not_go_in_clear_and_that_is_said(tmp_path: Path, made: Any, user: dict[str, Any]) -> None:
    with serving(answer(401)) as server:
        got = made(written(tmp_path, config(user, server.url)))
        cluster = Cluster(got.transport, "shop")
        with pytest.raises(Unauthenticated) as raised:
            cluster.version()
    assert "authorization" not in server.requests[0].headers
    assert f"those of user `jane` are not sent to `{server.url}`: it is not encrypted" in raised.value.message


def test_a_user_without_credentials_is_told_so(tmp_path: Path, made: Any) -> None:
    with encrypted(answer(401)) as server:
        cluster = Cluster(made(written(tmp_path, config({}, server.url, **ANY))).transport, "shop")
        with pytest.raises(Unauthenticated, match="user `jane` of context `prod` has none in the kubeconfig"):
            cluster.version()


def test_base64_in_lines_is_read_and_anything_else_is_named(tmp_path: Path, made: Any) -> None:
    cert, _ = certificate()
    lines = base64.encodebytes(cert).decode()
    assert lines.count("\n") > 1
    made(written(tmp_path, config(server="https://one", **{"certificate-authority-data": lines})))
    wrong = written(tmp_path, config(server="https://one", **{"certificate-authority-data": "not*base64"}))
    with pytest.raises(ConfigError, match="`certificate-authority-data` of `c` is not base64"):
        made(wrong)


@pytest.mark.parametrize("kind", ["contexts", "clusters", "users"])
def test_two_of_one_name_are_refused(tmp_path: Path, made: Any, kind: str) -> None:
    content = config()
    content[kind].append(content[kind][0])
    with pytest.raises(ConfigError, match=rf"{kind[:-1]} `\w+` is defined twice in `.*config`"):
        made(written(tmp_path, content))


def test_a_server_without_a_scheme_and_a_contradiction_are_refused(tmp_path: Path, made: Any) -> None:
    with pytest.raises(ConfigError, match=r"`server` of cluster `c` needs https:// before `127\.0\.0\.1:6443`"):
        made(written(tmp_path, config(server="127.0.0.1:6443")))
    both = {"certificate-authority-data": "eA==", "insecure-skip-tls-verify": True}
    with pytest.raises(ConfigError, match="a certificate authority and insecure-skip-tls-verify"):
        made(written(tmp_path, config(server="https://one", **both)))


def test_utf_16_is_read_as_kubectl_does(tmp_path: Path, made: Any) -> None:
    path = tmp_path / "config"
    path.write_bytes(yaml.safe_dump(config()).encode("utf-16"))
    assert made(path).context == "prod"


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("azure", {"access-token": "t"}, "user `jane` logs in with the auth-provider `azure`, which is gone"),
        ("oidc", {"id-token": "a.eyJleHAiOjEwMDB9.c"}, "the id-token of user `jane` has expired"),
        ("oidc", {"client-id": "k"}, "the id-token of user `jane` is not there"),
    ],
)
def test_an_old_login_that_is_over_is_named(
    tmp_path: Path, made: Any, name: str, settings: dict[str, str], said: str
) -> None:
    with pytest.raises(Unauthenticated) as raised:
        made(written(tmp_path, config({"auth-provider": {"name": name, "config": settings}})))
    assert (raised.value.message, bool(raised.value.hint)) == (said, True)


@pytest.mark.parametrize(
    ("server", "no_proxy", "proxied"),
    [
        ("https://one", "", True),
        ("https://one", "two,.one", True),
        ("https://one", "one", False),
        ("https://api.one:6443", "one:443", True),
        ("https://api.one:6443", "one:6443", False),
        ("https://api.one", ".one", False),
        ("https://10.1.2.3", "10.0.0.0/8", False),
        ("https://11.1.2.3", "10.0.0.0/8", True),
        ("https://one", "*", False),
        ("https://127.0.0.1:6443", "", False),
        ("https://localhost:6443", "", False),
        ("https://[::1]:6443", "", False),
        ("http://one", "", False),
    ],
)
def test_the_proxy_of_the_environment_is_used_as_go_does(
    tmp_path: Path, made: Any, server: str, no_proxy: str, proxied: bool
) -> None:
    environ = {"HOME": "/nonexistent", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": no_proxy}
    got = made(written(tmp_path, config(server=server)), environ=environ)
    assert (got.transport._connections.proxy is not None) is proxied


def socks(script: list[tuple[int, bytes]], told: list[bytes]) -> tuple[threading.Thread, int]:
    """A SOCKS5 proxy that reads so many bytes and answers, once."""
    listener = socket.create_server(("127.0.0.1", 0))

    def play() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            for size, reply in script:
                told.append(connection.recv(size, socket.MSG_WAITALL))
                connection.sendall(reply)
            told.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    return thread, int(listener.getsockname()[1])


def test_a_socks_proxy_is_used_and_resolves_the_name(tmp_path: Path, made: Any) -> None:
    told: list[bytes] = []
    user = b"\x01\x03bob\x04p4ss"
    wanted = b"\x05\x01\x00\x03\x03one\x00\x50"
    script = [(4, b"\x05\x02"), (len(user), b"\x01\x00"), (len(wanted), b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")]
    thread, port = socks(script, told)
    got = made(written(tmp_path, config(**{"proxy-url": f"socks5://bob:p4ss@127.0.0.1:{port}"})))
    assert got.transport.send(Request("GET", "/version")).status == 200
    thread.join(60)
    assert told[:3] == [b"\x05\x02\x00\x02", user, wanted]
    assert told[3].startswith(b"GET /version HTTP/1.1\r\n")


@pytest.mark.parametrize("reply", [b"\x05\xff", b""])
def test_a_socks_proxy_that_refuses_or_is_none_is_named(tmp_path: Path, made: Any, reply: bytes) -> None:
    _, port = socks([(3, reply)], [])
    got = made(written(tmp_path, config(**{"proxy-url": f"socks5://127.0.0.1:{port if reply else 1}"})))
    with pytest.raises(Unreachable, match=r"the proxy (for|on the way to) `http://one` failed"):
        got.transport.send(Request("GET", "/version"))


def test_a_proxy_of_another_kind_is_refused(tmp_path: Path, made: Any) -> None:
    with pytest.raises(ConfigError, match="the proxy `ftp://one` is none that can be used"):
        made(written(tmp_path, config(**{"proxy-url": "ftp://one"})))


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_kubeconfig_that_was_written_again_is_read_again_where_its_token_is_refused(
    tmp_path: Path, made: Any, method: str
) -> None:
    with encrypted(answer(401), answer(200, b"{}"), answer(401), answer(200, b"{}")) as server:
        got = made(written(tmp_path, config({"token": "old"}, server.url, **ANY)))
        written(tmp_path, config({"token": "new"}, server.url, **ANY))
        assert got.transport.send(Request(method, "/version")).status == 200
        written(tmp_path, config({"token": "newer"}, server.url, **ANY))
        assert got.transport.stream(Request("GET", "/version")).status == 200
        tokens = [r.headers["authorization"] for r in server.requests]
    assert tokens == ["Bearer old", "Bearer new", "Bearer new", "Bearer newer"]


def test_a_new_certificate_authority_in_the_kubeconfig_is_trusted_from_then_on(tmp_path: Path, made: Any) -> None:
    cert, key = certificate()
    other, _ = certificate()
    (tmp_path / "both.pem").write_bytes(cert + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    (tmp_path / "ca.pem").write_bytes(other)
    with serving(answer(200, b"{}"), answer(200, b"{}"), context=context) as server:
        got = made(written(tmp_path, config({}, server.url, **{"certificate-authority": "ca.pem"})))
        with pytest.raises(Untrusted, match="is not trusted"):
            got.transport.send(Request("PATCH", "/version"))
        (tmp_path / "ca.pem").write_bytes(cert)
        assert got.transport.send(Request("PATCH", "/version")).status == 200
        assert got.transport.stream(Request("GET", "/version")).status == 200


def test_a_context_that_leads_to_another_server_now_is_not_followed_there(tmp_path: Path, made: Any) -> None:
    with encrypted(answer(401)) as server, encrypted(answer(200, b"{}")) as other:
        got = made(written(tmp_path, config({"token": "old"}, server.url, **ANY)))
        written(tmp_path, config({"token": "new"}, other.url, **ANY))
        assert got.transport.send(Request("GET", "/version")).status == 401
        assert not other.seen


TLS = "https://127.0.0.1:1"
WRONG: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    ({"token": 12345678}, {}, "`token` of user `jane` is not a text"),
    ({"token": ["x"]}, {}, "`token` of user `jane` is not a text"),
    ({"tokenFile": 7}, {}, "`tokenFile` of user `jane` is not a text"),
    ({"as": ["x"]}, {}, "`as` of user `jane` is not a text"),
    ({"as": "x", "as-groups": "ops"}, {}, "`as-groups` of user `jane` is not a list of texts"),
    ({"as": "x", "as-groups": [7]}, {}, "`as-groups` of user `jane` is not a list of texts"),
    ({"as": "x", "as-user-extra": ["a"]}, {}, "`as-user-extra` of user `jane` is not a mapping"),
    ({"as": "x", "as-user-extra": {"a": "b"}}, {}, "`as-user-extra.a` of user `jane` is not a list of texts"),
    ({"exec": "gcloud"}, {}, "`exec` of user `jane` is not a mapping"),
    ({"exec": {"apiVersion": "v1"}}, {}, "`exec` of user `jane` has no `command`"),
    ({"exec": {"command": ["a"]}}, {}, "`exec.command` of user `jane` is not a text"),
    ({"exec": {"command": "a", "args": "hello"}}, {}, "`exec.args` of user `jane` is not a list of texts"),
    ({"exec": {"command": "a", "env": ["x"]}}, {}, "`exec.env` of user `jane` is not a list of names and values"),
    ({"exec": {"command": "a", "env": [{"name": "x"}]}}, {}, "`exec.env` of user `jane` is not a list of names and"),
    ({"auth-provider": "gcp"}, {}, "`auth-provider` of user `jane` is not a mapping"),
    ({"auth-provider": {"name": "oidc", "config": [1]}}, {}, "`auth-provider.config` of user `jane` is not a mapping"),
    ({}, {"server": ["a"]}, "`server` of cluster `c` is not a text"),
    ({}, {"server": "https://[::1"}, "`server` of cluster `c` is not an address: `https://[::1`"),
    ({}, {"server": "https://a:99999"}, "`server` of cluster `c` is not an address: `https://a:99999`"),
    ({}, {"insecure-skip-tls-verify": "yes"}, "`insecure-skip-tls-verify` of cluster `c` is not true or false"),
    ({}, {"certificate-authority-data": 12345}, "`certificate-authority-data` of cluster `c` is not a text"),
    ({}, {"certificate-authority-data": "AAAA"}, "`certificate-authority` of the cluster is not a certificate in PEM"),
    ({}, {"proxy-url": 8080}, "`proxy-url` of cluster `c` is not a text"),
    (
        {"client-certificate-data": "AAAA", "client-key-data": "AAAA"},
        {},
        "`client-certificate` and `client-key` of the user are not a certificate and its key in PEM",
    ),
)


@pytest.mark.parametrize(("user", "cluster", "sentence"), WRONG)
def test_a_field_that_holds_something_else_is_named(
    tmp_path: Path, made: Any, user: dict[str, Any], cluster: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError) as failure:
        made(written(tmp_path, config(user, **{"server": TLS, **cluster})))
    assert failure.value.message.startswith(f"context `prod` cannot be used: {sentence}")


@pytest.mark.parametrize("namespace", ["../kube-system", "a/b", "Shop", " ", "a\nb", 7])
def test_a_namespace_that_would_be_another_path_is_none(tmp_path: Path, made: Any, namespace: object) -> None:
    content = {**config(), "contexts": [{"name": "prod", "context": {"cluster": "c", "namespace": namespace}}]}
    with pytest.raises(ConfigError, match="`namespace` of context `prod` is not the name of a namespace"):
        made(written(tmp_path, content))


@pytest.mark.parametrize("named", [None, "hello", {"user": "jane"}])
def test_a_context_without_a_cluster_is_told(tmp_path: Path, made: Any, named: object) -> None:
    content = {**config(), "contexts": [{"name": "prod", "context": named}]}
    with pytest.raises(ConfigError) as failure:
        made(written(tmp_path, content))
    assert failure.value.message == "context `prod` cannot be used: it names no cluster"


@pytest.mark.parametrize(
    "said",
    [
        "python3 -c 'print(\"[\" * 100000)'",
        "printf 'abc \\377'",
        "echo '[]'",
        "echo null",
        """echo '{"apiVersion": "client.authentication.k8s.io/v1", "status": 7}'""",
        """echo '{"apiVersion": "client.authentication.k8s.io/v1", "status": {"token": 7}}'""",
        """echo '{"apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "a", "clientKeyData": []}}'""",
    ],
)
def test_what_a_plugin_says_beside_the_point_is_no_credential(tmp_path: Path, made: Any, said: str) -> None:
    path = tmp_path / "plugin"
    path.write_text(f"#!/bin/sh\n{said}\n")
    path.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path)}}
    with pytest.raises(Unauthenticated, match="failed: its answer is not an ExecCredential"):
        made(written(tmp_path, config(user, TLS)))


@pytest.mark.parametrize("more", [{"as": "b\u20ac"}, {"as": "b", "as-groups": ["\u00e9"]}, {"as-uid": "\x1b"}])
def test_whom_to_act_as_is_checked_before_it_is_sent(tmp_path: Path, made: Any, more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="of user `jane` has a character that HTTP cannot carry"):
        made(written(tmp_path, config({"token": "t", **more}, TLS)))


def test_a_key_of_user_extra_is_written_as_a_header_can_carry_it(tmp_path: Path, made: Any) -> None:
    """As client-go does."""
    extra = {"as": "b", "as-user-extra": {"example.com/a b%": ["x"]}}
    with serving(answer(200, b"{}")) as server:
        made(written(tmp_path, config(extra, server.url))).transport.send(Request("GET", "/version"))
    assert server.requests[0].headers["impersonate-extra-example.com%2fa%20b%25"] == "x"


def test_a_proxy_that_is_not_there_is_told_in_words(tmp_path: Path, made: Any) -> None:
    user = {"token": "t"}
    got = made(written(tmp_path, config(user, "https://10.0.0.1", **{"proxy-url": "http://127.0.0.1:1"})))
    with pytest.raises(Unreachable) as failure:
        Cluster(got.transport, "shop").version()
    assert failure.value.message == "the proxy for `https://10.0.0.1` failed: connection refused"
