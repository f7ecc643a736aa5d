"""`canary metrics`: what Prometheus says now, over time, and how it is asked."""

from datetime import timedelta
from typing import Annotated

import typer

from companyos_canary.commands import base
from companyos_canary.commands.given import span
from companyos_canary.errors import ExitCode, UsageError

_SECOND = timedelta(seconds=1)
EXAMPLES = (
    "canary metrics                     canary and stable now, limit, verdict",
    "canary metrics -w --every 10s      the same again and again, until Ctrl-C",
    "canary metrics --since 1h          a chart of each metric with its limit",
    "canary metrics --query error-rate  the PromQL, and a link to Prometheus",
)
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND, ExitCode.INTERRUPTED)


def metrics(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="again and again, until Ctrl-C")] = False,
    every: Annotated[str, typer.Option("--every", help="how often, with --watch")] = "5s",
    since: Annotated[str | None, typer.Option("--since", help="the values since then, as 1h")] = None,
    query: Annotated[
        str | None, typer.Option("--query", help="print how that metric is asked", metavar="METRIC")
    ] = None,
) -> base.Answer:
    """Show what Prometheus says of the canary now, beside stable, the limit, and what the newest
    AnalysisRun measured.

    The questions are those of the update's analysis; before it, those of canary.yaml. Prometheus
    is asked directly, or through the API server where it cannot be reached.
    """
    from companyos_canary.commands import measuring

    if watch + (since is not None) + (query is not None) > 1:
        raise UsageError("--watch, --since and --query exclude each other", hint="leave out all but one")
    if watch:
        return measuring.watch(session, span(every, "--every", least=_SECOND))
    if query is not None:
        return measuring.query(session, query)
    if since is not None:
        return measuring.since(session, span(since, "--since", least=_SECOND))
    return measuring.now(session)


command = base.verb(metrics, forms=("human", "json"))
