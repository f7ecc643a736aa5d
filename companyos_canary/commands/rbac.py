"""`canary rbac`: the Role that a person or a job needs, and who gets it. Asks no cluster."""

from collections.abc import Iterator
from typing import Annotated

import typer

from companyos_canary.argo.rights import CLUSTER_RIGHTS, NOTIFYING, ROLES, Right, role_manifest, route_rights
from companyos_canary.cluster.kinds import known
from companyos_canary.commands import base
from companyos_canary.commands.options import either
from companyos_canary.commands.render import Objects
from companyos_canary.config import Settings
from companyos_canary.errors import ExitCode, UsageError, printable
from companyos_canary.model.row import Output
from companyos_canary.render.templates import to_yaml
from companyos_canary.render.traffic import ROUTE_KINDS_OF

EXAMPLES = (
    "canary rbac viewer --group developers     look at everything, change nothing",
    "canary rbac deployer --service-account ci -n companyos | kubectl apply -f -",
    "canary rbac operator --user ana           also install with `canary apply`",
    "canary rbac deployer --global             also verify ClusterAnalysisTemplates",
    "canary rbac viewer --notifications        also send messages: reads one Secret",
)
OUTPUT = Output((Objects,))
EXITS = (ExitCode.OK, ExitCode.USAGE)
COMPLETIONS = {
    "name": lambda _: [
        ("viewer", "all verbs that look"),
        ("deployer", "and all that ship, stop and continue"),
        ("operator", "and apply"),
    ]
}


def rbac(
    session: base.Session,
    name: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, deployer or operator")],
    user: Annotated[str | None, typer.Option("--user", help="give it to this user")] = None,
    group: Annotated[str | None, typer.Option("--group", help="give it to this group")] = None,
    account: Annotated[
        str | None,
        typer.Option(
            "--service-account", metavar="NAME", help="give it to this ServiceAccount  [default: canary-ROLE]"
        ),
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--global", help="add a ClusterRole for ClusterAnalysisTemplates")
    ] = False,
    notifications: Annotated[
        bool, typer.Option("--notifications", help="add what sends messages, with `get` on the Secret of notifications")
    ] = False,
) -> base.Answer:
    """Print the smallest Role for what someone does with `canary`, and the RoleBinding that grants it.

    A viewer looks. A deployer also ships, promotes, aborts, undoes, pauses and retries. An operator also installs with
    `apply`, including the route that `traffic:` in canary.yaml needs. Each role has the rights of the one before it.
    """
    if name not in ROLES:
        raise UsageError(f"there is no role `{printable(name)}`", hint="use " + either(tuple(ROLES)))
    if sum(given is not None for given in (user, group, account)) > 1:
        raise UsageError("--user, --group and --service-account exclude each other", hint="leave out all but one")
    namespace, api = session.resolved.namespace or "default", "rbac.authorization.k8s.io"
    if user is not None or group is not None:
        kind, given = ("User", user) if user is not None else ("Group", group)
        subject = {"apiGroup": api, "kind": kind, "name": given or ""}
    else:
        subject = {"kind": "ServiceAccount", "name": account or f"canary-{name}", "namespace": namespace}
    if not subject["name"]:
        raise UsageError("the name of who gets the role is empty", hint="canary rbac deployer --user NAME")
    rights = [*ROLES[name], *(_route_rights(session) if name == "operator" else ())]
    rights += NOTIFYING if notifications else ()
    found = role_manifest(f"canary-{name}", namespace, subject, rights)
    if everywhere:
        found += role_manifest(f"canary-{name}-{namespace}-templates", "", subject, CLUSTER_RIGHTS[name])
    return base.Answer(
        data=Objects(objects=found),
        lines=(to_yaml(found).rstrip("\n"),),
        objects=found,
        name="\n".join(f"{o['kind'].lower()}.{api}/{o['metadata']['name']}" for o in found),
    )


def _route_rights(session: base.Session) -> Iterator[Right]:
    """Those for the route that `apply` makes of canary.yaml; for every kind of route where there is no file of it."""
    settings: Settings | None = session.resolved.settings
    if settings is None:
        session.note("no canary.yaml for this namespace here, so the role includes the routes of all routers")
    elif settings.traffic is None:
        return
    rendered = settings is None or (settings.manage == "all" and not (settings.traffic and settings.traffic.existing))
    routers = ROUTE_KINDS_OF if settings is None or settings.traffic is None else (settings.traffic.router,)
    for api, kind in dict.fromkeys(ROUTE_KINDS_OF[router] for router in routers):
        found = known(api, kind)
        if found:
            yield from route_rights(api.partition("/")[0], found.plural, rendered=rendered)


command = base.verb(rbac)
