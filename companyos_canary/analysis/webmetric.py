"""What the controller says of a web metric before it asks anything: its path, its body and its address.

Recorded: `jsonPaths` and `webs` of tests/sandbox/analysis_recorded.yaml. Upstream: metricproviders/webmetric, k8s.io/
client-go/util/jsonpath, net/url.
"""

import re
from collections.abc import Mapping
from typing import Any

_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?")
_KEY = re.compile(r"'[^']*'")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")


def web_fault(web: Mapping[str, Any]) -> str:
    """The message of every measurement; empty for a metric that is asked."""
    login = (web.get("authentication") or {}).get("oauth2") or {}
    if login.get("tokenUrl") and not (login.get("clientId") and login.get("clientSecret")):
        return "missing mandatory parameter in metric for OAuth2 setup"
    if fault := path_fault(str(web.get("jsonPath") or "")):
        return fault
    method = str(web.get("method") or "GET")
    written, structured = web.get("body"), web.get("jsonBody")
    if written and structured is not None:
        return "use either Body or JSONBody; both cannot exists for WebMetric payload"
    if (written or structured is not None) and method == "GET":
        return "Body/JSONBody can only be used with POST or PUT WebMetric Method types"
    return _address_fault(method.capitalize(), str(web.get("url") or ""))


def path_fault(path: str) -> str:
    """Why a JSONPath template cannot be parsed; empty for one that can. What is outside of braces is a text."""
    at = path.find("{")
    while at >= 0:
        end, fault = _action(path, at + 1)
        if fault:
            return fault
        at = path.find("{", end)
    return ""


def _action(path: str, at: int) -> tuple[int, str]:
    """From behind a brace to behind the one that closes it, or why there is none."""
    while at < len(path) and path[at] != "\n":
        char = path[at]
        if char == "}":
            return at + 1, ""
        if char == "[":
            end = path.find(")]", at) + 1 if path[at + 1 : at + 2] == "?" else path.find("]", at)
            if end <= 0:
                return at, "unterminated filter" if path[at + 1 : at + 2] == "?" else "unterminated array"
            if fault := _array_fault(path[at + 1 : end]):
                return at, fault
            at = end + 1
        elif char in "'\"":
            end = path.find(char, at + 1)
            if end < 0:
                return at, "unterminated quoted string"
            at = end + 1
        else:
            at += 1
    return at, "unclosed action"


def _array_fault(text: str) -> str:
    if text.startswith("?") or _KEY.fullmatch(text):
        return ""
    wrong = next((p for p in text.split(",") if p != "*" and not _SLICE.fullmatch(p) and not _KEY.fullmatch(p)), None)
    return "" if wrong is None else f"invalid array index {wrong}"


def _address_fault(method: str, url: str) -> str:
    scheme = _SCHEME.match(url)
    if scheme is None:
        if ":" in url.partition("/")[0]:
            return f'parse "{url}": first path segment in URL cannot contain colon'
        return f'{method} "{url}": unsupported protocol scheme ""'
    if (name := scheme[0][:-1].lower()) not in ("http", "https"):
        return f'{method} "{url}": unsupported protocol scheme "{name}"'
    host, _, rest = url[scheme.end() :].removeprefix("//").partition("/")
    name, colon, port = host.rpartition("@")[2].partition(":")
    if bad := re.search(r'[\s"<>^`{|}\\]', name):
        return f'parse "{url}": invalid character "{bad[0]}" in host name'
    if colon and not host.startswith("[") and not port.isdecimal() and port:
        return f'parse "{url}": invalid port ":{port}" after host'
    if bad := _ESCAPE.search(rest.partition("?")[0]):
        return f'parse "{url}": invalid URL escape "{bad[0]}"'
    return "" if host else f'{method} "{scheme[0]}": http: no Host in request URL'
