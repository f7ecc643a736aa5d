"""The kubeconfig that leads kubectl and canary to the sandbox."""

import base64
import json
import os
import tempfile
from pathlib import Path

CONTEXT = "sandbox"


def kubeconfig(*, server: str, token: str, ca: bytes, namespace: str = "default") -> str:
    """The text of a kubeconfig with one context, `sandbox`; the CA (PEM) stands inside."""
    return f"""\
apiVersion: v1
kind: Config
current-context: {CONTEXT}
clusters:
- name: {CONTEXT}
  cluster:
    server: {json.dumps(server)}
    certificate-authority-data: {base64.b64encode(ca).decode()}
contexts:
- name: {CONTEXT}
  context:
    cluster: {CONTEXT}
    user: {CONTEXT}
    namespace: {json.dumps(namespace)}
users:
- name: {CONTEXT}
  user:
    token: {json.dumps(token)}
"""


def write_kubeconfig(
    path: Path, *, server: str, token: str, ca: bytes, namespace: str = "default"
) -> None:
    """Writes the kubeconfig for its owner only (0600), whole or not at all."""
    text = kubeconfig(server=server, token=token, ca=ca, namespace=namespace)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
