"""The ReplicaSets of a Rollout: which is new, its creation, revisions and history; and the Deployment of a
spec.workloadRef while its pods move to the Rollout (`scaleDown` says when it gives its own up).

Upstream rollout/replicaset.go reconcileNewReplicaSet (`progressively`) and rollout/sync.go promoteStable (`onsuccess`)
scale a Deployment only for the first revision, so that one whose Rollout failed at first keeps its pods for ever.
"""

from collections.abc import Mapping
from typing import Any

from companyos_canary.argo.affinity import rule_is_against, with_rule, without_rule
from companyos_canary.argo.replicas import strategy
from companyos_canary.model.image import HASH_LABEL, REVISION
from companyos_canary.model.rollout import REVISION_HISTORY
from companyos_canary.sandbox.controller.conditions import find
from companyos_canary.sandbox.controller.passes import DESIRED, Pass, hash_of, pods_of, revision_of
from companyos_canary.sandbox.controller.roles import role_metadata
from companyos_canary.sandbox.controller.status import patch_status, write_conditions
from companyos_canary.sandbox.controller.template import (
    EPHEMERAL,
    metadata_text,
    same_template,
    template_hash,
    with_metadata,
    with_resources,
)
from companyos_canary.sandbox.kinds import DEPLOYMENT, REPLICASET, ROLLOUT
from companyos_canary.sandbox.objects import Object, copied, owner_reference

_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    "notified.notifications.argoproj.io",
    EPHEMERAL,
)


def find_sets(state: Pass) -> None:
    """Sorts the ReplicaSets into the one of the template, the stable one, and the others. The
    template's is found by its hash, else by comparing templates."""
    template = state.rollout["spec"].get("template") or {}
    wanted = template_hash(template, state.status.get("collisionCount") or 0)
    same = [s for s in state.sets if hash_of(s) == wanted or same_template(template, s, strategy(state.view))]
    same.sort(key=lambda s: (hash_of(s) != wanted, s["metadata"]["creationTimestamp"]))
    state.canary = same[0] if same else None
    state.stable = next((s for s in state.sets if hash_of(s) == state.view.stable_hash), None)
    state.others = [s for s in state.sets if s is not state.canary and s is not state.stable]


def create_set(state: Pass) -> bool:
    """A ReplicaSet without pods for a template that has none; False if its name is taken."""
    template = state.rollout["spec"]["template"]
    collisions = state.status.get("collisionCount") or 0
    digest = template_hash(template, collisions)
    name = f"{state.view.name}-{digest}"
    if state.store.get(REPLICASET, state.view.namespace, name) is not None:
        patch_status(state, {**state.status, "collisionCount": collisions + 1})
        return False
    revision = max((revision_of(s) for s in state.sets), default=0) + 1
    state.canary = dict(state.store.create(REPLICASET, _new_set(state, name, digest, revision)))
    state.sets.append(state.canary)
    _put_revision(state, revision)
    state.tell("Normal", "NewReplicaSetCreated", f"Created ReplicaSet {name} (revision {revision})")
    message = f'Created new replica set "{name}"'
    _write_progress(state, "NewReplicaSetCreated", message)
    return True


def sync_revision(state: Pass) -> bool:
    """Gives a ReplicaSet that is used again the highest revision, and the Rollout the same;
    whether the Rollout had no Progressing condition yet and has got one. An annotation that is new on the Rollout
    puts the revision into its own history (recorded)."""
    newest = state.canary
    if newest is None:
        return False
    before = revision_of(newest)
    revision = max([before, *(revision_of(s) + 1 for s in state.sets if s is not newest)])
    meta = copied(newest["metadata"])
    annotations = meta.setdefault("annotations", {})
    annotations.update(_copied(state))
    if revision > before:
        annotations[REVISION] = str(revision)
    if annotations != (newest["metadata"].get("annotations") or {}) and before:
        history = annotations.get(REVISION_HISTORY)
        annotations[REVISION_HISTORY] = f"{history},{before}" if history else str(before)
    spec = dict(newest["spec"])
    seconds = state.rollout["spec"].get("minReadySeconds") or 0
    if seconds != (spec.get("minReadySeconds") or 0):
        spec["minReadySeconds"] = seconds
    wanted = strategy(state.view)
    if wanted.get("antiAffinity"):
        against = rule_is_against(spec["template"], wanted)
        moved = against is not None and state.view.stable_hash not in (against, _digest(state))
        if moved or annotations != newest["metadata"].get("annotations") or spec != newest["spec"]:
            spec["template"] = _kept_apart(state, without_rule(spec["template"], wanted))
    newest.update(state.write(REPLICASET, {**newest, "metadata": meta, "spec": spec}))
    _put_revision(state, revision)
    if find(state.status, "Progressing") is None:
        message = f'Found new replica set "{newest["metadata"]["name"]}"'
        _write_progress(state, "FoundNewReplicaSet", message)
        return True
    return False


def _write_progress(state: Pass, reason: str, message: str) -> None:
    write_conditions(state, [("Progressing", "True", reason, message)], phase=False)
    state.reread(state.store.read(ROLLOUT, state.view.namespace, state.view.name))


def drop_old_sets(state: Pass) -> None:
    """Removes the oldest versions without pods beyond spec.revisionHistoryLimit."""
    limit = state.rollout["spec"].get("revisionHistoryLimit")
    limit = 10 if limit is None else limit
    others = sorted(state.others, key=lambda s: (s["metadata"]["creationTimestamp"], revision_of(s)))
    for replicaset in others[: max(0, len(others) - limit)]:
        if pods_of(replicaset).desired == 0 and pods_of(replicaset).replicas == 0:
            name = replicaset["metadata"]["name"]
            state.store.delete(REPLICASET, state.view.namespace, name)
            state.others.remove(replicaset)
            state.sets.remove(replicaset)


def _new_set(state: Pass, name: str, digest: str, revision: int) -> Object:
    template = with_resources(state.rollout["spec"]["template"])
    role = role_metadata(state, stable=state.stable is None)
    template = with_metadata(_kept_apart(state, template), {"labels": {HASH_LABEL: digest}})
    labels = dict(template["metadata"]["labels"])
    annotations = {**_copied(state), DESIRED: str(state.view.replicas), REVISION: str(revision)}
    if role:
        template = with_metadata(template, role)
        annotations[EPHEMERAL] = metadata_text(role)
    selector = copied(state.rollout["spec"].get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    spec: dict[str, Any] = {"replicas": 0, "selector": selector, "template": template}
    if state.rollout["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = state.rollout["spec"]["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": state.view.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(state.rollout)],
        },
        "spec": spec,
    }


def _kept_apart(state: Pass, template: Object) -> Object:
    """With the rule of an antiAffinity, while another version is stable."""
    if state.view.stable_hash in ("", _digest(state)):
        return template
    return with_rule(template, strategy(state.view), stable=state.view.stable_hash, namespace=state.view.namespace)


def _digest(state: Pass) -> str:
    return template_hash(state.rollout["spec"].get("template") or {}, state.status.get("collisionCount") or 0)


def _copied(state: Pass) -> Mapping[str, str]:
    """The Rollout's annotations that its newest ReplicaSet gets."""
    annotations = state.rollout["metadata"].get("annotations") or {}
    return {k: v for k, v in annotations.items() if k not in _NOT_COPIED}


def _put_revision(state: Pass, revision: int) -> None:
    """Writes the revision into the Rollout. The controller sends the whole object, with the
    `resources` that its types add to every container (recorded: scenario first-deploy)."""
    if revision_of(state.rollout) == revision:
        return
    stored = copied(state.store.read(ROLLOUT, state.view.namespace, state.view.name))
    stored["metadata"].setdefault("annotations", {})[REVISION] = str(revision)
    if stored["spec"].get("template"):
        stored["spec"]["template"] = with_resources(stored["spec"]["template"])
    if stored["spec"].get("paused") is False:  # what is written back leaves out what is false
        del stored["spec"]["paused"]
    written = state.write(ROLLOUT, stored)
    state.reread(written)
    state.tell("Normal", "RolloutUpdated", f"Rollout updated to revision {revision}")


def scale_workload(state: Pass) -> None:
    """Scales the Deployment, if it is its turn in this pass."""
    reference = state.rollout["spec"].get("workloadRef") or {}
    if state.canary is None or revision_of(state.canary) != 1:
        return
    healthy = state.status.get("phase") == "Healthy"
    match reference.get("scaleDown"):
        case "onsuccess" if healthy and state.promoted:
            _scale(state, reference["name"], 0)
        case "progressively" if healthy:
            _scale(state, reference["name"], 0)
        case "progressively":
            ready = int(state.status.get("readyReplicas") or 0)
            if ready or pods_of(state.canary).desired > state.view.replicas:
                _scale(state, reference["name"], max(state.view.replicas - ready, 0))


def _scale(state: Pass, name: str, wanted: int) -> None:
    found = state.store.get(DEPLOYMENT, state.view.namespace, name)
    if found is not None and found["spec"].get("replicas", 1) != wanted:
        new = copied(found)
        new["spec"]["replicas"] = wanted
        state.store.update(DEPLOYMENT, new)
