"""What is said between a service and who sends: one parcel after the other, each with its answer. Pure."""

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from companyos_canary.errors import CanaryError, NotFound
from companyos_canary.lint.documents import Unreadable, read
from companyos_canary.model.http import Fields, Response, basic_authorization


class Destination(Struct, frozen=True):
    """`service` is its name in the ConfigMap, `recipient` what is behind the colon."""

    service: str
    recipient: str

    def __str__(self) -> str:
        return f"{self.service}:{self.recipient}" if self.recipient else self.service


class Retrying(Struct, frozen=True):
    """At most so many more requests; waits in seconds, each twice as long as the one before."""

    most: int
    shortest: float
    longest: float


def accepted(*statuses: int) -> Callable[[Response], bool]:
    """These statuses; any 2xx where none is given."""
    return lambda answer: answer.status in statuses if statuses else 200 <= answer.status < 300


class Post(Struct, frozen=True):
    """One request. `accepts`: whether the answer means that the message was taken; `denied`: the statuses that say that
    the credentials are no good. `timeout` is in seconds. With `has_next` another one is sent where this one is not
    taken."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    accepts: Callable[[Response], bool]
    method: str = "POST"
    verify: bool = True
    retrying: Retrying | None = None
    timeout: float | None = None
    has_next: bool = False
    denied: tuple[int, ...] = (401, 403)

    @property
    def place(self) -> str:
        """Who is asked, without anything secret in an address."""
        try:
            parts = urlsplit(self.url)
            return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "its address"
        except ValueError:
            return "its address"


class Mail(Struct, frozen=True):
    """One email over SMTP, once; name and password only where the service has both. The rest as of a Post."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    subject: str
    body: str
    html: bool
    username: str = ""
    password: str = ""
    verify: bool = True
    headers: Mapping[str, str] = {}
    accepts: Callable[[Response], bool] = accepted(250)
    retrying: None = None
    timeout: None = None
    has_next: bool = False
    denied: tuple[int, ...] = (454, 530, 534, 535, 538)

    @property
    def place(self) -> str:
        """Who is asked."""
        return f"{self.host}:{self.port}"


Parcel = Post | Mail
Exchange = Generator[Parcel, Response, None]
"""What is sent, each for the answer to the one before."""


class Sending(Struct, frozen=True):
    """What a service gets to know: its options, the rendered message and its part of it, who it is for, and when (Unix
    time in seconds)."""

    options: Fields
    text: str
    part: Fields | None
    to: Destination
    now: float

    def option(self, name: str, default: str = "") -> str:
        return text_of(given(self.options, name)) or default

    def field(self, name: str) -> str:
        return text_of((self.part or {}).get(name))

    @property
    def verify(self) -> bool:
        """Whether the certificate of the server is checked."""
        return not given(self.options, "insecureSkipVerify")

    def entry(self, name: str) -> str:
        """The entry for the recipient in a map of options: an address or a key."""
        found = given(self.options, name)
        entries = found if isinstance(found, Mapping) else {}
        if self.to.recipient not in entries:
            raise NotFound(
                f"service `{self.to.service}` has no recipient `{self.to.recipient}` in `{name}`",
                hint="use one of " + ", ".join(f"`{n}`" for n in entries) if entries else f"add it to `{name}`",
            )
        return text_of(entries[self.to.recipient])

    def needed(self) -> Fields:
        """The part of the template that is written for this service. Raises CanaryError if the template has none."""
        if self.part is None:
            raise CanaryError(
                f"the template has nothing for service `{self.to.service}`",
                hint="add the service's part to the template",
            )
        return self.part

    def parsed(self, name: str) -> Any:
        """A field that holds JSON; None where it is empty."""
        if not self.field(name).strip():
            return None
        try:
            return json.loads(self.field(name))
        except ValueError as error:
            raise CanaryError(
                f"`{name}` of the template is not valid JSON for service `{self.to.service}`",
                hint=f"it is read after rendering, and ends at: {error}",
            ) from None

    def parsed_yaml(self, name: str) -> Any:
        try:
            documents = read(name, self.field(name).encode())
        except Unreadable as error:
            raise CanaryError(
                f"`{name}` of the template, line {error.line}: {error.message}", hint=error.hint
            ) from None
        return documents[0].root.data if documents else None

    def post(self, url: str, body: Any, accepts: Callable[[Response], bool], **headers: str) -> Post:
        """JSON to an address; names of headers have `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"Content-Type": "application/json", **named}
        return Post(url, kind, json.dumps(body, ensure_ascii=False).encode(), accepts, verify=self.verify)

    def form(self, url: str, fields: Mapping[str, str], accepts: Callable[[Response], bool]) -> Post:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return Post(url, kind, urlencode(fields).encode(), accepts, verify=self.verify)


def given(options: Fields, name: str) -> Any:
    """An option; its name may be in any case, as Go reads it."""
    if name in options:
        return options[name]
    return next((value for key, value in options.items() if str(key).lower() == name.lower()), None)


def text_of(value: Any) -> str:
    """A scalar of YAML where a text is expected."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, Mapping | list) else str(value)


def basic(options: Fields) -> dict[str, str]:
    """The header for `basicAuth`, where there is one."""
    auth = given(options, "basicAuth")
    if not isinstance(auth, Mapping):
        return {}
    user, password = text_of(given(auth, "username")), text_of(given(auth, "password"))
    return {"Authorization": basic_authorization(user, password)}


def non_empty(**fields: Any) -> dict[str, Any]:
    """Those that are not empty."""
    return {name: value for name, value in fields.items() if value not in ("", None, [], {})}


def says(name: str, value: Any = True) -> Callable[[Response], bool]:
    """200 with a JSON object that has this."""
    return lambda answer: answer.status == 200 and answer.json_or_empty().get(name) == value
