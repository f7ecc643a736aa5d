"""Every failure below HTTP is a sentence with the server's address, and none gets out as it is."""

import errno
import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from urllib3 import exceptions as u

from companyos_canary.cluster.errors import broke, unreachable
from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import Unreachable
from companyos_canary.model.http import Request

SERVER = "https://api.example:6443"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def connecting(kind: type[Exception], cause: Exception) -> Exception:
    return caused(kind(None, "m"), cause)


def untrusted() -> Exception:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            connecting(u.NewConnectionError, ConnectionRefusedError(errno.ECONNREFUSED, "refused")),
            f"`{SERVER}` refused the connection",
        ),
        (
            connecting(u.NewConnectionError, OSError(errno.EHOSTUNREACH, "No route to host")),
            f"`{SERVER}` cannot be reached: no route to host",
        ),
        (
            u.NameResolutionError("api.example", None, socket.gaierror(-2, "unknown")),
            f"the host of `{SERVER}` is not known",
        ),
        (u.ConnectTimeoutError(None, "m"), f"`{SERVER}` did not take the connection in time"),
        (u.ReadTimeoutError(None, None, "m"), f"`{SERVER}` did not answer in time"),
        (TimeoutError(), f"`{SERVER}` did not answer in time"),
        (u.SSLError(untrusted()), f"the certificate of `{SERVER}` is not trusted: certificate has expired"),
        (
            u.SSLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")),
            f"TLS with `{SERVER}` failed: [ssl: wrong version number] wrong version number",
        ),
        (
            u.ProxyError("m", OSError("Tunnel connection failed: 407")),
            f"the proxy for `{SERVER}` failed: Tunnel connection failed: 407",
        ),
        (u.LocationParseError("x"), f"`{SERVER}` is not an address that can be used"),
        *(
            (u.ProtocolError("m", error), f"`{SERVER}` closed the connection in the middle of an answer")
            for error in (
                http.client.IncompleteRead(b"", 5),
                http.client.RemoteDisconnected("Remote end closed connection without response"),
                u.IncompleteRead(0, 5),
                u.InvalidChunkLength(urllib3.HTTPResponse(b""), b""),
                ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol"),
            )
        ),
        *(
            (u.ProtocolError("m", error), f"what answers at `{SERVER}` does not speak HTTP")
            for error in (http.client.BadStatusLine("SSH-2.0"), http.client.LineTooLong("header line"))
        ),
        (
            u.InvalidHeader("Content-Length contained multiple values"),
            f"what answers at `{SERVER}` does not speak HTTP",
        ),
        (
            u.DecodeError("m", zlib.error("Error -3 while decompressing data: unknown compression method")),
            f"the answer of `{SERVER}` is compressed and cannot be unpacked",
        ),
        (
            u.ProxyError("m", ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")),
            f"the proxy for `{SERVER}` failed: connection refused",
        ),
        (
            u.ProtocolError("m", ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")),
            f"the connection to `{SERVER}` broke: connection reset by peer",
        ),
    ],
)
def test_each_failure_has_its_sentence(error: Exception, sentence: str) -> None:
    assert unreachable(error, SERVER).message == sentence


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (u.ConnectTimeoutError(None, "m"), False),
        (u.SSLError("m"), False),
        (u.ReadTimeoutError(None, None, "m"), True),
        (u.ProtocolError("m"), True),
    ],
)
def test_of_a_change_it_says_whether_it_may_have_been_made(error: Exception, unknown: bool) -> None:
    assert ("may have taken effect" in unreachable(error, SERVER, changing=True).hint) is unknown
    assert "may have taken effect" not in unreachable(error, SERVER).hint


def test_only_what_broke_off_is_worth_repeating() -> None:
    assert broke(unreachable(u.ProtocolError("m"), SERVER))
    assert broke(unreachable(ConnectionResetError(), SERVER))
    assert not broke(unreachable(u.ReadTimeoutError(None, None, "m"), SERVER))
    assert not broke(unreachable(ConnectionRefusedError(), SERVER))


def family_of(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for below in kind.__subclasses__():
        yield from family_of(below)


def every_error() -> list[type[Exception]]:
    """All exceptions of urllib3 and of the layer below it, found by looking."""
    found = {*family_of(u.HTTPError), *family_of(http.client.HTTPException), OSError, ssl.SSLError}
    return sorted((k for k in found if not issubclass(k, Warning)), key=lambda k: k.__name__)


class Failing(urllib3.PoolManager):
    """A pool whose every request ends in the same exception."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def request(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("kind", every_error(), ids=lambda k: k.__name__)
@pytest.mark.parametrize("method", ["send", "stream"])
def test_no_exception_of_the_layers_below_gets_out(kind: type[Exception], method: str) -> None:
    error = kind.__new__(kind)  # their constructors have nothing in common
    error.args = ("m",)
    missing = b"" if kind is http.client.IncompleteRead else 0
    vars(error).update(partial=missing, expected=5, length=b"x")
    transport = KubernetesTransport(Failing(error), SERVER, str)
    with pytest.raises(Unreachable, match=r"api\.example") as failure:
        getattr(transport, method)(Request("GET", "/x"))
    assert failure.value.__cause__ is error


def test_a_mistake_of_ours_is_not_taken_for_the_network() -> None:
    with pytest.raises(ZeroDivisionError):
        KubernetesTransport(Failing(ZeroDivisionError()), SERVER, str).send(Request("GET", "/x"))
