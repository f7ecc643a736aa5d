"""What must not be printed: values of the Secret, credentials of a service, and what a request makes of them."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from companyos_canary.errors import words

_LONGEST = 200
_SHOWN = frozenset(("alias", "apipath", "apiurl", "avatar", "from", "host", "icon", "scheme", "serverurl", "targets"))
_HARMLESS = ("accept", "content-type", "from")


class Hidden:
    """Texts that others wrote, without what must not be printed; `***` is in its place."""

    def __init__(self, values: Iterable[str]) -> None:
        self._texts = sorted({form for value in values for form in _forms(value)}, key=len, reverse=True)

    def line(self, text: str) -> str:
        """One line of at most 200 characters."""
        for hidden in self._texts:
            text = text.replace(hidden, "***")
        shown = words(" ".join(text.split()))
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"

    def and_headers(self, headers: Mapping[str, str]) -> "Hidden":
        """The same, and what is in these headers of a request."""
        found = Hidden(())
        values = [v for k, v in headers.items() if k.lower() not in _HARMLESS]
        forms = {form for v in (*values, *(v.partition(" ")[2] for v in values)) for form in _forms(v)}
        found._texts = sorted({*self._texts, *forms}, key=len, reverse=True)
        return found


def credentials_in(options: Any, name: str = "") -> Iterator[str]:
    """The texts in the options of a service that may be one."""
    if isinstance(options, Mapping):
        for key, value in options.items():
            yield from credentials_in(value, str(key))
    elif isinstance(options, list):
        for value in options:
            yield from credentials_in(value, name)
    elif isinstance(options, str) and name.lower() not in _SHOWN:
        yield options
        if "//" in options:
            yield urlsplit(options)._replace(scheme="", netloc="").geturl()


def _forms(value: str) -> Iterator[str]:
    """A value as it may come back: in JSON, in an address, in base64, line by line."""
    value = value.strip()
    if not value or value == "/":
        return
    yield from (
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value),
        quote(value, ""),
    )
    yield from (quote_plus(value), base64.b64encode(value.encode()).decode())
    yield from (line.strip() for line in value.splitlines() if len(line.strip()) > 7)
