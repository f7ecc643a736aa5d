"""From a kubeconfig, or from inside a pod, to a transport that carries the credentials.

`kubernetes.config` knows every kind of credentials; what it only logs, or decides otherwise than
kubectl, is put right here.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from companyos_canary.cluster.library_log import LibraryErrors
from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import ConfigError, Unauthenticated, UsageError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
IN_CLUSTER = "in-cluster"
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster to talk to. `namespace` is that of the context, or `default`; `context` is
    `in-cluster` inside a pod without a kubeconfig."""

    transport: KubernetesTransport
    namespace: str
    context: str
    server: str
    user: str


def connect(
    kubeconfig: str | None, context: str | None, *,
    environ: Mapping[str, str], timeout: float, service_account: Path = SERVICE_ACCOUNT,
) -> Connection:  # fmt: skip
    """The cluster that the kubeconfig (else KUBECONFIG, else ~/.kube/config, else the pod's service
    account) and the context name. Sends nothing, but may run a credential plugin. Raises
    ConfigError (no or broken kubeconfig), UsageError (unknown context), Unauthenticated."""
    files = kubeconfig_files(kubeconfig, environ)
    if files:
        return _from_files(files, context, timeout)
    if environ.get("KUBERNETES_SERVICE_HOST") and not context:
        return _in_cluster(environ, service_account, timeout)
    raise ConfigError(
        "no kubeconfig: neither KUBECONFIG nor ~/.kube/config names a file that exists",
        hint="give one with --kubeconfig FILE, or log in to the cluster first",
    )


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


def _from_files(files: list[str], context: str | None, timeout: float) -> Connection:
    from kubernetes.client import Configuration  # noqa: PLC0415 - 250 ms
    from kubernetes.config import ConfigException, kube_config  # noqa: PLC0415

    library: Any = kube_config
    merger = _merged(files)
    name = _context_name(merger, context)
    configuration = Configuration()
    try:
        loader = library.KubeConfigLoader(
            merger.config, name, config_base_path=None, config_persister=merger.save_changes
        )
        user = str(loader.current_context["context"].get("user") or "")
        plugin = _exec_block(merger, user)
        with LibraryErrors() as errors:
            loader.load_and_set(configuration)
    except (ConfigException, ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigError(f"context `{name}` cannot be used: {_one_line(error)}") from error
    _raise_for(errors, user, plugin)
    return Connection(
        transport=_transport(configuration, timeout, lambda e: _raise_for(e, user, plugin)),
        namespace=loader.current_context["context"].get("namespace") or "default",
        context=name, server=configuration.host, user=user,
    )  # fmt: skip


def _merged(files: list[str]) -> Any:
    import yaml  # noqa: PLC0415
    from kubernetes.config import ConfigException, kube_config  # noqa: PLC0415

    library: Any = kube_config

    named = "`, `".join(files)
    try:
        merger = library.KubeConfigMerger(os.pathsep.join(files))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"the kubeconfig `{error.filename}` cannot be read: {reason}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1} of `{mark.name}`)" if mark else ""
        raise ConfigError(f"the kubeconfig is no YAML: {error.problem}{where}") from error
    except (ConfigException, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"`{named}` is not a kubeconfig: {_one_line(error)}") from error
    if merger.config is None:
        raise ConfigError(f"`{named}` is not a kubeconfig: it is empty")
    return merger


def _context_name(merger: Any, asked: str | None) -> str:
    # The first file that names one wins, as in kubectl; the library takes the last.
    current = (c.get("current-context") for c in merger.config_files.values())
    name = asked or next((str(c) for c in current if c), "")
    there = sorted(str(c.value.get("name")) for c in merger.config.value["contexts"])
    if name in there:
        return name
    choices = f"contexts: {', '.join(there)}" if there else "it has no contexts"
    if not name:
        raise UsageError(
            "the kubeconfig has no `current-context`", hint=f"choose one with --context; {choices}"
        )
    near = get_close_matches(name, there, n=1)
    guess = f"did you mean `{near[0]}`? " if near else ""
    raise UsageError(f"the kubeconfig has no context `{name}`", hint=guess + choices)


def _exec_block(merger: Any, user: str) -> Mapping[str, Any]:
    for entry in merger.config.value["users"]:
        if entry.value.get("name") == user:
            return (entry.value.get("user") or {}).get("exec") or {}
    return {}


def _in_cluster(environ: Mapping[str, str], folder: Path, timeout: float) -> Connection:
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, incluster_config  # noqa: PLC0415

    library: Any = incluster_config

    configuration = Configuration()
    try:
        library.InClusterConfigLoader(
            str(folder / "token"), str(folder / "ca.crt"), environ=environ
        ).load_and_set(configuration)
    except (ConfigException, OSError) as error:
        raise ConfigError(
            f"no kubeconfig, and the pod's service account cannot be used: {_one_line(error)}",
            hint="give a kubeconfig with --kubeconfig FILE",
        ) from error
    try:
        namespace = (folder / "namespace").read_text().strip()
    except OSError:
        namespace = ""
    return Connection(
        transport=_transport(configuration, timeout, lambda e: _raise_for(e, "", {})),
        namespace=namespace or "default",
        context=IN_CLUSTER, server=configuration.host, user="",
    )  # fmt: skip


def _transport(
    configuration: Any, timeout: float, refuse: Callable[[LibraryErrors], None]
) -> KubernetesTransport:
    import urllib3  # noqa: PLC0415
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415

    configuration.keep_alive = True
    if not configuration.verify_ssl:  # chosen in the kubeconfig; kubectl does not nag either
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    lock = threading.Lock()

    def authorize() -> str:
        # May run the plugin again when its token is about to expire.
        with lock, LibraryErrors() as errors:
            token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        refuse(errors)
        return token or ""

    try:
        pool = RESTClientObject(configuration).pool_manager
    except Exception as error:  # a proxy that urllib3 cannot use, in the words of many libraries
        raise ConfigError(f"the cluster's proxy cannot be used: {_one_line(error)}") from error
    return KubernetesTransport(pool, configuration.host, authorize, timeout=timeout)


def _raise_for(errors: LibraryErrors, user: str, plugin: Mapping[str, Any]) -> None:
    if not errors.messages:
        return
    command = plugin.get("command", "")
    reason = _one_line(errors.messages[0].removeprefix("exec: "))
    raise Unauthenticated(
        f"the credential plugin `{command}` of user `{user}` failed: {reason}",
        hint=_one_line(plugin.get("installHint") or f"run `{command}` by hand to see why"),
    )


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON].rstrip(".")
