"""No answer of the API server as an Unreachable: a sentence, a hint, and whether the request may have arrived."""

import socket
import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

from companyos_canary.errors import Unreachable, Untrusted
from companyos_canary.model.http import without_password
from companyos_canary.network.failure import Broken, Stage, of_tls, plainly, reason, tls_reason

_ADDRESS = "check the address and that this machine can reach it (VPN, proxy)"
_CONTEXT = "choose another context with --context, or check `server` in the kubeconfig"
_BEFORE_SENDING = ("address", "proxy", "connect", "tls", "headers")


def unreachable(failed: Exception, server: str, *, changing: bool = False) -> Unreachable:
    """The sentence for what is Broken, or for an error while an answer was expected. `changing`: the request
    was a change, of which no one knows now whether it was made."""
    broken = failed if isinstance(failed, Broken) else Broken("answer", failed)
    sentence, hint = map(without_password, _sentence(broken.stage, broken.error, server))
    untrusted = broken.stage == "tls" and isinstance(broken.error, ssl.SSLCertVerificationError)
    failure = (Untrusted if untrusted else Unreachable)(sentence, hint=hint)
    failure.sent = not _before_sending(broken)
    if changing and failure.sent:
        failure.hint = "the request may have taken effect: look before you repeat it"
    failure.__cause__ = failed
    return failure


def broke(error: Unreachable) -> bool:
    """The connection was there and broke off: asking again is worth it."""
    cause = error.__cause__
    if not isinstance(cause, Broken):
        return isinstance(cause, ConnectionError) and not isinstance(cause, ConnectionRefusedError)
    if cause.stage == "proxy":
        return isinstance(cause.error, ConnectionResetError)
    if cause.stage not in ("tls", "send", "answer", "body"):
        return False
    ended = isinstance(cause.error, ssl.SSLEOFError) and cause.stage != "tls"
    other = isinstance(cause.error, TimeoutError | ssl.SSLError)
    return ended or (isinstance(cause.error, HTTPException | OSError) and not other)


def _sentence(stage: Stage, error: Exception, server: str) -> tuple[str, str]:
    match stage:
        case "address":
            return f"`{server}` is not an address that can be used", _CONTEXT
        case "proxy":
            return f"the proxy for `{server}` failed: {_of_proxy(error)}", "check HTTPS_PROXY, proxy-url"
        case "headers":  # http.client quotes the value of the header, which may be the token
            return (
                f"the request to `{server}` cannot be sent: one of its headers is not valid",
                "check the token and `as` of the user in the kubeconfig",
            )
        case "packed":
            return f"the answer of `{server}` is compressed and cannot be unpacked", "try again"
        case "connect":
            return _not_connected(error, server)
        case _:
            return _broken(stage, error, server)


def _not_connected(error: Exception, server: str) -> tuple[str, str]:
    match error:
        case socket.gaierror():
            return f"the host of `{server}` is not known", _CONTEXT
        case ConnectionRefusedError():
            return f"`{server}` refused the connection", "check that the server runs; " + _CONTEXT
        case TimeoutError():
            return f"`{server}` did not take the connection in time", _ADDRESS
        case ValueError():
            return f"`{server}` is not an address that can be used", _CONTEXT
        case _:
            return f"`{server}` cannot be reached: {plainly(error).lower()}", _ADDRESS


def _broken(stage: Stage, error: Exception, server: str) -> tuple[str, str]:
    """How TLS failed, or an answer that had begun or was expected."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of `{server}` is not trusted: {error.verify_message.rstrip('.')}",
                "check `certificate-authority` and `tls-server-name` of the cluster in the kubeconfig",
            )
        case ssl.SSLError() if stage == "tls" or not isinstance(error, ssl.SSLEOFError):
            return (f"TLS with `{server}` failed: {of_tls(error)}", "check that the server speaks https")
        case ValueError() if stage == "tls":
            name = "it is not called by a name that TLS can use"
            return f"TLS with `{server}` failed: {name}", "check `tls-server-name` of the cluster in the kubeconfig"
        case TimeoutError():
            return f"`{server}` did not answer in time", _ADDRESS
        case ConnectionRefusedError():
            return f"`{server}` refused the connection", "check that the server runs; " + _CONTEXT
        case IncompleteRead() | RemoteDisconnected() | ssl.SSLEOFError():
            return f"`{server}` closed the connection in the middle of an answer", "try again"
        case HTTPException():
            return f"what answers at `{server}` does not speak HTTP", _CONTEXT
        case _:
            return f"the connection to `{server}` broke: {plainly(error).lower()}", "try again"


def _of_proxy(error: Exception) -> str:
    plain = getattr(error, "strerror", None) and not isinstance(error, ssl.SSLError)
    return plainly(error).lower() if plain else reason(error)


def _before_sending(broken: Broken) -> bool:
    """The failure came before a byte of the request was sent, or the server said in TLS that it does not want it."""
    error = broken.error
    alert = isinstance(error, ssl.SSLError) and "ALERT" in tls_reason(error) and broken.stage == "answer"
    return broken.stage in _BEFORE_SENDING or alert or isinstance(error, ConnectionRefusedError | socket.gaierror)
