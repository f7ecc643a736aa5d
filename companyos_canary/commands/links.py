"""`canary links`: where else to look."""

from companyos_canary.commands import base
from companyos_canary.config import FILE
from companyos_canary.errors import ConfigError, ExitCode

EXAMPLES = (
    "canary links                           dashboard, SLO board, runbook",
    "canary links -o json | jq -r .data.links.dashboard",
)
EXITS = (ExitCode.OK, ExitCode.USAGE)


def links(session: base.Session) -> base.Answer:
    """Print the addresses that canary.yaml knows: dashboard, SLO board, runbook."""
    settings = session.settings
    if not settings.links:
        name = settings.path.name if settings.path else FILE
        raise ConfigError(
            f"`{name}` names no links",
            hint="add `links:` with dashboard, slo and runbook",
        )
    widest = max(len(name) for name in settings.links)
    return base.Answer(
        data={"rollout": settings.rollout, "links": dict(settings.links)},
        lines=tuple(f"{name:<{widest}}  {url}" for name, url in settings.links.items()),
    )


command = base.verb(links, forms=("human", "json"))
