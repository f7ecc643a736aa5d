"""`canary version`: of this program, of the API server and of the Argo Rollouts controller."""

from typing import Annotated

import typer
from msgspec import Struct

from companyos_canary import __version__
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import DEPLOYMENT, Selection
from companyos_canary.commands import base
from companyos_canary.diagnosis.control import CONTROLLER, controller_version
from companyos_canary.diagnosis.installation import CONTROLLER_LABEL, NO_CONTROLLER, controller_place
from companyos_canary.errors import CanaryError, ExitCode
from companyos_canary.model.http import Json
from companyos_canary.model.row import Output, Says

EXAMPLES = (
    "canary version",
    "canary version --client               without asking the cluster",
    "canary version -o json | jq -r .data.argo_rollouts",
)


class Versions(Struct, frozen=True):
    """`notes`: why a version is not known."""

    canary: str
    kubernetes: Annotated[str, Says("empty if it is not known")]
    argo_rollouts: Annotated[str, Says("empty if it is not known")]
    controller: Annotated[str, Says("namespace/name of the controller's Deployment, empty if it was not found")]
    notes: tuple[str, ...]


OUTPUT = Output((Versions,), partial=True)
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED)


def controllers(cluster: Cluster) -> list[Json]:
    """The Deployments of Argo Rollouts: the one of the usual name and namespace, else by label in all namespaces."""
    there = cluster.elsewhere(CONTROLLER)
    found = there.object(DEPLOYMENT, CONTROLLER)
    return [found] if found else list(there.items(Selection(DEPLOYMENT, "", CONTROLLER_LABEL)))


def controller_seen(cluster: Cluster) -> Json | str:
    """The Deployment of the controller, or the sentence that says why its version is not known."""
    try:
        found = next(iter(controllers(cluster)), None)
    except CanaryError as error:
        return f"the version of Argo Rollouts is not known: {error.message}"
    return f"the version of Argo Rollouts is not known: {NO_CONTROLLER}" if found is None else found


def controller_line(controller: Json | str) -> str:
    """`Argo Rollouts v1.9.1 (argo-rollouts/argo-rollouts)`, or that sentence."""
    if isinstance(controller, str):
        return controller
    return f"Argo Rollouts {controller_version(controller) or 'of an unknown version'} ({controller_place(controller)})"


def version(
    session: base.Session, client: Annotated[bool, typer.Option("--client", help="only that of this program")] = False
) -> base.Answer:
    """Print the versions of canary, of the API server and of the Argo Rollouts controller.

    The controller's version is the tag of its image; seeing it requires the right to get its Deployment.
    """
    lines, kubernetes, rollouts, where, notes = [f"canary {__version__}"], "", "", "", []
    if client:
        return base.Answer(data=Versions(__version__, "", "", "", ()), lines=tuple(lines))
    try:
        kubernetes = str(session.cluster.version().get("gitVersion") or "")
    except CanaryError as error:
        return base.Answer(data=Versions(__version__, "", "", "", ()), lines=tuple(lines), error=error)
    context = session.cluster.context
    lines.append(f"Kubernetes {kubernetes or 'of an unknown version'}" + (f" (context {context})" if context else ""))
    controller = controller_seen(session.cluster)
    if isinstance(controller, str):
        notes.append(controller)
    else:
        rollouts, where = controller_version(controller), controller_place(controller)
        lines.append(controller_line(controller))
    return base.Answer(
        data=Versions(__version__, kubernetes, rollouts, where, tuple(notes)), lines=tuple(lines), notes=tuple(notes)
    )


command = base.verb(version, forms=("human", "json"))
