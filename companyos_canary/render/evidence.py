"""The guide's five metrics as evidence: a limit that is crossed, and not by chance.

Each query answers a row of numbers, in the order of their label `evidence`:

    0 observed    what people see, in the guide's unit: an error share, a p95, a ratio
    1 z           by how many standard errors the canary is worse than the limit, or than stable
    2 bad         bad requests of the canary in the window,
    3 requests    of so many; an absolute limit needs no more
    4 stable bad  the same of the stable pods, for a ratio
    5 stable

A bad request is a 5xx, a decision that was not made, or one that took longer than a boundary of the
histogram: for `latency-p95` the given one, or the smallest that is not below the limit, for `latency-ratio` the one
nearest to the stable version's p95. Nothing is answered where one side has no request. Back ends
that sort what they answer sort it by that label, too.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from companyos_canary.analysis.evidence import BUCKETS, DECISIONS, LABEL, OBSERVED, REQUESTS, threshold
from companyos_canary.config.settings import MetricSettings, plain_number
from companyos_canary.model.outcome import Warned
from companyos_canary.model.quantity import format_duration
from companyos_canary.units import value_text

_PARTS = (OBSERVED, "1 z", "2 bad", "3 requests", "4 stable bad", "5 stable")

_CANARY = 'canary="true",rollouts_pod_template_hash=~"{{args.canary-hash}}",{{args.scope}}'
_STABLE = 'canary!="true",{{args.scope}}'
_FINITE = 'le!="+Inf",'
_EVERY = 'le="+Inf",'
_FAILED = 'status=~"5..",'
_SLOWEST = 0.05  # the share of requests that a p95 leaves out


def evidence_query(wanted: MetricSettings) -> str:
    """The PromQL of one of the five; the limit is written into the absolute ones."""
    if wanted.name == "latency-p95" and wanted.boundary is not None:
        return _latency_p95(wanted.limit, wanted.boundary)
    return _QUERIES[wanted.name](wanted.limit)


def evidence_conditions(wanted: MetricSettings) -> tuple[str, str]:
    """successCondition and failureCondition. Neither holds for fewer than `min-requests`: the step
    waits for more. No data is an empty row: `pass` passes it as it passes few requests, `fail` fails it."""
    good, bad = ("<", ">=") if wanted.direction == "below" else (">", "<=")
    limit, unlikely = plain_number(wanted.limit), plain_number(threshold(wanted.burst))
    size, sides = (6, (3, 5)) if wanted.name in ("latency-ratio", "error-ratio") else (4, (3,))
    enough = f"len(result) == {size}" + "".join(f" && result[{i}] >= {{{{args.min-requests}}}}" for i in sides)
    fine = f"(result[0] {good} {limit} || result[1] < {unlikely})"
    worse = f"{enough} && result[0] {bad} {limit} && result[1] >= {unlikely}"
    few = f"len(result) != {size}" + "".join(f" || result[{i}] < {{{{args.min-requests}}}}" for i in sides)
    match wanted.no_data:
        case "pass":
            return f"{few} || {fine}", worse
        case "fail":
            return f"{enough} && {fine}", f"len(result) == 0 || {worse}"
    return f"{enough} && {fine}", worse


def _sum(metric: str, matchers: str, *, by: str = "") -> str:
    return f"sum{by and f' by ({by}) '}(increase({metric}{{{matchers}}}[{{{{args.window}}}}]))"


def _or_none(bad: str) -> str:
    """A series that there is not yet has counted nothing."""
    return f"({bad} or vector(0))"


def _row(parts: tuple[str, ...], *guards: str) -> str:
    rows = "\n  or ".join(
        f'label_replace(\n    {text},\n    "{LABEL}", "{name}", "", ""\n  )'
        for name, text in zip(_PARTS, parts, strict=False)
    )
    only = "".join(f"\nand on() ({guard} >= 1)" for guard in guards)
    return f"(\n  {rows}\n){only}\n"


def _against_a_limit(bad: str, all_: str, share: float) -> str:
    """Half a request is taken off: counts are whole numbers, and z is not."""
    p, spread = plain_number(share), plain_number(round(share * (1 - share), 9))
    return f"({bad} - 0.5 - {p} * {all_}) / sqrt({spread} * {all_})"


def _against_stable(bad: str, all_: str, stable_bad: str, stable: str) -> str:
    """The signed root of a likelihood ratio: how much better two shares explain the bad requests than one for both.
    Where few are expected it is nearer to the exact test than a difference over its standard error. A twentieth of a
    request is the stable version's: nothing has no logarithm."""
    own, other = f"clamp_min({bad} - 0.05, 0.05)", f"({stable_bad} + 0.05)"
    both, requests = f"({own} + {other})", f"({all_} + {stable})"
    return (
        f"sgn({own} / {all_} - {other} / {stable})\n    * sqrt(2 * abs(\n      {own} * ln({own} / {all_})"
        f"\n      + {other} * ln({other} / {stable})\n      - {both} * ln({both} / {requests})\n    ))"
    )


def _error_rate(limit: float) -> str:
    bad, all_ = _or_none(_sum(REQUESTS, _FAILED + _CANARY)), _sum(REQUESTS, _CANARY)
    return _row((f"{bad} / {all_}", _against_a_limit(bad, all_, limit), bad, all_), all_)


def _opa_success(limit: float) -> str:
    made, all_ = _or_none(_sum(DECISIONS, f'result="success",{_CANARY}')), _sum(DECISIONS, _CANARY)
    bad = f"({all_} - {made})"
    return _row((f"{made} / {all_}", _against_a_limit(bad, all_, round(1 - limit, 9)), bad, all_), all_)


def _error_ratio(_: float) -> str:
    """No errors at all are 0 times as many."""
    bad, all_ = _or_none(_sum(REQUESTS, _FAILED + _CANARY)), _sum(REQUESTS, _CANARY)
    stable_bad, stable = _or_none(_sum(REQUESTS, _FAILED + _STABLE)), _sum(REQUESTS, _STABLE)
    ratio = f"((({bad} / {all_}) / ({stable_bad} / {stable})) >= 0 or {bad})"
    z = _against_stable(bad, all_, stable_bad, stable)
    return _row((ratio, z, bad, all_, stable_bad, stable), all_, stable)


def _latency_p95(limit: float, boundary: float | None = None) -> str:
    """A p95 beyond the last finite boundary is +Inf."""
    all_ = _sum(BUCKETS, _EVERY + _CANARY)
    within = _sum(BUCKETS, f'le=~"{at_least(limit if boundary is None else boundary)}",{_CANARY}', by="le")
    bad = f"({all_} - min({within}))"
    counted = _sum(BUCKETS, _FINITE + _CANARY, by="le")
    p95 = f"((histogram_quantile(0.95, {_sum(BUCKETS, _CANARY, by='le')})\n    and max({counted}) >= 0.95 * {all_})"
    return _row((f"{p95}\n    or {all_} * Inf)", _against_a_limit(bad, all_, _SLOWEST), bad, all_), all_)


def _latency_ratio(_: float) -> str:
    def slower(matchers: str, all_: str) -> str:
        return f"({all_} - {_sum(BUCKETS, _FINITE + matchers, by='le')})"

    def p95(matchers: str) -> str:
        return f"histogram_quantile(0.95, {_sum(BUCKETS, matchers, by='le')})"

    all_, stable = (_sum(BUCKETS, _EVERY + m) for m in (_CANARY, _STABLE))
    bad, stable_bad = slower(_CANARY, f"scalar({all_})"), slower(_STABLE, f"scalar({stable})")
    nearest = f"\n    and on(le) bottomk(1, abs({stable_bad} / scalar({stable}) - {plain_number(_SLOWEST)}))"
    z = _against_stable(bad, f"scalar({all_})", stable_bad, f"scalar({stable})")
    parts = (
        f"{p95(_CANARY)} / {p95(_STABLE)}",
        f"{z}{nearest}",
        f"{bad}{nearest}",
        all_,
        f"{stable_bad}{nearest}",
        stable,
    )
    return _row(parts, all_, stable)


_QUERIES = {
    "error-rate": _error_rate,
    "latency-p95": _latency_p95,
    "latency-ratio": _latency_ratio,
    "error-ratio": _error_ratio,
    "opa-success": _opa_success,
}


NAMES = frozenset(_QUERIES)


def at_least(limit: float) -> str:
    """A regular expression for the boundaries of a histogram, as text, that are not below a limit."""
    whole, _, fraction = plain_number(round(max(limit, 0.0), 9)).partition(".")
    rest = "([.][0-9]+)?"
    found = [f"{whole}[.]{fraction}[0-9]*" if fraction else f"{whole}{rest}"]
    for i, digit in enumerate(fraction):
        found += [f"{whole}[.]{fraction[:i]}[{int(digit) + 1}-9][0-9]*"] * (digit < "9")
    for i, digit in enumerate(whole):
        found += [f"{whole[:i]}[{int(digit) + 1}-9]{'[0-9]' * (len(whole) - i - 1)}{rest}"] * (digit < "9")
    return "|".join([*found, f"[1-9]{'[0-9]' * (len(whole) - 1)}[0-9]+{rest}"])


def boundaries(limit: float, bounds: Sequence[str]) -> Iterator[Warned]:
    """A limit of a latency that is no boundary of the histogram is only known to lie between two."""
    known = sorted(float(b) for b in bounds if b not in ("+Inf", "Inf"))
    if not known or limit in known:
        return
    ends = [max((b for b in known if b < limit), default=0.0), min((b for b in known if b > limit), default=0.0)]
    ends = [b for b in ends if b > 0]
    between, where = " and ".join(_time(b) for b in ends), "between" if len(ends) == 2 else "beyond"
    nearest = min(ends, key=lambda b: abs(b - limit))
    near = _time(nearest)
    below, boundary = (format_duration(timedelta(seconds=x)) for x in (limit, nearest))
    yield Warned(
        "boundary",
        f"latency-p95: the limit of {_time(limit)} is not a boundary of the histogram; {where} {between} a p95 is a "
        f"guess. Add that boundary to the service's histogram, set the limit to {near}, or name the boundary that "
        f"counts: metrics: {{latency-p95: {{below: {below}, boundary: {boundary}}}}}",
    )


def _time(seconds: float) -> str:
    return value_text(seconds, "seconds")
