"""The provider over real sockets: what it sends, and the words for what goes wrong."""

import socket
import threading
from collections import deque
from contextlib import contextmanager

import pytest

from companyos_canary.model.http import Request
from companyos_canary.sandbox.provider import HttpProvider, TransportError

ADDRESS = "http://prometheus.monitoring:9090"
QUESTION = Request("POST", "/api/v1/query", (), {"X-Scope": "a"}, b"query=up&time=1", 5.0)


@contextmanager
def server(*answers):
    """Gives each connection the next of the raw answers; None closes it, an Event is waited for."""
    listener = socket.create_server(("127.0.0.1", 0))
    received, left = [], deque(answers)

    def serve():
        while left:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                received.append(read_request(connection))
                answer = left.popleft()
                if isinstance(answer, threading.Event):
                    answer.wait(5)
                elif answer is not None:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        for answer in answers:
            if isinstance(answer, threading.Event):
                answer.set()
        listener.close()
        thread.join(60)


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-le")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head.decode(), body.decode()


def answer(status, body, *, length=None):
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()


def asked(address, request=QUESTION):
    woken = threading.Event()
    provider = HttpProvider(lambda given: given.replace(ADDRESS, address), woken.set)
    future = provider.submit(request, ADDRESS)
    error = future.exception(10)
    assert woken.wait(60)
    provider.close()
    return error if error is not None else future.result()


def test_a_question_is_a_post_with_a_form():
    with server(answer(200, "{}")) as (address, received):
        response = asked(address)
    assert (response.status, response.body) == (200, b"{}")
    head, body = received[0]
    assert head.startswith("POST /api/v1/query HTTP/1.1")
    assert "X-Scope: a" in head
    assert body == "query=up&time=1"


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_refused_post_becomes_a_get(status):
    with server(answer(status, "no"), answer(200, "{}")) as (address, received):
        assert asked(address).status == 200
    assert received[1][0].startswith("GET /api/v1/query?query=up&time=1 HTTP/1.1")
    assert received[1][1] == ""


def test_a_connection_closed_without_an_answer_is_tried_once_more():
    with server(None, answer(200, "{}")) as (address, received):
        assert asked(address).status == 200
    assert len(received) == 2


def test_two_closed_connections_are_an_error():
    with server(None, None) as (address, received):
        error = asked(address)
    assert isinstance(error, TransportError)
    assert error.message == f'Post "{ADDRESS}/api/v1/query": EOF'
    assert len(received) == 2


def test_a_body_that_ends_too_soon_is_an_error():
    with server(answer(200, "{}", length=900)) as (address, _):
        assert asked(address).message == "unexpected EOF"


def test_a_server_that_hangs_is_left_after_the_time_out():
    quick = Request("POST", "/api/v1/query", body=b"query=up", timeout=0.2)
    with server(threading.Event()) as (address, _):
        error = asked(address, quick)
    assert error.message == f'Post "{ADDRESS}/api/v1/query": context deadline exceeded'


def test_a_time_out_of_nothing_asks_nobody():
    with server() as (address, received):
        error = asked(address, Request("POST", "/api/v1/query", timeout=0.0))
    assert error.message == f'Post "{ADDRESS}/api/v1/query": context deadline exceeded'
    assert received == []


def test_a_closed_port_is_a_refused_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = asked(f"http://127.0.0.1:{port}")
    refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert error.message == f'Post "{ADDRESS}/api/v1/query": {refused}'


def test_what_resolves_to_nonsense_is_an_error():
    assert isinstance(asked("http://[broken"), TransportError)
