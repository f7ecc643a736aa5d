"""A command line that is being typed: what it says so far, and the cluster that it means."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from companyos_canary.config import Flags, Resolved, resolve
from companyos_canary.model.rollout import HASH_LABEL, Rollout
from companyos_canary.runtime import Runtime

if TYPE_CHECKING:
    from companyos_canary.cluster.client import Cluster
    from companyos_canary.cluster.kinds import Kind

T = TypeVar("T")
PATIENCE = 0.15  # seconds for the request, and for what comes before it: the look-up of a name


class Line:
    """What the line says so far (`given`: values by the names of the parameters), and the cluster
    that it means. A credential plugin is not run: it may be slow, or open a browser."""

    def __init__(self, runtime: Runtime, given: Mapping[str, Any]) -> None:
        self.runtime = runtime
        self.given = given

    @cached_property
    def resolved(self) -> Resolved:
        names = ("rollout", "namespace", "context", "kubeconfig", "env", "file")
        flags = Flags(**{name: self.given.get(name) for name in names})
        return resolve(flags, self.runtime.environ, self.runtime.cwd, needs_settings=False)

    def ask(self, question: Callable[["Cluster"], T]) -> list[T]:
        """The answer, if it comes in time: a look-up of a server's name knows no deadline, so it
        is left behind on a thread."""
        from companyos_canary.cluster.credentials import at_hand

        resolved, environ = self.resolved, self.runtime.environ
        if not at_hand(resolved.kubeconfig, resolved.context, environ):
            return []
        cluster = self.runtime.connect(resolved, environ, PATIENCE)
        answers: list[T] = []

        def work() -> None:
            with contextlib.suppress(Exception):
                answers.append(question(cluster))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(2 * PATIENCE)
        return answers

    def rollout(self) -> list[Rollout]:
        """The Rollout that is named, else the only one of the namespace; none in doubt."""
        name = self.resolved.rollout
        if name:
            return self.ask(lambda cluster: cluster.rollout(name))
        everyone = [r for found in self.ask(lambda cluster: cluster.rollouts()) for r in found]
        return everyone if len(everyone) == 1 else []

    def owned(self, kind: "Kind") -> list[dict[str, Any]]:
        """The objects of a kind that belong to that Rollout, known by the names of their owners:
        the Rollout itself would be a second request."""
        from companyos_canary.cluster.reads import Selection

        lists = self.ask(lambda c: c.items(Selection(kind, c.namespace, HASH_LABEL)))
        items = [item for found in lists for item in found]
        owners = {_owner(item) for item in items}
        wanted = self.resolved.rollout or (owners.pop() if len(owners) == 1 else "")
        return [item for item in items if _owner(item) == wanted]


def _owner(item: Mapping[str, Any]) -> str:
    """The Rollout's name; a ReplicaSet is called after its Rollout and its hash."""
    meta = item["metadata"]
    reference: dict[str, str] = next(iter(meta.get("ownerReferences") or []), {})
    name, label = reference.get("name", ""), (meta.get("labels") or {}).get(HASH_LABEL, "")
    return name.removesuffix(f"-{label}") if reference.get("kind") == "ReplicaSet" else name
