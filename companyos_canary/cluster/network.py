"""Failures below HTTP (no answer, or half of one) as sentences with the server's address."""

import socket
import ssl

from companyos_canary.errors import Unreachable
from companyos_canary.model.http import without_password

_ADDRESS = "check the address and that this machine can reach it (VPN, proxy)"
_CONTEXT = "choose another context with --context, or check `server` in the kubeconfig"


def unreachable(error: BaseException, server: str, *, changing: bool = False) -> Unreachable:
    """The sentence for a failure of urllib3 or of the operating system. `changing`: the request
    was a change, of which nobody knows now whether it was made."""
    if isinstance(error, ValueError) and "header" in str(error):
        # http.client quotes the value of the header, which may be the token.
        sentence = f"the request to `{server}` cannot be sent: one of its headers is not valid"
        hint = "check the token and `as` of the user in the kubeconfig"
    else:
        sentence, hint = _sentence(error, server)
    sentence, hint = without_password(sentence), without_password(hint)
    if changing and not _before_sending(error):
        hint = "the request may have taken effect: look before you repeat it"
    failure = Unreachable(sentence, hint=hint)
    failure.__cause__ = error
    return failure


def failures() -> tuple[type[Exception], ...]:
    """What urllib3 and what is below it raise; ValueError is for headers and hosts that cannot be
    sent."""
    from http.client import HTTPException  # noqa: PLC0415 - urllib3 has loaded it

    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    return (HTTPError, HTTPException, OSError, ValueError)


def broke(error: Unreachable) -> bool:
    """The connection was there and broke off: asking again is worth it."""
    from urllib3.exceptions import ProtocolError  # noqa: PLC0415 - only a failure pays for it

    return isinstance(error.__cause__, ProtocolError | ConnectionError) and not isinstance(
        _root(error.__cause__), ConnectionRefusedError
    )


def _sentence(error: BaseException, server: str) -> tuple[str, str]:
    from urllib3 import exceptions as u  # noqa: PLC0415 - only a failure pays for it

    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return (
            f"the certificate of `{server}` is not trusted: {root.verify_message.rstrip('.')}",
            "check `certificate-authority` and `tls-server-name` of the cluster in the kubeconfig",
        )
    if isinstance(error, u.SSLError) or isinstance(root, ssl.SSLError):
        reason = getattr(root, "reason", None) or str(root)
        return f"TLS with `{server}` failed: {_words(reason)}", "check that the server speaks https"
    if isinstance(error, u.ProxyError):
        return f"the proxy on the way to `{server}` failed: {root}", "check HTTPS_PROXY, proxy-url"
    if isinstance(error, u.NameResolutionError) or isinstance(root, socket.gaierror):
        return f"the host of `{server}` is not known", _CONTEXT
    if isinstance(root, ConnectionRefusedError):
        return f"`{server}` refused the connection", "check that the server runs; " + _CONTEXT
    if isinstance(error, u.NewConnectionError):
        return f"`{server}` cannot be reached: {_words(root)}", _ADDRESS
    if isinstance(error, u.ConnectTimeoutError):
        return f"`{server}` did not take the connection in time", _ADDRESS
    if isinstance(error, u.TimeoutError | TimeoutError):
        return f"`{server}` did not answer in time", _ADDRESS
    if isinstance(error, u.LocationValueError):
        return f"`{server}` is not an address that can be used", _CONTEXT
    return f"the connection to `{server}` broke: {_words(root)}", "try again"


def _before_sending(error: BaseException) -> bool:
    """The failure came before a byte of the request was sent."""
    from urllib3 import exceptions as u  # noqa: PLC0415

    known = (u.ConnectTimeoutError, u.SSLError, u.ProxyError, u.LocationValueError)
    return isinstance(error, known)


def _root(error: BaseException) -> BaseException:
    """The innermost error: what the operating system or the TLS library said."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        inner = [a for a in error.args if isinstance(a, BaseException)]
        below = inner[0] if inner else error.__cause__ or getattr(error, "reason", None)
        if not isinstance(below, BaseException):
            break
        error = below
    return error


def _words(error: object) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).replace("_", " ").strip().rstrip(".").lower()
