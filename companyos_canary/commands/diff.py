"""`canary diff`: the live objects next to the rendered ones, or stable next to the canary."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import typer
from msgspec import Struct

from companyos_canary.actions import apply as action
from companyos_canary.argo.patches.template import template_of
from companyos_canary.commands import base
from companyos_canary.commands.session import Where, permitted
from companyos_canary.config import image_reference
from companyos_canary.errors import ExitCode, Refused, UsageError, exits
from companyos_canary.model.http import Fields
from companyos_canary.model.row import Output, Placed
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.render.difference import Leaf, leaves, template_leaves, without_assigned
from companyos_canary.view.leaf import leaf_lines


class Different(Struct, frozen=True):
    """`change` is `created`, `configured` or `unchanged`."""

    kind: str
    name: str
    change: str
    fields: tuple[Leaf, ...]


class Reference(Struct, frozen=True):
    """A ConfigMap or Secret that the pods of one side alone refer to."""

    kind: str
    name: str
    side: Literal["stable", "canary"]


class Differences(Placed, frozen=True, kw_only=True):
    """The live objects next to the rendered ones, or the pod template of stable next to that of the canary."""

    between: Literal["live and rendered", "stable and canary"]
    differs: bool
    objects: tuple[Different, ...]
    references: tuple[Reference, ...]


def references(template: Fields) -> frozenset[tuple[str, str]]:
    """(kind, name) of each ConfigMap and Secret that a pod template refers to: in volumes, in the environment of its
    containers, and for pulling images."""
    spec: Fields = template.get("spec") or {}
    found = [*_of_volumes(spec), *_of_containers(spec)]
    found += [("Secret", ref.get("name")) for ref in spec.get("imagePullSecrets") or ()]
    return frozenset((kind, str(name)) for kind, name in found if name)


def _of_volumes(spec: Fields) -> Iterator[tuple[str, Any]]:
    for volume in spec.get("volumes") or ():
        sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for source in sources:
            yield "ConfigMap", (source.get("configMap") or {}).get("name")
            secret = source.get("secret") or {}
            yield "Secret", secret.get("secretName") or secret.get("name")


def _of_containers(spec: Fields) -> Iterator[tuple[str, Any]]:
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            yield "ConfigMap", (source.get("configMapKeyRef") or {}).get("name")
            yield "Secret", (source.get("secretKeyRef") or {}).get("name")
        for source in container.get("envFrom") or ():
            yield "ConfigMap", (source.get("configMapRef") or {}).get("name")
            yield "Secret", (source.get("secretRef") or {}).get("name")


EXAMPLES = (
    "canary diff                      what `canary apply` would change",
    "canary diff v1.2.0 -e prod       the same for a version, in production",
    "canary diff --stable             stable's pods compared with the canary's",
    "canary diff -o json | jq '.data.objects[].fields[].path'",
)
OUTPUT = Output((Differences,))
EXITS = exits(ExitCode.UNFINISHED)


def diff(
    session: base.Session,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="image tag, digest or image")] = None,
    stable: Annotated[bool, typer.Option("--stable", help="compare the pods of stable with the canary's")] = False,
    rollout: base.RolloutOption = None,
) -> base.Answer:
    """Show the values that differ: live and rendered, or stable and canary. Changes nothing.

    The server itself says what apply would change (a dry run), so its defaults do not show up as differences.
    With --stable, the pod templates are compared, and the names of the ConfigMaps and Secrets that only one
    of them uses. The exit
    code is 8 if there are differences.
    """
    if not stable:
        return _rendered(session, version)
    if version is not None:
        raise UsageError("--stable compares what is in the cluster; it takes no version", hint="leave out the version")
    return _stable(session)


def _rendered(session: base.Session, version: str | None) -> base.Answer:
    if version is not None:
        image_reference("image", version)
    settings = session.settings
    if session.flags.rollout not in (None, settings.rollout):
        text = f"canary.yaml is about `{settings.rollout}`, not `{session.flags.rollout}`"
        raise UsageError(text, hint="--stable compares the pods of any Rollout")
    try:
        planned, note = action.planned_changes(session.cluster, settings, version, force=False), ""
    except Refused as error:
        planned = action.planned_changes(session.cluster, settings, version, force=True)
        note = f"{error.message}; {error.hint}"
    found = [
        _compared(obj["kind"], obj["metadata"]["name"], live, dry)
        for obj, live, dry in zip(planned.wanted, planned.live, planned.dry, strict=True)
    ]
    head: Where = {
        "rollout": settings.rollout,
        "namespace": session.cluster.namespace,
        "context": session.cluster.context,
    }
    same = f"{settings.rollout} in {session.place} is what canary.yaml renders"
    return _answer(head, "live and rendered", found, (), same, (note,) if note else ())


def _compared(kind: str, name: str, live: Mapping[str, Any] | None, dry: Mapping[str, Any]) -> Different:
    fields = leaves(live or {}, dry if live is not None else without_assigned(dry))
    if live is None:
        fields = tuple(leaf for leaf in fields if leaf.path not in ("apiVersion", "kind"))
    change = "created" if live is None else "configured" if fields else "unchanged"
    return Different(kind, name, change, fields)


def _stable(session: base.Session) -> base.Answer:
    snapshot = session.cluster.snapshot(session.rollout)
    rollout = snapshot.rollout
    head: Where = session.place_of(rollout)
    old, new = _templates(snapshot)
    if old is None or new is None:
        why = "there is no stable version yet" if old is None else "no update is in progress"
        return _answer(
            head, "stable and canary", [], (), f"{rollout.name} has no canary to compare: {why}", snapshot.notes
        )
    fields = template_leaves(old, new)
    found = Different("pod template", rollout.name, "configured" if fields else "unchanged", fields)
    before, after = references(old), references(new)
    only = [Reference(kind, name, "stable") for kind, name in sorted(before - after)]
    only += [Reference(kind, name, "canary") for kind, name in sorted(after - before)]
    same = f"stable and canary of {rollout.name} have the same pod template"
    return _answer(head, "stable and canary", [found], only, same, snapshot.notes)


def _templates(snapshot: Snapshot) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The pod templates of stable and of the canary; None for what there is not. Raises Forbidden if ReplicaSets
    may not be listed."""
    rollout = snapshot.rollout
    if not rollout.stable_hash:
        return None, None
    sets = {r.hash: r for r in snapshot.replicasets}
    if rollout.stable_hash not in sets:
        permitted(snapshot, "replicasets")
    stable = sets.get(rollout.stable_hash)
    written = (rollout.raw.get("spec") or {}).get("template")
    if stable and written and not rollout.observed:  # no controller has made a ReplicaSet of it yet
        return template_of(rollout, stable), written
    canary = sets.get(rollout.current_hash) if rollout.current_hash != rollout.stable_hash else None
    old = template_of(rollout, stable) if stable else None
    return old, template_of(rollout, canary) if canary else None


def _answer(
    head: Where,
    between: Literal["live and rendered", "stable and canary"],
    found: Sequence[Different],
    only: Sequence[Reference],
    same: str,
    notes: tuple[str, ...],
) -> base.Answer:
    differs = any(one.change != "unchanged" for one in found)
    lines = [line for one in found for line in _lines(one)]
    lines += [f"{one.kind} {one.name}: only {one.side} uses it" for one in only]
    return base.Answer(
        code=ExitCode.UNFINISHED if differs else ExitCode.OK,
        data=Differences(**head, between=between, differs=differs, objects=tuple(found), references=tuple(only)),
        lines=tuple(lines),
        notes=(*notes, *(() if differs else (same,))),
    )


def _lines(one: Different) -> list[str]:
    what = f"{one.kind} {one.name}"
    if one.change == "created":
        return [f"{what}: would be created"]
    return [f"{what}: {line}" for leaf in one.fields for line in leaf_lines(leaf.path, leaf.old, leaf.new)]


command = base.verb(diff, forms=("human", "json"))
