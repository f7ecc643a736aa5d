"""Reads kubeconfig files as kubectl does: which there are, how they merge, what a context names."""

import base64
import os
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from companyos_canary.errors import ConfigError, UsageError, near
from companyos_canary.files import bounded, lasting, too_deep
from companyos_canary.model.http import without_password
from companyos_canary.model.place import NOBODY, Identity


class Block(Struct, frozen=True):
    """A cluster or a user as it is in its file; paths in it are relative to `folder`."""

    name: str
    fields: Mapping[str, Any]
    folder: Path

    def content(self, key: str) -> bytes:
        """What `KEY-data` holds, else the file that `KEY` names; empty for neither. Raises OSError
        and ValueError."""
        if data := self.fields.get(f"{key}-data"):
            try:
                return base64.b64decode("".join(str(data).split()), validate=True)
            except ValueError:
                raise ValueError(f"`{key}-data` of `{self.name}` is not base64") from None
        path = self.fields.get(key)
        return lasting(self.folder / path) if path else b""


class Entry(Struct, frozen=True):
    """A context and what it names."""

    context: str
    namespace: str
    cluster: Block
    user: Block

    def unusable(self, reason: object) -> ConfigError:
        """The error that says why this context is of no use."""
        if isinstance(reason, OSError):
            words = f"`{reason.filename}`: {reason.strerror}" if reason.filename else str(reason)
        else:
            words = " ".join(str(reason).split())
        return ConfigError(without_password(f"context `{self.context}` cannot be used: {words.rstrip('.')}"))


def kubeconfig_files(kubeconfig: str | None, environ: Mapping[str, str]) -> list[str]:
    """The files to read, in order of precedence; those that KUBECONFIG names may be missing."""
    if kubeconfig:
        path = os.path.expanduser(kubeconfig)
        if not os.path.exists(path):
            raise ConfigError(f"the kubeconfig `{kubeconfig}` does not exist")
        return [path]
    default = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".kube", "config")
    named = (environ.get("KUBECONFIG") or default).split(os.pathsep)
    return [path for path in map(os.path.expanduser, filter(None, named)) if os.path.exists(path)]


def names_in(files: list[str], kind: str) -> tuple[str, ...]:
    """The contexts, clusters or users of all files but pipes. Raises ConfigError."""
    return tuple(_blocks([(Path(f).parent, _read(f)) for f in files if os.path.isfile(f)], kind))


def read_entry(files: list[str], context: str | None, identity: Identity = NOBODY) -> Entry:
    """The context of that name, else the `current-context`. Of several files the first that has
    something wins. Raises ConfigError, and UsageError if there is no such context, cluster or user."""
    read = [(f, content) for f in files if (content := _read(f))]
    for file, content in read:
        _each_once(file, content)
    contents = [(Path(file).absolute().parent, content) for file, content in read]
    if not contents:
        raise ConfigError(f"`{'`, `'.join(files)}` is not a kubeconfig: it is empty")
    current = (str(c["current-context"]) for _, c in contents if c.get("current-context"))
    contexts = _blocks(contents, "context")
    name, fields = context or next(current, ""), dict[str, Any]()
    if name or not identity.cluster:
        name = _chosen(name, contexts)
        fields = dict(contexts[name].fields)
    clusters, users = _blocks(contents, "cluster"), _blocks(contents, "user")
    if identity.cluster:  # the requests go there, whatever the context is called
        name = fields["cluster"] = _named_one(identity.cluster, clusters, "cluster")
    if identity.user:
        fields["user"] = _named_one(identity.user, users, "user")
    nothing = Block("", {}, Path())
    entry = Entry(name, str(fields.get("namespace") or "default"), nothing, nothing)
    _check(entry, Block(name, fields, Path()), "context", _OF_CONTEXT)
    cluster = _cluster_of(entry, fields.get("cluster"), clusters)
    user_name = str(fields.get("user") or "")
    user = as_said(users.get(user_name, Block(user_name, {}, Path())), identity)
    _check(entry, user, "user", _OF_USER)
    return Entry(entry.context, entry.namespace, cluster, user)


def _cluster_of(entry: Entry, name: str | None, clusters: Mapping[str, Block]) -> Block:
    """The cluster of a context. ConfigError where it is none that requests can be sent to."""
    if not name:
        raise entry.unusable("it names no cluster")
    cluster = clusters.get(name)
    if cluster is None:
        raise entry.unusable(f"it needs the cluster `{name}`, which does not exist")
    _check(entry, cluster, "cluster", _OF_CLUSTER)
    server = cluster.fields.get("server") or ""
    if not server:
        raise entry.unusable(f"its cluster `{cluster.name}` has no `server`")
    if not server.startswith(("https://", "http://")):
        raise entry.unusable(f"`server` of cluster `{cluster.name}` needs https:// before `{without_password(server)}`")
    if not _is_address(server):
        raise entry.unusable(f"`server` of cluster `{cluster.name}` is not an address: `{without_password(server)}`")
    authority = any(cluster.fields.get(key) for key in ("certificate-authority", "certificate-authority-data"))
    if authority and cluster.fields.get("insecure-skip-tls-verify"):
        raise entry.unusable(
            f"cluster `{cluster.name}` has a certificate authority and insecure-skip-tls-verify: keep one of them"
        )
    return cluster


def _is_address(server: str) -> bool:
    try:
        return urlsplit(server).port != 0
    except ValueError:
        return False


_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Form = Mapping[str, Any] | tuple[str, Callable[[Any], bool]]


def _are(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(form, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_pair(value: object) -> bool:
    return isinstance(value, dict) and _is_text(value.get("name")) and _is_text(value.get("value"))


_TEXT: Form = ("a text", _is_text)
_TEXTS: Form = ("a list of texts", _are(_is_text))
_PAIRS: Form = ("a list of names and values", _are(_is_pair))
_FLAG: Form = ("true or false", lambda value: isinstance(value, bool))
_ANY: Form = ("", lambda _: True)
_NAMESPACE: Form = (
    "the name of a namespace",
    lambda value: _is_text(value) and bool(re.fullmatch(_NAME, value or "x")),
)
_OF_CONTEXT = {**dict.fromkeys(("cluster", "user"), _TEXT), "namespace": _NAMESPACE}
_FILES_OF_CLUSTER = ("certificate-authority", "certificate-authority-data")
_OF_CLUSTER = {
    **dict.fromkeys(("server", *_FILES_OF_CLUSTER, "tls-server-name", "proxy-url"), _TEXT),
    "insecure-skip-tls-verify": _FLAG,
}
_FILES_OF_USER = ("tokenFile", "client-certificate", "client-certificate-data", "client-key", "client-key-data")
_OF_USER = {
    **dict.fromkeys(("token", *_FILES_OF_USER, "username", "password", "as", "as-uid"), _TEXT),
    "as-groups": _TEXTS,
    "as-user-extra": {"*": _TEXTS},
    "exec": {**dict.fromkeys(("apiVersion", "command", "interactiveMode"), _TEXT), "args": _TEXTS, "env": _PAIRS},
    "auth-provider": {"name": _TEXT, "config": {"*": _ANY}},
}
"""What the fields hold that are read; kubectl refuses a file with others, too."""


def _check(entry: Entry, block: Block, kind: str, forms: Mapping[str, Any]) -> None:
    """ConfigError for the first field of a context, cluster or user that holds something else than it can."""
    if wrong := next(_misfits(block.fields, forms), None):
        field, form = wrong
        raise entry.unusable(f"`{field}` of {kind} `{block.name}` is not {form}")
    plugin = block.fields.get("exec") if kind == "user" else None
    if plugin is not None and not plugin.get("command"):
        raise entry.unusable(f"`exec` of user `{block.name}` has no `command`")


def _misfits(fields: Mapping[str, Any], forms: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """The path of each field that does not fit, and what it should be. Null is not there."""
    for key, value in fields.items():
        form, place = forms.get(key, forms.get("*")), f"{above}{key}"
        if form is None or value is None:
            continue
        if isinstance(form, tuple):
            words, fits = form
            if not fits(value):
                yield place, words
        elif isinstance(value, dict):
            yield from _misfits(value, form, f"{place}.")
        else:
            yield place, "a mapping"


def as_said(user: Block, identity: Identity) -> Block:
    """The user with what the command line says in place of it. Raises UsageError."""
    fields = dict(user.fields)
    if identity.token:
        acting = {key: value for key, value in fields.items() if key == "as" or key.startswith("as-")}
        fields = {**acting, "token": identity.token}
    if identity.acts_as:
        fields["as"] = identity.acts_as
    if identity.groups:
        fields["as-groups"] = list(identity.groups)
        if not fields.get("as"):
            raise UsageError("--as-group needs a user to act as", hint="name one with --as")
    return Block(user.name, fields, user.folder)


def _named_one(name: str, blocks: Mapping[str, Block], kind: str) -> str:
    if name in blocks:
        return name
    there = sorted(blocks)
    choices = f"{kind}s: {', '.join(there)}" if there else f"it has no {kind}s"
    raise UsageError(f"the kubeconfig has no {kind} `{name}`", hint=f"{near(name, there)} {choices}".strip())


def _read(path: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - 20 ms

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        raw = bounded(path)
        wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        text = raw.decode("utf-16") if wide else raw.removeprefix(BOM_UTF8).decode()
        if deep := too_deep(text):
            raise ConfigError(f"`{path}` is not a kubeconfig: too many values are inside one another (line {deep})")
        content = yaml.load(text, loader)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"the kubeconfig `{path}` cannot be read: {reason}") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1} of " if error.problem_mark else ""
        raise ConfigError(f"the kubeconfig is not valid YAML: {error.problem} ({line}`{path}`)") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{path}` is not a kubeconfig: it is not text") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"`{path}` is not a kubeconfig: it has no `contexts`")
    return content or {}


def _each_once(file: str, content: Mapping[str, Any]) -> None:
    """ConfigError where two of a kind have one name: no one knows which one is meant."""
    for kind in ("context", "cluster", "user"):
        seen: set[str] = set()
        for name, _ in _named(content.get(f"{kind}s"), kind):
            if name in seen:
                raise ConfigError(f"{kind} `{name}` is defined twice in `{file}`", hint="keep one of them")
            seen.add(name)


def _blocks(contents: list[tuple[Path, dict[str, Any]]], kind: str) -> dict[str, Block]:
    """The contexts, clusters or users of all files by name."""
    found: dict[str, Block] = {}
    for folder, content in contents:
        for name, fields in _named(content.get(f"{kind}s"), kind):
            found.setdefault(name, Block(name, fields, folder))
    return found


def _named(entries: object, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in entries if isinstance(entries, list) else []:
        fields = entry.get(kind) if isinstance(entry, dict) else None
        if isinstance(entry, dict) and "name" in entry:
            yield str(entry["name"]), fields if isinstance(fields, dict) else {}


def _chosen(name: str, contexts: Mapping[str, Block]) -> str:
    if name in contexts:
        return name
    there = sorted(contexts)
    choices = f"contexts: {', '.join(there)}" if there else "it has no contexts"
    if not name:
        hint = f"choose one with --context; {choices}"
        raise UsageError("the kubeconfig has no `current-context`", hint=hint)
    hint = f"{near(name, there)} {choices}".strip()
    raise UsageError(f"the kubeconfig has no context `{name}`", hint=hint)
