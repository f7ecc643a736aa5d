"""Stopping, holding, running again, restarting: what these verbs send."""

from datetime import datetime, timedelta

from msgspec import structs

from companyos_canary.argo.effects import drained
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Patch, Refusal, add, pins, replace, test
from companyos_canary.argo.patches.promote import not_seen, not_taken_up
from companyos_canary.argo.patches.record import Record
from companyos_canary.argo.patches.template import template_of, undo
from companyos_canary.argo.steps import place_of
from companyos_canary.model.http import JSON_PATCH, MERGE_PATCH
from companyos_canary.model.image import Container, version
from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.workload import ReplicaSet


def pause(rollout: Rollout) -> Decision:
    """Sets spec.paused. Refused while an abort still moves pods: they would stay where they are
    (recorded in the notes on manual pauses)."""
    if rollout.paused:
        return Nothing(f"`{rollout.name}` is already paused by hand")
    if rollout.aborted and not drained(rollout) and rollout.updated_replicas:
        return Refusal(
            f"`{rollout.name}` is being aborted: a pause now would keep the canary's pods",
            "wait until they are gone: `canary status --wait`",
        )
    if rollout.is_fully_promoted and rollout.observed:
        note = "no update is in progress: the next version will wait for `canary resume`"
    elif _is_judged(rollout):
        note = "the analysis keeps running during the pause, and can still abort"
    else:
        note = ""
    # Nothing finer pins an abort or a full promote that is not there yet.
    pin = test("/metadata/resourceVersion", rollout.resource_version)
    return Change((Patch([pin, add("/spec/paused", True)], JSON_PATCH),), note)


def resume(rollout: Rollout) -> Decision:
    """Clears spec.paused and nothing else: no step is skipped, a timed pause that ran out
    meanwhile ends at once (recorded: manual-pause-resume)."""
    if rollout.paused:
        # As for a pause: what it lets continue is what was looked at.
        pin = test("/metadata/resourceVersion", rollout.resource_version)
        patch = Patch([pin, test("/spec/paused", True), replace("/spec/paused", False)], JSON_PATCH)
        return Change((patch,), _still_waits(rollout))
    if rollout.pause_conditions and not rollout.aborted:
        return Refusal(
            f"`{rollout.name}` is not paused by hand: it waits {_where(rollout)}",
            "`canary promote` continues from there",
        )
    if rollout.aborted:
        return Nothing(f"`{rollout.name}` is not paused but aborted: `canary retry` runs it again")
    return Nothing(f"`{rollout.name}` is not paused")


def _is_judged(rollout: Rollout) -> bool:
    """Whether a run is running, as far as the Rollout knows."""
    runs = [r for r in (rollout.step_run, rollout.background_run) if r]
    blue_green = rollout.blue_green is not None and rollout.blue_green.run is not None
    return blue_green or any(r.status in ("", "Pending", "Running") for r in runs)


def _still_waits(rollout: Rollout) -> str:
    step = rollout.current_step
    if rollout.blue_green and rollout.pause_conditions:
        return "it still waits for a person: `canary promote` continues from there"
    if rollout.pause_conditions and step is not None and step.waits_for_a_person:
        return f"it still waits {_where(rollout)}: `canary promote` continues from there"
    return ""


def _where(rollout: Rollout) -> str:
    return f"at {place_of(rollout)}" if rollout.current_step else "for a person"


def retry(rollout: Rollout) -> Decision:
    """Only after an abort: elsewhere the plugin's retry prints success and does nothing (recorded:
    retry-without-abort). The steps start again from the first."""
    if refusal := not_taken_up(rollout):
        return refusal
    if not rollout.aborted:
        return Refusal(f"`{rollout.name}` is not aborted: there is nothing to retry", "look with `canary status`")
    if rollout.promote_full:
        return Refusal(
            f"`{rollout.name}` is being promoted in full, which takes the abort back and runs no step",
            "stop it with `canary abort`, then retry",
        )
    # Nothing finer pins a full promote that is not there yet.
    pin = test("/metadata/resourceVersion", rollout.resource_version)
    operations = [pin, *pins(rollout)[:2], test("/status/abort", True), replace("/status/abort", False)]
    note = "it is paused by hand: nothing moves until `canary resume`" if rollout.paused else ""
    return Change((Patch(operations, JSON_PATCH, "status"),), note)


def restart(rollout: Rollout, at: datetime, newest: datetime | None = None) -> Decision:
    """spec.restartAt: the controller evicts older pods one by one, no step is run (recorded:
    restart). Refused while a version is in progress: its steps would be held up by it. `newest`: when
    the youngest pod was made. The moment is later than that and than a restart that is done, whatever
    clock it is from: otherwise no pod would be older than it."""
    if rollout.aborted:
        return Refusal(
            f"`{rollout.name}` is aborted, and its spec still has the version that was",
            "first run `canary undo` or `canary retry`, then restart it",
        )
    if not rollout.observed:
        return not_seen(rollout)
    if not rollout.is_fully_promoted:
        return Refusal(
            f"`{rollout.name}` is in the middle of a release: restart it afterwards", "look with `canary status`"
        )
    second, at, last = timedelta(seconds=1), at.replace(microsecond=0), rollout.restart_at
    at = max(at, newest + second) if newest else at
    if last and last in (at, rollout.restarted_at):
        at = max(at, last + second)
    operations = [*pins(rollout)[:2], add("/spec/restartAt", format_time(at))]
    return Change((Patch(operations, JSON_PATCH),))


MAY_BE_LOST = "the controller has not seen the newest change yet and may ignore this abort: check with `canary status`"
_HELD = "the pause by hand could not be lifted"
_NOT_BACK = "the stable template could not be put back, so the controller may ignore this abort"


def abort(rollout: Rollout) -> Decision:
    """Always sent without a precondition; refused only where the controller would drop it
    (recorded: abort-healthy), and `Nothing` once the controller has acted on one. A pause by hand
    is lifted too: under it no pod would move. A full promote is taken back in the same patch: while
    it is set the controller drops an abort (seen on v1.9.1)."""
    acted = rollout.observed and any(c.reason == "RolloutAborted" for c in rollout.conditions)
    if rollout.aborted and acted and not (rollout.paused or rollout.promote_full):
        return Nothing(f"`{rollout.name}` is already aborted")
    if rollout.observed and rollout.is_fully_promoted:
        return Refusal(
            f"`{rollout.name}` is fully promoted: there is nothing to abort",
            "to go back to an earlier version: `canary undo`",
        )
    held = "it was paused by hand; resumed so that its pods can terminate"
    return Change(_plain(rollout), held if rollout.paused else "")


def is_unseen(rollout: Rollout) -> bool:
    """The controller has not seen the newest template or spec. A new template and new steps begin a
    new update, which forgets an abort that is older (upstream rollout/canary.go,
    resetRolloutStatus); which change it is that was not seen, the object does not say."""
    return not rollout.observed and bool(rollout.stable_hash)


def abort_unseen(rollout: Rollout, stable: ReplicaSet | None, record: Record | None) -> Decision:
    """What holds where the newest spec is not seen yet: the stable template is put back, pinned to
    the spec that was looked at. Without one, or a record of who did it, a plain abort with a
    warning."""
    plain = Change(_plain(rollout), MAY_BE_LOST)
    if stable is None or record is None:
        return plain
    template, back = template_of(rollout, stable), names(stable.containers)
    if template == rollout.template and not rollout.paused:
        return Nothing(f"{back} is already put back in `{rollout.name}`")
    lift = [replace("/spec/paused", False)] if rollout.paused else []
    if not rollout.workload_ref:
        operations = [
            test("/metadata/generation", rollout.generation),
            replace("/spec/template", template),
            *lift,
            record.annotation(rollout.annotations),
        ]
        return Change((Patch(operations, JSON_PATCH),), put_back=back)
    undone = undo(rollout, stable, record)
    if not isinstance(undone, Change):
        return plain
    # The right to change the Deployment may be missing: then the abort is all there is.
    written, *rest = undone.patches
    written = structs.replace(written, beside=True, unwritten=_NOT_BACK)
    return Change((*_plain(rollout), written, *rest), put_back=back)


def _plain(rollout: Rollout) -> tuple[Patch, ...]:
    """The abort, which takes back a full promote; and the end of a pause by hand."""
    patch = Patch({"status": {"abort": True, "promoteFull": False}}, MERGE_PATCH, "status")
    if not rollout.paused:
        return (patch,)
    return patch, Patch({"spec": {"paused": False}}, MERGE_PATCH, unwritten=_HELD)


def names(containers: tuple[Container, ...]) -> str:
    """The versions of a pod template, as people call them."""
    return ", ".join(version(c.image) for c in containers)
