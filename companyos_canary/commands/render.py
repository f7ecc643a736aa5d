"""`canary render`: print what `apply` would install."""

from typing import Annotated

import typer

from companyos_canary.commands import base
from companyos_canary.errors import ExitCode
from companyos_canary.render.objects import objects
from companyos_canary.render.templates import to_yaml

EXAMPLES = (
    "canary render v1.0.0           AnalysisTemplates, Service and Rollout as YAML",
    "canary render -e prod | kubectl diff -f -",
    "canary render -o json | jq .data.objects",
)
EXITS = (ExitCode.OK, ExitCode.USAGE)


def render(
    session: base.Session,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="image tag, digest or image")] = None,
) -> base.Answer:
    """Print the objects that canary.yaml produces, without a cluster."""
    found = objects(session.settings, version)
    return base.Answer(
        data={"objects": list(found)},
        lines=(to_yaml(found).rstrip("\n"),),
        objects=found,
        name="\n".join(f"{o['kind'].lower()}/{o['metadata']['name']}" for o in found),
    )


command = base.verb(render)
