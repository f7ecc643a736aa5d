"""The functions of sprig for texts: cases and cuts, JSON, base64, sums, regular expressions, addresses, paths."""

import base64
import contextlib
import hashlib
import json
import posixpath
import random
import re
import string
import textwrap
import urllib.parse
import uuid
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from companyos_canary.analysis.gotemplate_printf import Concealed, TemplateFault, go_text, printed, quoted, string_of
from companyos_canary.analysis.gotemplate_semver import Version, satisfies

_LONGEST = 1_000_000
_LETTERS = string.ascii_letters


def _repeat(count: int, text: str) -> str:
    if count * len(text) > _LONGEST:
        raise TemplateFault("error calling repeat: the message is too long")
    return text * max(count, 0)


def _indent(spaces: int, text: str) -> str:
    return "\n".join(_repeat(spaces, " ") + line for line in text.split("\n"))


def _title(text: str) -> str:
    return re.sub(r"\b\w", lambda m: m[0].upper(), text)


def _replacement(text: str) -> Callable[[re.Match[str]], str]:
    """Go's `$1` and `${1}`; a group that does not exist is empty, and `$1x` is one."""

    def group(found: re.Match[str], name: str) -> str:
        known = int(name) <= (found.re.groups or 0) if name.isdecimal() else name in found.re.groupindex
        return (found[int(name) if name.isdecimal() else name] or "") if known else ""

    return lambda m: re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda n: group(m, n[1] or n[2]), text)


def _json(value: Any, indent: int | None = None, *, raw: bool = False) -> str:
    marks = (",", ": " if indent else ":")
    found = json.dumps(
        _whole_floats(value), indent=indent, sort_keys=True, ensure_ascii=False, separators=marks, default=_json_text
    )
    return found if raw else re.sub("[<>&]", lambda m: f"\\u00{ord(m[0]):x}", found)


def _json_text(value: Any) -> str:
    if isinstance(value, bytes) and not isinstance(value, Concealed):
        return base64.b64encode(value).decode()
    return string_of(value)


def _whole_floats(value: Any) -> Any:
    """JSON writes 1.0 as 1 in Go."""
    if isinstance(value, Mapping):
        return {k: _whole_floats(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_whole_floats(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def _matches(pattern: str, text: str) -> bool:
    with contextlib.suppress(re.error):
        return re.search(pattern, text) is not None
    return False


def _must_match(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def _from_base64(text: str, decode: Callable[..., bytes] | None = None) -> str:
    try:
        return (decode(text) if decode else base64.b64decode(text, validate=True)).decode(errors="replace")
    except ValueError:
        wrong = re.search("[^A-Za-z0-9+/=]", text)
        return f"illegal base64 data at input byte {wrong.start() if wrong else len(text) // 4 * 4}"


def _from_json(text: str) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return None


def script_text(*values: Any) -> str:
    known = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
    text = printed(*values)
    return "".join(known.get(c, f"\\u{ord(c):04X}" if ord(c) < 32 else c) for c in text)


def _part(text: str, first: int | None, end: int | None) -> str:
    """Of its bytes, as Go slices a text: a byte of a character that is cut prints as `�`."""
    return re.sub("[\udc80-\udcff]", "�", text.encode()[first:end].decode(errors="surrogateescape"))


def _abbrev(width: int, text: str) -> str:
    return text if width < 4 or len(text.encode()) <= width else f"{_part(text, None, width - 3)}..."


def _abbrev_both(left: int, width: int, text: str) -> str:
    if width < 4 or (left > 0 and width < 7) or len(text) <= width:
        return text
    left = min(left, len(text))
    if len(text) - left < width - 3:
        left = len(text) - (width - 3)
    if left <= 4:
        return f"{text[: width - 3]}..."
    return (
        f"...{_abbrev(width - 3, text[left:])}"
        if left + width - 3 < len(text)
        else f"...{text[len(text) - (width - 3) :]}"
    )


def _snake(text: str, mark: str = "_") -> str:
    apart = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", lambda m: mark.join(filter(None, m.groups())), text)
    return re.sub(r"[\s_-]+", mark, apart).lower()


def _camel(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[\s_-]+", text))


def _wrap(width: int, text: str, mark: str = "\n", *, cut: bool = False) -> str:
    lines = textwrap.wrap(text, max(width, 1), break_long_words=cut, break_on_hyphens=False)
    return mark.join(lines)


def _url(text: str) -> dict[str, Any]:
    parts = urllib.parse.urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    return {
        "scheme": parts.scheme,
        "host": host,
        "hostname": parts.hostname or "",
        "path": parts.path,
        "query": parts.query,
        "opaque": "",
        "fragment": parts.fragment,
        "userinfo": user if at else "",
    }


def _url_joined(parts: Mapping[str, Any]) -> str:
    scheme, user, host, path, query, fragment = (
        str(parts.get(name, "")) for name in ("scheme", "userinfo", "host", "path", "query", "fragment")
    )
    return urllib.parse.urlunsplit((scheme, f"{user}@{host}" if user else host, path, query, fragment))


def _extension(path: str) -> str:
    """All behind the last dot of the last part, also where the dot is its first character."""
    return path[path.rfind(".") :] if "." in posixpath.basename(path) else ""


def _characters(known: str) -> Callable[[int], str]:
    def drawn(count: int) -> str:
        return "".join(random.choices(known, k=min(count, _LONGEST)))

    return drawn


TEXTS: dict[str, Callable[..., Any]] = {
    "upper": lambda s: s.upper(),
    "lower": lambda s: s.lower(),
    "title": _title,
    "untitle": lambda s: re.sub(r"\b\w", lambda m: m[0].lower(), s),
    "initials": lambda s: "".join(word[0] for word in s.split()),
    "abbrev": _abbrev,
    "abbrevboth": _abbrev_both,
    "snakecase": _snake,
    "kebabcase": lambda s: _snake(s, "-"),
    "camelcase": _camel,
    "swapcase": lambda s: s.swapcase(),
    "plural": lambda one, many, count: one if count == 1 else many,
    "wrap": _wrap,
    "wrapWith": lambda width, mark, s: _wrap(width, s, mark, cut=True),
    "trim": lambda s: s.strip(),
    "trimAll": lambda cut, s: s.strip(cut),
    "trimall": lambda cut, s: s.strip(cut),
    "trimSuffix": lambda end, s: s.removesuffix(end),
    "trimPrefix": lambda head, s: s.removeprefix(head),
    "replace": lambda old, new, s: s.replace(old, new),
    "contains": lambda part, s: part in s,
    "hasPrefix": lambda head, s: s.startswith(head),
    "hasSuffix": lambda end, s: s.endswith(end),
    "quote": lambda *v: " ".join(quoted(string_of(x)) for x in v if x is not None),
    "squote": lambda *v: " ".join(f"'{go_text(x)}'" for x in v if x is not None),
    "cat": lambda *v: " ".join(go_text(x) for x in v if x is not None),
    "nospace": lambda s: "".join(s.split()),
    "trunc": lambda n, s: _part(s, None, n) if n >= 0 else _part(s, n, None),
    "substr": lambda start, end, s: _part(s, max(start, 0), end if end >= 0 else None),
    "repeat": _repeat,
    "indent": _indent,
    "nindent": lambda n, s: "\n" + _indent(n, s),
    "toString": string_of,
    "toJson": lambda v: _json(v),  # noqa: PLW0108 - it takes no indent
    "toRawJson": lambda v: _json(v, raw=True),
    "toPrettyJson": lambda v: _json(v, 2),
    "fromJson": _from_json,
    "b64enc": lambda s: base64.b64encode(s.encode()).decode(),
    "b64dec": _from_base64,
    "b32enc": lambda s: base64.b32encode(s.encode()).decode(),
    "b32dec": lambda s: _from_base64(s, base64.b32decode),
    "sha1sum": lambda s: hashlib.sha1(s.encode(), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda s: hashlib.sha256(s.encode()).hexdigest(),
    "sha512sum": lambda s: hashlib.sha512(s.encode()).hexdigest(),
    "adler32sum": lambda s: str(zlib.adler32(s.encode())),
    "join": lambda sep, v: sep.join(go_text(x) for x in (v if isinstance(v, list | tuple) else [v]) if x is not None),
    "split": lambda sep, s: {f"_{i}": part for i, part in enumerate(s.split(sep))},
    "splitn": lambda sep, n, s: {f"_{i}": part for i, part in enumerate(s.split(sep, n - 1))},
    "splitList": lambda sep, s: s.split(sep),
    "regexMatch": _matches,
    "mustRegexMatch": _must_match,
    "mustFromJson": json.loads,
    "regexFind": lambda pattern, s: (re.search(pattern, s) or [""])[0],
    "regexFindAll": lambda pattern, s, n: [m[0] for m in re.finditer(pattern, s)][: n if n >= 0 else None],
    "regexReplaceAll": lambda pattern, s, new: re.sub(pattern, _replacement(new), s),
    "regexReplaceAllLiteral": lambda pattern, s, new: re.sub(pattern, lambda _: new, s),
    "regexSplit": lambda pattern, s, n: re.split(pattern, s, maxsplit=n - 1 if n > 0 else 0) if n else [],
    "regexQuoteMeta": lambda s: re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", s),
    "semver": Version,
    "semverCompare": satisfies,
    "urlParse": _url,
    "urlJoin": _url_joined,
    "base": lambda p: posixpath.basename(p.rstrip("/")) or ("/" if p else "."),
    "dir": lambda p: posixpath.normpath(posixpath.dirname(p) or "."),
    "clean": lambda p: posixpath.normpath(p or "."),
    "ext": _extension,
    "isAbs": lambda p: p.startswith("/"),
    "randAlpha": _characters(_LETTERS),
    "randAlphaNum": _characters(_LETTERS + string.digits),
    "randNumeric": _characters(string.digits),
    "randAscii": _characters("".join(map(chr, range(32, 127)))),
    "shuffle": lambda s: "".join(random.sample(s, len(s))),
    "uuidv4": lambda: str(uuid.uuid4()),
    "hello": lambda: "Hello!",
}
