"""Installing or updating what canary.yaml represents: a server dry run of everything first, then
the same for real. A live Rollout is never started on a canary as a side effect."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct

from companyos_canary.actions import routes
from companyos_canary.actions.change import interrupted
from companyos_canary.actions.wait import Time, Waited, wait
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.gitops import different, keeper_of, kept_in_git
from companyos_canary.argo.patches.hold import held, held_sentence
from companyos_canary.argo.phase import invalid_spec, shown_phase
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import AUTOSCALER, ROLLOUT, Selection, known
from companyos_canary.cluster.requests import FIELD_MANAGER
from companyos_canary.config import Settings
from companyos_canary.errors import CanaryError, Conflict, Invalid, Refused, Uncertain, UsageError
from companyos_canary.model.image import version as version_of
from companyos_canary.model.rollout import Rollout
from companyos_canary.render.difference import FieldChange, changes, keep_live_image, leaves, sides
from companyos_canary.render.objects import objects

# Owns the replicas that canary.yaml no longer names, until someone scales.
HANDOVER = "canary-handover"
_OURS = (FIELD_MANAGER, HANDOVER)
_ATTEMPTS = 5


class Planned(Struct, frozen=True):
    """What an apply will do: each object as it is wanted, as it is now (None: not there) and as
    the server would keep it; the changes of the live Rollout that would start a canary, or one
    again; those that count from the next version; and what is said of routes that stay as they are."""

    wanted: tuple[Mapping[str, Any], ...]
    live: tuple[Mapping[str, Any] | None, ...]
    dry: tuple[Mapping[str, Any], ...]
    rolling: tuple[FieldChange, ...]
    later: tuple[FieldChange, ...]
    forced: bool
    kept: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        """The Rollout is not there yet."""
        return self.live[self.rollout] is None

    @property
    def words(self) -> tuple[str, ...]:
        """`created`, `configured` or `unchanged` for each object."""
        return tuple(map(_word, self.live, self.dry))

    @property
    def rollout(self) -> int:
        return next(i for i, o in enumerate(self.wanted) if o["kind"] == ROLLOUT.kind)


def planned_changes(cluster: Cluster, settings: Settings, version: str | None, *, force: bool) -> Planned:
    """Renders, keeps the live image unless a version is given, and asks the server what it would
    keep. Changes nothing."""
    live = cluster.object(ROLLOUT, settings.rollout)
    if live is None and version is None:
        raise UsageError(
            f"there is no Rollout `{settings.rollout}` in `{cluster.namespace}` yet: name its first version",
            hint="canary apply VERSION",
        )
    wanted: tuple[Mapping[str, Any], ...] = objects(settings, version)
    if live is not None and version is None:
        wanted = tuple(keep_live_image(o, live) if o["kind"] == ROLLOUT.kind else o for o in wanted)
    if live is not None and autoscalers(cluster, settings.rollout):
        wanted = tuple(map(_without_replicas, wanted))
    before = tuple(live if o["kind"] == ROLLOUT.kind else _found(cluster, o) for o in wanted)
    wanted, before, kept = _network(settings, wanted, before)
    tried = [_with_live_replicas(o, live) if o["kind"] == ROLLOUT.kind else o for o in wanted]
    dry, forced = _dry_run(cluster, tried, force=force)
    rollout = next(o for o in dry if o["kind"] == ROLLOUT.kind)
    kept = (*kept, *routes.left_ingresses(live, rollout))
    found = changes(live, rollout) if live is not None else ()
    if live is not None and _only_for_the_next(Rollout.from_object(live), found):
        return Planned(wanted, before, dry, (), found, forced, kept)
    return Planned(wanted, before, dry, found, (), forced, kept)


_Objects = tuple[Mapping[str, Any], ...]
_Live = tuple[Mapping[str, Any] | None, ...]


def _network(settings: Settings, wanted: _Objects, live: _Live) -> tuple[_Objects, _Live, tuple[str, ...]]:
    """The objects without the routes that exist, which stay, and Services with the hash in their selector."""
    stay = routes.kept(settings, wanted, live)
    pairs = [(w, there) for n, (w, there) in enumerate(zip(wanted, live, strict=True)) if n not in stay]
    said = tuple(routes.what_it_lacks(settings, there) for n in sorted(stay) if (there := live[n]) is not None)
    return tuple(routes.with_live_hash(w, there) for w, there in pairs), tuple(there for _, there in pairs), said


def refuse_to_roll(planned: Planned, name: str) -> None:
    """Raises Refused if applying would start a canary."""
    if not planned.rolling:
        return
    what = "; ".join(applied_sentence(change) for change in planned.rolling[:3])
    if len(planned.rolling) > 3:
        what += f"; and {len(planned.rolling) - 3} more"
    if all(change.part == "steps" for change in planned.rolling):
        outcome = f"start the rollout of `{name}` again at its first step"
    else:
        outcome = f"start a canary of `{name}`"
    raise Refused(
        f"applying this would {outcome}: {what}",
        hint="pass --roll to start it; to ship a version, use `canary deploy VERSION`",
    )


def refuse_both_at_once(planned: Planned, version: str | None) -> None:
    """Raises Refused for other replicas together with another pod template of a canary with steps: the controller
    first scales, and takes the weight from the steps of the version before. Recorded:
    undo-and-scale-while-the-steps-are-edited."""
    before = planned.live[planned.rollout]
    if before is None or all(change.part == "steps" for change in planned.rolling):
        return
    live, after = Rollout.from_object(before), Rollout.from_object(planned.dry[planned.rollout])
    if live.strategy != "canary" or not live.steps or live.replicas == after.replicas:
        return
    again = " ".join(filter(None, ("canary apply", version, "--roll")))
    raise Refused(
        f"this changes spec.replicas of `{live.name}` from {live.replicas} to {after.replicas} together with its pod "
        "template: the controller would give the new version pods before its first step, as if the steps of the "
        "version before counted for it",
        hint=f"`canary apply` changes the replicas alone, `{again}` then does the rest; --force does both at once",
    )


def refuse_what_git_has(planned: Planned, version: str | None) -> None:
    """Raises Refused if Argo CD or Flux would put back the image that is applied."""
    before = planned.live[planned.rollout]
    if before is None:
        return
    live, after = Rollout.from_object(before), Rollout.from_object(planned.dry[planned.rollout])
    images = different(live.containers, after.containers)
    keeper = keeper_of(live)
    if keeper and images:
        refusal = kept_in_git(live, keeper, images)
        raise Refused(
            refusal.message, hint=f"commit what `canary render {version or 'VERSION'}` prints; {refusal.hint}"
        )


def refuse_what_is_held(planned: Planned, *, force: bool) -> None:
    """Raises Refused if the image that is applied is held, unless that is wanted all the same."""
    before = planned.live[planned.rollout]
    if before is None or force:
        return
    live, after = Rollout.from_object(before), Rollout.from_object(planned.dry[planned.rollout])
    for container, image in different(live.containers, after.containers).items():
        for hold in held(live.annotations, container, image):
            raise Refused(
                f"{version_of(image)} is held: {held_sentence(hold)}",
                hint=f"`canary deploy {version_of(image)} --release-hold` ends the hold and deploys it; "
                "--force applies it all the same",
            )


def send_objects(cluster: Cluster, planned: Planned) -> tuple[Mapping[str, Any], ...]:
    """Sends every object; the objects as the server keeps them. An error says what is done."""
    done: list[Mapping[str, Any]] = []
    for obj, dry in zip(planned.wanted, planned.dry, strict=True):
        try:
            if obj["kind"] == ROLLOUT.kind and not planned.first:
                _hand_over_replicas(cluster, obj)
            done.append(_applied(cluster, obj, dry, force=planned.forced))
        except CanaryError as error:
            if done:
                names = ", ".join(name_of(o) for o in done)
                error.message = f"{error.message} (already applied: {names})"
            raise
    return tuple(done)


def settle(
    cluster: Cluster, applied: Rollout, *, time: Time, patience: timedelta | None, until_healthy: bool
) -> Waited[Rollout]:
    """Looks until the controller has seen the change and, for a first install, until all pods are
    available or it is Degraded."""

    def judge(rollout: Rollout) -> Effect:
        if rollout.containers != applied.containers:
            return Effect.OTHER
        word = shown_phase(rollout).word
        known = rollout.current_hash or invalid_spec(rollout)
        seen = rollout.observed and rollout.generation >= applied.generation and known
        return Effect.SEEN if seen and (not until_healthy or word in ("Healthy", "Degraded")) else Effect.PENDING

    try:
        return wait(lambda: cluster.rollout(applied.name), judge, applied, time=time, patience=patience, known=False)
    except KeyboardInterrupt:
        raise interrupted(f"`{applied.name}` is applied, and its rollout continues") from None


def _only_for_the_next(live: Rollout, found: Sequence[FieldChange]) -> bool:
    """Steps alone start nothing where no version is in its steps: all are done, or it is the first
    version. Otherwise the controller begins the steps again, also those of an aborted version
    (upstream utils/replicaset, PodTemplateOrStepsChanged)."""
    done = not live.stable_hash or (live.observed and live.is_fully_promoted)
    return done and all(change.part == "steps" for change in found)


def _dry_run(
    cluster: Cluster, wanted: Sequence[Mapping[str, Any]], *, force: bool
) -> tuple[tuple[Mapping[str, Any], ...], bool]:
    """What the server would keep, and whether it has to be forced. `deploy` wrote the image as an
    update; server-side apply counts that as another manager of the same name."""
    kept = []
    for obj in wanted:
        try:
            kept.append(cluster.apply(obj, dry_run=True, force=force))
        except Conflict as error:
            if not error.managers or not set(error.managers) <= set(_OURS):
                raise _foreign(obj, error) from None
            force = True
            kept.append(cluster.apply(obj, dry_run=True, force=True))
        except Invalid as error:
            if not error.hint and "consecutiveSuccessLimit" in error.message:
                error.hint = "Argo Rollouts before 1.8 does not know this field: update it, or set `form: safe`"
            raise
    return tuple(kept), force


def _applied(cluster: Cluster, obj: Mapping[str, Any], dry: Mapping[str, Any], *, force: bool) -> Mapping[str, Any]:
    """The object as it was kept. Where the answer is lost it is looked at, and never sent again: it is
    there where it holds what the dry run said."""
    try:
        return cluster.apply(obj, force=force)
    except Conflict as error:
        raise _foreign(obj, error) from None
    except Uncertain:
        live = _found(cluster, obj)
        if live is None or _content(live) != _content(dry):
            raise
        return live


def _foreign(obj: Mapping[str, Any], error: Conflict) -> CanaryError:
    """A conflict about fields as a refusal; another conflict as it is."""
    foreign = [(manager, field) for manager, field in error.owned if manager not in _OURS]
    if not foreign:
        return error
    owners = [f"`{manager}`" for manager in dict.fromkeys(manager for manager, _ in foreign)]
    fields = list(dict.fromkeys(field for _, field in foreign if field))
    what = f": {', '.join(fields[:3])}" if fields else ""
    if len(fields) > 3:
        what += f" and {len(fields) - 3} more"
    verb = "manages" if len(owners) == 1 else "manage"
    return Refused(
        f"applying this would change fields of {name_of(obj)} that {' and '.join(owners)} {verb}{what}",
        hint="pass --force to take over these fields",
    )


def autoscalers(cluster: Cluster, rollout: str) -> tuple[str, ...]:
    """The HorizontalPodAutoscalers that decide about the Rollout's replicas, also those that KEDA makes. One that may
    not be read is taken for none."""
    try:
        scalers = cluster.items(Selection(AUTOSCALER, cluster.namespace))
    except CanaryError:
        return ()
    targets = (((s.get("spec") or {}).get("scaleTargetRef") or {}, s["metadata"]["name"]) for s in scalers)
    return tuple(name for t, name in targets if (t.get("kind"), t.get("name")) == (ROLLOUT.kind, rollout))


def _without_replicas(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    if obj["kind"] != ROLLOUT.kind:
        return obj
    return {**obj, "spec": {k: v for k, v in obj["spec"].items() if k != "replicas"}}


def _hand_over_replicas(cluster: Cluster, obj: Mapping[str, Any]) -> None:
    """Before a Rollout is applied without replicas: another manager takes them at their live
    number, so that the server does not take them away with our ownership. An autoscaler that
    scales becomes their owner in its place."""
    for attempt in range(_ATTEMPTS):
        live = cluster.object(ROLLOUT, obj["metadata"]["name"])
        kept = _with_live_replicas(obj, live)
        if kept is obj:
            return
        meta = {k: v for k, v in obj["metadata"].items() if k in ("name", "namespace")}
        only = {**obj, "metadata": meta, "spec": {"replicas": kept["spec"]["replicas"]}}
        try:
            cluster.apply(only, field_manager=HANDOVER)
        except Conflict:  # someone scaled since it was read
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _with_live_replicas(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The wanted Rollout with the live replicas, where it leaves them out and an apply of ours is
    alone in owning them: the server removes such a field, and its default is 1."""
    replicas = ((live or {}).get("spec") or {}).get("replicas")
    if "replicas" in wanted["spec"] or replicas is None:
        return wanted
    entries = ((live or {}).get("metadata") or {}).get("managedFields") or []
    owners = [e for e in entries if "f:replicas" in ((e.get("fieldsV1") or {}).get("f:spec") or {})]
    ours = [(e.get("manager"), e.get("operation")) == (FIELD_MANAGER, "Apply") for e in owners]
    if not ours or not all(ours):
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "replicas": replicas}}


def _found(cluster: Cluster, obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = known(obj["apiVersion"], obj["kind"])
    return cluster.object(kind, obj["metadata"]["name"]) if kind else None


def _word(live: Mapping[str, Any] | None, dry: Mapping[str, Any]) -> str:
    if live is None:
        return "created"
    return "unchanged" if _content(live) == _content(dry) else "configured"


def _content(obj: Mapping[str, Any]) -> dict[str, Any]:
    """What counts as the object's own: not the status, not what the server keeps next to it."""
    meta = obj.get("metadata") or {}
    kept = {k: meta.get(k) or {} for k in ("labels", "annotations")}
    return {**{k: v for k, v in obj.items() if k not in ("metadata", "status")}, "metadata": kept}


def applied_sentence(change: FieldChange) -> str:
    """`pod template spec.containers[api].image: "api:v1" → "api:v2"`."""
    place = change.path if change.part == "steps" else f"{change.part} {change.path}"
    return f"{place}: {sides(change.live, change.wanted)}"


_TOLD_APART = ("spec.template", "spec.strategy.canary.steps")


def other_changes(planned: Planned) -> tuple[str, ...]:
    """What changes in objects that exist, beside pod template and steps: `Service api: spec.ports[0].port: 80 → 81`."""
    return tuple(
        f"{name_of(obj)}: {leaf.path}: {sides(leaf.old, leaf.new)}"
        for obj, live, dry in zip(planned.wanted, planned.live, planned.dry, strict=True)
        for leaf in (leaves(live, dry) if live is not None else ())
        if obj["kind"] != ROLLOUT.kind or not leaf.path.startswith(_TOLD_APART)
    )


def name_of(obj: Mapping[str, Any]) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"
