"""Situations that were recorded on a real Prometheus, rebuilt as series, and what was asked."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from companyos_canary.config.checks import GUIDE
from companyos_canary.config.settings import MetricSettings
from companyos_canary.promql import STALE
from companyos_canary.render import evidence
from tests.promql.promtool import Case

HERE = Path(__file__).parent
WINDOW = "30s"
MIN_REQUESTS = "50"
ROWS: list[dict[str, Any]] = json.loads((HERE / "situations.json").read_text())["rows"]
QUERIES: dict[str, dict[str, str]] = yaml.load((HERE / "queries.yaml").read_text(), yaml.CSafeLoader)
QUERIES["evidence"] = {
    name: evidence.evidence_query(MetricSettings(name, side, limit)) for name, (side, limit) in GUIDE.items()
}
#: Scrapes are a second apart; the question comes 0.4 s after the last of them.
_SCRAPES = 60
_AFTER_AN_ABORT = 40


def expressions(form: str, *, scope: str = "", canary_hash: str = ".*") -> dict[str, str]:
    """The queries of a form by metric, with the arguments of the recording."""
    arguments = {
        "window": WINDOW,
        "min-requests": MIN_REQUESTS,
        "error-floor": "0.01",
        "canary-hash": canary_hash,
        "scope": scope,
    }
    found = {}
    for metric, template in QUERIES[form].items():
        text = template.replace("[5m]", f"[{WINDOW}]")
        for name, value in arguments.items():
            text = text.replace("{{args." + name + "}}", value)
        found[metric] = text
    return found


def case(row: dict[str, Any], *asked: str) -> Case:
    """The series of a situation, and what is asked about them."""
    ends = any(track.get("lives_until_s") for track in row["tracks"])
    scrapes = _AFTER_AN_ABORT if ends else _SCRAPES
    return Case(
        interval=1000,
        series=tuple(s for track in row["tracks"] for s in _series(track, scrapes)),
        expressions=asked,
        at=scrapes * 1000 + 400,
    )


def _series(track: dict[str, Any], scrapes: int) -> Iterator[tuple[str, tuple[float | None, ...]]]:
    canary = track["canary_label"]
    own = f'pod="{track["pod"]}",rollouts_pod_template_hash="{track["pod"]}"'
    own += f',canary="{canary}"' if canary else ""
    requests = _counted(track, track["requests_per_s"], scrapes)
    decisions = _counted(track, track["opa_decisions_per_s"], scrapes)
    shares = {"200": 1 - track["share_5xx"]}
    if track["has_5xx_series"]:
        shares["500"] = track["share_5xx"]
    for status, share in shares.items():
        yield f'companyos_http_requests_total{{status="{status}",{own}}}', _part(requests, share)
    for bound, share in track["latency_cumulative"]:
        name = "companyos_http_request_duration_seconds_bucket"
        yield f'{name}{{le="{bound}",{own}}}', _part(requests, share)
    success = track["opa_success_share"]
    for result, share in (("success", success), ("error", 1 - success)):
        name = "companyos_opa_decisions_total"
        yield f'{name}{{result="{result}",{own}}}', _part(decisions, share)


def _counted(track: dict[str, Any], per_second: float, scrapes: int) -> list[float | None]:
    """The total at each scrape; None while the pod is not there, one staleness marker after it."""
    first = track.get("lives_from_s") or 0
    last = track.get("lives_until_s") or math.inf
    before = track.get("requests_before_first_scrape", 0)
    values: list[float | None] = []
    for second in range(scrapes + 1):
        if second < first or second > last + 1:
            values.append(None)
        else:
            values.append(STALE if second > last else before + per_second * (second - first))
    return values


def _part(totals: list[float | None], share: float) -> tuple[float | None, ...]:
    return tuple(t if t is None or t is STALE else float(math.floor(t * share + 1e-9)) for t in totals)
