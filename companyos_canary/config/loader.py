"""canary.yaml → Settings: read, lay the environment's block over it, check every field."""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from companyos_canary.config import checks
from companyos_canary.config.document import ALLOWED, Document, MetricDocument, key_of
from companyos_canary.config.settings import MergePatch, Settings
from companyos_canary.config.source import FieldPath, Source, merged, mistake, without
from companyos_canary.errors import ConfigError, guess
from companyos_canary.files import bounded

_WHERE = r" - at `(?P<path>[^`]*)`$"
_PART = r"\.(\w+)|\[(\d+)\]"
_QUOTED = r"`([^`]*)`"
_T = TypeVar("_T")


def load_settings(path: Path, environment: str | None, *, shown: str | None) -> Settings:
    """The settings of a file, for an environment if one is named. Every block is checked, whichever
    is used. ConfigError for anything wrong; `shown` is the file's name in it."""
    name = shown or str(path)
    source = Source(name, _text(path, name))
    names = _environments(source)
    if environment is not None and environment not in names:
        raise _no_environment(source, environment, names)
    for other in names:
        if other != environment:
            _settings(source, other, names, path)
    return _settings(source, environment, names, path)


def _text(path: Path, shown: str) -> str:
    try:
        return bounded(path).removeprefix(BOM_UTF8).decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown}: not UTF-8 text: {error.reason}") from None
    except FileNotFoundError:
        raise ConfigError(f"{shown}: no such file", hint="`canary init` writes one") from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None


# `schema: null` is a slip, `replicas: null` says that an autoscaler decides; other fields without a
# value have their default.
_MAY_BE_NULL = ("schema", "replicas")


def _environments(source: Source) -> tuple[str, ...]:
    root = source.data()
    if not isinstance(root, dict):
        source.refuse((), "a mapping that starts with `schema: canary/v1`")
    blocks = root.get("environments") or {}
    if not isinstance(blocks, dict):
        source.refuse(("environments",), ALLOWED["environments"])
    for name, block in blocks.items():
        path = ("environments", name)
        if block is not None and not isinstance(block, dict):
            source.refuse(path, ALLOWED["environments.*"])
        for field in block or {}:
            if field not in _fields(path):
                source.refuse_unknown((*path, field), _fields(path))
    return tuple(blocks)


def _no_environment(source: Source, asked: str, names: tuple[str, ...]) -> ConfigError:
    known = ", ".join(f"`{n}`" for n in names)
    line = source.line(("environments",)) if names else 1
    return mistake(
        f"{source.file}:{line}: field `environments`: no environment `{asked}`{guess(asked, names)}",
        hint=f"known: {known}" if names else "this file has no environments",
    )


def _settings(source: Source, environment: str | None, names: tuple[str, ...], path: Path) -> Settings:
    """The settings with one block laid over; the lines of errors are those of the block."""
    block = source.node(("environments", environment))[0] if environment else None
    base = without(source.root, "environments")
    view = source.at(base)
    over: Any = None
    context: Any = None
    pod: Any = (source.data(base) or {}).get("pod", {})
    if block is not None and isinstance(over := source.data(block), dict):
        view = source.laid_over(base, without(block, "context"), str(environment))
        context = over.get("context")
        if context is not None and not isinstance(context, str):
            source.refuse(("environments", str(environment), "context"), ALLOWED["context"])
        pod = merged(pod, over["pod"]) if "pod" in over else pod
    view.refuse_octal()
    document = _document(view, {**view.data(), "pod": pod})
    return replace(
        checks.settings(view, document),
        merge=tuple(_patch(view, index, file, path) for index, file in enumerate(document.merge)),
        context=context,
        environment=environment,
        from_environment=frozenset(over or ()),
        environments=names,
        path=path,
    )


def _document(source: Source, raw: dict[str, Any]) -> Document:
    metrics, links = raw.pop("metrics", None), raw.pop("links", None)
    raw = {name: value for name, value in raw.items() if value is not None or name in _MAY_BE_NULL}
    document: Document = _converted(source, raw, Document, ())
    return msgspec.structs.replace(
        document,
        metrics={
            name: _converted(source, value, MetricDocument | None, ("metrics", name))
            for name, value in _mapping(source, metrics, "metrics").items()
        },
        links={
            name: _converted(source, value, str, ("links", name))
            for name, value in _mapping(source, links, "links").items()
        },
    )


def _mapping(source: Source, value: Any, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        source.refuse((field,), ALLOWED[field])
    for name in value:
        if not name.strip():
            source.refuse((field, name), "a name", found="a blank name")
    return value


def _converted(source: Source, value: Any, kind: Any, above: FieldPath) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        where = re.search(_WHERE, text)
        path = above + (_parts(where["path"]) if where else ())
        problem = text[: where.start()] if where else text
        names = re.findall(_QUOTED, problem)
        if "unknown field" in problem:
            source.refuse_unknown((*path, names[0]), _fields(path))
        if "missing required field" in problem:
            missing = (*path, names[0])
            source.refuse(missing, ALLOWED[key_of(missing)])
        source.refuse(path, ALLOWED.get(key_of(path), problem))


def _parts(text: str) -> FieldPath:
    return tuple(name or int(index) for name, index in re.findall(_PART, text))


def _fields(path: FieldPath) -> list[str]:
    """The names allowed in the mapping at a path."""
    if path[:1] == ("environments",):
        ours = (name for name in _fields(()) if name not in ("environments", "schema"))
        return [*ours, "context"]
    prefix = key_of(path) + "." if path else ""
    rest = [key.removeprefix(prefix) for key in ALLOWED if key.startswith(prefix)]
    names = [key for key in rest if "." not in key and "[" not in key and key != "*"]
    return [name for name in names if path or name != "context"]


def _patch(source: Source, index: int, file: str, path: Path) -> MergePatch:
    target = path.parent / file
    if not target.is_file():
        source.refuse(("merge", index), f"{ALLOWED['merge[]']}; there is no such file")
    shown = str(Path(source.file).parent / file)
    patch = Source(shown, _text(target, shown))
    data = patch.data()
    meta = data.get("metadata") if isinstance(data, Mapping) else None
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str):
        patch.refuse(("kind",), "the kind of the object to change, such as `Rollout`")
    name = meta.get("name") if isinstance(meta, Mapping) else None
    if not isinstance(name, str):
        patch.refuse(("metadata", "name"), "the name of the object to change")
    return MergePatch(shown, kind, name, data)
