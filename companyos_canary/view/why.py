"""What is wrong, in sentences: what a verdict, a pod or the controller has done; the whole of a diagnosis; and the
checks of `canary doctor`."""

import sys
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any

from companyos_canary.argo.limits import OPERATORS, Limit, unit_of
from companyos_canary.argo.picture import Picture
from companyos_canary.model.outcome import Cause, Diagnosis, FailedMetric, PodProblem, plain_message
from companyos_canary.model.quantity import plural
from companyos_canary.units import too_few_sentence
from companyos_canary.view.format import bound_text, limit_text, said_text
from companyos_canary.view.lines import Facts, Tone

if TYPE_CHECKING:
    from companyos_canary.diagnosis.readiness import Check


def reasons(picture: Picture) -> list[tuple[str, Tone]]:
    """Sentences about what is wrong, next to what the banner and the rows of the metrics say; worst
    first, none where nothing is."""
    found = picture.cause
    if found is None:
        return []
    bad: Tone = "failure" if picture.progress.phase.word == "Degraded" else "warning"
    few = "" if picture.why else too_few_sentence([(m.few, m.metric) for m in found.metrics], len(picture.metrics))
    said: list[tuple[str, Tone]] = [(few, "warning")] if few else []
    because = picture.why.because if picture.why else ""
    said += [(pod_sentence(p), bad) for p in found.pods_by_reason if p.reason not in because]
    if bad == "failure" and found.pods and not found.metrics and picture.why is None:
        said.append((controller_sentence(found), bad))
    return said


def metric_sentence(failed: FailedMetric) -> str:
    """`error-rate 11.2 % (limit < 5 %) in 2 of 4 measurements`."""
    limit = limit_in(failed)
    unit = unit_of(failed.metric, limit)
    wanted = f" (limit {limit_text(limit, unit)})" if limit else ""
    of = f" in {failed.failed} of {failed.measured} measurements"
    if failed.phase == "Error":
        message = f": {failed.message}" if failed.message else ""
        return f"{failed.metric} could not be measured{of}{message}"
    value = said_text(failed.metric, failed.value, unit, limit=limit)
    if failed.few:
        return f"{failed.metric} {value}{wanted} cannot be judged: {failed.few}"
    return f"{failed.metric} {value}{wanted}{of}"


def short_metric(failed: FailedMetric) -> str:
    """`error-rate 11.2 % (limit 5 %)`, for a line with other things in it."""
    limit = limit_in(failed)
    unit = unit_of(failed.metric, limit)
    if failed.phase == "Error":
        return f"{failed.metric} could not be measured"
    bound = f" (limit {bound_text(limit, unit)})" if limit else ""
    return f"{failed.metric} {said_text(failed.metric, failed.value, unit, limit=limit)}{bound}"


def limited_metric(failed: FailedMetric) -> str:
    """`error-rate 11.2 %, limit 5 %`."""
    return short_metric(failed).replace(" (limit", ", limit").removesuffix(")")


def pod_sentence(problem: PodProblem) -> str:
    """`pod X does not start: ImagePullBackOff, manifest unknown`."""
    again = f", {plural(problem.restarts, 'restart')}" if problem.restarts else ""
    message = f": {problem.message}" if problem.message else ""
    if problem.reason == "ReplicaFailure":
        return f"no pod can be made{message}"
    return f"pod {problem.pod}: {problem.reason}{again}{message}"


def controller_sentence(found: Cause) -> str:
    """The controller's own message without what the headline says already (messages: recorded)."""
    if said := plain_message(found.message):
        return said
    if "aborted" not in found.message:
        return "the controller gives no reason"
    return f"{'aborted by hand' if found.by_hand else 'aborted'} (no analysis failed)"


def limit_in(failed: FailedMetric) -> Limit | None:
    operator = OPERATORS.get(failed.operator)
    return None if failed.limit is None or operator is None else Limit(operator, failed.limit)


_LONGEST = 200  # characters of a value in a line; JSON has all of it


def diagnosis_lines(found: Diagnosis) -> tuple[str, ...]:
    """The sentence, the evidence, the next command."""
    evidence = (f"  {e.object}  {e.field}: {_text(e.value)}" for e in found.evidence)
    following = (f"next: {found.next}",) if found.next else ()
    return (_sentence(found.sentence), *evidence, *following)


def checks_lines(checks: "tuple[Check, ...]", facts: Facts) -> tuple[str, ...]:
    """A line for each check, its fix below it; the count at the end. On a terminal a sentence is broken between words;
    a fix may be copied, and stays."""
    symbols, room = facts.symbols, facts.width if facts.terminal else sys.maxsize
    broken = TextWrapper(room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    marks = {"ok": symbols.ok, "warning": symbols.warning, "fault": symbols.failed, "unknown": symbols.unknown}
    lines: list[str] = []
    for check in checks:
        lines += broken.wrap(f"{marks[check.mark]} {check.sentence}")
        if check.fix:
            lines.append(f"    {check.fix}")
    faults = sum(c.mark == "fault" for c in checks)
    would = f"{faults} problem{'s' if faults > 1 else ''} would make a release fail"
    return (*lines, would if faults else "nothing was found that would make a release fail")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text


def _text(value: Any) -> str:
    text = " ".join(str(value).split()) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
