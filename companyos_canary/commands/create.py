"""`canary create`: new objects of Argo Rollouts from files, and an AnalysisRun from a template."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.actions.analyses import arguments_given, run_from, template_named
from companyos_canary.cluster.kinds import (
    ANALYSISRUN,
    ANALYSISTEMPLATE,
    ARGO,
    CLUSTERANALYSISTEMPLATE,
    EXPERIMENT,
    ROLLOUT,
    Kind,
    known,
)
from companyos_canary.commands import base
from companyos_canary.commands.candidates import known_templates
from companyos_canary.commands.manifests import read_objects
from companyos_canary.config import resolve
from companyos_canary.diagnosis.control import INSTANCE
from companyos_canary.errors import Conflict, ExitCode, Refused, Uncertain, UsageError, exits, printable
from companyos_canary.model.http import Json
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary create -f experiment.yaml      from one file, or: create a.yaml b.yaml",
    "canary create analysisrun --from analysistemplate/success-rate -a service=api",
    "helm template . | canary create - --dry-run",
)


class CreatedObject(Struct, frozen=True):
    """`namespace` is empty for an object of the whole cluster."""

    kind: str
    namespace: str
    name: str


class Created(Struct, frozen=True):
    """`created` is false in a dry run: the server has accepted the objects, and kept none."""

    created: bool
    context: str
    objects: tuple[CreatedObject, ...]


OUTPUT = Output((Created,))
EXITS = exits(ExitCode.REFUSED, ExitCode.UNOBSERVED)
_KINDS: tuple[Kind, ...] = (ROLLOUT, EXPERIMENT, ANALYSISRUN, ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE)
_RUN = ("analysisrun", "analysisruns", "ar")
COMPLETIONS = {"template": known_templates}


def create(
    session: base.Session,
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="files, - for standard input; or: analysisrun")
    ] = None,
    template: Annotated[
        str | None, typer.Option("--from", metavar="TEMPLATE", help="template to run, e.g. analysistemplate/NAME")
    ] = None,
    from_file: Annotated[
        str | None, typer.Option("--from-file", metavar="FILE", help="file with the template to run")
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("-a", "--argument", metavar="K=V", help="an argument of the template")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--global", help="--from is a ClusterAnalysisTemplate")] = False,
    name: Annotated[str | None, typer.Option("--name", help="name of the AnalysisRun")] = None,
    generate_name: Annotated[
        str | None,
        typer.Option("--generate-name", metavar="PREFIX", help="what its name begins with  [default: TEMPLATE-]"),
    ] = None,
    instance_id: Annotated[
        str | None, typer.Option("--instance-id", metavar="ID", help="ID of the controller that runs it")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="let the server check it, keep nothing")] = False,
) -> base.Answer:
    """Create Rollouts, Experiments, AnalysisRuns and their templates. What exists is never changed (exit 7).

    The server checks all objects before the first one is created. To install what canary.yaml represents, use
    `canary apply`; to run a template and wait for its verdict, `canary verify`.
    """
    session.resolved = resolve(replace(session.flags, file=None), session.runtime.environ, session.runtime.cwd)
    given = [*(what or ()), *filter(None, (session.flags.file,))]
    if given[:1] and given[0] in _RUN:
        if len(given) > 1 or bool(template) == bool(from_file):
            raise UsageError("an AnalysisRun is created from one template", hint="give --from or --from-file")
        made = [_run(session, template, from_file, arguments_given(arguments or []), everywhere)]
        made[0]["metadata"].update(_named(made[0], name, generate_name, instance_id))
    else:
        if template or from_file or arguments or name or generate_name or instance_id or everywhere:
            raise UsageError("these options are for an AnalysisRun", hint="canary create analysisrun --from TEMPLATE")
        if not given:
            raise UsageError("there is nothing to create: no file was given", hint="canary create -f FILE")
        made = [_checked(place, obj, session.flags.namespace) for place, obj in read_objects(session, given)]
    session.subject = ", ".join(f"{o['kind']} `{_name(o)}`" for o in made)
    dry = tuple(_sent(session, obj, dry_run=True) for obj in made)
    there = dry if dry_run else tuple(_sent(session, obj, dry_run=False) for obj in made)
    return base.Answer(
        data=Created(not dry_run, session.cluster.context, tuple(map(_row, there))),
        lines=tuple(f"{_shown(o)} {'would be created' if dry_run else 'created'}" for o in there),
        notes=("dry run: nothing was created",) if dry_run else (),
        objects=there,
        name="\n".join(map(_shown, there)),
    )


def _checked(place: str, obj: Json, namespace: str | None = None) -> Json:
    kind = known(obj["apiVersion"], obj["kind"])
    if kind is None or kind.kind not in {k.kind for k in _KINDS} or not obj["apiVersion"].startswith("argoproj.io/"):
        raise UsageError(
            printable(f"{place}: {obj['kind']} of {obj['apiVersion']} is not a kind of Argo Rollouts"),
            hint="`kubectl create -f FILE` creates any kind",
        )
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
        raise UsageError(printable(f"{place}: this {obj['kind']} has no name"), hint="write metadata.name")
    if kind.namespaced and namespace and meta.get("namespace") not in (None, "", namespace):
        raise UsageError(
            printable(f"{place}: its namespace is {meta['namespace']}, and -n is {namespace}"),
            hint="leave out one of them",
        )
    return obj


def _run(
    session: base.Session, template: str | None, from_file: str | None, given: Mapping[str, str], everywhere: bool
) -> Json:
    if template:
        wanted = template_named(template, everywhere=everywhere)
        return _prefixed(run_from(session.cluster, wanted, given), wanted.name)
    found = read_objects(session, [str(from_file)])
    place, obj = found[0]
    if len(found) != 1 or obj["kind"] not in (ANALYSISTEMPLATE.kind, CLUSTERANALYSISTEMPLATE.kind):
        raise UsageError(printable(f"{place}: one AnalysisTemplate was expected"), hint="leave out the other objects")
    meta = _checked(place, obj)["metadata"]
    wanted = template_named(str(meta.get("name")), everywhere=obj["kind"] == CLUSTERANALYSISTEMPLATE.kind)
    return _prefixed(run_from(session.cluster, wanted, given, known={wanted: obj}), wanted.name)


def _prefixed(run: Json, template: str) -> Json:
    run["metadata"]["generateName"] = f"{template}-"
    return run


def _named(run: Json, name: str | None, prefix: str | None, instance: str | None) -> Json:
    meta = dict(run["metadata"])
    if name:
        meta["name"] = name
    if prefix:
        meta["generateName"] = prefix
    if instance:
        meta["labels"] = {**(meta.get("labels") or {}), INSTANCE: instance}
    return meta


def _sent(session: base.Session, obj: Json, *, dry_run: bool) -> Json:
    what = f"{obj['kind']} `{_name(obj)}`"
    try:
        return session.cluster.create(obj, dry_run=dry_run)
    except Conflict as error:
        if "already exists" not in error.message:
            raise
        before = "" if dry_run else "; those before it were created"
        raise Refused(f"{what} already exists{before}", hint=_instead(obj)) from error
    except Uncertain as error:
        look = f"`kubectl get {obj['kind'].lower()}s` shows whether it was created"
        raise Uncertain(error.message, hint=look, cause=error.cause) from error


def _instead(obj: Json) -> str:
    if obj["kind"] == ROLLOUT.kind:
        return "`canary apply` updates what canary.yaml represents, `kubectl apply -f FILE` any other Rollout"
    return "give it another name, or change the existing one with `kubectl apply -f FILE`"


def _name(obj: Json) -> str:
    meta = obj["metadata"]
    return str(meta.get("name") or f"{meta.get('generateName', '')}…")


def _shown(obj: Json) -> str:
    return f"{obj['kind'].lower()}.{ARGO.partition('/')[0]}/{_name(obj)}"


def _row(obj: Json) -> CreatedObject:
    meta: Mapping[str, Any] = obj["metadata"]
    return CreatedObject(obj["kind"], str(meta.get("namespace") or ""), _name(obj))


command = base.verb(create, reads_config=False, of_rollout=False)
