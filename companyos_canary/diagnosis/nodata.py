"""Why a query has no data: its parts are asked again, one after the other, until one of them tells."""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from companyos_canary.argo.limits import unit_of
from companyos_canary.diagnosis.analysis import FailedVerdict, about_nothing, verdicts, without_data
from companyos_canary.diagnosis.case import Case, Explanation, MeasuredMetric
from companyos_canary.model.outcome import Evidence
from companyos_canary.units import limit_text, value_text

_TEXT = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
_RANGE = rf'([a-zA-Z_:][\w:]*)\s*((?:\{{(?:[^{{}}"\']|{_TEXT})*\}})?)\s*\[(\w+)'
_MATCHER = rf"\w+\s*(?:=~|!~|!=|=)\s*(?:{_TEXT})"
_CANARY = r'canary\s*=~?\s*["\']true|hash\s*=~?\s*["\'](?!\.\*)'
_TRUE = r'canary\s*=~?\s*["\']true["\']'
_OTHER = r'canary\s*(?:!=|!~|=~?)\s*["\'](?:false)["\']|canary\s*!'
_HASH = rf"\w*hash\s*=~?\s*(?:{_TEXT})\s*,?"
_GUARD = r">=\s*(\d+(?:\.\d+)?)\s*\)"
LEAST_SAMPLES = 2
_OR = r"\bor\b"
_LABEL = r"\b(\w*canary\w*|\w*hash)\s*="
REASONS = ("not-scraped", "label-missing", "nothing-to-count", "window-too-short", "too-little-traffic")


class _Part(Struct, frozen=True):
    """One selector of a query, over the window of its range; `needed` is how many requests the query asks for;
    `counted` are selectors of fewer of the same series, as of those that failed."""

    metric: str
    matchers: str
    window: str
    needed: float | None
    counted: tuple[str, ...] = ()

    @property
    def values(self) -> str:
        """Which values the label has by which the query finds the canary; empty if it has no such label."""
        label = re.search(_LABEL, self.matchers)
        return f"count by ({label[1]}) ({self.metric})" if label else ""

    @property
    def failed(self) -> tuple[str, ...]:
        """The questions for the other series that the query divides by these."""
        return tuple(f"count({s})" for s in self.counted)

    @property
    def found(self) -> str:
        return f"count({self.metric}{self.matchers})"

    @property
    def at_all(self) -> str:
        return f"count({self.metric})"

    @property
    def requests(self) -> str:
        return f"sum(increase({self.metric}{self.matchers}[{self.window}]))"

    @property
    def samples(self) -> str:
        return f"max(count_over_time({self.metric}{self.matchers}[{self.window}]))"


def part_of(query: str) -> _Part | None:
    """The selector of a query that tells the canary's series from others and asks for the least besides: that is the
    one of all its requests, not of the failed ones. Else the same of all selectors."""
    found = re.findall(_RANGE, query)
    if not found:
        return None
    counts = [f for f in found if not f[0].endswith(("_bucket", "_sum"))] or found
    canary = [f for f in counts if re.search(_CANARY, f[1])] or counts
    metric, matchers, window = min(canary, key=lambda f: len(re.findall(_MATCHER, f[1])))
    needed = re.search(_GUARD, query)
    narrower = [
        m + s
        for m, s, _ in counts
        if m == metric and set(re.findall(_MATCHER, s)) > set(re.findall(_MATCHER, matchers))
    ]
    at_least = float(needed[1]) if needed else None
    guarded = bool(re.search(_OR, query))
    return _Part(metric, matchers, window, at_least, () if guarded else tuple(dict.fromkeys(narrower)))


def question_without_data(case: Case) -> str:
    """What to ask Prometheus next; empty once the answers tell, or where there is nothing to ask."""
    if case.prometheus:
        return ""
    for verdict, _ in without_data(case):
        part = part_of(verdict.query)
        if part is None:
            return ""
        found = case.answers.get(part.found)
        if found is None:
            return part.found
        following = _following(case, part) if _number(found) else _absent(case, part)
        return next((q for q in following if q and q not in case.answers), "")
    return ""


def _following(case: Case, part: _Part) -> tuple[str, ...]:
    """The series exist: whether they count enough; if they do, whether the others exist that are divided by them."""
    counted = case.answers.get(part.requests)
    if counted is None:
        return (part.requests,)
    if counted.values and counted.values[0] < (part.needed or 1):
        return ()
    return part.failed if counted.values or counted.problem else (part.samples, *part.failed)


def _absent(case: Case, part: _Part) -> tuple[str, ...]:
    """They do not: whether any do, and for whom."""
    return (part.at_all, part.values) if _number(case.answers.get(part.at_all)) else (part.at_all,)


def failing(case: Case) -> FailedVerdict | None:
    """The metric that rolled the version back with a number."""
    if not case.ended_by_analysis:
        return None
    return next((v for v in verdicts(case, "Failed") if not v.says_nothing("Failed")), None)


def stable_side(query: str, canary: str = "", stable: str = "") -> str:
    """The same question about the stable pods; empty if the query does not speak of the canary alone. `canary` and
    `stable` are the pod template hashes, by which a query may tell them apart."""
    if canary and stable and canary in query and stable not in query and not re.search(_TRUE, query):
        return query.replace(canary, stable)
    if not re.search(_TRUE, query) or re.search(_OTHER, query):
        return ""
    return re.sub(_TRUE, 'canary!="true"', re.sub(_HASH, "", query))


def stable_question(case: Case) -> str:
    """What is asked about stable for the metric that failed; empty if there is none."""
    verdict = failing(case)
    hashes = (case.rollout.current_hash, case.rollout.stable_hash)
    return stable_side(verdict.query, *hashes) if verdict else ""


def tells_canary_alone(query: str) -> bool:
    """Whether a query tells the canary by its label, so that another canary's series fit, too."""
    return bool(re.search(_TRUE, query)) and not re.search(_HASH, query)


_OWN = r"\b(?:app\w*|pod|job|service\w*|deployment|container|rollout\w*|\w*hash)\s*="


def own_matchers(matchers: str) -> bool:
    """Whether a selector names the service that it is about."""
    return bool(re.search(_OWN, matchers))


def stable_is_as_bad(case: Case) -> Explanation | None:
    """The metric that failed is over its limit for the stable version too."""
    verdict = failing(case)
    query = stable_question(case)
    answer = case.answers.get(query) if query else None
    if verdict is None or answer is None or len(answer.values) != 1:
        return None
    limit, value = verdict.limit, answer.values[0]
    if limit is None or not limit.broken_by(value):
        return None
    name, unit = verdict.result.name, unit_of(verdict.result.name, limit)
    own = value_text(verdict.number("Failed"), unit, limit=limit)
    because = (
        f"{name} was {own}, but the stable version now has {value_text(value, unit, limit=limit)}: something that "
        f"both use is at fault (limit {limit_text(limit, unit)})"
    )
    evidence = (*verdict.measured("Failed", "value"), Evidence("Prometheus", query, value), *verdict.condition)
    sentence = f"{case.version} was rolled back because {because}"
    return Explanation(sentence, evidence, case.command("metrics"), because)


def _number(answer: MeasuredMetric | None) -> float:
    return answer.values[0] if answer and answer.values else 0.0


def cause_finder(id_: str) -> Callable[[Case], Explanation | None]:
    """The function of the table for one reason why there is no data."""

    def find(case: Case) -> Explanation | None:
        for verdict, phase in without_data(case):
            part = part_of(verdict.query)
            if part is None or part.found not in case.answers:
                return None
            reason = _reason(case, part)
            if reason is None or reason[0] != id_:
                return None
            return about_nothing(case, verdict, phase, reason[1], reason[2])
        return None

    return find


def _reason(case: Case, part: _Part) -> tuple[str, str, tuple[Evidence, ...]] | None:
    answers = {q: a for q, a in case.answers.items() if not a.problem}
    if part.found not in answers:
        return None
    if not _number(answers.get(part.found)):
        return _no_series(case, part) if part.at_all in answers else None
    if part.requests in answers and answers[part.requests].values:
        requests, needed = _number(answers.get(part.requests)), part.needed or 1
        if requests < needed:
            wanted = f" of the {needed:g} that it needs" if part.needed else ""
            why = f"the canary had {requests:.0f} requests{wanted} in {part.window}"
            return "too-little-traffic", why, _asked(case, part.requests)
    if part.samples in answers and _number(answers.get(part.samples)) < LEAST_SAMPLES:
        why = f"its window of {part.window} holds fewer than two scrapes"
        return "window-too-short", why, _asked(case, part.found, part.samples)
    for question, selector in zip(part.failed, part.counted, strict=True):
        if question in answers and not _number(answers.get(question)):
            why = f"no series is {selector}, and a query over none is empty, also where nothing is wrong"
            return "nothing-to-count", why, _asked(case, part.found, question)
    return None


def _no_series(case: Case, part: _Part) -> tuple[str, str, tuple[Evidence, ...]]:
    evidence = _asked(case, part.found, part.at_all)
    if values := {v for labels in _labels(case.answers.get(part.values)) for v in labels.values() if v}:
        label = part.values.partition("(")[2].partition(")")[0]
        has = f"{label}={', '.join(sorted(values)[:3])}"
        why = f"series of {part.metric} exist with {has}, but none is of the canary's pods"
        return "not-scraped", why, (*evidence, *_counted(case, part.values))
    if _number(case.answers.get(part.at_all)):
        return "label-missing", f"series of {part.metric} exist, but none has {_shown(part.matchers)}", evidence
    return "not-scraped", f"Prometheus has no series of {part.metric} at all", evidence


def _labels(answer: MeasuredMetric | None) -> tuple[Mapping[str, str], ...]:
    return answer.labels if answer else ()


def _counted(case: Case, query: str) -> tuple[Evidence, ...]:
    return (Evidence("Prometheus", query, len(_labels(case.answers.get(query)))),)


def _shown(matchers: str) -> str:
    return ", ".join(re.findall(_MATCHER, matchers)) or matchers


def _asked(case: Case, *queries: str) -> tuple[Evidence, ...]:
    return tuple(Evidence("Prometheus", q, _number(case.answers.get(q))) for q in queries)
