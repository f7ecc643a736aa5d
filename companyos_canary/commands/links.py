"""`canary links`: where else to look."""

import webbrowser
from typing import Annotated

import typer
from msgspec import Struct

from companyos_canary.commands import base
from companyos_canary.config import FILE
from companyos_canary.errors import CanaryError, ConfigError, ExitCode, NotFound, UsageError, near
from companyos_canary.model.row import Output, Says


class Links(Struct, frozen=True, kw_only=True):
    rollout: str
    links: Annotated[dict[str, str], Says("address by name, as in canary.yaml")]


EXAMPLES = (
    "canary links                           dashboard, SLO board, runbook",
    "canary links dashboard                 just that address",
    "canary links dashboard --open          in the browser",
    "canary links -o json | jq -r .data.links.dashboard",
)
OUTPUT = Output((Links,))
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.NOT_FOUND)


def links(
    session: base.Session,
    link: Annotated[str | None, typer.Argument(help="print only this link's address", metavar="LINK")] = None,
    browse: Annotated[bool, typer.Option("--open", help="open it (or the first one) in the browser")] = False,
) -> base.Answer:
    """Print the links in canary.yaml: dashboard, SLO board, runbook."""
    settings = session.settings
    known = dict(settings.links)
    name = settings.path.name if settings.path else FILE
    if not known:
        raise ConfigError(f"`{name}` names no links", hint="add `links:` with dashboard, slo and runbook")
    if link is not None and link not in known:
        others = "it has " + ", ".join(f"`{each}`" for each in known)
        raise NotFound(f"`{name}` has no link `{link}`", hint=near(link, known, others))
    shown = {link: known[link]} if link else known
    if browse:
        _open(session, link or next(iter(known)), known)
    widest = max(len(each) for each in shown)
    return base.Answer(
        data=Links(rollout=settings.rollout, links=shown),
        lines=(known[link],) if link else tuple(f"{each:<{widest}}  {url}" for each, url in shown.items()),
    )


def _open(session: base.Session, name: str, known: dict[str, str]) -> None:
    """Only for a person, and only what a browser is for."""
    url = known[name]
    if not session.runtime.out_is_terminal:
        raise UsageError("--open needs a terminal", hint=f"the address is {url}")
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"link `{name}` is not an address for a browser: `{url}`")
    if not webbrowser.open(url):
        raise CanaryError("no browser could be opened", hint=f"the address is {url}")
    session.note(f"opened {url}")


command = base.verb(links, forms=("human", "json"))
