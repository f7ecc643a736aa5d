"""The controller itself, the spec it was given, and who else writes to the Rollout."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec.structs import replace

from companyos_canary.argo.gitops import FLUX, MANAGERS, TRACKING
from companyos_canary.argo.history import as_if_current
from companyos_canary.argo.phase import invalid_spec, shown_phase, tells_of_an_earlier_version
from companyos_canary.diagnosis.analysis import failed
from companyos_canary.diagnosis.case import (
    Case,
    Explanation,
    UsedTemplate,
    at,
    condition,
    named_templates,
    quote,
    short,
    templates_used,
)
from companyos_canary.model.http import Fields
from companyos_canary.model.image import REVISION, version
from companyos_canary.model.outcome import Evidence
from companyos_canary.model.quantity import parse_time
from companyos_canary.units import duration

INSTANCE = "argo-rollouts.argoproj.io/controller-instance-id"
LEASE_NAME = "argo-rollouts-controller-lock"
CONTROLLER = "argo-rollouts"
TO_NOTICE = timedelta(seconds=30)
LEASE_LASTS = timedelta(seconds=60)  # a controller renews its lease every few seconds
_GITOPS = {"argocd": "Argo CD", **MANAGERS}
_TRACKING = (TRACKING, *(f"{group}/name" for group in FLUX))
_INVALID = r'^The Rollout "[^"]*" is invalid: '


def spec_invalid(case: Case) -> Explanation | None:
    """The controller refuses the spec, and does nothing until that is corrected."""
    message = invalid_spec(case.rollout)
    found = condition(case.rollout.raw, "InvalidSpec")
    if not message or not found:
        return None
    missing = re.search(r"((?:Cluster)?AnalysisTemplate) '([^']+)' not found", message)
    why = f"{missing[1]} {missing[2]} does not exist" if missing else short(re.sub(_INVALID, "", message))
    sentence = f"the controller refuses the spec and changes nothing until it is corrected: {why}"
    path = ("status", "conditions", found[0])
    evidence = (*case.field(*path, "message"), *case.field(*path, "lastTransitionTime"))
    return Explanation(sentence, evidence, case.command("get"))


def waits_for_controller(case: Case) -> bool:
    """Whether something was asked of the controller that it has not shown yet."""
    return not case.rollout.observed or bool(status_write(case))


def status_write(case: Case) -> str:
    """The verb whose write to the status the controller has not taken up, empty if there is none. No generation counts
    these writes: they are known by what the controller's next status would change."""
    rollout, shown = case.rollout, shown_phase(case.rollout)
    if rollout.aborted:
        return "" if rollout.status_phase == "Degraded" or rollout.is_fully_promoted else "abort"
    if rollout.promote_full and rollout.pause_conditions and not rollout.is_fully_promoted:
        return "promote"
    if rollout.controller_pause and not rollout.pause_conditions:
        return "promote"
    aborted = shown.message.startswith("RolloutAborted") and tells_of_an_earlier_version(rollout, shown)
    return "retry" if aborted else ""


def written(case: Case) -> tuple[Evidence, ...]:
    """What a client has written, and the state that the controller shows with it."""
    fields: tuple[str, ...] = ("observedGeneration",)
    if case.rollout.observed:
        of_promote = ("promoteFull",) if case.rollout.promote_full else ("controllerPause", "currentStepIndex")
        fields = (*(of_promote if status_write(case) == "promote" else ("abort",)), "phase", "message")
    ref = case.rollout.workload_ref or {}
    if case.rollout.spec_is_observed and not case.rollout.workload_is_observed:  # the template of a Deployment
        newest = Evidence(
            f"{ref.get('kind')}/{ref.get('name')}", "metadata.generation", case.rollout.workload_generation or 0
        )
        return (newest, *case.status("workloadObservedGeneration"))
    generation = () if case.rollout.observed else case.field("metadata", "generation")
    return (*generation, *case.status(*fields))


def asked_at(case: Case) -> timedelta | None:
    """How long ago the newest thing was asked, as far as anything tells."""
    times = [case.did.at] if case.did else []
    for entry in at(case.rollout.raw, "metadata", "managedFields") or []:
        if "rollouts-controller" not in str(entry.get("manager")):
            times.append(parse_time(entry.get("time")))
    if not case.rollout.observed_generation:
        times.append(case.rollout.created_at)
    known = [t for t in times if t]
    return case.age(max(known)) if known else None


def not_ours(case: Case) -> Explanation | None:
    """The Rollout is labelled for a controller with another instance id."""
    if not waits_for_controller(case):
        return None
    mine = str((case.rollout.raw["metadata"].get("labels") or {}).get(INSTANCE, ""))
    deployment = controller_of(case)
    ids = _instance(deployment) if deployment else None
    if (ids is None and not mine) or (ids is not None and ids[0] == mine):
        return None
    if ids is None:
        return None
    theirs, evidence = ids
    evidence += case.field("metadata", "labels", INSTANCE)
    who = f"the controller looks after instance id {theirs!r}" if theirs else "the controller has no instance id"
    label = f"this Rollout has {mine!r}" if mine else "this Rollout has none"
    return Explanation(f"no controller looks after this Rollout: {who}, and {label}", evidence, case.command("get"))


def controller_of(case: Case) -> Fields | None:
    """The controller's Deployment, if it was read."""
    found = [d for d in case.of("Deployment") if CONTROLLER in d["metadata"]["name"]]
    return found[0] if found else None


def lease_of(deployment: Fields | None, lease: Fields | None) -> Fields | None:
    """The Lease of the usual name, unless the controller has an instance id: since 1.10 it writes to another one then,
    and this one may be of a controller before it (upstream controller/controller.go leaseLockName)."""
    return None if deployment is not None and instance_id(deployment) else lease


def since_renewed(lease: Fields | None, now: datetime) -> timedelta | None:
    renewed = parse_time(at(lease, "spec", "renewTime"))
    return max(now - renewed, timedelta()) if renewed else None


def instance_id(deployment: Fields) -> str | None:
    """The instance id that the controller looks after, empty for none; None where its Deployment does not say."""
    found = _instance(deployment)
    return found[0] if found else None


def watched_namespace(deployment: Fields) -> str:
    """The one namespace that the controller looks at (`--namespaced`); empty if it looks at all of them."""
    only = _flag(deployment, "--namespaced")
    if only is None or only[0] == "false":
        return ""
    named = _flag(deployment, "--namespace")
    return named[0] if named else str(deployment["metadata"].get("namespace", ""))


def controller_version(deployment: Fields) -> str:
    """`v1.9.1`; empty if the image has no tag."""
    containers = at(deployment, "spec", "template", "spec", "containers") or []
    image = str(next((c.get("image", "") for c in containers), "")).partition("@")[0]
    _, _, tag = image.rpartition(":")
    return tag if tag and "/" not in tag else ""


def _instance(deployment: Fields) -> tuple[str, tuple[Evidence, ...]] | None:
    containers = at(deployment, "spec", "template", "spec", "containers") or []
    return _flag(deployment, "--instance-id") or (("", ()) if containers else None)


def _flag(deployment: Fields, name: str) -> tuple[str, tuple[Evidence, ...]] | None:
    """The value of a flag of the controller, empty where it has none, and where it is written."""
    for n, container in enumerate(at(deployment, "spec", "template", "spec", "containers") or []):
        for field in ("command", "args"):
            words = [str(word) for word in container.get(field) or []]
            for place, word in enumerate(words):
                flag, equals, value = word.partition("=")
                if flag != name:
                    continue
                following = next(iter(words[place + 1 :]), "")
                value = value if equals or following.startswith("-") else following
                path = ("spec", "template", "spec", "containers", n, field, place)
                return value, quote("Deployment", deployment, *path)
    return None


def looks_elsewhere(case: Case) -> Explanation | None:
    """The controller looks at one other namespace."""
    deployment = controller_of(case)
    namespace = watched_namespace(deployment) if deployment else ""
    if not waits_for_controller(case) or not namespace or namespace == case.rollout.namespace:
        return None
    here = case.rollout.namespace
    sentence = f"the Argo Rollouts controller looks at namespace {namespace} only (--namespaced), not at {here}"
    written = _flag(deployment or {}, "--namespaced")
    evidence = (
        *(written[1] if written else ()),
        *case.field("metadata", "namespace"),
        *case.field("metadata", "generation"),
        *case.status("observedGeneration"),
    )
    return Explanation(sentence, evidence, f"kubectl -n {CONTROLLER} get deployment {CONTROLLER} -o yaml")


def templates_in_a_circle(case: Case) -> Explanation | None:
    """AnalysisTemplates of the Rollout use each other in a circle: the controller follows them without an end, and
    crashes (upstream rollout/controller.go getReferencedAnalysisTemplatesFromRef)."""
    gone = controller_gone(case)
    circle = _circle(case, templates_used(case.rollout.raw), ()) if gone else ()
    if not gone or not circle:
        return None
    evidence: tuple[Evidence, ...] = ()
    for (kind, name), inner in pairwise(circle):
        template = case.named(kind, name)
        used = named_templates(at(template, "spec"))
        evidence += quote(kind, template, "spec", "templates", used.index(inner), "templateName")
    names = " → ".join(name for _, name in circle)
    sentence = f"the AnalysisTemplates use each other in a circle, which crashes the controller: {names}"
    return Explanation(sentence, (*evidence[:3], *gone.evidence[:2]), case.command("lint"))


_DEEP = 8  # levels, and templates that one uses


def _circle(case: Case, names: Sequence[UsedTemplate], above: tuple[UsedTemplate, ...]) -> tuple[UsedTemplate, ...]:
    """The names of a circle, the first one again at its end; empty without one, and of more than a few."""
    for name in names[: _DEEP if len(above) < _DEEP else 0]:
        if name in above:
            return (*above[above.index(name) :], name)
        template = case.named(*name)
        if template and (found := _circle(case, named_templates(template.get("spec")), (*above, name))):
            return found
    return ()


def controller_gone(case: Case) -> Explanation | None:
    """No one runs who could act on the Rollout."""
    if elsewhere := looks_elsewhere(case):
        return elsewhere
    asked = asked_at(case)
    deployment = controller_of(case)
    lease = lease_of(deployment, case.named("Lease", LEASE_NAME))
    renewed = since_renewed(lease, case.now)
    evidence = (
        *written(case)[:2],
        *quote("Deployment", deployment, "spec", "replicas"),
        *quote("Deployment", deployment, "status", "availableReplicas"),
        *quote("Lease", lease, "spec", "renewTime"),
    )
    where = "kubectl -n argo-rollouts get deployment,pods"
    stopped = deployment is not None and not at(deployment, "status", "availableReplicas")
    silent = renewed is not None and renewed > LEASE_LASTS
    if (stopped or silent) and not _settled(case):
        since = f"; it last renewed its lease {duration(renewed)} ago" if renewed is not None and silent else ""
        return Explanation(f"the Argo Rollouts controller is not running{since}", evidence, where)
    if not waits_for_controller(case) or asked is None or asked < TO_NOTICE:
        return None  # where nothing says when it was asked, it may have been a moment ago
    if lease is not None or (deployment is not None and not stopped):
        return None
    sentence = f"no controller has acted on the newest change for {duration(asked)}; Argo Rollouts may not be running"
    return Explanation(sentence, evidence, where)


def _settled(case: Case) -> bool:
    return case.rollout.status_phase == "Healthy" and not waits_for_controller(case)


def gitops(case: Case) -> Explanation | None:
    """Something that applies from Git has put another version back."""
    owner = _owner(case)
    if owner and (back := _taken_back(case)):
        who, evidence = owner
        why = f"{who} manages this Rollout and has put {case.version} back after the {back}: change the version in Git"
        return Explanation(why, (*_image(case), *evidence), case.command("history"))
    if not owner or not case.wanted or version(case.rollout.image(case.container)) == case.wanted:
        return None
    who, evidence = owner
    now = case.version
    sentence = f"{who} manages this Rollout and has put {now} back in place of {case.wanted}: change the version in Git"
    return Explanation(sentence, (*_image(case), *evidence), case.command("history"))


def _taken_back(case: Case) -> str:
    """The verb after which Git was applied again, while another version than stable is in the spec."""
    did, rollout = case.did, case.rollout
    if did is None or did.verb != "undo" or did.at is None or rollout.is_fully_promoted:
        return ""
    if rollout.current_hash == rollout.stable_hash or case.version == case.stable_version:
        return ""
    entries = at(rollout.raw, "metadata", "managedFields") or []
    times = [parse_time(e.get("time")) for e in entries if str(e.get("manager")) in _GITOPS]
    return did.verb if any(t and t >= did.at for t in times) else ""


def _owner(case: Case) -> tuple[str, tuple[Evidence, ...]] | None:
    raw = case.rollout.raw
    for n, entry in enumerate(at(raw, "metadata", "managedFields") or []):
        if who := _GITOPS.get(str(entry.get("manager"))):
            path = ("metadata", "managedFields", n)
            return who, (*quote("Rollout", raw, *path, "manager"), *quote("Rollout", raw, *path, "time"))
    for place in ("annotations", "labels"):
        for key in _TRACKING:
            if found := quote("Rollout", raw, "metadata", place, key):
                return ("Argo CD" if "argocd" in key else "Flux"), found
    return None


def superseded(case: Case) -> Explanation | None:
    """Another version has taken the place of the one that is asked about."""
    now = case.version
    if not case.wanted or now == case.wanted or _serves(case):
        return None
    old = [r for r in case.snapshot.replicasets if any(version(c.image) == case.wanted for c in r.containers)]
    current = case.snapshot.current
    made = [r.created_at for r in (current, *old[:1]) if r and r.created_at]
    if case.rollout.is_fully_promoted and len(made) > 1 and made[0] < made[1]:
        sentence = f"{case.wanted} is not live: the Rollout is back on {now}"
    elif old:
        sentence = f"{case.wanted} was superseded by {now} (revision {case.rollout.revision})"
    else:
        sentence = f"{case.wanted} was never started: the Rollout's spec has {now}"
    replaced = case.named("ReplicaSet", old[0].name) if old else None
    own = failed(replace(case, snapshot=as_if_current(case.snapshot, old[0]))) if old else None
    if own:
        then = f"{now} (revision {case.rollout.revision}) came after it"
        sentence = f"{case.wanted} was rolled back: {own.because}; {then}"
    evidence = (
        *(own.evidence[:2] if own else ()),
        *_image(case),
        *case.field("metadata", "annotations", REVISION),
        *quote("ReplicaSet", replaced, "metadata", "annotations", REVISION),
        *quote("ReplicaSet", replaced, "spec", "replicas"),
    )
    return Explanation(sentence, evidence, case.command("history"))


def spec_on_aborted(case: Case) -> Explanation | None:
    """Asked about the stable version after an abort: it serves, and the spec still has the version that was aborted."""
    if not case.wanted or not _serves(case):
        return None
    because = f"the Rollout stays Degraded because its spec still has {case.version}, which was aborted"
    evidence = (*_image(case), *case.status("abort", "stableRS", "message"))
    return Explanation(f"{case.wanted} serves, and {because}", evidence, case.command("undo"), because)


def _serves(case: Case) -> bool:
    """Whether the version that is asked about is the stable one after an abort of another."""
    return case.rollout.aborted and case.wanted == case.stable_version != case.version


def _image(case: Case) -> tuple[Evidence, ...]:
    for n, c in enumerate(at(case.rollout.raw, "spec", "template", "spec", "containers") or []):
        if case.container in (None, c.get("name")):
            return case.field("spec", "template", "spec", "containers", n, "image")
    return ()
