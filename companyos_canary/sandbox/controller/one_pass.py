"""The order of one pass over a Rollout (upstream rollout/controller.go, canary.go)."""

from companyos_canary.argo.validation import first_fault
from companyos_canary.sandbox.controller import scaling, status
from companyos_canary.sandbox.controller.analysis import find_current, lookup, reconcile_runs
from companyos_canary.sandbox.controller.conditions import before_the_pass
from companyos_canary.sandbox.controller.context import Pass
from companyos_canary.sandbox.controller.pauses import enter_pause
from companyos_canary.sandbox.controller.restart import restart_pods
from companyos_canary.sandbox.controller.roles import reconcile_services, sync_metadata
from companyos_canary.sandbox.controller.sets import (
    create_set,
    drop_old_sets,
    find_sets,
    sync_revision,
)
from companyos_canary.sandbox.kinds import ROLLOUT, SERVICE


def reconcile(work: Pass) -> bool:
    """One pass; whether the spec was valid. At most one ReplicaSet is scaled, at most one step
    completes; what remains is left to the next pass."""
    if _is_invalid(work):
        return False
    work.restarted_at = status.restarted_at(work)
    find_sets(work)
    if work.canary is None:
        create_set(work)
        return True
    if sync_revision(work):
        return True
    if work.promoted and work.view.aborted:
        work.pauses.unabort = True
    if work.rollout["spec"].get("replicas") is None:
        _default_replicas(work)
        return True
    wanted = before_the_pass(work) if work.view.observed else []
    if wanted:
        status.write_conditions(work, wanted)
        return True
    find_current(work)
    if status.is_changed(work):
        status.write_reset(work)
    elif scaling.is_scaling_event(work):
        scaling.scale(work)
        status.write(work)
    else:
        _full(work)
    return True


def _is_invalid(work: Pass) -> bool:
    """Checks the spec and, if there is a fault, writes it into the status."""
    fault = first_fault(
        work.rollout,
        lambda name, cluster: lookup(work, name, cluster),
        lambda name: work.store.get(SERVICE, work.view.namespace, name),
    )
    if fault is not None:
        message = f'The Rollout "{work.view.name}" is invalid: {fault}'
        status.write_conditions(work, [("InvalidSpec", "True", "InvalidSpec", message)])
    return fault is not None


def _full(work: Pass) -> None:
    if restart_pods(work):
        return
    sync_metadata(work)
    drop_old_sets(work)
    reconcile_services(work)
    reconcile_runs(work)
    if not work.pauses.added and not scaling.scale(work):
        enter_pause(work)
    status.write(work)


def _default_replicas(work: Pass) -> None:
    stored = work.store.read(ROLLOUT, work.view.namespace, work.view.name)
    work.write(ROLLOUT, {**stored, "spec": {**stored["spec"], "replicas": 1}})
