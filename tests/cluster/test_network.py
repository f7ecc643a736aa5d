"""Every failure below HTTP is a sentence with the server's address, and none gets out as it is."""

import errno
import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator

import pytest

from companyos_canary.cluster.failure import broke, unreachable
from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import Unreachable, Untrusted
from companyos_canary.model.http import Request
from companyos_canary.network.connections import Connections
from companyos_canary.network.failure import Broken, Stage
from tests.cluster.test_connections import OK, Exchange, Line

SERVER = "https://api.example:6443"
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
TIMEOUT = TimeoutError("timed out")
UNEXPECTED = ssl.SSLEOFError(8, "EOF occurred")
GONE = http.client.RemoteDisconnected("Remote end closed connection without response")


def untrusted() -> Exception:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


def reasoned(reason: str) -> Exception:
    error = ssl.SSLError(1, "[SSL: {reason}] words")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("stage", "error", "sentence"),
    [
        ("address", ValueError("x"), "`{}` is not an address that can be used"),
        ("connect", UnicodeError("x"), "`{}` is not an address that can be used"),
        ("connect", socket.gaierror(-2, "unknown"), "the host of `{}` is not known"),
        ("connect", REFUSED, "`{}` refused the connection"),
        ("connect", OSError(errno.EHOSTUNREACH, "No route to host"), "`{}` cannot be reached: no route to host"),
        ("connect", RESET, "`{}` cannot be reached: connection reset by peer"),
        ("connect", TIMEOUT, "`{}` did not take the connection in time"),
        ("tls", untrusted(), "the certificate of `{}` is not trusted: certificate has expired"),
        ("tls", reasoned("WRONG_VERSION_NUMBER"), "TLS with `{}` failed: wrong version number"),
        ("tls", UNEXPECTED, "TLS with `{}` failed: eof occurred"),
        ("answer", UNEXPECTED, "`{}` closed the connection in the middle of an answer"),
        ("tls", UnicodeError("x"), "TLS with `{}` failed: it is not called by a name that TLS can use"),
        ("tls", TIMEOUT, "`{}` did not answer in time"),
        ("tls", RESET, "the connection to `{}` broke: connection reset by peer"),
        (
            "headers",
            ValueError("Invalid header value b'secret'"),
            "the request to `{}` cannot be sent: one of its headers is not valid",
        ),
        ("send", RESET, "the connection to `{}` broke: connection reset by peer"),
        ("send", TIMEOUT, "`{}` did not answer in time"),
        ("answer", TIMEOUT, "`{}` did not answer in time"),
        ("answer", RESET, "the connection to `{}` broke: connection reset by peer"),
        ("answer", GONE, "`{}` closed the connection in the middle of an answer"),
        ("answer", http.client.BadStatusLine("SSH-2.0"), "what answers at `{}` does not speak HTTP"),
        ("answer", http.client.LineTooLong("header line"), "what answers at `{}` does not speak HTTP"),
        (
            "answer",
            reasoned("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            "TLS with `{}` failed: tlsv13 alert certificate required",
        ),
        ("body", http.client.IncompleteRead(b"", 5), "`{}` closed the connection in the middle of an answer"),
        ("body", TIMEOUT, "`{}` did not answer in time"),
        ("packed", zlib.error("Error -3"), "the answer of `{}` is compressed and cannot be unpacked"),
        ("proxy", REFUSED, "the proxy for `{}` failed: connection refused"),
        ("proxy", TIMEOUT, "the proxy for `{}` failed: timed out"),
        (
            "proxy",
            ConnectionError("Tunnel connection failed: 407"),
            "the proxy for `{}` failed: Tunnel connection failed: 407",
        ),
        ("proxy", GONE, "the proxy for `{}` failed: it closed the connection"),
        ("proxy", http.client.BadStatusLine("SSH-2.0\r\n"), "the proxy for `{}` failed: it does not speak HTTP"),
        (
            "proxy",
            reasoned("WRONG_VERSION_NUMBER"),
            "the proxy for `{}` failed: TLS with it failed: wrong version number",
        ),
        ("proxy", untrusted(), "the proxy for `{}` failed: its certificate is not trusted: certificate has expired"),
    ],
)
def test_each_failure_has_its_sentence(stage: Stage, error: Exception, sentence: str) -> None:
    assert unreachable(Broken(stage, error), SERVER).message == sentence.format(SERVER)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (REFUSED, "`{}` refused the connection"),
        (TIMEOUT, "`{}` did not answer in time"),
        (RESET, "the connection to `{}` broke: connection reset by peer"),
        (untrusted(), "the certificate of `{}` is not trusted: certificate has expired"),
    ],
)
def test_an_error_of_the_operating_system_is_one_of_an_answer_that_was_expected(
    error: Exception, sentence: str
) -> None:
    assert unreachable(error, SERVER).message == sentence.format(SERVER)


def test_only_the_certificate_of_the_server_itself_is_a_question_of_trust() -> None:
    assert isinstance(unreachable(Broken("tls", untrusted()), SERVER), Untrusted)
    assert not isinstance(unreachable(Broken("proxy", untrusted()), SERVER), Untrusted)


@pytest.mark.parametrize(
    ("stage", "error", "unknown"),
    [
        ("address", ValueError(), False),
        ("proxy", RESET, False),
        ("connect", TIMEOUT, False),
        ("tls", reasoned("WRONG_VERSION_NUMBER"), False),
        ("tls", RESET, False),
        ("tls", TIMEOUT, False),
        ("headers", ValueError(), False),
        ("answer", reasoned("TLSV13_ALERT_CERTIFICATE_REQUIRED"), False),
        ("send", RESET, True),
        ("answer", TIMEOUT, True),
        ("answer", GONE, True),
        ("answer", UNEXPECTED, True),
        ("body", reasoned("SSLV3_ALERT_BAD_RECORD_MAC"), True),
        ("body", TIMEOUT, True),
        ("packed", zlib.error(), True),
    ],
)
def test_of_a_change_it_says_whether_it_may_have_been_made(stage: Stage, error: Exception, unknown: bool) -> None:
    failed = Broken(stage, error)
    assert unreachable(failed, SERVER, changing=True).sent is unknown
    assert ("may have taken effect" in unreachable(failed, SERVER, changing=True).hint) is unknown
    assert "may have taken effect" not in unreachable(failed, SERVER).hint


@pytest.mark.parametrize(
    ("stage", "error", "again"),
    [
        ("address", ValueError(), False),
        ("connect", REFUSED, False),
        ("connect", TIMEOUT, False),
        ("proxy", REFUSED, False),
        ("proxy", ConnectionError("Tunnel connection failed: 407"), False),
        ("proxy", RESET, True),
        ("tls", untrusted(), False),
        ("tls", reasoned("WRONG_VERSION_NUMBER"), False),
        ("tls", RESET, True),
        ("headers", ValueError(), False),
        ("send", RESET, True),
        ("answer", RESET, True),
        ("answer", GONE, True),
        ("answer", UNEXPECTED, True),
        ("tls", UNEXPECTED, False),
        ("answer", TIMEOUT, False),
        ("body", http.client.IncompleteRead(b""), True),
        ("body", TIMEOUT, False),
        ("packed", zlib.error(), False),
    ],
)
def test_only_what_broke_off_is_worth_repeating(stage: Stage, error: Exception, again: bool) -> None:
    assert broke(unreachable(Broken(stage, error), SERVER)) is again


def test_an_error_of_the_operating_system_alone_is_worth_repeating_where_it_broke_off() -> None:
    assert broke(unreachable(RESET, SERVER))
    assert not broke(unreachable(REFUSED, SERVER))
    assert not broke(unreachable(TIMEOUT, SERVER))


def family_of(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for below in kind.__subclasses__():
        yield from family_of(below)


def every_error() -> list[type[Exception]]:
    """All exceptions of http.client and of the layers below it, found by looking."""
    kinds = (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror)
    found = {OSError, ValueError, *(kind for head in kinds for kind in family_of(head))}
    return sorted(found, key=lambda k: k.__name__)


def made(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)  # their constructors have nothing in common
    error.args = ("m",)
    if isinstance(error, http.client.IncompleteRead):
        error.partial, error.expected = b"", 5
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "m"
    if isinstance(error, ssl.SSLError):
        error.reason = None
    return error


LINES = {
    "while it is sent": lambda error: Line(sending=[error]),
    "before the answer": Line,
    "in the body": lambda error: Line(OK[:-1], error),
}


@pytest.mark.parametrize("kind", every_error(), ids=lambda k: k.__name__)
@pytest.mark.parametrize("where", LINES)
@pytest.mark.parametrize("method", ["send", "stream"])
def test_no_exception_of_the_layers_below_gets_out(kind: type[Exception], where: str, method: str) -> None:
    error = made(kind)
    lines = [LINES[where](error) for _ in range(3)]
    exchange = Exchange(*lines)
    transport = KubernetesTransport(Connections("http://api.example", proxy=exchange), str)  # type: ignore[arg-type]
    with pytest.raises(Unreachable, match=r"api\.example") as failure:
        list(getattr(transport, method)(Request("GET", "/x")).stream)
    assert isinstance(failure.value.__cause__, Broken)
    exchange.close()
    assert all(line.closed for line in lines[: transport.requests])


def test_a_mistake_of_ours_is_not_taken_for_the_network() -> None:
    exchange = Exchange(Line(sending=[ZeroDivisionError()]))
    transport = KubernetesTransport(Connections("http://api.example", proxy=exchange), str)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        transport.send(Request("GET", "/x"))
    exchange.close()
