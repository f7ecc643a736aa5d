"""The transport over real sockets: retries, failures, streams that end when told."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import Unreachable
from companyos_canary.model.http import Request
from companyos_canary.network.connections import Connections, connections_to
from tests.cluster.wire import Play, Wire, answer, certificate, early, encrypted, serving

opened: list[Connections] = []


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


def transport(url: str, pauses: list[float] | None = None, **more: Any) -> KubernetesTransport:
    sleep = (pauses if pauses is not None else []).append
    opened.append(connections_to(url, **more))
    return KubernetesTransport(opened[-1], lambda: "Bearer secret", timeout=5, sleep=sleep)


def reset(wire: Wire) -> None:
    wire.reset()


def test_a_request_arrives_as_it_was_written_and_the_token_goes_with_it() -> None:
    with encrypted(answer(200, {"kind": "Rollout"})) as server:
        body = b'[{"op": "test", "path": "/a", "value": 1}]'
        response = transport(server.url, verify=False).send(
            Request(
                "PATCH",
                "/apis/argoproj.io/v1alpha1/namespaces/n/rollouts/a b",
                (("dryRun", "All"),),
                {"Content-Type": "application/json-patch+json"},
                body,
            )
        )
        got = server.requests[0]
    assert response.json() == {"kind": "Rollout"}
    assert got.line == "PATCH /apis/argoproj.io/v1alpha1/namespaces/n/rollouts/a%20b?dryRun=All"
    assert got.body == body
    assert got.headers["content-type"] == "application/json-patch+json"
    assert got.headers["authorization"] == "Bearer secret"
    assert got.headers["user-agent"].startswith("canary/")


def test_answers_before_the_answer_are_passed_over() -> None:
    with serving(early(answer(200, {"kind": "Rollout"})), early(answer(409, {"kind": "Status"}))) as server:
        client = transport(server.url)
        got = client.send(Request("GET", "/a"))
        assert (got.status, got.json(), got.header("link")) == (200, {"kind": "Rollout"}, "")
        assert client.send(Request("PATCH", "/b")).status == 409
        assert server.requests[0].sock is server.requests[1].sock


def test_a_stream_may_have_answers_before_it() -> None:
    with serving(early(answer(200, b"one\n"))) as server:
        stream = transport(server.url).stream(Request("GET", "/a")).stream
        assert stream
        assert b"".join(stream) == b"one\n"


def test_an_answer_before_the_answer_is_none_alone() -> None:
    with serving(early(Wire.cut)) as server, pytest.raises(Unreachable, match="closed the connection") as raised:
        transport(server.url).send(Request("PATCH", "/a"))
    assert raised.value.sent


def test_one_connection_serves_several_requests_and_they_are_counted() -> None:
    with serving(answer(200, b"{}"), answer(404, b"[...]")) as server:
        client = transport(server.url)
        assert client.send(Request("GET", "/a")).status == 200
        assert client.send(Request("GET", "/b")).status == 404
        assert server.requests[0].sock is server.requests[1].sock
    assert client.requests == 2


def test_a_read_that_was_reset_is_sent_again() -> None:
    with serving(reset, reset, answer(200, b"{}")) as server:
        assert transport(server.url).send(Request("GET", "/a")).status == 200
        assert server.seen == ["GET /a"] * 3


def test_a_read_that_is_reset_three_times_fails() -> None:
    with serving(reset, reset, reset) as server:
        with pytest.raises(Unreachable, match=f"the connection to `{server.url}` broke"):
            transport(server.url).send(Request("GET", "/a"))
        assert len(server.seen) == 3


def test_a_read_waits_as_long_as_retry_after_says() -> None:
    pauses: list[float] = []
    with serving(answer(429, b"", Retry_After="1"), answer(503, b"", Retry_After="2"), answer(200, b"{}")) as server:
        assert transport(server.url, pauses).send(Request("GET", "/a")).status == 200
    assert pauses == [1, 2]


def test_a_busy_answer_is_returned_when_waiting_would_take_too_long() -> None:
    pauses: list[float] = []
    with serving(answer(429, b"", Retry_After="60")) as server:
        assert transport(server.url, pauses).send(Request("GET", "/a")).status == 429
    assert pauses == []


@pytest.mark.parametrize("method", ["PATCH", "POST", "PUT", "DELETE"])
def test_a_change_that_was_reset_is_not_sent_again(method: str) -> None:
    with serving(reset, answer(200, b"{}")) as server:
        with pytest.raises(Unreachable) as failure:
            transport(server.url).send(Request(method, "/a", body=b"{}"))
        assert len(server.seen) == 1
    assert "may have taken effect" in failure.value.hint


def test_a_change_that_the_server_puts_off_is_not_sent_again() -> None:
    with serving(answer(429, b"", Retry_After="1"), answer(200, b"{}")) as server:
        assert transport(server.url).send(Request("PATCH", "/a", body=b"{}")).status == 429
        assert len(server.seen) == 1


def test_a_body_that_is_cut_off_is_no_answer() -> None:
    def half(wire: Wire) -> None:
        wire.head(200, Content_Length="100")
        wire.write(b'{"half"')
        wire.cut()

    with serving(half, half, half) as server, pytest.raises(Unreachable, match="in the middle of an answer"):
        transport(server.url).send(Request("GET", "/a"))


def test_a_server_that_says_nothing_is_left_after_the_timeout() -> None:
    with serving() as server:
        with pytest.raises(Unreachable, match="did not answer in time"):
            transport(server.url).send(Request("GET", "/a", timeout=0.05))
        assert len(server.seen) == 1


def test_an_answer_that_drips_is_left_after_the_timeout() -> None:
    def drip(wire: Wire) -> None:
        wire.head(200, Content_Length="1000")
        while True:
            wire.write(b"x")
            wire.stop.wait(0.01)

    with serving(drip) as server, pytest.raises(Unreachable, match="did not answer in time"):
        transport(server.url).send(Request("GET", "/a", timeout=0.1))


def test_a_refused_connection_has_its_own_sentence_and_is_not_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = transport(url)
    with pytest.raises(Unreachable, match=f"`{url}` refused the connection"):
        client.send(Request("GET", "/a"))
    assert client.requests == 1


def test_an_unknown_host_has_its_own_sentence() -> None:
    with pytest.raises(Unreachable, match=r"the host of `http://no.such.host.invalid` is not known"):
        transport("http://no.such.host.invalid").send(Request("GET", "/a"))


def test_a_bad_address_has_its_own_sentence() -> None:
    with pytest.raises(Unreachable, match="is not an address"):
        transport("http://[half").send(Request("GET", "/a"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = certificate()
    (folder / "ca.pem").write_bytes(cert)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return folder / "ca.pem", context


def test_a_certificate_of_nobody_we_know_is_refused(tls: tuple[Path, ssl.SSLContext]) -> None:
    with serving(answer(200), context=tls[1]) as server, pytest.raises(Unreachable) as failure:
        transport(server.url).send(Request("GET", "/a"))
    assert "is not trusted: self-signed certificate" in failure.value.message
    assert server.url in failure.value.message


def test_https_to_a_server_without_tls_has_its_own_sentence() -> None:
    with serving() as server, pytest.raises(Unreachable, match=r"TLS with .* failed"):
        transport(server.url.replace("http:", "https:")).send(Request("GET", "/a"))


def watching(wire: Wire) -> None:
    wire.head(200, Transfer_Encoding="chunked")
    wire.chunk(b"one\n")
    wire.hold()


def plain(wire: Wire) -> None:
    wire.head(200)
    wire.write(b"one\n")
    wire.hold()


@pytest.mark.parametrize("play", [watching, plain])
@pytest.mark.parametrize("secure", [False, True])
def test_closing_a_stream_ends_a_blocked_read_at_once(
    play: Play, secure: bool, tls: tuple[Path, ssl.SSLContext]
) -> None:
    with serving(play, context=tls[1] if secure else None) as server:
        client = transport(server.url, **({"authority": tls[0].read_bytes()} if secure else {}))
        stream = client.stream(Request("GET", "/watch", timeout=20)).stream
        assert stream
        got: list[bytes] = []
        first = threading.Event()

        def read() -> None:
            for part in stream:
                got.append(part)
                first.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert first.wait(60)
        started = time.monotonic()
        stream.close()
        reader.join(60)
        assert not reader.is_alive()
        assert time.monotonic() - started < 1
    assert got == [b"one\n"]


def test_a_stream_that_nobody_reads_can_be_closed_and_then_is_empty() -> None:
    with serving(watching) as server:
        stream = transport(server.url).stream(Request("GET", "/watch")).stream
        assert stream
        stream.close()
        assert list(stream) == []


def test_a_stream_gives_each_chunk_when_it_comes_and_ends_cleanly() -> None:
    def play(wire: Wire) -> None:
        wire.head(200, Transfer_Encoding="chunked")
        for part in (b"one\n", b"two\n"):
            wire.chunk(part)
        wire.end()

    with serving(play) as server:
        client = transport(server.url)
        stream = client.stream(Request("GET", "/watch")).stream
        assert stream
        assert b"".join(stream) == b"one\ntwo\n"


def test_a_stream_that_breaks_off_raises() -> None:
    def play(wire: Wire) -> None:
        wire.head(200, Transfer_Encoding="chunked")
        wire.chunk(b"one\n")
        wire.write(b"100\r\nhalf")
        wire.reset()

    with serving(play) as server:
        stream = transport(server.url).stream(Request("GET", "/watch")).stream
        assert stream
        with pytest.raises(Unreachable, match="broke"):
            list(stream)


def test_a_silent_stream_raises_after_the_time_of_the_request() -> None:
    with serving(watching) as server:
        stream = transport(server.url).stream(Request("GET", "/watch", timeout=0.05)).stream
        assert stream
        with pytest.raises(Unreachable, match="did not answer in time"):
            list(stream)


def test_a_stream_that_is_refused_has_its_body() -> None:
    with serving(answer(410, {"kind": "Status"})) as server:
        response = transport(server.url).stream(Request("GET", "/watch"))
    assert (response.status, response.stream, response.json()) == (410, None, {"kind": "Status"})
