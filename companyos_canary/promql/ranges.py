"""Functions over a range vector: the samples of one series in a window -> a value.

Upstream: Prometheus 2.42 promql/functions.go; compared with promtool.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from companyos_canary.promql.floats import quantile
from companyos_canary.promql.values import divide

Points = Sequence[tuple[int, float]]


class Window(Struct, frozen=True):
    """From `start` to `end`, both included, in milliseconds; has at least one point."""

    start: int
    end: int
    points: Points


RangeFunction = Callable[[Window], float | None]


def rate(window: Window) -> float | None:
    return _extrapolated(window, counter=True, per_second=True)


def increase(window: Window) -> float | None:
    return _extrapolated(window, counter=True, per_second=False)


def delta(window: Window) -> float | None:
    return _extrapolated(window, counter=False, per_second=False)


def irate(window: Window) -> float | None:
    if len(window.points) < 2:
        return None
    (before, old), (at, new) = window.points[-2:]
    if at == before:
        return None
    return (new if new < old else new - old) / ((at - before) / 1000)


def _extrapolated(window: Window, *, counter: bool, per_second: bool) -> float | None:
    """The growth between the first and last sample, extrapolated to the ends of the window: across
    the whole gap if that is at most about one sample distance, else by half a sample distance. A
    counter is never extrapolated to below zero."""
    points = window.points
    if len(points) < 2:
        return None
    (first_at, first), (last_at, last) = points[0], points[-1]
    growth = last - first
    if counter:
        growth = _add_resets(growth, points)
    to_start, to_end = (first_at - window.start) / 1000, (window.end - last_at) / 1000
    sampled = (last_at - first_at) / 1000
    distance = sampled / (len(points) - 1)
    if counter and growth > 0 and first >= 0:
        to_start = min(to_start, sampled * divide(first, growth))
    near = distance * 1.1
    reach = sampled
    reach += to_start if to_start < near else distance / 2
    reach += to_end if to_end < near else distance / 2
    factor = divide(reach, sampled)
    if per_second:
        factor /= (window.end - window.start) / 1000
    return growth * factor


def _add_resets(growth: float, points: Points) -> float:
    before = points[0][1]
    for _, value in points:
        if value < before:
            growth += before
        before = value
    return growth


def sum_over_time(window: Window) -> float:
    total = lost = 0.0
    for _, value in window.points:
        total, lost = _kahan(value, total, lost)
    return total if math.isinf(total) else total + lost


def avg_over_time(window: Window) -> float:
    mean = lost = 0.0
    for count, (_, value) in enumerate(window.points, start=1):
        if infinite_stays(mean, value):
            continue
        mean, lost = _kahan(value / count - mean / count, mean, lost)
    return mean if math.isinf(mean) else mean + lost


def min_over_time(window: Window) -> float:
    least = window.points[0][1]
    for _, value in window.points:
        if value < least or math.isnan(least):
            least = value
    return least


def max_over_time(window: Window) -> float:
    most = window.points[0][1]
    for _, value in window.points:
        if value > most or math.isnan(most):
            most = value
    return most


def idelta(window: Window) -> float | None:
    if len(window.points) < 2:
        return None
    (before, old), (at, new) = window.points[-2:]
    return None if at == before else new - old


def changes(window: Window) -> float:
    values = [value for _, value in window.points]
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairwise(values)))


def resets(window: Window) -> float:
    values = [value for _, value in window.points]
    return float(sum(b < a for a, b in pairwise(values)))


def variance_over_time(window: Window) -> float:
    mean = mean_lost = squares = squares_lost = 0.0
    for count, (_, value) in enumerate(window.points, start=1):
        delta = value - (mean + mean_lost)
        mean, mean_lost = _kahan(delta / count, mean, mean_lost)
        squares, squares_lost = _kahan(delta * (value - (mean + mean_lost)), squares, squares_lost)
    return (squares + squares_lost) / len(window.points)


def quantile_over_time(window: Window, wanted: float) -> float:
    return quantile(wanted, [value for _, value in window.points])


def deriv(window: Window) -> float | None:
    """The growth per second of the straight line through the points."""
    if len(window.points) < 2:
        return None
    return _line(window.points, window.points[0][0])[0]


def predicted(window: Window, seconds: float, now: int) -> float | None:
    """What that line says for so many seconds after `now` (in milliseconds)."""
    if len(window.points) < 2:
        return None
    slope, at_now = _line(window.points, now)
    return slope * seconds + at_now


def _line(points: Points, origin: int) -> tuple[float, float]:
    """Slope per second of the line of least squares, and its value at `origin`."""
    first = points[0][1]
    if all(value == first for _, value in points[1:]):
        return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
    sums = [(0.0, 0.0)] * 4
    for at, value in points:
        x = (at - origin) / 1000
        sums = [_kahan(new, *old) for new, old in zip((x, value, x * value, x * x), sums, strict=True)]
    x_sum, y_sum, xy_sum, xx_sum = (total + lost for total, lost in sums)
    count = float(len(points))
    slope = divide(xy_sum - x_sum * y_sum / count, xx_sum - x_sum * x_sum / count)
    return slope, y_sum / count - slope * x_sum / count


def infinite_stays(mean: float, value: float) -> bool:
    """Whether a mean is already infinite and another value cannot change that."""
    if not math.isinf(mean):
        return False
    return (mean > 0) == (value > 0) if math.isinf(value) else not math.isnan(value)


def _kahan(value: float, total: float, lost: float) -> tuple[float, float]:
    """Add a value to a compensated sum (Kahan and Neumaier)."""
    new = total + value
    if abs(total) >= abs(value):
        lost += (total - new) + value
    else:
        lost += (value - new) + total
    return new, lost


FUNCTIONS: dict[str, RangeFunction] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "sum_over_time": sum_over_time,
    "avg_over_time": avg_over_time,
    "min_over_time": min_over_time,
    "max_over_time": max_over_time,
    "idelta": idelta,
    "changes": changes,
    "resets": resets,
    "deriv": deriv,
    "stddev_over_time": lambda window: math.sqrt(variance_over_time(window)),
    "stdvar_over_time": variance_over_time,
    "count_over_time": lambda window: float(len(window.points)),
    "last_over_time": lambda window: window.points[-1][1],
    "present_over_time": lambda _: 1.0,
}
KEEPS_NAME = frozenset({"last_over_time"})
