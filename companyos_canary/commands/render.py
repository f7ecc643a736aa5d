"""`canary render`: print what `apply` would install."""

from dataclasses import dataclass
from typing import Annotated

import typer

from companyos_canary.commands import base
from companyos_canary.errors import ExitCode
from companyos_canary.model.row import Object, Output
from companyos_canary.render.objects import objects
from companyos_canary.render.templates import to_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    objects: tuple[Object, ...]


EXAMPLES = (
    "canary render v1.0.0           AnalysisTemplates, Service and Rollout as YAML",
    "canary render -e prod | kubectl diff -f -",
    "canary render -o json | jq .data.objects",
)
OUTPUT = Output((Objects,))
EXITS = (ExitCode.OK, ExitCode.USAGE)


def render(
    session: base.Session,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="image tag, digest or image")] = None,
) -> base.Answer:
    """Print the objects that canary.yaml produces, without a cluster."""
    found = objects(session.settings, version)
    return base.Answer(
        data=Objects(objects=tuple(found)),
        lines=(to_yaml(found).rstrip("\n"),),
        objects=found,
        name="\n".join(f"{o['kind'].lower()}/{o['metadata']['name']}" for o in found),
    )


command = base.verb(render)
