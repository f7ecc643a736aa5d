"""`canary why`: one sentence that says why, the fields that show it, and the next command."""

from typing import Annotated

import typer

from companyos_canary.actions.diagnose import explain
from companyos_canary.commands import base
from companyos_canary.errors import ExitCode
from companyos_canary.view import diagnosis as view

EXAMPLES = (
    "canary why                         the Rollout of canary.yaml",
    "canary why companyos-api -n companyos",
    "canary why --version v1.2.3        what happened to this version",
    "canary why -o json | jq -r .data.cause",
)
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND)


def why(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    version: Annotated[str, typer.Option("--version", help="the version you ask about [default: the newest]")] = "",
) -> base.Answer:
    """Say why a rollout is stuck, was rolled back, or is fine.

    The answer is one sentence, at most five fields that show it, and the next command. docs/causes.md has a section
    for each cause: what it means, how to confirm it by hand and how to fix it. The exit code is 0 for every answer;
    use `canary status` for an exit code by state.
    """
    live = session.cluster.rollout(session.rollout)
    now, place = session.runtime.clock.now(), session.view_place(live)
    runtime, settings = session.runtime, session.resolved.settings
    found, _, notes = explain(
        session.cluster,
        live,
        now,
        place,
        wanted=version,
        prometheus=lambda address: runtime.prometheus(session.cluster, settings, address),
    )
    return base.Answer(
        data={**session.place_of(live), **view.record(found, notes)},
        lines=view.lines(found),
        notes=notes,
        objects=(live.raw,),
        name=f"rollout.argoproj.io/{live.name}",
    )


command = base.verb(why)
