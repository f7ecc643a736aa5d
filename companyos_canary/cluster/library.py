"""The way through the kubernetes library, which takes 150 ms more: for cloud logins of the old kind
(`auth-provider`) and for proxies."""

import logging
import os
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from companyos_canary.cluster.kubeconfig import Entry
from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import Unauthenticated


def library_transport(
    files: list[str], entry: Entry, timeout: float, headers: Sequence[tuple[str, str]]
) -> KubernetesTransport:
    """Raises ConfigError, Unauthenticated."""
    import urllib3  # noqa: PLC0415
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415
    from kubernetes.config import kube_config  # noqa: PLC0415

    library: Any = kube_config
    configuration = Configuration()
    try:
        merger = library.KubeConfigMerger(os.pathsep.join(files))
        loader = library.KubeConfigLoader(
            merger.config, entry.context, config_base_path=None, config_persister=merger.save_changes
        )
        with LibraryErrors() as errors:
            loader.load_and_set(configuration)
        configuration.keep_alive = True
        pool = RESTClientObject(configuration).pool_manager
    except Exception as error:  # in the words of many libraries
        raise entry.unusable(error) from error
    _raise_for(errors, entry)
    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    lock = threading.Lock()

    def authorize() -> str:
        # May log in again when the token is about to expire.
        with lock, LibraryErrors() as errors:
            token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        _raise_for(errors, entry)
        return (token or "").strip()

    return KubernetesTransport(pool, configuration.host, authorize, timeout=timeout, headers=headers)


def _raise_for(errors: "LibraryErrors", entry: Entry) -> None:
    if errors.messages:
        reason = " ".join(errors.messages[0].split()).rstrip(".")
        raise Unauthenticated(f"no credentials for user `{entry.user.name}`: {reason}")


class LibraryErrors(logging.Handler):
    """Collects what the library logs as errors on this thread, where it goes on without
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
