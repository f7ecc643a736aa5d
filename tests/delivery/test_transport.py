"""Messages over real sockets: what arrives, and what is said where nothing does. No error quotes the request."""

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from companyos_canary.delivery.hiding import Hidden, credentials_in
from companyos_canary.delivery.message import Mail, Post, accepted
from companyos_canary.delivery.transport import transmit
from companyos_canary.errors import CanaryError, Unreachable
from tests.cluster.wire import answer, encrypted, serving, unknown_certificate

MAIL = Mail("127.0.0.1", 0, "Me <me@example.com>", ("a@b.c", "d@e.f"), "Übermut\n", "<b>ü</b>", html=True)


def post(url: str, **more: Any) -> Post:
    return replace(Post(url, {"X-Token": "t0ken"}, b"hello", accepted()), **more)


def test_a_request_arrives_as_it_is() -> None:
    with serving(answer(202, {"id": 1})) as server:
        found = transmit(post(f"{server.url}/a%2Fb//c/?x=1%20", method="PUT"), 5)
        assert (found.status, found.body) == (202, b'{"id": 1}')
        (arrived,) = server.requests
        assert (arrived.line, arrived.headers["x-token"], arrived.body) == ("PUT /a%2Fb//c/?x=1%20", "t0ken", b"hello")


def test_a_certificate_is_checked_unless_the_service_says_otherwise() -> None:
    with encrypted(answer(200), answer(200)) as server:
        with pytest.raises(
            Unreachable, match=r"cannot be reached: its certificate is not trusted: self.signed"
        ) as failed:
            transmit(post(f"{server.url}/s3cret"), 5)
        assert (failed.value.sent, "s3cret" in str(failed.value)) == (False, False)
        assert transmit(post(server.url, verify=False), 5).status == 200


def test_no_answer_in_time_may_have_been_an_arrival() -> None:
    with (
        serving(lambda wire: wire.hold()) as server,
        pytest.raises(Unreachable, match="did not answer in time") as failed,
    ):
        transmit(post(f"{server.url}/s3cret"), 0.2)
    assert failed.value.sent


def test_a_connection_that_breaks_may_have_been_an_arrival() -> None:
    with serving(lambda wire: wire.cut()) as server, pytest.raises(Unreachable) as failed:
        transmit(post(f"{server.url}/s3cret"), 5)
    assert failed.value.sent


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/s3cret", "ftp://x/s3cret", "s3cret", "http://x:s3cret/", "http://[s3cret/"]
)
def test_what_cannot_be_reached_was_not_sent(url: str) -> None:
    with pytest.raises(Unreachable) as failed:
        transmit(post(url), 5)
    assert (failed.value.sent, "s3cret" in str(failed.value)) == (False, False)


def test_a_request_that_is_sent_on_without_its_message_did_not_arrive() -> None:
    lost = pytest.raises(CanaryError, match="sent the request on with GET, without the message")
    with serving(answer(302, b"", Location="/login"), answer(200)) as server, lost:
        transmit(post(server.url), 5)
    with serving(answer(307, b"", Location="/there"), answer(200)) as server:
        assert transmit(post(server.url), 5).status == 200
        assert [r.body for r in server.requests] == [b"hello", b"hello"]


@pytest.mark.parametrize("headers", [{"X-Token": "t0ken\n"}, {"X-Token": "tökén"}, {"X Token": "t"}, {"": "t"}])
def test_a_header_that_cannot_be_sent_is_named_without_its_value(headers: dict[str, str]) -> None:
    with pytest.raises(CanaryError, match="has a character that no header can have") as failed:
        transmit(post("http://127.0.0.1:1/", headers=headers), 5)
    assert "t0ken" not in str(failed.value)


class MailServer(socketserver.ThreadingTCPServer):
    """Takes emails; `replies` has other answers to some commands, `offers` what EHLO says."""

    allow_reuse_address = daemon_threads = True

    def __init__(
        self, host: str, offers: tuple[str, ...], replies: dict[str, str], context: ssl.SSLContext | None
    ) -> None:
        self.offers, self.replies, self.context = offers, replies, context
        self.said: list[str] = []
        self.letter = b""
        super().__init__((host, 0), MailTalk)


class MailTalk(socketserver.StreamRequestHandler):
    server: MailServer

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        self.say("220 ready")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            self.server.said.append(line)
            verb = line.split(" ")[0].upper()
            if verb in self.server.replies:
                self.say(self.server.replies[verb])
            elif verb == "EHLO":
                self.say("250-hello")
                for offer in self.server.offers:
                    self.say(f"250-{offer}")
                self.say("250 8BITMIME")
            elif verb == "STARTTLS":
                assert self.server.context
                self.say("220 go")
                self.request = self.server.context.wrap_socket(self.request, server_side=True)
                self.setup()
            elif verb == "DATA":
                self.say("354 go")
                while (part := self.rfile.readline()) != b".\r\n":
                    self.server.letter += part
                self.say("250 queued as 7")
            else:
                self.say("235 ok" if verb == "AUTH" else "221 bye" if verb == "QUIT" else "250 ok")


def mail_server(
    *offers: str, host: str = "127.0.0.1", context: ssl.SSLContext | None = None, **replies: str
) -> Iterator[MailServer]:
    server = MailServer(host, offers, replies, context)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def taken(server: MailServer, **more: Any) -> tuple[int, bytes]:
    host, port = server.server_address[:2]
    found = transmit(replace(MAIL, host=str(host), port=port, **more), 5)
    return found.status, found.body


def test_an_email_arrives() -> None:
    for server in mail_server("AUTH PLAIN"):
        assert taken(server, username="u", password="s3cret") == (250, b"queued as 7")
        assert [line.split(" ")[0].lower() for line in server.said] == [
            "ehlo",
            "auth",
            "mail",
            "rcpt",
            "rcpt",
            "data",
            "quit",
        ]
        assert server.said[1] == "AUTH PLAIN " + base64.b64encode(b"\0u\0s3cret").decode()
        text = server.letter.decode()
        assert "From: Me <me@example.com>\r\nTo: a@b.c, d@e.f\r\nSubject: =?utf-8?" in text
        assert 'Content-Type: text/html; charset="utf-8"' in text
        assert "<b>=C3=BC</b>" in text


def test_a_password_is_not_sent_where_the_service_has_no_name() -> None:
    for server in mail_server("AUTH PLAIN"):
        assert taken(server)[0] == 250
        assert not [line for line in server.said if line.startswith("AUTH")]


@pytest.mark.parametrize(
    ("replies", "status"), [({"AUTH": "535 5.7.8 no"}, 535), ({"RCPT": "550 unknown"}, 550), ({"MAIL": "501 no"}, 501)]
)
def test_a_refusal_of_the_mail_server_is_an_answer(replies: dict[str, str], status: int) -> None:
    for server in mail_server("AUTH PLAIN", **replies):
        assert taken(server, username="u", password="s3cret")[0] == status
        assert server.letter == b""


def test_an_email_goes_encrypted_where_that_is_offered_and_the_certificate_is_checked() -> None:
    context = unknown_certificate()
    for server in mail_server("STARTTLS", "AUTH PLAIN", context=context):
        assert taken(server, verify=False, username="u", password="p")[0] == 250
        with pytest.raises(
            Unreachable, match=r"cannot be reached: its certificate is not trusted: self.signed"
        ) as failed:
            taken(server)
        assert not failed.value.sent


def test_a_mail_server_that_is_not_there_was_sent_nothing() -> None:
    with pytest.raises(Unreachable, match="cannot be reached: Connection refused") as failed:
        transmit(replace(MAIL, port=1), 5)
    assert not failed.value.sent


def test_a_password_does_not_go_in_clear_text_to_another_machine() -> None:
    for server in mail_server("AUTH PLAIN", host="127.0.0.2"):
        with pytest.raises(CanaryError, match="offers no encryption"):
            taken(server, username="u", password="s3cret")
        assert not [line for line in server.said if line.startswith("AUTH")]


VALUES = st.text(st.characters(exclude_categories=("Cs",)), min_size=4).filter(lambda v: len(v.strip()) > 3)


@given(VALUES, VALUES)
def test_a_value_is_hidden_wherever_a_service_says_it_back(value: str, before: str) -> None:
    value = value.strip()
    shown = Hidden([value]).line(f"{before} {value} {base64.b64encode(value.encode()).decode()} {before}")
    assert value not in shown or value in "***" or value in before
    assert base64.b64encode(value.encode()).decode() not in shown


def test_a_long_answer_is_cut_after_its_secrets_are_hidden() -> None:
    shown = Hidden(["s3cret-value"]).line("a" * 195 + "s3cret-value" + "b" * 9)
    assert shown == "a" * 195 + "***bb…"


def test_credentials_are_all_texts_but_those_that_name_a_place() -> None:
    options = {
        "token": "t1",
        "apiURL": "http://h",
        "headers": [{"name": "n", "value": "t2"}],
        "recipientUrls": {"ch": "https://h/t3?k=t4"},
        "port": 25,
    }
    assert set(credentials_in(options)) == {"t1", "n", "t2", "https://h/t3?k=t4", "/t3?k=t4"}
