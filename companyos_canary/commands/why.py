"""`canary why`: one sentence that says why, the fields that show it, and the next command."""

from typing import Annotated

import typer

from companyos_canary.actions.explain import AskedWhy, explain
from companyos_canary.commands import base
from companyos_canary.errors import exits
from companyos_canary.model.outcome import MOST_EVIDENCE, Evidence
from companyos_canary.model.row import Output, Placed, Says, pick
from companyos_canary.view import why as view


class Why(Placed, frozen=True, kw_only=True):
    """`cause` is stable and has a section in docs/causes.md; `fine` is true where nothing needs to be done, or only a
    decision. `notes`: what could not be seen."""

    cause: str
    fine: bool
    sentence: str
    evidence: Annotated[tuple[Evidence, ...], Says(most=MOST_EVIDENCE)]
    next: Annotated[str, Says("a command line")]
    notes: tuple[str, ...]


EXAMPLES = (
    "canary why                         the Rollout of canary.yaml",
    "canary why companyos-api -n companyos",
    "canary why --version v1.2.3        what happened to this version",
    "canary why -o json | jq -r .data.cause",
)
OUTPUT = Output((Why,))
EXITS = exits()


def why(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    version: Annotated[str, typer.Option("--version", help="the version you ask about [default: the newest]")] = "",
) -> base.Answer:
    """Say why a rollout is stuck, was rolled back, or is fine.

    The answer is one sentence, at most five fields that prove it, and the next command. docs/causes.md has a section
    for each cause: what it means, how to confirm it by hand and how to fix it. The exit code is 0 for every answer;
    use `canary status` for an exit code by state.
    """
    live = session.cluster.rollout(session.rollout)
    now, place = session.runtime.clock.now(), session.view_place(live)
    found, _, notes = explain(session.cluster, live, now, place, AskedWhy(version, prometheus=session.prometheus))
    return base.Answer(
        data=pick(Why, found, **session.place_of(live), notes=notes),
        lines=view.diagnosis_lines(found),
        notes=notes,
        objects=(live.raw,),
        name=live.resource,
    )


command = base.verb(why)
