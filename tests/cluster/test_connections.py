"""Connections without a network: what is kept, what is sent again, and every way in which an answer may come."""

import contextlib
import gzip
import itertools
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import Unreachable
from companyos_canary.model.http import Request
from companyos_canary.network.connections import KEPT, Connections, connections_to
from tests.cluster.wire import Play, Wire, answer, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Line:
    """One connection: what was sent, and the pieces that come back. A piece that is an exception is raised."""

    def __init__(self, *pieces: bytes | Exception, sending: Sequence[Exception | None] = ()) -> None:
        self.pieces = list(pieces)
        self.sending = list(sending)
        self.sent = b""
        self.closed = False

    def settimeout(self, value: float | None) -> None:
        pass

    def sendall(self, data: bytes) -> None:
        if self.sending and (error := self.sending.pop(0)):
            raise error
        self.sent += data

    def recv_into(self, buffer: Any) -> int:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        now, rest = piece[: len(buffer)], piece[len(buffer) :]
        if rest:
            self.pieces.insert(0, rest)
        buffer[: len(now)] = now
        return len(now)

    def close(self) -> None:
        self.closed = True


class Exchange:
    """Stands in place of a proxy and gives the connections, one after the other. `to` has the hosts and ports."""

    asks = False
    headers = ()

    def __init__(self, *lines: Line) -> None:
        self.lines = list(lines)
        self.to: list[tuple[str, int]] = []
        self.ends: list[socket.socket] = []

    def connected(self, host: str, port: int, _limit: object, *, tunnel: bool) -> tuple[socket.socket, Line]:
        self.to.append((host, port))
        self.ends += socket.socketpair()  # in which nothing comes: the connection is quiet
        return self.ends[-1], self.lines.pop(0)

    def close(self) -> None:
        for end in self.ends:
            end.close()


@pytest.fixture
def over() -> Iterator[Callable[..., KubernetesTransport]]:
    """A transport over such connections."""
    opened: list[Exchange] = []

    def make(*lines: Line, server: str = "http://api.example") -> KubernetesTransport:
        opened.append(Exchange(*lines))
        connections = Connections(server, proxy=opened[-1])  # type: ignore[arg-type]
        return KubernetesTransport(connections, str, sleep=lambda _: None)

    yield make
    for exchange in opened:
        exchange.close()


def asked(line: Line, **request: Any) -> Any:
    """The response to one request over a connection."""
    exchange = Exchange(line)
    try:
        connections = Connections("http://api.example", proxy=exchange)  # type: ignore[arg-type]
        return KubernetesTransport(connections, str).send(Request("PATCH", "/a", **request))
    finally:
        exchange.close()


Over = Callable[..., KubernetesTransport]


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "reset"), BrokenPipeError(32, "broken"), ssl.SSLEOFError(8, "EOF occurred")]
)
def test_a_change_that_a_kept_connection_did_not_take_goes_over_a_new_one(over: Over, error: Exception) -> None:
    """The server has not got all of it, so that nothing was done."""
    old, new = Line(OK, OK, sending=[None, error]), Line(OK)
    client = over(old, new)
    assert client.send(Request("GET", "/a")).status == 200
    assert client.send(Request("PATCH", "/b", body=b"{}")).status == 200
    assert old.closed
    assert new.sent.startswith(b"PATCH /b HTTP/1.1\r\n")
    assert new.sent.endswith(b"\r\n\r\n{}")
    assert client.requests == 2


@pytest.mark.parametrize("end", [b"", ConnectionResetError(104, "Connection reset by peer")])
def test_a_read_that_a_kept_connection_lost_goes_over_a_new_one(over: Over, end: bytes | Exception) -> None:
    """Without another attempt: the server may have ended it in the same moment."""
    old, new = Line(OK, end), Line(OK)
    client = over(old, new)
    for target in ("/a", "/b"):
        assert client.send(Request("GET", target)).status == 200
    assert new.sent.startswith(b"GET /b HTTP/1.1\r\n")
    assert client.requests == 2


def test_a_change_that_a_kept_connection_took_is_not_sent_again(over: Over) -> None:
    old, new = Line(OK), Line(OK)
    client = over(old, new)
    client.send(Request("GET", "/a"))
    with pytest.raises(Unreachable, match="closed the connection in the middle of an answer") as raised:
        client.send(Request("PATCH", "/b", body=b"{}"))
    assert raised.value.sent
    assert new.sent == b""


def test_a_change_that_takes_too_long_to_send_is_not_sent_again(over: Over) -> None:
    old, new = Line(OK, sending=[None, TimeoutError("timed out")]), Line(OK)
    client = over(old, new)
    client.send(Request("GET", "/a"))
    with pytest.raises(Unreachable, match="did not answer in time"):
        client.send(Request("PATCH", "/b", body=b"{}"))
    assert new.sent == b""


def test_a_change_that_a_new_connection_did_not_take_is_not_sent_again(over: Over) -> None:
    first, second = Line(OK, sending=[ConnectionResetError(104, "Connection reset by peer")]), Line(OK)
    with pytest.raises(Unreachable, match="broke: connection reset by peer"):
        over(first, second).send(Request("PATCH", "/a", body=b"{}"))
    assert second.sent == b""


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), ssl.SSLEOFError(8, "EOF occurred")])
def test_a_server_that_answers_before_it_has_read_all_is_heard(error: Exception) -> None:
    early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    assert asked(Line(early, sending=[error]), body=b"x").status == 413


@pytest.mark.parametrize(
    ("server", "to", "host", "line"),
    [
        ("http://api.example", ("api.example", 80), "api.example", "/a"),
        ("http://api.example:8080/", ("api.example", 8080), "api.example:8080", "/a"),
        ("http://[::1]:6443", ("::1", 6443), "[::1]:6443", "/a"),
        ("http://[fe80::1%25eth0]", ("fe80::1%eth0", 80), "[fe80::1]", "/a"),
        ("http://api.example/k8s/clusters/c 1", ("api.example", 80), "api.example", "/k8s/clusters/c%201/a"),
        ("http://u:p@API.example", ("api.example", 80), "api.example", "/a"),
        ("http://b\u00fccher.example", ("xn--bcher-kva.example", 80), "xn--bcher-kva.example", "/a"),
    ],
)
def test_the_address_of_the_server_is_followed(
    over: Over, server: str, to: tuple[str, int], host: str, line: str
) -> None:
    wire = Line(OK)
    client = over(wire, server=server)
    client.send(Request("GET", "/a"))
    assert client._connections.proxy.to == [to]  # type: ignore[union-attr]
    assert wire.sent.startswith(f"GET {line} HTTP/1.1\r\nHost: {host}\r\n".encode())


@pytest.mark.parametrize(
    "server", ["http://[half", "http://", "http://a..b", "http://.a", "http://a b", f"http://{'a' * 64}"]
)
def test_what_is_no_address_is_told_and_nothing_was_sent(over: Over, server: str) -> None:
    with pytest.raises(Unreachable, match="is not an address that can be used") as raised:
        over(server=server).send(Request("PATCH", "/a"))
    assert not raised.value.sent


@pytest.mark.parametrize("headers", [{"X": "a\nb"}, {"X": "\u20ac"}, {"X\n": "a"}])
def test_a_header_that_cannot_be_sent_is_not_shown_and_nothing_was_sent(over: Over, headers: dict[str, str]) -> None:
    line = Line(OK)
    with pytest.raises(Unreachable) as raised:
        over(line).send(Request("PATCH", "/a", headers=headers))
    assert raised.value.message == "the request to `http://api.example` cannot be sent: one of its headers is not valid"
    assert not raised.value.sent
    assert line.sent == b""


def test_a_change_without_a_body_says_how_long_it_is(over: Over) -> None:
    line = Line(OK)
    over(line).send(Request("POST", "/a"))
    assert b"\r\nContent-Length: 0\r\n" in line.sent


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}"),
        (CHUNKED + b"2;name=value\r\n{}\r\n0\r\nTrailer: x\r\n\r\n", 200, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}"),
    ],
)
def test_behind_an_answer_the_connection_is_kept(over: Over, raw: bytes, status: int, body: bytes) -> None:
    line = Line(raw, OK)
    client = over(line)
    response = client.send(Request("GET", "/a"))
    assert (response.status, response.body) == (status, body)
    assert client.send(Request("GET", "/b")).body == b"{}"
    assert line.sent.count(b" HTTP/1.1\r\n") == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_behind_an_answer_that_ends_it_the_connection_is_not_used_again(over: Over, raw: bytes) -> None:
    old, new = Line(raw), Line(OK)
    client = over(old, new)
    assert client.send(Request("GET", "/a")).body == b"{}"
    assert client.send(Request("PATCH", "/b")).body == b"{}"
    assert old.closed
    assert b"PATCH" not in old.sent


def test_headers_of_one_name_are_joined() -> None:
    response = asked(Line(b"HTTP/1.1 200 OK\r\nWarning: a\r\nWarning: b\r\nContent-Length: 0\r\n\r\n"))
    assert response.header("warning") == "a, b"


NOT_HTTP = "what answers at `http://api.example` does not speak HTTP"
CUT = "`http://api.example` closed the connection in the middle of an answer"
PACKED = "the answer of `http://api.example` is compressed and cannot be unpacked"
GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"SSH-2.0-OpenSSH\r\n", NOT_HTTP),
        (b"HTTP/2 200 OK\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 abc OK\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", NOT_HTTP),
        (b"", CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", CUT),
        (CHUNKED + b"5\r\n{}", CUT),
        (CHUNKED + b"2\r\n{}\r\n", CUT),
        (CHUNKED + b"zz\r\n{}\r\n", CUT),
        (GZIP + b"{}", PACKED),
        (GZIP + b"\x1f\x8b\x08\x00" + bytes(range(256)), PACKED),
        (GZIP + gzip.compress(b"x" * 1000, mtime=0)[:-9], CUT),
    ],
)
def test_an_answer_that_is_none_has_its_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(Unreachable) as raised:
        asked(Line(raw))
    assert raised.value.message == sentence
    assert raised.value.sent


@pytest.mark.parametrize("encoding", ["gzip", "X-GZIP", "deflate"])
def test_an_answer_that_is_compressed_though_no_one_asked_for_it_is_unpacked(encoding: str) -> None:
    packed = zlib.compress(b"{}") if encoding == "deflate" else gzip.compress(b"{") + gzip.compress(b"}")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    line = Line(head, *(packed[n : n + 1] for n in range(len(packed))))
    assert asked(line).body == b"{}"
    assert b"\r\nAccept-Encoding: identity\r\n" in line.sent


def test_an_answer_of_nothing_may_be_called_compressed() -> None:
    assert asked(Line(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n")).body == b""


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An answer as it is on the wire, which says where it ends, and its body."""
    body = draw(st.binary(max_size=200))
    packed = gzip.compress(body) if (zipped := draw(st.booleans())) else body
    head = b"HTTP/1.1 200 OK\r\n" + (b"Content-Encoding: gzip\r\n" if zipped else b"")
    if draw(st.booleans()):
        return head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed, body
    cuts = sorted({0, len(packed), *draw(st.lists(st.integers(0, len(packed))))})
    chunks = [packed[a:b] for a, b in itertools.pairwise(cuts)]
    told = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + told + b"0\r\n\r\n", body


@given(answers(), st.lists(st.integers(0, 500)))
def test_an_answer_is_the_same_in_whichever_pieces_it_comes(found: tuple[bytes, bytes], at: list[int]) -> None:
    raw, body = found
    cuts = sorted({0, len(raw), *(n for n in at if n < len(raw))})
    assert asked(Line(*(raw[a:b] for a, b in itertools.pairwise(cuts)))).body == body


@given(answers(), st.data())
def test_an_answer_that_breaks_off_anywhere_is_none(found: tuple[bytes, bytes], data: st.DataObject) -> None:
    raw, _ = found
    kept = data.draw(st.integers(0, len(raw.rstrip(b"\r\n")) - 1))
    with pytest.raises(Unreachable):
        asked(Line(raw[:kept]))


@given(st.binary(), st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", CHUNKED, GZIP]))
def test_whatever_comes_is_an_answer_or_has_a_sentence(raw: bytes, head: bytes) -> None:
    with contextlib.suppress(Unreachable):
        asked(Line(head + raw))


def plainly(url: str) -> Connections:
    return connections_to(url)


def test_a_connection_that_the_server_ended_in_the_meantime_is_not_used_for_a_change() -> None:
    def once(wire: Wire) -> None:
        answer(200, b"{}")(wire)
        wire.cut()

    with serving(once, answer(200, b"{}")) as server:
        connections = plainly(server.url)
        client = KubernetesTransport(connections, str)
        assert client.send(Request("GET", "/a")).status == 200
        until_closed(connections)
        assert client.send(Request("PATCH", "/b", body=b"{}")).status == 200
        assert server.seen == ["GET /a", "PATCH /b"]
        client.close()


def until_closed(connections: Connections) -> None:
    """Waits until what the server did with a kept connection has come."""
    kept = connections._idle[0]._sock
    kept.settimeout(60)
    kept.recv(1, socket.MSG_PEEK)


def test_a_connection_on_which_something_comes_that_no_one_asked_for_is_not_used_again() -> None:
    heard = threading.Event()

    def talkative(wire: Wire) -> None:
        answer(200, b"{}")(wire)
        heard.wait(60)
        wire.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    with serving(talkative, answer(200, b"{}")) as server:
        connections = plainly(server.url)
        client = KubernetesTransport(connections, str)
        client.send(Request("GET", "/a"))
        heard.set()
        until_closed(connections)
        assert client.send(Request("PATCH", "/b")).status == 200
        assert server.requests[0].sock is not server.requests[1].sock
        client.close()


@pytest.mark.parametrize("raw", [OK, CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"])
def test_what_comes_with_an_answer_and_is_not_of_it_is_never_the_next_one(over: Over, raw: bytes) -> None:
    client = over(Line(raw + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"), Line(OK))
    assert client.send(Request("GET", "/a")).body == b"{}"
    assert client.send(Request("PATCH", "/b")).body == b"{}"


def held(gate: threading.Barrier) -> Play:
    def play(wire: Wire) -> None:
        gate.wait(60)
        answer(200, b"{}")(wire)

    return play


def test_threads_share_connections_and_only_some_are_kept() -> None:
    many = KEPT + 3
    gate = threading.Barrier(many)  # all are asked at the same time, each over a connection of its own
    with serving(*[held(gate)] * many, *[answer(200, b"{}")] * 5) as server:
        connections = plainly(server.url)
        client = KubernetesTransport(connections, str)
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(client.send(Request("GET", "/a")).status))
            for _ in range(many)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * many
        assert len(connections._idle) == KEPT
        known = {id(wire.sock) for wire in server.requests}
        assert len(known) == many
        for _ in range(5):
            client.send(Request("GET", "/b"))
        assert {id(wire.sock) for wire in server.requests} == known
        client.close()


def test_what_was_closed_can_be_asked_and_keeps_nothing() -> None:
    with serving(answer(200, b"{}"), answer(200, b"{}"), answer(200, b"{}")) as server:
        connections = plainly(server.url)
        client = KubernetesTransport(connections, str)
        client.send(Request("GET", "/a"))
        client.close()
        assert connections._idle == []
        for _ in range(2):
            assert client.send(Request("GET", "/b")).status == 200
        assert connections._idle == []
        assert len({id(wire.sock) for wire in server.requests}) == 3


def test_a_head_that_drips_is_left_after_the_timeout() -> None:
    def drip(wire: Wire) -> None:
        wire.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            wire.write(b"x")
            wire.stop.wait(0.01)

    with serving(drip) as server:
        client = KubernetesTransport(plainly(server.url), str)
        with pytest.raises(Unreachable, match="did not answer in time"):
            client.send(Request("GET", "/a", timeout=0.1))
