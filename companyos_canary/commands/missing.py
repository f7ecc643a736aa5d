"""Why a Rollout was not found: the namespace is missing, or the name is nearly another one's."""

from typing import TYPE_CHECKING

from companyos_canary.errors import CanaryError, Forbidden, NotFound, near

if TYPE_CHECKING:
    from companyos_canary.commands.base import Session
    from companyos_canary.model.snapshot import Snapshot


def explained(session: "Session", error: NotFound) -> NotFound:
    """The same error, or a better one, for a Rollout that is not there; what may not be read for
    that is left out. Any other NotFound stays as it is."""
    name = session.resolved.rollout
    if not name or f"Rollout `{name}` not found" not in error.message:
        return error
    cluster = session.cluster
    try:
        names = cluster.rollout_names()
        if not names and cluster.object("v1", "namespaces", cluster.namespace) is None:
            return NotFound(
                f"namespace `{cluster.namespace}` does not exist", hint="choose one with -n, or create it first"
            )
    except CanaryError:
        return error
    return NotFound(error.message, hint=near(name, names, error.hint or _others(names)))


def permitted(snapshot: "Snapshot", plural: str) -> None:
    """Raises Forbidden where nothing is there because it may not be listed."""
    if denied := snapshot.denied(plural):
        raise Forbidden(denied)


def _others(names: tuple[str, ...]) -> str:
    if not names:
        return "choose the namespace with -n; `canary apply VERSION` installs a Rollout"
    more = "" if len(names) <= 5 else f" and {len(names) - 5} more"
    return "there is " + ", ".join(f"`{n}`" for n in names[:5]) + more
