"""Credentials that take more than a file: plugins (the `exec` block of a kubeconfig user,
client.authentication.k8s.io), and through the kubernetes library, which takes 150 ms more, cloud logins of the old kind
(`auth-provider`)."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from msgspec import Struct

from companyos_canary.cluster.kubeconfig import Block, Entry
from companyos_canary.errors import Unauthenticated
from companyos_canary.model.quantity import parse_time


def library_login(files: list[str], entry: Entry) -> Callable[[], str]:
    """What gives the Authorization header of an `auth-provider`. Raises Unauthenticated."""
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.config import kube_config  # noqa: PLC0415

    library: Any = kube_config
    configuration = Configuration()
    try:
        merger = library.KubeConfigMerger(os.pathsep.join(files))
        chosen = type(
            "Chosen", (library.KubeConfigLoader,), {"set_active_context": lambda loader, _=None: _choose(entry, loader)}
        )
        loader = chosen(merger.config, config_base_path=None, config_persister=merger.save_changes)
        with LibraryErrors() as errors:
            loader.load_and_set(configuration)
    except Exception as error:  # in the words of many libraries
        raise Unauthenticated(
            f"the id-token of user `{entry.user.name}` has expired, and its provider did not renew it",
            hint="log in again; the identity provider may be away",
        ) from error
    _raise_for(errors, entry)
    lock = threading.Lock()

    def authorize() -> str:
        # May log in again when the token is about to expire.
        with lock, LibraryErrors() as errors:
            token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        _raise_for(errors, entry)
        return (token or "").strip()

    return authorize


def _choose(entry: Entry, loader: Any) -> None:
    """The library knows contexts only; the command line may name another cluster and another user."""
    users = loader._config.safe_get("users")
    found = users.get_with_name(entry.user.name, safe=True) if users and entry.user.name else None
    loader._user = found["user"] if found else None
    loader._cluster = loader._config["clusters"].get_with_name(entry.cluster.name)["cluster"]


def _raise_for(errors: "LibraryErrors", entry: Entry) -> None:
    if errors.messages:
        reason = " ".join(errors.messages[0].split()).rstrip(".")
        raise Unauthenticated(f"no credentials for user `{entry.user.name}`: {reason}")


class LibraryErrors(logging.Handler):
    """Collects what the library logs as errors on this thread, where it continues without
    credentials. While it is there, `logging` does not set up an output of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.messages.append(record.getMessage())

    def __enter__(self) -> "LibraryErrors":
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)


EARLY = timedelta(seconds=30)
_LONGEST_REASON = 500
_GIVEN = ("token", "clientCertificateData", "clientKeyData")
_SECRET = 12  # characters that a secret has at least


class Credential(Struct, frozen=True):
    """A token, or a client certificate with its key (PEM)."""

    token: str
    certificate: bytes
    key: bytes
    expires_at: datetime | None


class Plugin:
    """Runs the plugin of a user when its credential is needed, and again shortly before that
    expires. `cluster` is passed to plugins that want it."""

    def __init__(self, user: Block, cluster: Block, environ: Mapping[str, str]) -> None:
        self._user = user
        self._block: Mapping[str, Any] = user.fields["exec"]
        self._cluster = cluster
        self._environ = environ
        self._lock = threading.Lock()
        self._held: Credential | None = None

    def credential(self) -> Credential:
        """Raises Unauthenticated with the plugin's own words."""
        with self._lock:
            held = self._held
            if held is None or (held.expires_at and datetime.now(UTC) >= held.expires_at - EARLY):
                self._held = held = self._parsed(self._output())
            return held

    def renew(self) -> bool:
        """Forgets the credential, which the server does not accept (any more)."""
        with self._lock:
            had, self._held = self._held is not None, None
        return had

    def _output(self) -> str:
        block = self._block
        terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
        interactive = terminal and block.get("interactiveMode") != "Never"
        info: dict[str, Any] = {"interactive": interactive}
        if block.get("provideClusterInfo"):
            info["cluster"] = _cluster_info(self._cluster)
        environ = {
            **self._environ,
            **{e["name"]: e["value"] for e in block.get("env") or []},
            "KUBERNETES_EXEC_INFO": json.dumps(
                {"apiVersion": block.get("apiVersion"), "kind": "ExecCredential", "spec": info}
            ),
        }
        command = str(block.get("command", ""))
        if os.sep in command:
            command = str(self._user.folder / command)
        try:
            done = subprocess.run(
                [command, *(block.get("args") or [])],
                env=environ,
                text=True,
                errors="replace",
                check=False,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if interactive else subprocess.PIPE,  # a login may have to ask
            )
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        if done.returncode:
            said = f": {done.stderr}" if done.stderr else ""
            raise self._failed(f"it ended with {done.returncode}{said}")
        return done.stdout

    def _parsed(self, output: str) -> Credential:
        try:
            answer = json.loads(output)
            version, status = answer["apiVersion"], answer.get("status") or {}
            token, certificate, key = (_text(status.get(name)) for name in _GIVEN)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._failed("its answer is not an ExecCredential") from error
        if version != self._block.get("apiVersion"):
            wanted = self._block.get("apiVersion")
            raise self._failed(f"it speaks `{version}`, the kubeconfig asks for `{wanted}`")
        if not token and not (certificate and key):
            raise self._failed("its answer has neither a token nor a certificate with its key")
        return Credential(
            token=token,
            certificate=certificate.encode(),
            key=key.encode(),
            expires_at=parse_time(status.get("expirationTimestamp")),
        )

    def _secrets(self) -> list[str]:
        """Arguments and variables that the plugin's own words must not repeat; short ones (a
        cluster's region, `get-token`) are words."""
        named = (e.get("value", "") for e in self._block.get("env") or [])
        found = [*_values(self._block.get("args") or ()), *map(str, named)]
        return sorted((s for s in found if len(s) >= _SECRET), key=len, reverse=True)

    def _failed(self, reason: str) -> Unauthenticated:
        command = self._block.get("command", "")
        for secret in self._secrets():
            reason = reason.replace(secret, "***")
        words = " ".join(reason.split())[:_LONGEST_REASON].rstrip(".")
        by_hand = f"run the `exec` command of user `{self._user.name}` by hand to see why"
        hint = self._block.get("installHint") or by_hand
        return Unauthenticated(
            f"the credential plugin `{command}` of user `{self._user.name}` failed: {words}",
            hint=" ".join(str(hint).split()),
        )


def _text(value: object) -> str:
    """Empty where it is not there. Raises TypeError."""
    if value is not None and not isinstance(value, str):
        raise TypeError("not a text")
    return value or ""


def _values(words: Iterable[object]) -> Iterator[str]:
    """What may be secret in arguments: all that is no option's name."""
    for word in map(str, words):
        name, _, value = word.partition("=") if word.startswith("-") else ("", "", word)
        yield value or ("" if name else word)


def _cluster_info(cluster: Block) -> dict[str, Any]:
    fields = cluster.fields
    kept = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    info = {k: fields[k] for k in kept if k in fields}
    for extension in fields.get("extensions") or []:
        if extension.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info
