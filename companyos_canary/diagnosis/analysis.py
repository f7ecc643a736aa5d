"""Analyses: which metric, which value, which limit; or why it could not be measured."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from msgspec import Struct

from companyos_canary.analysis import evidence
from companyos_canary.argo.limits import Limit, decided_of, limit_of, unit_of
from companyos_canary.diagnosis.case import Case, Explanation, at, once, quote, short
from companyos_canary.model.analysisrun import AnalysisRun, Metric, MetricResult
from companyos_canary.model.http import Fields
from companyos_canary.model.outcome import Evidence
from companyos_canary.units import duration, limit_text, said_text, too_few_sentence

_UNREACHABLE = (
    "connection refused",
    "no such host",
    "dial tcp",
    "i/o timeout",
    "deadline exceeded",
    "eof",
    "no route",
    "tls:",
    "x509",
    "connection reset",
    "network is unreachable",
    "is url format",
    "is not url format",
    "protocol scheme",
    "not configured",
)
_FORBIDDEN = r"client error: 40[13]|unauthori[sz]ed|forbidden|response code: 40[13]"
_QUERY = ("bad_data", "parse error", "invalid parameter", "execution:", "client error: 400", "client error: 422")
_SERVER = r"query timed out|server error: 5\d\d|client error: \d+|server_error|client_error|bad_response|code: [45]\d\d"
_EMPTY = ("index out of range", "no data returned", "nil or empty", "produced no value")
_TYPE = (
    "mismatched types",
    "invalid operation",
    "is undefined",
    "expected bool",
    "cannot use",
    "unknown name",
    "cannot fetch",
    "not supported",
    "unexpected token",
    "interface conversion",
)
_NOTHING = frozenset(("", "[]", "null", "nil", "<nil>"))
_HANG = timedelta(seconds=60)
ERRORS = (
    "missing-secret",
    "missing-template",
    "missing-argument",
    "prometheus-unauthorized",
    "bad-query",
    "prometheus-error",
    "prometheus-unreachable",
    "bad-condition",
    "analysis-error",
)


class FailedVerdict(Struct, frozen=True):
    """A metric that ended a run, or is about to: its result and what was asked."""

    run: AnalysisRun
    metric: Metric
    result: MetricResult
    place: int

    @property
    def raw(self) -> Fields:
        return self.run.raw

    def field(self, *path: str | int) -> tuple[Evidence, ...]:
        return quote("AnalysisRun", self.raw, "status", "metricResults", self.place, *path)

    def asked(self, *path: str | int) -> tuple[Evidence, ...]:
        for n, metric in enumerate(at(self.raw, "spec", "metrics") or []):
            if metric.get("name") == self.metric.name:
                return quote("AnalysisRun", self.raw, "spec", "metrics", n, *path)
        return ()

    @property
    def limit(self) -> Limit | None:
        return limit_of(self.metric.success_condition, self.metric.failure_condition)

    @property
    def query(self) -> str:
        """As it was asked; as it is written in the run until then."""
        return self.result.query or self.metric.query

    @property
    def query_field(self) -> tuple[Evidence, ...]:
        return self.field("metadata", "ResolvedPrometheusQuery") or self.asked("provider", "prometheus", "query")

    @property
    def condition(self) -> tuple[Evidence, ...]:
        return self.asked("successCondition") or self.asked("failureCondition")

    def measured(self, phase: str, *path: str) -> tuple[Evidence, ...]:
        """A field of the newest measurement with that verdict."""
        place = self.newest(phase)
        return () if place is None else self.field("measurements", place, *path)

    def newest(self, phase: str) -> int | None:
        """The place of the newest measurement with that verdict."""
        found = [n for n, m in enumerate(self.result.measurements) if m.phase == phase]
        return found[-1] if found else None

    @property
    def provider(self) -> str:
        """`prometheus`, `web`, `job` …; empty where the run does not say."""
        for metric in at(self.raw, "spec", "metrics") or []:
            if metric.get("name") == self.metric.name:
                return next(iter(metric.get("provider") or {}), "")
        return ""

    def says_nothing(self, phase: str) -> bool:
        """Whether the verdict is about no value at all: an empty answer, or NaN. A Job has no value."""
        value = self.value(phase).strip()
        number = self.number(phase)
        if number is not None:
            return math.isnan(number)
        return value.lower() in _NOTHING and self.provider != "job"

    def number(self, phase: str) -> float | None:
        """The number that decided the newest measurement with that verdict."""
        return decided_of(self.metric, self.value(phase)).number

    def value(self, phase: str) -> str:
        place = self.newest(phase)
        return "" if place is None else self.result.measurements[place].value

    def message(self) -> str:
        """What the newest failed try said."""
        place = self.newest("Error")
        said = self.result.measurements[place].message if place is not None else ""
        return said or self.result.message or self.run.message


def verdicts(case: Case, *phases: str) -> tuple[FailedVerdict, ...]:
    """The metrics that ended a run of this attempt with one of these verdicts, newest run first."""
    return tuple(
        verdict
        for run in reversed(case.snapshot.judging)
        if run.phase in phases
        for verdict in _of_run(run)
        if verdict.result.phase == run.phase and not verdict.result.dry_run
    )


def _of_run(run: AnalysisRun) -> Iterator[FailedVerdict]:
    for place, result in enumerate(run.results):
        metric = next((m for m in run.metrics if m.name == result.name), None)
        if metric:
            yield FailedVerdict(run, metric, result, place)


def failed(case: Case) -> Explanation | None:
    """An analysis that ended Failed, on a value."""
    if not case.ended_by_analysis:
        return None
    for verdict in verdicts(case, "Failed"):
        if not verdict.says_nothing("Failed"):
            return _failed(case, verdict)
    return None


def _failed(case: Case, verdict: FailedVerdict) -> Explanation:
    result, limit = verdict.result, verdict.limit
    value, number = verdict.value("Failed"), verdict.number("Failed")
    unit = unit_of(result.name, limit)
    wanted = f" (limit {limit_text(limit, unit)})" if limit and number is not None else ""
    said = said_text(result.name, number, unit, limit=limit) if number is not None else _as_text(verdict, value)
    bad = max(result.failed, sum(1 for m in result.measurements if m.phase == "Failed"))
    because = f"{result.name} {said}{wanted} in {bad} of {result.taken} measurements{_over(number, limit)}"
    evidence = (
        *(verdict.measured("Failed", "value") if value else ()),
        *verdict.measured("Failed", "metadata", "job-name"),
        *verdict.condition,
        *verdict.field("failed"),
        *quote("AnalysisRun", verdict.raw, "status", "message"),
    )
    return Explanation(f"{case.version} was rolled back: {because}", evidence, _to_look(case, verdict.run), because)


def _as_text(verdict: FailedVerdict, value: str) -> str:
    """What is no number."""
    return "failed its Job" if verdict.provider == "job" else f"was {short(value)}"


def _over(number: float | None, limit: Limit | None) -> str:
    """How far over; empty if it is less than half as much again."""
    if number is None or limit is None or not limit.is_upper or not limit.value or not math.isfinite(number):
        return ""
    times = number / limit.value
    return f", {times:.1f} times as much as allowed" if number > 0 and times >= 1.5 else ""


def error(id_: str) -> Callable[[Case], Explanation | None]:
    """The function of the table for one kind of error: an analysis that ended with it, or one that
    fails again and again now."""

    def find(case: Case) -> Explanation | None:
        for verdict in _erring(case):
            if kind_of(verdict.message()) == id_:
                return _could_not(case, verdict, id_)
        for run in case.snapshot.judging if case.ended_by_analysis else ():
            if run.phase == "Error" and not run.results and kind_of(run.message) == id_:
                evidence = (*quote("AnalysisRun", run.raw, "status", "message"),)
                why = f"the analysis could not start: {short(run.message)}"
                sentence = f"{case.version} was rolled back because {why}"
                return Explanation(sentence, evidence, _next(case, id_, run), why)
        return None

    return find


@once
def _erring(case: Case) -> tuple[FailedVerdict, ...]:
    if case.ended_by_analysis:
        return verdicts(case, "Error")
    if case.rollout.aborted:
        return ()
    running = (run for run in case.snapshot.judging if not run.is_finished)
    return tuple(v for run in running for v in _of_run(run) if _failed_twice(v.result) and not v.result.dry_run)


def _failed_twice(result: MetricResult) -> bool:
    """Whether the last two tries could not measure."""
    last = [m.phase for m in result.measurements if m.phase][-2:]
    return last == ["Error", "Error"]


_SAYS = {
    "prometheus-unreachable": "the controller cannot reach Prometheus",
    "prometheus-unauthorized": "Prometheus refuses the controller's credentials",
    "prometheus-error": "Prometheus answers with an error",
    "bad-query": "Prometheus does not accept the query",
    "bad-condition": "its condition cannot be evaluated",
    "no-data": "the query returned no data",
    "missing-argument": "an argument has no value",
    "missing-secret": "a Secret that it needs is missing",
    "missing-template": "an AnalysisTemplate is missing",
    "analysis-error": "it could not be measured",
}


def kind_of(message: str) -> str:
    """Which kind of error a message of the controller tells of (messages: recorded)."""
    text = message.lower()
    if ("secret" in text and ("not found" in text or "does not exist in" in text)) or "secretkeyref" in text:
        return "missing-secret"
    if "analysistemplate" in text and "not found" in text:
        return "missing-template"
    if "failed to resolve {{args" in text or "was not resolved" in text or "unable to resolve metric arg" in text:
        return "missing-argument"
    for id_, words in (("no-data", _EMPTY), ("bad-condition", ("could not evaluate",))):
        if any(w in text for w in words):
            return id_
    if re.search(_FORBIDDEN, text):
        return "prometheus-unauthorized"
    if any(w in text for w in _QUERY):
        return "bad-query"
    if re.search(_SERVER, text):
        return "prometheus-error"
    if any(w in text for w in _UNREACHABLE):
        return "prometheus-unreachable"
    return "bad-condition" if any(w in text for w in _TYPE) else "analysis-error"


def _could_not(case: Case, verdict: FailedVerdict, id_: str) -> Explanation:
    result = verdict.result
    said = short(_bare(verdict.message()))
    tries = sum(1 for m in result.measurements if m.phase == "Error")
    says = _SAYS[id_]
    if verdict.provider not in ("", "prometheus"):
        says = says.replace("Prometheus", f"the provider ({verdict.provider})")
    why = said if said and id_ == "analysis-error" else f"{says}: {said}" if said else says
    if case.ended_by_analysis:
        because = f"{result.name} could not be measured: {why}"
        sentence = f"{case.version} was rolled back because {because}"
    else:
        sentence = because = f"{result.name} could not be measured in the last {tries} tries: {why}"
    evidence = (
        *(verdict.field("message") if verdict.newest("Error") is None else verdict.measured("Error", "message")),
        *verdict.field("consecutiveError"),
        *verdict.asked("provider", "prometheus", "address"),
        *(verdict.asked("provider", "prometheus", "query") if id_ in ("bad-query", "no-data") else ()),
        *(verdict.asked("successCondition") if id_ in ("bad-condition", "no-data") else ()),
    )
    asked = verdict.provider in ("", "prometheus")
    following = _next(case, id_, verdict.run) if asked else _to_look(case, verdict.run)
    return Explanation(sentence, evidence, following, because)


def _bare(message: str) -> str:
    found = re.search(r'"Error Message: (.*)"$', message, re.S)
    return found[1] if found else message


def _next(case: Case, id_: str, run: AnalysisRun) -> str:
    if id_ in ("no-data", "bad-query", "prometheus-unreachable", "prometheus-unauthorized", "prometheus-error"):
        return case.command("metrics")
    return _to_look(case, run)


def _to_look(case: Case, run: AnalysisRun) -> str:
    """The command that shows a run with its values; those of an experiment are shown with it."""
    owners = at(run.raw, "metadata", "ownerReferences") or []
    experiment = next((str(o.get("name")) for o in owners if o.get("kind") == "Experiment"), "")
    return case.place.command_of(f"experiment get {experiment}") if experiment else case.command("analysis")


def _holding(case: Case) -> tuple[FailedVerdict, ...]:
    """The metrics without a verdict that hold the rollout now."""
    if not case.rollout.lacks_a_verdict:
        return ()
    return verdicts(case, "Inconclusive")


@once
def without_data(case: Case) -> tuple[tuple[FailedVerdict, str], ...]:
    """Metrics whose verdict is about no number at all, with the phase of that measurement."""
    found = [(v, "Inconclusive") for v in _holding(case) if v.says_nothing("Inconclusive")]
    if case.ended_by_analysis:
        found += [(v, "Failed") for v in verdicts(case, "Failed") if v.says_nothing("Failed")]
        found += [(v, "Error") for v in verdicts(case, "Error") if kind_of(v.message()) == "no-data"]
    else:
        found += [(v, "Error") for v in _erring(case) if kind_of(v.message()) == "no-data"]
    return tuple(found)


def no_data(case: Case) -> Explanation | None:
    """A verdict on nothing: an empty answer or NaN, and no one can say why."""
    for verdict, phase in without_data(case):
        return about_nothing(case, verdict, phase, "the query returned no data")
    return None


def about_nothing(
    case: Case, verdict: FailedVerdict, phase: str, why: str, more: tuple[Evidence, ...] = ()
) -> Explanation:
    """The sentence of a verdict without data, with the reason that is known for it."""
    name = verdict.result.name
    outcome = "waits for a person" if phase == "Inconclusive" else "was rolled back"
    if phase == "Error" and not case.ended_by_analysis:
        outcome = "has no verdict yet"
    evidence = (
        *(verdict.measured(phase, "value") or verdict.measured(phase, "message")),
        *more,
        *verdict.query_field,
        *verdict.condition,
    )
    because = f"{name} has no data: {why}"
    return Explanation(f"{case.version} {outcome} because {because}", evidence, case.command("metrics"), because)


def inconclusive(case: Case) -> Explanation | None:
    """A number that neither passes nor fails, or one of too few requests."""
    holding = _holding(case)
    scarce = [
        (evidence.too_few(v.metric.success_condition, v.metric.query, v.value("Inconclusive")), v.result.name)
        for v in holding
    ]
    few = too_few_sentence(scarce, len(holding[0].run.metrics)) if holding else ""
    for verdict in holding:
        limit, number = verdict.limit, verdict.number("Inconclusive")
        text = said_text(verdict.result.name, number, unit_of(verdict.result.name, limit), limit=limit)
        behind = " behind a pause step" if len(case.rollout.pause_conditions) > 1 else ""
        because = few or f"{verdict.result.name} was {text}, which neither passes nor fails"
        state = f"waits for a person{behind}"
        if any(p.reason == "InconclusiveExperiment" for p in case.rollout.pause_conditions):
            state = "has no verdict, and the controller runs its experiment again"  # recorded: experiment-inconclusive
        sentence = f"{case.version} {state}{': ' if few else ' because '}{because}"
        shown = (
            *verdict.measured("Inconclusive", "value"),
            *verdict.asked("successCondition"),
            *verdict.asked("failureCondition"),
            *verdict.field("inconclusive"),
        )
        return Explanation(sentence, shown, case.command("promote"), because)
    return None


def never_started(case: Case) -> Explanation | None:
    """An analysis step without an AnalysisRun: an argument from a field that does not exist, an
    empty list of templates, or a controller that may not create runs. There is no event."""
    found = _not_started(case)
    return found[1] if found and not found[0] else None


def missing_field(case: Case) -> Explanation | None:
    """The same, where an argument refers to a field that the Rollout does not have."""
    found = _not_started(case)
    return found[1] if found and found[0] else None


def _not_started(case: Case) -> tuple[bool, Explanation] | None:
    """The finding, and whether a field is missing."""
    rollout = case.rollout
    step, index = rollout.current_step, rollout.step_index
    if rollout.aborted or step is None or step.kind != "analysis" or rollout.paused or rollout.pause_conditions:
        return None
    if (
        rollout.step_run
        or any(r.step_index == index for r in case.snapshot.judging)
        or case.snapshot.denied("analysisruns")
    ):
        return None
    if not rollout.observed or rollout.status_phase != "Progressing":
        return None
    since = case.since_progress
    if since is None or since < _HANG:
        return None
    path = ("spec", "strategy", "canary", "steps", index or 0, "analysis")
    templates = at(rollout.raw, *path, "templates") or []
    evidence = case.status("currentStepIndex")
    missing = False
    why = "its arguments may name a field that does not exist, or the controller may not create AnalysisRuns"
    if not templates:
        why = "the step lists no templates"
    for n, argument in enumerate(at(rollout.raw, *path, "args") or []):
        field = at(argument, "valueFrom", "fieldRef", "fieldPath")
        if field and not _exists(rollout.raw, str(field)):
            why = f"its argument {argument.get('name')} refers to {field}, which the Rollout does not have"
            missing = True
            evidence += case.field(*path, "args", n, "valueFrom", "fieldRef", "fieldPath")
    sentence = f"the analysis of this step has not started for {duration(since)}: {why}"
    evidence += case.field(*path, "templates", 0, "templateName")
    return missing, Explanation(sentence, evidence, case.command("get"))


def _exists(raw: Fields, path: str) -> bool:
    keys = [int(k) if k.isdigit() else k for k in re.findall(r"[^.\[\]']+", path)]
    return path.startswith("metadata.") or at(raw, *keys) is not None
