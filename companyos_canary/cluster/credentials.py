"""From a kubeconfig, or from inside a pod, to a transport that carries the credentials.

What most clusters use (token, certificate, plugin) is read here: the kubernetes library takes a
quarter of a second to load, only logs when a plugin fails, and does not know `as`. It is asked
for the rest.
"""

import base64
import os
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct
from msgspec.json import decode

from companyos_canary.cluster.kubeconfig import Block, Entry, as_said, kubeconfig_files, read_entry
from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import CanaryError, ConfigError, Unauthenticated
from companyos_canary.files import lasting
from companyos_canary.model.http import basic_authorization, without_password
from companyos_canary.model.place import NOBODY, Identity

if TYPE_CHECKING:
    from companyos_canary.cluster.library import Plugin

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
IN_CLUSTER = "in-cluster"
_AGAIN = "log in again, or choose another context with --context"


class Connection(Struct, frozen=True):
    """A cluster to talk to. `namespace` is that of the context, or `default`; `context` is
    `in-cluster` inside a pod without a kubeconfig."""

    transport: KubernetesTransport
    namespace: str
    context: str


def open_transport(
    kubeconfig: str | None,
    context: str | None,
    *,
    environ: Mapping[str, str],
    timeout: float,
    identity: Identity = NOBODY,
    service_account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """The cluster that the kubeconfig (else KUBECONFIG, else ~/.kube/config, else the pod's service
    account) and the context name. Sends nothing, but may run a credential plugin. Raises
    ConfigError (no or broken kubeconfig), UsageError (unknown context, cluster or user), Unauthenticated."""
    files = kubeconfig_files(kubeconfig, environ)
    if files:
        entry = read_entry(files, context, identity)
        transport = _transport(files, entry, environ, timeout)
        transport.nameless = _nameless(entry)
        transport.otherwise(_Rewritten(files, entry, environ, timeout, identity))
        return Connection(transport, entry.namespace, entry.context)
    if environ.get("KUBERNETES_SERVICE_HOST") and not (context or identity.user or identity.cluster):
        return _in_cluster(environ, service_account, timeout, identity)
    raise ConfigError(
        "no kubeconfig: neither KUBECONFIG nor ~/.kube/config names a file that exists",
        hint="give one with --kubeconfig FILE, or log in to the cluster first",
    )


def at_hand(
    kubeconfig: str | None, context: str | None, environ: Mapping[str, str], identity: Identity = NOBODY
) -> bool:
    """Whether `connect` does without a credential plugin and a pipe, which may be slow or ask
    someone, and without loading the kubernetes library. Raises as `connect`."""
    files = kubeconfig_files(kubeconfig, environ)
    if not files:
        return True
    if not all(map(os.path.isfile, files)):
        return False
    entry = read_entry(files, context, identity)
    return not entry.user.fields.get("exec") and not entry.user.fields.get("auth-provider")


def _transport(files: list[str], entry: Entry, environ: Mapping[str, str], timeout: float) -> KubernetesTransport:
    from companyos_canary.network.connections import connections_to  # noqa: PLC0415 - not before it is needed

    cluster = entry.cluster.fields
    headers = _impersonation(entry.user)
    plugin = _plugin(entry, environ)
    try:
        authorize = _sendable(_login(entry, files) or _authorizer(entry.user, plugin), entry.user.name)
        certificate, key = (entry.user.content("client-certificate"), entry.user.content("client-key"))
        if plugin and not certificate:
            held = plugin.credential()
            certificate, key = held.certificate, held.key
        connections = connections_to(
            str(cluster["server"]).rstrip("/"),
            authority=entry.cluster.content("certificate-authority"),
            certificate=certificate,
            key=key,
            server_name=str(cluster.get("tls-server-name") or ""),
            verify=not cluster.get("insecure-skip-tls-verify"),
            proxy=str(cluster.get("proxy-url") or ""),
            environ=environ,
        )
    except (OSError, ValueError, TypeError) as error:
        raise entry.unusable(error) from error
    renew = plugin.renew if plugin else lambda: False
    transport = KubernetesTransport(connections, authorize, renew=renew, timeout=timeout, headers=headers)
    if not plugin:  # what a plugin gives is renewed
        transport.ends = lambda: _ends(entry.user, certificate)
    return transport


def _ends(user: Block, certificate: bytes) -> datetime | None:
    """When the first of the credentials that are sent ends, as far as they say so."""
    fields = user.fields
    token = str(fields.get("token") or _id_token(user))
    if path := fields.get("tokenFile"):
        token = _token(user.folder / path)
    ends = (certificate_ends(certificate), token_ends(token.strip()))
    return min((at for at in ends if at), default=None)


class _Rewritten:
    """The same context of files that were written again since: someone logged in, or the cluster has another CA. None
    where nothing in them is different, or the context now leads to another server."""

    def __init__(
        self, files: list[str], entry: Entry, environ: Mapping[str, str], timeout: float, identity: Identity
    ) -> None:
        self._files, self._entry, self._environ, self._timeout = files, entry, environ, timeout
        # Of the cluster that was named the context is not known any more, and not needed.
        self._context, self._identity = None if identity.cluster else entry.context, identity
        self._contents = _contents(entry)

    def __call__(self) -> KubernetesTransport | None:
        try:
            entry = read_entry(self._files, self._context, self._identity)
            contents = _contents(entry)
            if contents == self._contents or entry.cluster.fields["server"] != self._entry.cluster.fields["server"]:
                return None
            self._contents = contents
            return _transport(self._files, entry, self._environ, self._timeout)
        except CanaryError:
            return None


_FILES = ("certificate-authority", "client-certificate", "client-key")


def _contents(entry: Entry) -> tuple[object, ...]:
    """All that credentials and trust are made of."""
    found: list[object] = [entry.cluster.fields, entry.user.fields]
    for block, key in ((entry.cluster, _FILES[0]), (entry.user, _FILES[1]), (entry.user, _FILES[2])):
        try:
            found.append(block.content(key))
        except (OSError, ValueError):
            found.append(None)
    return tuple(found)


_CREDENTIALS = ("token", "tokenFile", "exec", "auth-provider", "client-certificate", "client-certificate-data")


def _nameless(entry: Entry) -> str:
    """Why requests carry no credentials; empty if they do."""
    user, server = entry.user, without_password(str(entry.cluster.fields["server"]))
    if not any(user.fields.get(key) for key in (*_CREDENTIALS, "username")):
        return f"user `{user.name}` of context `{entry.context}` has none in the kubeconfig"
    if server.startswith("http:"):
        return f"those of user `{user.name}` are not sent to `{server}`: it is not encrypted"
    return ""


def _plugin(entry: Entry, environ: Mapping[str, str]) -> "Plugin | None":
    if not entry.user.fields.get("exec"):
        return None
    from companyos_canary.cluster.library import Plugin  # noqa: PLC0415 - few need subprocess

    return Plugin(entry.user, entry.cluster, environ)


def _login(entry: Entry, files: list[str]) -> Callable[[], str] | None:
    """That of an `auth-provider` that has to renew the token."""
    if not entry.user.fields.get("auth-provider") or _id_token(entry.user):
        return None
    from companyos_canary.cluster.library import library_login  # noqa: PLC0415 - few need the kubernetes library

    return library_login(files, entry)


def _authorizer(user: Block, plugin: "Plugin | None") -> Callable[[], str]:
    """The Authorization header, looked up before every request. Raises OSError."""
    fields = user.fields
    if path := fields.get("tokenFile"):
        file = user.folder / path
        lasting(file).decode()
        return lambda: f"Bearer {_token(file)}"
    if token := fields.get("token"):
        return lambda: f"Bearer {str(token).strip()}"
    if token := _id_token(user):
        return lambda: f"Bearer {token}"
    if plugin:
        chosen = plugin
        return lambda: f"Bearer {t}" if (t := chosen.credential().token.strip()) else ""
    if "username" in fields and "password" in fields:
        basic = basic_authorization(fields["username"], fields["password"])
        return lambda: basic
    return lambda: ""


_SUCCESSORS = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}


def _id_token(user: Block) -> str:
    """The token of an `auth-provider` where it needs no one: that of OIDC while it is valid. Empty if
    it has to be renewed. Raises Unauthenticated if that cannot be."""
    provider = user.fields.get("auth-provider")
    if not isinstance(provider, dict):
        return ""
    name, settings = str(provider.get("name") or ""), provider.get("config") or {}
    if name != "oidc":
        successor = _SUCCESSORS.get(name)
        how = f"`{successor}` takes its place as an `exec` plugin: log in with it again" if successor else _AGAIN
        raise Unauthenticated(f"user `{user.name}` logs in with the auth-provider `{name}`, which is gone", hint=how)
    token = str(settings.get("id-token") or "").strip()
    ends = token_ends(token)  # where it cannot be read the server will say
    if token and (ends is None or ends > datetime.now(UTC)):
        return token
    if settings.get("refresh-token"):
        return ""
    what = "has expired" if token else "is not there"
    raise Unauthenticated(f"the id-token of user `{user.name}` {what}", hint=_AGAIN)


def _sendable(authorize: Callable[[], str], user: str) -> Callable[[], str]:
    """The header, or Unauthenticated without its value where HTTP cannot carry it."""

    def checked() -> str:
        header = authorize()
        if not (header.isascii() and header.isprintable()):
            raise Unauthenticated(
                f"the token of user `{user}` has a character that HTTP cannot carry",
                hint="check the token in the kubeconfig, or log in again",
            )
        return header

    return checked


def _token(file: Path) -> str:
    try:
        return lasting(file).decode().strip()
    except OSError as error:
        raise Unauthenticated(f"the token file `{file}` cannot be read: {error.strerror}") from error


_OF_HEADERS = "!#$&'*+-.^_`|~"  # what else a header's name may have; client-go writes the rest as %XX


def _impersonation(user: Block) -> tuple[tuple[str, str], ...]:
    """Whom to act as (`as`, `as-uid`, `as-groups`)."""
    fields = user.fields
    headers = [("as", "Impersonate-User", fields.get("as")), ("as-uid", "Impersonate-Uid", fields.get("as-uid"))]
    headers += [("as-groups", "Impersonate-Group", group) for group in fields.get("as-groups") or []]
    for key, values in (fields.get("as-user-extra") or {}).items():
        name = f"Impersonate-Extra-{quote(str(key), safe=_OF_HEADERS)}"
        headers += [("as-user-extra", name, value) for value in values or []]
    for key, _, value in headers:
        if value and not (value.isascii() and value.isprintable()):
            raise ConfigError(
                f"`{key}` of user `{user.name}` has a character that HTTP cannot carry",
                hint="check it in the kubeconfig",
            )
    return tuple((name, value) for _, name, value in headers if value)


def _in_cluster(environ: Mapping[str, str], folder: Path, timeout: float, identity: Identity) -> Connection:
    from companyos_canary.network.connections import connections_to  # noqa: PLC0415

    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    token = folder / "token"
    try:
        lasting(token).decode()
        connections = connections_to(server, authority=lasting(folder / "ca.crt"))
        namespace = lasting(folder / "namespace").decode().strip()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no kubeconfig, and the pod's service account cannot be used: {error}",
            hint="give a kubeconfig with --kubeconfig FILE",
        ) from error
    user = as_said(Block("service account", {"tokenFile": str(token)}, folder), identity)
    authorize = _sendable(_authorizer(user, None), user.name)
    transport = KubernetesTransport(connections, authorize, timeout=timeout, headers=_impersonation(user))
    return Connection(transport, namespace or "default", IN_CLUSTER)


def certificate_ends(pem: bytes) -> datetime | None:
    """The notAfter of the first certificate (X.509 in PEM, RFC 5280 §4.1); None where it cannot be read: the server
    will say."""
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - 40 ms, only for `doctor`

    try:
        with warnings.catch_warnings(action="ignore"):
            return load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        return None


def token_ends(token: str) -> datetime | None:
    """The `exp` of a JWT; None where it has none, or is no JWT."""
    try:
        claims = token.split(".")[1]
        ends = float(decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
        return datetime.fromtimestamp(ends, UTC)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, OSError):
        return None
