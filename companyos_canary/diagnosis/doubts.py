"""Verdicts on numbers that do not say what they seem to: another unit, other services, old samples, chance; and what
Prometheus is asked about them, one question after the other."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from companyos_canary.analysis.evidence import CONFIDENT, is_row
from companyos_canary.argo.limits import Limit, unit_of
from companyos_canary.diagnosis.analysis import FailedVerdict, without_data
from companyos_canary.diagnosis.case import Case, Explanation
from companyos_canary.diagnosis.nodata import (
    failing,
    own_matchers,
    part_of,
    question_without_data,
    stable_is_as_bad,
    stable_question,
    tells_canary_alone,
)
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.outcome import Evidence
from companyos_canary.model.quantity import parse_duration
from companyos_canary.units import limit_text, value_text

POD_OF_A_ROLLOUT = r"(.+)-[a-z0-9]+-[a-z0-9]+"
_MILLIS = r"\w*(?:milliseconds|millis|_ms)(?:_bucket|_sum|_count|_total)?\b"
_SECONDS = r"\w*seconds(?:_bucket|_sum)?\b"
_THOUSAND = r"\b(?:1000|1e3)\b"
_HUNDRED = r"\b100\b"
_MOST = 3
_FEW_LOOKS = 2  # so many crossings in a row may still be chance


def rolled_back(case: Case, verdict: FailedVerdict, because: str, more: tuple[Evidence, ...], verb: str) -> Explanation:
    """What every one of these says: the value, its limit, and what speaks against it."""
    evidence = (*verdict.measured("Failed", "value"), *verdict.condition, *more)
    return Explanation(f"{case.version} was rolled back because {because}", evidence, case.command(verb), because)


def in_another_unit(case: Case) -> Explanation | None:
    """The value and its limit are in different units: read in the limit's unit it is a good one."""
    verdict = failing(case)
    value = verdict.number("Failed") if verdict else None
    if verdict is None or value is None or verdict.limit is None or not math.isfinite(value):
        return None
    query = verdict.query
    why = next((w for factor, w in _units(query, verdict.limit, value) if verdict.limit.holds(value * factor)), "")
    if not why:
        return None
    because = f"{verdict.result.name} {value:.6g} was compared with the limit {verdict.limit}: {why}"
    return rolled_back(case, verdict, because, verdict.query_field, "metrics")


def _units(query: str, limit: Limit, value: float) -> Iterator[tuple[float, str]]:
    """By what the value has to be multiplied to be in the limit's unit, and how the query shows that."""
    thousand = bool(re.search(_THOUSAND, query))
    if limit.value < value / 20 and limit.is_upper:
        if re.search(_MILLIS, query) and not thousand:
            yield 1e-3, "the query answers in milliseconds, and the limit is in seconds"
        if re.search(_SECONDS, query) and not re.search(_MILLIS, query) and thousand:
            yield 1e-3, "the query turns seconds into milliseconds, and the limit is in seconds"
    if re.search(_HUNDRED, query) and limit.value <= 1 and limit.is_upper:
        yield 1e-2, "the query answers in percent, and the limit is a share between 0 and 1"
    percent = not limit.is_upper and 1 < limit.value <= 100 and 0 < value <= 1
    if percent and "/" in query and not re.search(_HUNDRED, query):
        yield 1e2, "the query answers with a share between 0 and 1, and the limit is in percent"


def who_answers(case: Case) -> str:
    """The question for the services that a query counts; empty where it names its own."""
    verdict = failing(case)
    part = part_of(verdict.query) if verdict else None
    if part is None or own_matchers(part.matchers):
        return ""
    return f"group by (namespace, pod, app, service) ({part.metric}{part.matchers})"


def several_apps(case: Case) -> Explanation | None:
    """The query counts other services as well, so that its value is not this version's."""
    verdict, question = failing(case), who_answers(case)
    answer = case.answers.get(question) if question else None
    if verdict is None or answer is None:
        return None
    found = others(answer.labels, case.rollout.name, case.rollout.namespace, _names(case))
    if not found:
        return None
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    what = f"{', '.join(sorted(found)[:_MOST])}{more}"
    because = f"the query of {verdict.result.name} also counts {what}: its value is not that of {case.version} alone"
    told = (*verdict.query_field, Evidence("Prometheus", question, len(answer.labels)))
    return rolled_back(case, verdict, because, told, "metrics")


def others(found: Iterable[Mapping[str, str]], rollout: str, namespace: str, also: frozenset[str]) -> set[str]:
    """The other services that answer, as `name` or `namespace/name`. By the names of pods; where series have none, by
    `app`, which may be any of `also`. A series with neither says nothing."""
    names: set[str] = set()
    for labels in found:
        pod = re.fullmatch(POD_OF_A_ROLLOUT, labels.get("pod", ""))
        name = pod[1] if pod else labels.get("pod") or labels.get("app") or labels.get("service") or rollout
        there = labels.get("namespace") or namespace
        own = name == rollout or (not pod and (name in also or name.startswith(f"{rollout}-")))
        if there != namespace:
            names.add(f"{there}/{name}")
        elif not own:
            names.add(name)
    return names


def _names(case: Case) -> frozenset[str]:
    labels = (case.rollout.template or {}).get("metadata", {}).get("labels") or {}
    return frozenset({case.rollout.name, *map(str, labels.values())})


def on_old_samples(case: Case) -> Explanation | None:
    """The window of the query still holds the requests of an earlier try of the same version."""
    verdict = failing(case)
    since = _window_began(verdict) if verdict else None
    if verdict is None or since is None:
        return None
    for run in case.snapshot.current_runs:
        ended = run.completed_at
        created = verdict.run.created_at
        if run.uid == verdict.run.uid or run.phase not in ("Failed", "Error") or not ended or not created:
            continue
        if since < ended <= created:
            because = (
                f"{verdict.result.name} was measured over the requests of the attempt before it, which failed as well: "
                f"its window of {_window(verdict)} begins before that"
            )
            return rolled_back(case, verdict, because, _ended(run), _next(case, verdict))
    return None


def on_earlier_canary(case: Case) -> Explanation | None:
    """The query tells the canary by its label alone, and the window holds the requests of the canary before it."""
    verdict = failing(case)
    since = _window_began(verdict) if verdict else None
    if verdict is None or since is None or not tells_canary_alone(verdict.query):
        return None
    rollout = case.rollout
    for run in reversed(case.snapshot.runs):
        earlier = case.snapshot.replicaset(run.hash)
        if run.hash in ("", rollout.current_hash, rollout.stable_hash) or earlier is None or not run.completed_at:
            continue
        if earlier.revision < rollout.revision and since < run.completed_at <= (_measured_at(verdict) or case.now):
            because = (
                f"{verdict.result.name} was measured over requests of the canary before it, too: it is asked for "
                f"by the label canary alone, and its window of {_window(verdict)} begins before that one ended"
            )
            return rolled_back(case, verdict, because, (*_ended(run), *verdict.query_field), _next(case, verdict))
    return None


def _next(case: Case, verdict: FailedVerdict) -> str:
    """A retry, once the window holds none of the requests of this attempt either."""
    began, at = _window_began(verdict), _measured_at(verdict)
    return "retry" if began and at and case.now - at > at - began else "analysis"


def how_many(case: Case) -> str:
    """The question for the requests that a share was measured over; empty where that decides nothing."""
    verdict = failing(case)
    if verdict is None or not _is_share(verdict):
        return ""
    part = part_of(verdict.query)
    return part.requests if part else ""


def _is_share(verdict: FailedVerdict) -> bool:
    query, limit, value = verdict.query, verdict.limit, verdict.number("Failed")
    if limit is None or value is None or not limit.is_upper or not 0 < limit.value < 1:
        return False
    looks = sum(1 for m in verdict.result.measurements if m.phase == "Failed")
    divided = "/" in query and "quantile" not in query and not is_row(query)
    return divided and 0 < value <= 1 and looks <= _FEW_LOOKS and unit_of(verdict.result.name, limit) == "percent"


def by_chance(case: Case) -> Explanation | None:
    """So few requests that a version as good as the stable one shows such a value now and then."""
    verdict, question = failing(case), how_many(case)
    answer = case.answers.get(question) if question else None
    value = verdict.number("Failed") if verdict else None
    if verdict is None or answer is None or verdict.limit is None or value is None or len(answer.values) != 1:
        return None
    requests, limit = answer.values[0], verdict.limit
    stable = case.answers.get(stable_question(case))
    usual = stable.values[0] if stable and len(stable.values) == 1 else limit.value
    expected = usual if 0 < usual < limit.value else limit.value
    bad = value * requests
    if (
        not math.isfinite(requests)
        or bad < 0.5
        or any(_deviates(bad, requests, share) >= CONFIDENT for share in {expected, limit.value})
    ):
        return None
    count = f"{bad:.0f} of {requests:.0f} requests"
    shown = f"{value_text(value, 'percent', limit=limit)} (limit {limit_text(limit, 'percent')})"
    because = f"{verdict.result.name} was {shown}, but that is {count}, which chance alone explains"
    return rolled_back(case, verdict, because, (Evidence("Prometheus", question, requests),), "retry")


def _deviates(bad: float, requests: float, share: float) -> float:
    """How many standard errors there are between what was seen and what a share would make."""
    spread = math.sqrt(share * (1 - share) * requests)
    return (bad - 0.5 - share * requests) / spread if spread else math.inf


def _measured_at(verdict: FailedVerdict) -> datetime | None:
    place = verdict.newest("Failed")
    return verdict.result.measurements[place].finished_at if place is not None else None


def _window(verdict: FailedVerdict) -> str:
    part = part_of(verdict.query)
    return part.window if part else ""


def _window_began(verdict: FailedVerdict) -> datetime | None:
    """When the oldest request of the newest bad measurement was counted."""
    at, text = _measured_at(verdict), _window(verdict)
    try:
        span = parse_duration(text) if text else timedelta()
    except ValueError:
        return None
    return at - span if at and span else None


def _ended(run: AnalysisRun) -> tuple[Evidence, ...]:
    status = run.raw.get("status") or {}
    keys = [k for k in ("completedAt", "phase") if status.get(k)]
    return tuple(Evidence(f"AnalysisRun/{run.name}", f"status.{k}", status[k]) for k in keys)


def next_question(case: Case) -> str:
    """What to ask next; empty once the answers tell, or where there is nothing to ask."""
    if case.prometheus:
        return ""
    verdict = failing(case)
    if verdict is None:
        return question_without_data(case)
    if in_another_unit(case) or on_old_samples(case) or on_earlier_canary(case):
        return ""
    asked = (who_answers(case), stable_question(case), how_many(case))
    for question in filter(None, asked):
        if question not in case.answers:
            return question
        if several_apps(case) or stable_is_as_bad(case):
            return ""
    return ""


def judged_at(case: Case) -> datetime | None:
    """When the verdict fell that the questions are about: after an abort the canary's series end. None for one that is
    still open."""
    if not case.rollout.aborted:
        return None
    verdict = failing(case)
    found = [(verdict, "Failed")] if verdict else list(without_data(case))
    for one, phase in found:
        place = one.newest(phase)
        if place is not None:
            return one.result.measurements[place].finished_at
    return None
