"""One HTTP request and its answer: the seam between the product and any API server.

`cluster.Transport` sends a Request over the network; the sandbox's `handle` answers the same value.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from msgspec import Struct, field
from msgspec.json import decode

Json = dict[str, Any]
"""A JSON object."""
Fields = Mapping[str, Any]
"""One that is only read."""
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
READS = ("GET", "HEAD")
"""The methods that change nothing."""
_USERINFO = r"(?<=//)[^/\s`]*@"
_PARAMETER = r"(?i)([?&](?:access_|id_|api_?)?(?:token|key|secret|password|signature|sig)=)[^&#\s`'\"]+"


def without_password(text: str) -> str:
    """An address, or a text with addresses in it, without their users and passwords; `***` for the value of a
    parameter that is called as a secret is."""
    if "@" not in text and "=" not in text:
        return text
    return re.sub(_PARAMETER, r"\1***", re.sub(_USERINFO, "", text))


def basic_authorization(user: str, password: str) -> str:
    """The value of the header for both (RFC 7617)."""
    import base64  # noqa: PLC0415 - few need it

    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def merge_patched(target: Any, patch: Any) -> Any:
    """A JSON merge patch applied (RFC 7396): mappings merge, null removes, lists are replaced. Neither argument is
    changed."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patched(result.get(name), value)
    return result


class Request(Struct, frozen=True):
    """`path` is decoded and has no query; `timeout` is in seconds for the whole answer."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: float = 30.0

    @property
    def target(self) -> str:
        """Path and query as they go on the request line."""
        path = quote(self.path, safe="/:@!$&'()*+,;=~")
        return f"{path}?{urlencode(self.query)}" if self.query else path

    def parameter(self, name: str) -> str:
        """The first value of a query parameter; empty without one."""
        return next((value for key, value in self.query if key == name), "")

    def header(self, name: str, default: str = "") -> str:
        """A header by name, whatever its case."""
        wanted = name.lower()
        return next((v for k, v in self.headers.items() if k.lower() == wanted), default)


class Stream(Protocol):
    """The body of a long answer. `close` may come from another thread and ends a blocked read."""

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class Response(Struct, frozen=True):
    """`stream` is set instead of `body` for a watch or followed logs."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: Stream | None = None

    def json(self) -> Json:
        """The body as a JSON object; ValueError if it is none."""
        value = decode(self.body)
        if not isinstance(value, dict):
            raise ValueError("the answer is not a JSON object")
        return value

    def json_or_empty(self) -> Json:
        """The same; empty if it is none."""
        try:
            return self.json()
        except ValueError:
            return {}

    def header(self, name: str, default: str = "") -> str:
        """A header by name, whatever its case."""
        wanted = name.lower()
        return next((v for k, v in self.headers.items() if k.lower() == wanted), default)


class Transport(Protocol):
    """Sends requests somewhere. `send` and `stream` raise only CanaryErrors (Unreachable, ...);
    HTTP statuses are returned, not raised."""

    def send(self, request: Request) -> Response: ...

    def stream(self, request: Request) -> Response: ...

    def close(self) -> None: ...
