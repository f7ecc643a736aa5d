"""`canary render`: print what `apply` would install."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from msgspec import Struct

from companyos_canary.commands import base
from companyos_canary.config import Settings
from companyos_canary.errors import CanaryError, ExitCode, UsageError
from companyos_canary.model.row import Object, Output
from companyos_canary.render.difference import keep_live_image
from companyos_canary.render.objects import objects
from companyos_canary.render.templates import to_yaml
from companyos_canary.render.traffic import for_a_route_that_exists, ignored_by_argocd


class Objects(Struct, frozen=True, kw_only=True):
    objects: tuple[Object, ...]


EXAMPLES = (
    "canary render v1.0.0           AnalysisTemplates, Service and Rollout as YAML",
    "canary render -e prod | kubectl diff -f -   with the live image",
    "canary render --argocd         what an Application of Argo CD has to ignore",
    "canary render -o json | jq .data.objects",
)
OUTPUT = Output((Objects,))
AUTOSCALED = (
    "`replicas: null` leaves the number of pods to an autoscaler (also that of KEDA): it counts the pods of both "
    "versions, so if each step makes it scale, give it a stabilization window that is longer than a step"
)
EXITS = (ExitCode.OK, ExitCode.USAGE)


def render(
    session: base.Session,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="image tag, digest or image")] = None,
    argocd: Annotated[
        bool, typer.Option("--argocd", help="print what an Application of Argo CD has to ignore instead")
    ] = False,
) -> base.Answer:
    """Print the objects that canary.yaml produces.

    With a VERSION no cluster is asked. Without one they have the live image.

    With a traffic router the controller writes weights and selectors; --argocd prints the `ignoreDifferences`
    that keep Argo CD from putting them back.
    """
    if argocd:
        return _for_argocd(session.settings)
    found = objects(session.settings, version)
    if session.settings.replicas is None and not session.settings.blue_green:
        session.note(AUTOSCALED)
    if version is None and session.output != "name":
        live = _live(session)
        found = tuple(keep_live_image(o, live) if o["kind"] == "Rollout" else o for o in found)
    if session.settings.traffic and (note := for_a_route_that_exists(session.settings, session.settings.traffic)):
        session.note(note)
    return base.Answer(
        data=Objects(objects=tuple(found)),
        lines=(to_yaml(found).rstrip("\n"),),
        objects=found,
        name="\n".join(f"{o['kind'].lower()}/{o['metadata']['name']}" for o in found),
    )


def _for_argocd(settings: Settings) -> base.Answer:
    ignored = ignored_by_argocd(settings) if settings.manage == "all" else []
    if not ignored:
        raise UsageError(
            "of what canary.yaml renders the controller writes nothing that Argo CD would put back",
            hint="`canary render` prints the objects",
        )
    sync = {"syncOptions": ["RespectIgnoreDifferences=true"]}
    part = {"spec": {"ignoreDifferences": ignored, "syncPolicy": sync}}
    return base.Answer(data=Objects(objects=(part,)), lines=(to_yaml([part]).rstrip("\n"),), objects=(part,))


def _live(session: base.Session) -> Mapping[str, Any]:
    """The live Rollout. Raises UsageError if it does not exist or cannot be read."""
    from companyos_canary.cluster.kinds import ROLLOUT

    name, hint = session.settings.rollout, "name a version: `canary render VERSION` asks no cluster"
    try:
        live = session.cluster.object(ROLLOUT, name)
    except CanaryError as error:
        raise UsageError(
            f"without a VERSION the live image is printed, but it cannot be read: {error.message}", hint=hint
        ) from error
    if live is None:
        raise UsageError(f"there is no Rollout `{name}` in `{session.cluster.namespace}` yet", hint=hint)
    return live


command = base.verb(render)
