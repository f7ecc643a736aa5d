"""The server: TLS, the token, connections that stay, streams that end, and faults on the wire."""

import http.client
import json
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.credentials import Identity, make_identity, write_kubeconfig
from companyos_canary.sandbox.faults.effects import Cut, Drop, Fault, Silence
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.server import Server
from companyos_canary.sandbox.store import Store
from tests.sandbox.api.client import ROLLOUTS, Clock, rollout

TOKEN = "a-token"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def identity() -> Identity:
    return make_identity()


@pytest.fixture
def faults() -> Faulty:
    return Faulty(Api(Store(Clock())).handle)


@pytest.fixture
def server(identity: Identity, faults: Faulty) -> Iterator[Server]:
    server = Server(faults, tls=identity.context, token=TOKEN).start()
    yield server
    server.close()


@pytest.fixture
def wire(server: Server, identity: Identity) -> Iterator[http.client.HTTPSConnection]:
    context = ssl.create_default_context(cadata=identity.ca.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    wire = http.client.HTTPSConnection("127.0.0.1", server.server_address[1], timeout=60, context=context)
    yield wire
    wire.close()


def ask(wire: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> Any:
    headers = {**AUTH, "Content-Type": "application/json"}
    wire.request(method, path, None if body is None else json.dumps(body), headers)
    response = wire.getresponse()
    return response.status, json.loads(response.read())


def test_answers_come_one_after_the_other_on_one_connection(wire: http.client.HTTPSConnection) -> None:
    status, made = ask(wire, "POST", ROLLOUTS, rollout())
    assert (status, made["metadata"]["name"]) == (201, "demo")
    first = wire.sock
    assert ask(wire, "GET", f"{ROLLOUTS}/demo")[0] == 200
    assert ask(wire, "GET", f"{ROLLOUTS}?labelSelector=app%3Ddemo")[1]["items"]
    assert wire.sock is first


def test_without_the_token_nothing_is_told(wire: http.client.HTTPSConnection) -> None:
    for headers in ({}, {"Authorization": "Bearer other"}):
        wire.request("GET", ROLLOUTS, headers=headers)
        response = wire.getresponse()
        status = json.loads(response.read())
        assert (response.status, status["reason"]) == (401, "Unauthorized")
    wire.request("GET", "/healthz")
    assert wire.getresponse().read() == b"ok"


def test_the_certificate_is_for_loopback_only(server: Server, identity: Identity) -> None:
    context = ssl.create_default_context(cadata=identity.ca.decode())
    port = server.server_address[1]
    wire = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)
    wire.request("GET", "/healthz")
    assert wire.getresponse().status == 200
    wire.close()
    assert server.server_address[0] == "127.0.0.1"


def test_a_body_in_chunks_is_read(wire: http.client.HTTPSConnection) -> None:
    raw = json.dumps(rollout()).encode()
    headers = {**AUTH, "Content-Type": "application/json"}
    wire.request("POST", ROLLOUTS, iter([raw[:9], raw[9:]]), headers, encode_chunked=True)
    response = wire.getresponse()
    assert (response.status, json.loads(response.read())["kind"]) == (201, "Rollout")


def test_a_watch_streams_lines_as_they_happen(wire: http.client.HTTPSConnection, server: Server) -> None:
    wire.request("GET", f"{ROLLOUTS}?watch=1", headers=AUTH)
    response = wire.getresponse()
    request = Request("POST", ROLLOUTS, body=json.dumps(rollout()).encode())
    server.answer(request)
    assert json.loads(response.readline())["type"] == "ADDED"
    server.close()
    assert response.readline() == b""


def test_a_client_that_leaves_ends_its_watch(wire: http.client.HTTPSConnection, server: Server) -> None:
    server.answer(Request("POST", ROLLOUTS, body=json.dumps(rollout()).encode()))
    ended = threading.Event()
    forget = server.forget

    def noticed(connection: Any) -> None:
        forget(connection)
        ended.set()

    server.forget = noticed  # type: ignore[method-assign]
    wire.request("GET", f"{ROLLOUTS}?watch=1", headers=AUTH)
    response = wire.getresponse()
    assert response.readline()
    response.close()
    wire.close()
    assert ended.wait(60)


def test_a_fault_resets_the_connection(wire: http.client.HTTPSConnection, faults: Faulty) -> None:
    faults.add(Fault(Drop(), times=1))
    with pytest.raises((ConnectionError, ssl.SSLError)):
        ask(wire, "GET", ROLLOUTS)
    wire.close()
    assert ask(wire, "GET", ROLLOUTS)[0] == 200


def test_a_fault_cuts_a_body(wire: http.client.HTTPSConnection, faults: Faulty) -> None:
    faults.add(Fault(Cut(10), times=1))
    wire.request("GET", ROLLOUTS, headers=AUTH)
    response = wire.getresponse()
    assert int(response.headers["Content-Length"]) > 10
    with pytest.raises((ConnectionError, ssl.SSLError, http.client.IncompleteRead)):
        response.read()


def test_a_fault_cuts_a_watch_in_a_line(wire: http.client.HTTPSConnection, faults: Faulty) -> None:
    ask(wire, "POST", ROLLOUTS, rollout())
    faults.add(Fault(Cut(25), verb="watch"))
    wire.request("GET", f"{ROLLOUTS}?watch=1", headers=AUTH)
    response = wire.getresponse()
    with pytest.raises((ConnectionError, ssl.SSLError, http.client.IncompleteRead)):
        response.read()


def test_silence_lasts_until_the_server_closes(
    wire: http.client.HTTPSConnection, server: Server, faults: Faulty
) -> None:
    faults.add(Fault(Silence()))
    wire.request("GET", ROLLOUTS, headers=AUTH)
    server.close()
    with pytest.raises((ConnectionError, ssl.SSLError, http.client.HTTPException)):
        wire.getresponse()


def test_plain_http_serves_any_handle() -> None:
    server = Server(lambda request: Response(200, {}, request.path.encode())).start()
    wire = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    wire.request("GET", "/a%20b")
    assert wire.getresponse().read() == b"/a b"
    wire.close()
    server.close()
    assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Length": "many"}, 400),
        ({"Content-Length": "-1"}, 400),
        ({"Content-Length": "4000000"}, 413),
        ({"Transfer-Encoding": "chunked"}, 400),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    wire: http.client.HTTPSConnection, headers: dict[str, str], code: int
) -> None:
    wire.putrequest("POST", ROLLOUTS)
    for name, value in {**AUTH, **headers}.items():
        wire.putheader(name, value)
    wire.endheaders(b"no size\r\n")
    response = wire.getresponse()
    status = json.loads(response.read())
    assert (response.status, status["code"]) == (code, code)


@pytest.mark.parametrize("tls", [True, False])
def test_a_request_under_another_name_is_not_answered(identity: Identity, faults: Faulty, *, tls: bool) -> None:
    """As of a page that a browser took from a server whose name leads here now."""
    context = ssl.create_default_context(cadata=identity.ca.decode())
    server = Server(faults, tls=identity.context if tls else None).start()
    port = server.server_address[1]
    for host, code in (
        ("evil.example.com", 421),
        (f"evil.example.com:{port}", 421),
        ("127.0.0.1.example.com", 421),
        (f"LOCALHOST:{port}", 200),
        ("127.0.0.1", 200),
        ("localhost:1", 200),  # forwarded from another port
        (f"[::1]:{port}", 200),
    ):
        wire = (
            http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
            if tls
            else http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        )
        wire.request("GET", "/version", headers={"Host": host})
        assert (wire.getresponse().status, host) == (code, host)
        wire.close()
    server.close()


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"]
)
@pytest.mark.parametrize("tls", [True, False])
def test_a_connection_that_says_no_more_is_closed(identity: Identity, said: bytes, *, tls: bool) -> None:
    server = Server(lambda request: Response(200), tls=identity.context if tls else None, patience=0.05).start()
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=60) as wire:
        if not tls:
            wire.sendall(said)
        assert wire.recv(1) == b""
    server.close()


def test_a_connection_that_asks_nothing_more_is_closed_after_a_while() -> None:
    server = Server(lambda request: Response(200), idle=0.05).start()
    wire = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    wire.request("GET", "/")
    assert wire.getresponse().read() == b""
    assert wire.sock.recv(1) == b""
    wire.close()
    server.close()


DEEP = 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP,
        b'{"spec":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        b'{"spec":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
    ids=["open", "lists", "open objects", "objects", "not that deep"],
)
@pytest.mark.parametrize("media", ["json", "merge-patch+json", "json-patch+json", "apply-patch+yaml"])
def test_a_body_that_is_nested_too_deeply_is_a_bad_request(
    wire: http.client.HTTPSConnection, body: bytes, media: str
) -> None:
    if media.endswith("yaml") and len(body) > DEEP:
        body = body[:2000] if b"a" in body else body[:600]  # what may be a key costs the square of the lists it is in
    ask(wire, "POST", ROLLOUTS, rollout())
    method, path = ("POST", ROLLOUTS) if media == "json" else ("PATCH", f"{ROLLOUTS}/demo?fieldManager=me")
    wire.request(method, path, body, {**AUTH, "Content-Type": f"application/{media}"})
    response = wire.getresponse()
    assert (response.status, json.loads(response.read())["reason"]) == (400, "BadRequest")


def test_a_server_that_never_started_can_be_closed() -> None:
    server = Server(lambda request: Response(200))
    server.close()
    assert server.closing.is_set()


def test_a_handle_that_breaks_is_an_internal_error() -> None:
    server = Server(lambda request: Response(1 // 0)).start()
    wire = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    status, body = ask(wire, "GET", "/")
    wire.close()
    server.close()
    assert (status, body["reason"]) == (500, "InternalError")
    assert "ZeroDivisionError" in body["message"]


def test_a_connection_that_is_lost_makes_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(request: Request) -> Response:
        raise ConnectionAbortedError

    server = Server(broken).start()
    wire = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    wire.request("GET", "/")
    with pytest.raises(http.client.RemoteDisconnected):
        wire.getresponse()
    wire.close()
    server.close()
    assert capfd.readouterr().err == ""


def test_the_kubeconfig_is_for_its_owner_and_leads_to_the_server(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kubeconfig"
    write_kubeconfig(path, server="https://127.0.0.1:1", token="t", ca=b"PEM", namespace="shop")
    write_kubeconfig(path, server="https://127.0.0.1:2", token="t", ca=b"PEM", namespace="shop")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["kubeconfig"]
    config = yaml.safe_load(path.read_text())
    assert config["current-context"] == "sandbox"
    assert config["contexts"][0]["context"]["namespace"] == "shop"
    assert config["clusters"][0]["cluster"] == {"server": "https://127.0.0.1:2", "certificate-authority-data": "UEVN"}
    assert config["users"][0]["user"] == {"token": "t"}
