"""What people and limits did to a release: aborts, pauses, undos, the progress deadline; and that all is well."""

import re
from datetime import timedelta

from companyos_canary.argo.cause import TIMED_OUT, says_no_reason
from companyos_canary.argo.patches.record import ACTION, abort_action
from companyos_canary.argo.phase import is_degraded, shown_phase, since, tells_of_an_earlier_version, waits_for_a_person
from companyos_canary.argo.steps import asked_share
from companyos_canary.diagnosis.case import Case, Explanation, at, condition, quote, short
from companyos_canary.diagnosis.control import status_write, waits_for_controller, written
from companyos_canary.diagnosis.pods import starting
from companyos_canary.model.http import Fields
from companyos_canary.model.image import REVISION, image_of, version
from companyos_canary.model.outcome import Evidence, plain_message
from companyos_canary.model.quantity import parse_time, whole_seconds
from companyos_canary.units import duration

_NEAR = timedelta(seconds=15)  # a busy controller may be so late
EXPERIMENT_LATE = "exceeded its progressDeadlineSeconds"  # a template of an Experiment (recorded: experiment-bad-image)
_OF_EXPERIMENT = rf"Template '([^']+)' {EXPERIMENT_LATE} \((\d+)\)"  # which may have another deadline


def _progressing(case: Case) -> tuple[Evidence, ...]:
    found = condition(case.rollout.raw, "Progressing")
    if not found:
        return ()
    return (
        *case.field("status", "conditions", found[0], "reason"),
        *case.field("status", "conditions", found[0], "message"),
    )


def deadline_passed(case: Case) -> Explanation | None:
    """The progress deadline has passed; nothing else says why. The reason of a condition says so, until an abort writes
    its own over it: from then on only messages do, of the status or of an Event. For a template of an Experiment there
    is no reason at all."""
    rollout, of_experiment = case.rollout, re.search(_OF_EXPERIMENT, case.rollout.status_message)
    exceeded = any(c.reason == "ProgressDeadlineExceeded" for c in rollout.conditions)
    late = exceeded or TIMED_OUT in rollout.status_message or (rollout.aborted and _timed_out(case))
    late = late or (rollout.aborted and EXPERIMENT_LATE in rollout.status_message)
    likely = not late and rollout.aborted and _at_the_deadline(case)
    if not is_degraded(rollout) or not (late or likely):
        return None
    span = duration(rollout.progress_deadline)
    ending = "and was rolled back" if rollout.aborted else "and the controller keeps trying"
    sentence = f"{case.version} made no progress for {span} {ending}"
    if of_experiment:
        span = duration(timedelta(seconds=int(of_experiment[2][:9])))
        why = f"the pods of {of_experiment[1]} in its experiment made no progress for {span}"
        sentence = f"{case.version} was rolled back: {why}"
    if likely:
        sentence = f"{case.version} was aborted just when its progress deadline of {span} had passed"
    evidence = (
        *_timed_out(case),
        *(case.status("abortedAt") if likely else ()),
        *_progressing(case),
        *(() if of_experiment else case.field("spec", "progressDeadlineSeconds")),
        *(case.status("message") if EXPERIMENT_LATE in rollout.status_message else ()),
        *case.status("availableReplicas"),
    )
    because = f"aborted just when the progress deadline of {span} had passed" if likely else f"no progress for {span}"
    return Explanation(sentence, evidence, case.command("get" if rollout.aborted else "abort"), because)


def _at_the_deadline(case: Case) -> bool:
    """Aborted without a reason just when a deadline that aborts had passed, and by no one who left a record: the events
    that say so are kept for an hour."""
    rollout, began = case.rollout, condition(case.rollout.raw, "Healthy")
    started = parse_time(began[1].get("lastTransitionTime")) if began and began[1].get("status") == "False" else None
    if not at(rollout.raw, "spec", "progressDeadlineAbort") or not says_no_reason(rollout.status_message):
        return False
    if abort_action(rollout.annotations) or (case.did and case.did.verb == "abort") or not started:
        return False
    deadline, took = rollout.progress_deadline, (rollout.aborted_at or started) - started
    return deadline <= took <= deadline + max(_NEAR, deadline / 20)


def _timed_out(case: Case) -> tuple[Evidence, ...]:
    for event in case.events("Rollout", case.rollout.name):
        if TIMED_OUT in str(event.get("message")) and f'-{case.rollout.current_hash}"' in str(event.get("message")):
            return quote("Event", event, "message")
    return ()


def abort_held(case: Case) -> Explanation | None:
    """An abort under a pause by hand: no pod moves until it is resumed."""
    rollout, current = case.rollout, case.snapshot.current
    if not (rollout.aborted and rollout.paused and current and current.desired):
        return None
    evidence = (
        *case.field("spec", "paused"),
        *case.status("abort"),
        *case.field_of("ReplicaSet", current.name, "spec", "replicas"),
    )
    sentence = f"{case.version} is aborted, but its pods stay because the Rollout is also paused by hand"
    return Explanation(sentence, evidence, case.command("resume"))


def aborted_by_person(case: Case) -> Explanation | None:
    """An abort that no analysis and no deadline explains."""
    rollout, sent = case.rollout, status_write(case) == "abort"
    if not rollout.aborted or not (sent or says_no_reason(rollout.status_message)):
        return None
    action = abort_action(rollout.annotations)
    age = case.age(rollout.aborted_at)
    ago = f" {duration(age)} ago" if age else ""
    if sent:  # no one else writes it without the phase
        because, sentence = "being aborted", f"{case.version} is being aborted: the controller has not shown it yet"
        return Explanation(sentence, written(case), case.command("get"), because)
    if not action and not (case.did and case.did.verb == "abort"):
        because = "aborted (no analysis failed)"
        sentence = f"{case.version} was aborted{ago}; no analysis failed, and nothing says who did it or why"
    else:
        by = f" by {action['by']}" if action.get("by") else ""
        why = f": {short(action['reason'])}" if action.get("reason") else ""
        because = f"aborted by hand (no analysis failed){by}{why}"
        sentence = f"{case.version} was aborted{ago}{by or ' by a person'}{why or '; no reason was recorded'}"
    evidence = (
        *case.status("abort", "abortedAt", "message"),
        *(case.field("metadata", "annotations", ACTION) if action else ()),
    )
    return Explanation(sentence, evidence, case.command("retry"), because)


def aborted_release(case: Case) -> Explanation | None:
    """Any other abort, in the controller's words: no field has them apart from the message."""
    rollout = case.rollout
    if not rollout.aborted:
        return None
    told = plain_message(rollout.status_message) if "bort" in rollout.status_message else ""
    why = short(told) or "the controller has not said why yet"
    became = "was rolled back" if is_degraded(rollout) else "is being aborted"
    sentence = f"{case.version} {became}: {why}"
    return Explanation(sentence, case.status("abort", "message", "abortedAt"), case.command("analysis"), why)


def abort_dropped(case: Case) -> Explanation | None:
    """An abort that came after the promotion: the controller drops it without a word."""
    rollout = case.rollout
    if not case.did or case.did.verb != "abort" or rollout.aborted or not rollout.is_fully_promoted:
        return None
    if not rollout.observed:
        return None
    evidence = case.status("phase", "stableRS", "currentPodHash")
    sentence = f"the abort had no effect because {case.version} was already promoted: go back with undo"
    return Explanation(sentence, evidence, case.command("undo"))


def undo_is_canary(case: Case) -> Explanation | None:
    """An undo that goes through all steps like any new version."""
    rollout = case.rollout
    if not case.did or case.did.verb != "undo" or rollout.is_fully_promoted or rollout.aborted or not rollout.steps:
        return None
    if waits_for_controller(case):
        return None
    evidence = (
        *case.status("currentStepIndex", "stableRS", "currentPodHash"),
        *case.field("spec", "rollbackWindow", "revisions"),
    )
    sentence = (
        f"the undo to {case.version} runs as a canary through all steps, and {case.stable_version or 'stable'} "
        "still serves most requests"
    )
    return Explanation(sentence, evidence, case.command("promote", "--full"))


def nothing_before(case: Case) -> Explanation | None:
    """An undo where there is no earlier ReplicaSet to go back to."""
    if not case.did or case.did.verb != "undo" or len(case.snapshot.replicasets) != 1:
        return None
    only = case.snapshot.replicasets[0]
    evidence = (
        *case.field_of("ReplicaSet", only.name, "metadata", "name"),
        *case.field("spec", "revisionHistoryLimit"),
        *case.field("metadata", "annotations", REVISION),
    )
    sentence = f"there is nothing to go back to: the only ReplicaSet that is left is that of {case.version}"
    return Explanation(sentence, evidence, case.command("history"))


def paused_by_hand(case: Case) -> Explanation | None:
    rollout = case.rollout
    if not rollout.paused or rollout.aborted:
        return None
    began = at(rollout.raw, "status", "duration", "manualPauseStartedAt")
    age = case.age(parse_time(began)) or case.age(since(rollout))
    span = f" for {duration(age)}" if age else ""
    also = " It also waits at a pause step." if rollout.pause_conditions else ""
    sentence = f"the Rollout has been paused by hand{span}; nothing is scaled until someone resumes it"
    evidence = (*case.field("spec", "paused"), *case.status("phase", "message"))
    if also:
        evidence += case.field("status", "pauseConditions", 0, "reason")
    return Explanation(sentence, evidence, case.command("resume"))


def waiting_for_person(case: Case) -> Explanation | None:
    rollout = case.rollout
    if not waits_for_a_person(rollout):
        return None
    age = case.age(since(rollout))
    span = f" for {duration(age)}" if age else ""
    where = f" at {asked_share(rollout)} %" if rollout.strategy == "canary" else ""
    sentence = f"{case.version} has waited{span}{where} for a person to promote or abort it"
    evidence = (
        *case.field("status", "pauseConditions", 0, "reason"),
        *case.field("status", "pauseConditions", 0, "startTime"),
        *case.status("currentStepIndex"),
    )
    return Explanation(sentence, evidence, case.command("promote"))


def timed_pause(case: Case) -> Explanation | None:
    """A pause step with a duration, or blue-green before it switches by itself."""
    rollout, step = case.rollout, case.rollout.current_step
    if not rollout.pause_conditions or rollout.paused or rollout.aborted:
        return None
    started, switch = rollout.pause_conditions[0].started_at, rollout.blue_green
    path: tuple[str | int, ...] = ("canary", "steps", rollout.step_index or 0, "pause", "duration")
    lasts, where = step.duration if step else None, f"at {asked_share(rollout)} %"
    if switch is not None and switch.seconds:
        path, where = ("blueGreen", "autoPromotionSeconds"), "before its switch"
        lasts = whole_seconds(switch.seconds)
    if started is None or lasts is None:
        return None
    remaining = started + lasts - case.now
    told = f"{duration(remaining)} left" if remaining > timedelta() else "which ends now"
    sentence = f"{case.version} is in a pause of {duration(lasts)} {where}, {told}"
    evidence = (*case.field("status", "pauseConditions", 0, "startTime"), *case.field("spec", "strategy", *path))
    return Explanation(sentence, evidence, case.command("watch"))


def scaled_to_zero(case: Case) -> Explanation | None:
    rollout = case.rollout
    if at(rollout.raw, "spec", "replicas") != 0:
        return None
    evidence = (*case.field("spec", "replicas"), *case.status("phase"))
    return Explanation("the Rollout is scaled to zero, so no version serves", evidence, case.command("get"))


def healthy(case: Case) -> Explanation | None:
    rollout = case.rollout
    if waits_for_controller(case) or shown_phase(rollout).word != "Healthy":
        return None
    evidence = case.status("phase", "availableReplicas", "stableRS")
    return Explanation(f"nothing is wrong: {case.version} is stable and Healthy", evidence, case.command("status"))


def slow_start(case: Case) -> Explanation | None:
    """Pods that are still starting while most of the progress deadline is over."""
    rollout = case.rollout
    if rollout.aborted or rollout.status_phase != "Progressing" or waits_for_controller(case):
        return None
    pods, found = starting(case, rollout.current_hash), condition(rollout.raw, "Progressing")
    if not pods or not found:
        return None
    deadline = rollout.progress_deadline
    silent = case.since_progress or timedelta()
    remaining = deadline - silent
    if remaining > deadline / 4:
        return None
    left = f"{duration(remaining)} before" if remaining > timedelta() else "past"
    noun = "pod is" if len(pods) == 1 else "pods are"
    sentence = f"{len(pods)} {noun} still starting, {left} the progress deadline of {duration(deadline)}"
    evidence = (
        *quote("Pod", pods[0], "status", "phase"),
        *quote("Pod", pods[0], "metadata", "creationTimestamp"),
        *case.field("status", "conditions", found[0], "lastUpdateTime"),
        *case.field("spec", "progressDeadlineSeconds"),
    )
    return Explanation(sentence, evidence, case.command("watch"))


def not_shown_yet(case: Case) -> Explanation | None:
    """Another image has just been set: the whole status is still about the version before it."""
    current = case.snapshot.current
    if case.rollout.observed or current is None or not case.rollout.containers:
        return None
    shown = version(image_of(current.containers, case.container))
    return in_progress(case) if shown and shown != case.version else None


def in_progress(case: Case) -> Explanation | None:
    """It moves, or has only just been asked to."""
    rollout = case.rollout
    running = [r for r in case.snapshot.judging if not r.is_finished]
    step = rollout.current_step
    if waits_for_controller(case):
        sentence = f"the controller has not shown the newest change to {rollout.name} yet"
        evidence: tuple[Evidence, ...] = written(case)
    elif pods := starting(case, rollout.current_hash):
        noun = "pod of it is" if len(pods) == 1 else "pods of it are"
        restarts = rollout.is_fully_promoted and rollout.restart_at != rollout.restarted_at
        state = "is being restarted" if restarts else "is in progress"
        sentence = f"{case.version} {state}: {len(pods)} {noun} starting"
        evidence = (
            *quote("Pod", pods[0], "status", "phase"),
            *quote("Pod", pods[0], "metadata", "creationTimestamp"),
            *case.status("message"),
        )
    elif running and step is not None and step.kind in ("analysis", "experiment"):
        sentence = f"{case.version} is in progress at {asked_share(rollout)} %: its {step.kind} is running"
        evidence = (*quote("AnalysisRun", running[-1].raw, "status", "phase"), *_tolerated(running[-1].raw))
    elif experiment := _experiment(case):
        sentence = f"{case.version} is in progress: its experiment is running"
        evidence = (*quote("Experiment", experiment, "status", "phase"), *case.status("currentStepIndex"))
    elif running and rollout.blue_green is not None:
        switched = "after" if rollout.blue_green.active == rollout.current_hash else "before"
        sentence = f"{case.version} is in progress: its analysis {switched} the switch is running"
        evidence = (*quote("AnalysisRun", running[-1].raw, "status", "phase"), *_tolerated(running[-1].raw))
    else:
        shown = shown_phase(rollout)
        message = "" if tells_of_an_earlier_version(rollout, shown) else shown.message  # a retry was sent a moment ago
        sentence = f"{case.version} is in progress" + (f": {message}" if message else "")
        evidence = case.status("phase", "message", "currentStepIndex")
    return Explanation(sentence, evidence, case.command("watch"))


def _experiment(case: Case) -> Fields | None:
    """That of the current step, while it runs."""
    experiment, step = case.snapshot.experiment, case.rollout.current_step
    running = experiment is not None and not experiment.is_finished and step is not None and step.kind == "experiment"
    return case.named("Experiment", experiment.name) if running and experiment else None


def _tolerated(run: Fields) -> tuple[Evidence, ...]:
    """Bad values that the run has let pass so far."""
    found: list[Evidence] = []
    for n, result in enumerate(at(run, "status", "metricResults") or []):
        if result.get("failed"):
            found += quote("AnalysisRun", run, "status", "metricResults", n, "failed")
    return tuple(found[:2])
