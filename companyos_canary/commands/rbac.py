"""`canary rbac`: the Role that a person or a job needs, and who gets it. Asks no cluster."""

from typing import Annotated

import typer

from companyos_canary.argo.rights import ROLES, role_manifest
from companyos_canary.commands import base
from companyos_canary.commands.options import either
from companyos_canary.commands.render import Objects
from companyos_canary.errors import ExitCode, UsageError, printable
from companyos_canary.model.row import Output
from companyos_canary.render.templates import to_yaml

EXAMPLES = (
    "canary rbac viewer --group developers     look at everything, change nothing",
    "canary rbac deployer --service-account ci -n companyos | kubectl apply -f -",
    "canary rbac operator --user ana           also install with `canary apply`",
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
) -> base.Answer:
    """Print the smallest Role for what someone does with `canary`, and the RoleBinding that grants it.

    A viewer looks. A deployer also ships, promotes, aborts, undoes, pauses and retries. An operator also
    installs with `apply`. Each role has the rights of the one before it.
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
    found = role_manifest(f"canary-{name}", namespace, subject, ROLES[name])
    return base.Answer(
        data=Objects(objects=found),
        lines=(to_yaml(found).rstrip("\n"),),
        objects=found,
        name="\n".join(f"{o['kind'].lower()}.{api}/{o['metadata']['name']}" for o in found),
    )


command = base.verb(rbac)
