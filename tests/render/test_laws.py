"""What holds for any settings: YAML reads back, measurements fit, conditions are the known ones."""

import json
import re
from datetime import timedelta
from typing import Any

import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from companyos_canary.analysis.arguments import resolve_metric
from companyos_canary.analysis.evidence import threshold
from companyos_canary.analysis.expr.language import compile as compiled
from companyos_canary.analysis.rules import validate
from companyos_canary.config import MANUAL, Analysis, MetricSettings, Settings, StepSettings
from companyos_canary.config.settings import plain_number
from companyos_canary.model.quantity import parse_duration
from companyos_canary.promql import parse
from companyos_canary.render.analysis import conditions
from companyos_canary.render.evidence import at_least
from companyos_canary.render.objects import objects
from companyos_canary.render.steps import timing
from companyos_canary.render.templates import to_yaml
from tests.render.samples import settings

deadline_free = hypothesis_settings(deadline=None)
SECONDS = st.integers(4, 100_000).map(lambda s: timedelta(seconds=s))
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
GUIDE = st.sampled_from(["error-rate", "latency-p95", "latency-ratio", "error-ratio", "opa-success"])
LIMITS = st.floats(-1e9, 1e9)
SIDES, NO_DATA = st.sampled_from(["below", "above"]), st.sampled_from(["hold", "pass", "fail"])
QUERIES = TEXTS.map(lambda text: f"up{{job={json.dumps(text, ensure_ascii=False)}}}")
METRICS = st.one_of(
    st.builds(MetricSettings, GUIDE, SIDES, LIMITS, form=st.sampled_from(["safe", "literal"]), no_data=NO_DATA),
    st.builds(MetricSettings, TEXTS, SIDES, LIMITS, QUERIES, form=st.just("safe"), no_data=NO_DATA),
)
EVIDENCE = st.builds(MetricSettings, GUIDE, SIDES, st.floats(0, 60), no_data=NO_DATA, burst=st.floats(1, 100))
PODS = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
STEPS = st.builds(
    StepSettings,
    st.integers(1, 100),
    st.none() | SECONDS,
    st.none() | st.just(MANUAL) | st.integers(1, 90_000).map(lambda s: timedelta(seconds=s)),
)


@st.composite
def any_settings(draw: st.DrawFn, metrics: st.SearchStrategy[MetricSettings] = METRICS) -> Settings:
    name = draw(NAMES)
    return settings(
        rollout=name,
        namespace=draw(NAMES),
        app=draw(NAMES),
        container=draw(NAMES),
        image=draw(st.sampled_from(["app", "r.example.com:5000/a/b"])),
        replicas=draw(st.none() | st.integers(0, 1000)),
        port=draw(st.integers(1, 65535)),
        steps=tuple(draw(st.lists(STEPS, min_size=1, max_size=4))),
        analysis=Analysis(
            draw(st.none() | SECONDS), draw(st.integers(1, 10**9)), scope=draw(TEXTS), by_hash=draw(st.booleans())
        ),
        metrics=tuple(draw(st.lists(metrics, min_size=1, max_size=4))),
        pod={
            "containers": [
                {"name": name, "env": [{"name": "X", "value": draw(TEXTS)}]},
                {"name": "sidecar", "image": "b", "args": draw(st.lists(TEXTS, max_size=3))},
            ],
            "metadata": {"annotations": draw(st.dictionaries(TEXTS, TEXTS, max_size=3))},
            "volumes": draw(PODS),
        },
    )


@deadline_free
@given(any_settings())
def test_what_is_rendered_reads_back_equal(wanted: Settings) -> None:
    rendered = objects(wanted, "v1")
    text = to_yaml(rendered)
    assert tuple(yaml.load_all(text, yaml.CSafeLoader)) == rendered
    assert "&id" not in text.split("\n")[0]
    *templates, service, rollout = rendered
    assert {t["kind"] for t in templates} <= {"AnalysisTemplate"}
    assert service["spec"]["selector"] == {"app": wanted.app}
    assert rollout["spec"]["template"]["metadata"]["labels"]["app"] == wanted.app
    assert rollout["spec"].get("replicas") == wanted.replicas


@deadline_free
@given(any_settings())
def test_every_template_a_rollout_names_is_rendered_and_no_other(wanted: Settings) -> None:
    *templates, _, rollout = objects(wanted, "v1")
    canary = rollout["spec"]["strategy"]["canary"]
    references = [s["analysis"] for s in canary["steps"] if "analysis" in s]
    if "analysis" in canary:
        references.append(canary["analysis"])
        start = canary["analysis"]["startingStep"]
        assert canary["steps"][start] == {"pause": {}}
        assert {"pause": {}} not in canary["steps"][:start]
    assert ("analysis" in canary) == wanted.waits_for_a_person
    named = {t["templateName"] for r in references for t in r["templates"]}
    assert named == {t["metadata"]["name"] for t in templates}
    hashed = [{"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
    for reference in references:
        assert reference.get("args") == (hashed if wanted.analysis.by_hash else None)


NUMBER = r"-?\d+(\.\d+)?"
KNOWN = [
    (rf"len\(result\) == 1 && result\[0\] < {NUMBER}", rf"len\(result\) == 1 && result\[0\] >= {NUMBER}"),
    (rf"len\(result\) == 1 && result\[0\] > {NUMBER}", rf"len\(result\) == 1 && result\[0\] <= {NUMBER}"),
    (
        rf"len\(result\) == 0 \|\| isNaN\(result\[0\]\) \|\| result\[0\] < {NUMBER}",
        rf"len\(result\) > 0 && result\[0\] >= {NUMBER}",
    ),
    (
        rf"len\(result\) == 0 \|\| isNaN\(result\[0\]\) \|\| result\[0\] > {NUMBER}",
        rf"len\(result\) > 0 && result\[0\] <= {NUMBER}",
    ),
    (rf"len\(result\) == 1 && result\[0\] [<>] {NUMBER}", None),
]


def is_known(metric: dict[str, Any]) -> bool:
    failure = metric.get("failureCondition")
    return any(
        re.fullmatch(good, metric["successCondition"])
        and (failure is None if bad is None else failure and re.fullmatch(bad, failure))
        for good, bad in KNOWN
    )


@deadline_free
@given(any_settings())
def test_every_metric_has_a_recommended_condition_and_limits(wanted: Settings) -> None:
    *templates, _, _ = objects(wanted, "v1")
    for template in templates:
        declared = {arg["name"] for arg in template["spec"]["args"]}
        assert all(isinstance(arg["value"], str) for arg in template["spec"]["args"])
        metrics = template["spec"]["metrics"]
        assert [m["name"] for m in metrics] == [m.name for m in wanted.metrics]
        for metric, source in zip(metrics, wanted.metrics, strict=True):
            assert is_known(metric)
            assert metric["failureLimit"] == metric["inconclusiveLimit"] == 1
            assert metric["consecutiveErrorLimit"] == 11
            assert parse_duration(metric["interval"]) >= timedelta(seconds=1)
            if template["metadata"]["name"].endswith("-background"):
                assert "count" not in metric
            else:
                # With a limit of 1 at least three of four measurements are good.
                assert metric["count"] >= 4
            query = metric["provider"]["prometheus"]["query"]
            if source.query is None:
                assert set(re.findall(r"\{\{args\.([a-z-]+)\}\}", query)) <= declared
            else:
                assert query == source.query


@deadline_free
@given(SECONDS, SECONDS)
def test_the_last_measurement_ends_the_step_and_is_inside(duration: timedelta, window: timedelta) -> None:
    found = timing(duration, window, duration * 3)
    assert found.count is not None
    assert found.initial_delay + found.interval * (found.most - 1) <= duration * 3
    assert found.most > found.count
    assert found.count >= 4
    assert found.duration == duration
    assert found.initial_delay >= timedelta(seconds=1)
    assert timedelta(seconds=1) <= found.interval <= timedelta(minutes=1)
    # Late enough to see this canary, early enough to leave most of the time to measure.
    assert found.initial_delay <= max(duration / 2, window) + found.interval


@deadline_free
@given(METRICS)
def test_the_limit_in_a_condition_is_the_limit_exactly(metric: MetricSettings) -> None:
    for condition in filter(None, conditions(metric)):
        assert float(condition.split()[-1]) == metric.limit
        assert condition.endswith(f" {plain_number(metric.limit)}")


@deadline_free
@given(any_settings(EVIDENCE))
def test_evidence_is_judged_as_the_controller_allows_and_waits(wanted: Settings) -> None:
    wanted = replace(wanted, analysis=replace(wanted.analysis, scope='namespace="a"', window=None))
    for template in objects(wanted, "v1")[:-2]:
        metrics = [resolve_metric(m, template["spec"]["args"]) for m in template["spec"]["metrics"]]
        validate([{**m, "name": f"{i}"} for i, m in enumerate(metrics)])
        for metric in metrics:
            parse(metric["provider"]["prometheus"]["query"])
            compiled(metric["successCondition"])
            assert metric["failureCondition"].endswith(
                f"result[1] >= {plain_number(threshold(wanted.metrics[0].burst))}"
            ) or (len({m.burst for m in wanted.metrics}) > 1)
            if "count" in metric:
                assert metric["count"] > metric["consecutiveSuccessLimit"] >= 4
                assert metric["inconclusiveLimit"] == metric["count"] - 1
            else:
                assert metric["inconclusiveLimit"] >= 3


BOUNDS = st.decimals(0, 200, places=4, allow_nan=False).map(lambda d: format(d.normalize(), "f"))


@given(BOUNDS, BOUNDS, st.sampled_from(["", ".0", "0"]))
def test_boundaries_that_are_not_below_a_limit_are_known_by_their_text(limit: str, bound: str, zeros: str) -> None:
    text = bound + (zeros if ("." in bound) == (zeros == "0") else "")
    assert (re.fullmatch(at_least(float(limit)), text) is not None) == (float(bound) >= float(limit))
