"""Through proxies of each kind to a server behind them: requests, watches, and what is said where that fails."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import Unreachable
from companyos_canary.model.http import Request
from companyos_canary.network.connections import connections_to
from tests.cluster.wire import Play, Wire, answer, certificate, serving

PEM, KEY = certificate()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    file: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(PEM + KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class Relay:
    """A proxy for CONNECT. `heads` are the requests that it got."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.heads: list[bytes] = []
        self._context = context
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.port = self._ear.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._ear.shutdown(socket.SHUT_RDWR)
        self._ear.close()
        for thread in self._threads:
            thread.join(60)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._ear.accept()
                self._threads.append(threading.Thread(target=self._relay, args=(near,), daemon=True))
                self._threads[-1].start()

    def _relay(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as ends:
            if self._context:
                near = self._context.wrap_socket(near, server_side=True)
            ends.enter_context(near)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += near.recv(1)
            self.heads.append(head)
            host, _, port = head.split()[1].decode().rpartition(":")
            far = ends.enter_context(socket.create_connection((host, int(port))))
            early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            near.sendall(early + b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
            while True:
                waiting = isinstance(near, ssl.SSLSocket) and near.pending()
                for end in [near] if waiting else select.select([near, far], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    (far if end is near else near).sendall(data)


@contextlib.contextmanager
def relaying(context: ssl.SSLContext | None) -> Iterator[Relay]:
    relay = Relay(context)
    try:
        yield relay
    finally:
        relay.close()


@contextlib.contextmanager
def through(relay: Relay, url: str, scheme: str) -> Iterator[KubernetesTransport]:
    proxy = f"{scheme}://bob:p%40ss@127.0.0.1:{relay.port}"
    client = KubernetesTransport(connections_to(url, verify=False, proxy=proxy), lambda: "Bearer secret", timeout=60)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_is_reached_in_a_tunnel_that_is_kept(tls: ssl.SSLContext, scheme: str) -> None:
    play = answer(200, b"x" * 200_000)
    with serving(play, play, context=tls) as server, relaying(tls if scheme == "https" else None) as relay:
        with through(relay, server.url, scheme) as client:
            for method in ("GET", "PATCH"):
                assert client.send(Request(method, "/a", body=b"y" * 100_000)).body == b"x" * 200_000
        assert relay.heads == [
            f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            "Proxy-Authorization: Basic Ym9iOnBAc3M=\r\n\r\n".encode()
        ]
        for got in server.requests:
            assert got.headers["authorization"] == "Bearer secret"
            assert "proxy-authorization" not in got.headers
            assert got.body == b"y" * 100_000


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_watch_in_a_tunnel_ends_when_it_is_closed(tls: ssl.SSLContext, scheme: str) -> None:
    def watching(wire: Wire) -> None:
        wire.head(200, Transfer_Encoding="chunked")
        wire.chunk(b"one\n")
        wire.hold()

    with serving(watching, context=tls) as server, relaying(tls if scheme == "https" else None) as relay:
        with through(relay, server.url, scheme) as client:
            stream = client.stream(Request("GET", "/watch", timeout=600)).stream
            assert stream
            got, first = [], threading.Event()

            def read() -> None:
                for part in stream:
                    got.append(part)
                    first.set()

            reader = threading.Thread(target=read)
            reader.start()
            assert first.wait(60)
            stream.close()
            reader.join(60)
            assert not reader.is_alive()
        assert got == [b"one\n"]


@pytest.mark.parametrize("server", ["http://one", "https://one"])
def test_the_certificate_of_a_proxy_is_checked(tls: ssl.SSLContext, server: str) -> None:
    with serving(answer(200), context=tls) as proxy:
        client = KubernetesTransport(connections_to(server, proxy=proxy.url), str)
        with pytest.raises(Unreachable) as raised:
            client.send(Request("PATCH", "/a"))
        assert proxy.seen == []
    sentence = f"the proxy for `{server}` failed: its certificate is not trusted: self-signed certificate"
    assert (raised.value.message, raised.value.sent) == (sentence, False)


def silent(wire: Wire) -> None:
    wire.hold()


def cut(wire: Wire) -> None:
    wire.cut()


def garbage(wire: Wire) -> None:
    wire.write(b"SSH-2.0-OpenSSH\r\n")
    wire.cut()


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (answer(407), "Tunnel connection failed: 407 X"),
        (answer(502), "Tunnel connection failed: 502 X"),
        (cut, "it closed the connection"),
        (garbage, "it does not speak HTTP"),
        (silent, "timed out"),
    ],
)
def test_a_tunnel_that_does_not_come_about_has_its_sentence_and_nothing_was_sent(play: Play, reason: str) -> None:
    with serving(play) as proxy:
        client = KubernetesTransport(connections_to("https://one", proxy=proxy.url), lambda: "Bearer secret")
        with pytest.raises(Unreachable) as raised:
            client.send(Request("PATCH", "/a", body=b"{}", timeout=0.5 if play is silent else 60))
        assert proxy.asked.get(timeout=60) == "CONNECT one:443"
        assert all("authorization" not in got.headers for got in proxy.requests)
    assert (raised.value.message, raised.value.sent) == (f"the proxy for `https://one` failed: {reason}", False)


def test_a_host_of_ipv6_is_named_as_one() -> None:
    with serving(answer(503)) as proxy:
        with pytest.raises(Unreachable):
            KubernetesTransport(connections_to("https://[::1]:6443", proxy=proxy.url), str).send(Request("GET", "/a"))
        assert proxy.seen == ["CONNECT [::1]:6443"]


@pytest.mark.parametrize(
    "address", ["ftp://one", "http://", "socks5://", "http://a:b:c", "http://[x", "one", "http://u:secret@h:99999"]
)
def test_what_is_no_address_of_a_proxy_is_told_without_its_password(address: str) -> None:
    with pytest.raises(ValueError, match="is none that can be used: http, https or socks5") as raised:
        connections_to("https://one", proxy=address)
    assert "secret" not in str(raised.value)
