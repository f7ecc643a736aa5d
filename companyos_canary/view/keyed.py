"""Words and key=value: the form of a line that people and scripts read."""

import json

from companyos_canary.model.outcome import FailedMetric


def keyed(words: str, /, **values: str) -> str:
    """Words, then `key=value` for every value that is not empty."""
    return " ".join([words, *(f"{k}={quoted(v)}" for k, v in values.items() if v)])


def quoted(value: str) -> str:
    """As it is, or as a JSON string where it has blanks, quotes or control characters."""
    if value.isprintable() and not any(c in value for c in ' "='):
        return value
    told = " ".join(value.split())
    return json.dumps(told, ensure_ascii=not told.isprintable())


def failure(failed: tuple[FailedMetric, ...]) -> dict[str, str]:
    """The metric that ended it, as keys: `metric`, `value`, `limit`."""
    if not failed:
        return {}
    worst = failed[0]
    limit = "" if worst.limit is None else f"{worst.limit:g}"
    return {"metric": worst.metric, "value": worst.value or "no-data", "limit": limit}
