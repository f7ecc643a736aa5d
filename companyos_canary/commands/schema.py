"""`canary schema`: the JSON Schema of what `-o json` prints."""

import json
from typing import Annotated, Any

import typer
from msgspec import Struct

from companyos_canary.commands import base
from companyos_canary.errors import ExitCode, UsageError, near
from companyos_canary.model.row import Output, Says


class Schema(Struct, frozen=True):
    schema: Annotated[dict[str, Any], Says("a JSON Schema")]


EXAMPLES = (
    "canary schema                       all verbs, for code generators",
    "canary schema watch                 of its lines",
    "canary schema get > get.schema.json",
)
OUTPUT = Output((Schema,))
EXITS = (ExitCode.OK, ExitCode.USAGE)


def schema(
    session: base.Session, verb: Annotated[str | None, typer.Argument(help="only this verb", metavar="[VERB]")] = None
) -> base.Answer:
    """Print the JSON Schema (draft 2020-12) of what the verbs print with `-o json`.

    Within `canary/v1`, keys are only added, so ignore those that you do not know.
    """
    from companyos_canary.commands.contract import DOCUMENTED, document

    if verb is not None and verb not in DOCUMENTED:
        raise UsageError(f"there is no verb `{verb}`", hint=near(verb, DOCUMENTED, "see `canary --help`"))
    found = document(verb or "")
    return base.Answer(data=Schema(found), lines=(json.dumps(found, indent=2, ensure_ascii=False),))


command = base.verb(schema, reads_config=False, forms=("human", "json"), of_cluster=False)
