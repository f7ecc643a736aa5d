"""What failed below HTTP: in which stage, and why, in words."""

import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Literal

Stage = Literal["address", "proxy", "connect", "tls", "headers", "send", "answer", "body", "packed"]


class Broken(Exception):
    """A request failed in that stage because of `error`, which the operating system, TLS or http.client raised."""

    def __init__(self, stage: Stage, error: Exception) -> None:
        super().__init__(stage, error)
        self.stage = stage
        self.error = error


def no_answer(stage: Stage, error: Exception | None) -> str:
    """What is said of someone who was asked in vain, after their name: `cannot be reached: Connection refused`.
    `error` is None where its words are not to be shown."""
    late = isinstance(error, TimeoutError)
    why = reason(error) if error and not late else ""
    match stage:
        case "address":
            said = "is not an address that can be used"
        case "proxy":
            said, why = "cannot be reached through the proxy", "it did not answer in time" if late else why
        case "connect" | "tls":
            said = "did not take the connection in time" if late else "cannot be reached"
        case "headers":  # http.client quotes the value of the header, which may be a password
            said, why = "cannot be asked", "one of the headers is not valid"
        case _:
            said = "did not answer in time" if late else "gave no answer"
    return f"{said}: {why}" if why else said


def reason(error: Exception) -> str:
    """Why the one who was asked, `it`, gave no answer: `it closed the connection`, `Connection refused`."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
        case IncompleteRead() | RemoteDisconnected() | ssl.SSLEOFError():
            return "it closed the connection"
        case ssl.SSLError():
            return f"TLS with it failed: {of_tls(error)}"
        case HTTPException():
            return "it does not speak HTTP"
        case _:
            return plainly(error)


def of_tls(error: ssl.SSLError) -> str:
    """`wrong version number`."""
    return plainly(tls_reason(error).replace("_", " ") or error).lower()


def tls_reason(error: ssl.SSLError) -> str:
    """What OpenSSL calls it, e.g. `WRONG_VERSION_NUMBER`; empty where it was not OpenSSL."""
    return getattr(error, "reason", None) or ""


def plainly(error: object) -> str:
    """Those of the operating system or of a library, in one line without a full stop."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")
