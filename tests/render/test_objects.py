"""Timings, templates and placeholders, one by one."""

from datetime import timedelta
from typing import Any

import promql_parser
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.config import Analysis, MergePatch, MetricSettings, StepSettings
from companyos_canary.errors import CanaryError, ConfigError, UsageError
from companyos_canary.model.quantity import format_duration
from companyos_canary.render.analysis import conditions
from companyos_canary.render.objects import objects
from companyos_canary.render.queries import LITERAL, SAFE
from companyos_canary.render.steps import timing
from companyos_canary.render.templates import filled_template, template_dir
from tests.render.samples import SETTINGS, settings

FIVE_MINUTES = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("seconds", "window", "delay", "interval", "count"),
    [
        (4, 300, "1s", "1s", 4),
        (6, 5, "3s", "1s", 4),
        (9, 5, "4s", "1s", 6),
        (10, 300, "5s", "1s", 6),
        (60, 300, "30s", "10s", 4),
        (120, 300, "1m", "20s", 4),
        (180, 300, "1m30s", "30s", 4),
        (600, 300, "5m", "1m", 6),
        (5400, 300, "5m", "1m", 86),
    ],
)
def test_when_a_step_measures(seconds: int, window: int, delay: str, interval: str, count: int) -> None:
    found = timing(timedelta(seconds=seconds), timedelta(seconds=window), timedelta(seconds=3 * seconds))
    assert (format_duration(found.initial_delay), format_duration(found.interval)) == (delay, interval)
    assert found.count == count


@pytest.mark.parametrize(("minutes", "window"), [(0.1, "1m"), (1, "2m30s"), (2, "5m"), (3, "5m"), (60, "5m")])
def test_the_window_follows_the_step_unless_it_is_given(minutes: float, window: str) -> None:
    derived = Analysis().window_of(timedelta(minutes=minutes))
    assert format_duration(derived) == window
    assert Analysis(window=FIVE_MINUTES).window_of(timedelta(minutes=minutes)) == FIVE_MINUTES


def test_equal_durations_share_a_template() -> None:
    names = [o["metadata"]["name"] for o in objects(SETTINGS, "v1")]
    assert names == ["companyos-api-2m", "companyos-api-3m", "companyos-api", "companyos-api"]


def test_the_ratios_pass_where_no_stable_pod_is_left() -> None:
    two = tuple(
        MetricSettings(name, "below", limit, form="safe")
        for name, limit in (("error-rate", 0.05), ("error-ratio", 1.5))
    )
    steps = (StepSettings(50, FIVE_MINUTES), StepSettings(100, FIVE_MINUTES, "manual"))
    at_half, full, background = objects(settings(steps=steps, metrics=two), "v1")[:3]
    assert background["metadata"]["name"] == "companyos-api-background"
    assert full["metadata"]["name"] == "companyos-api-5m-full"
    for template, passes in ((at_half, False), (full, True), (background, True)):
        rate, ratio = template["spec"]["metrics"]
        assert rate["successCondition"].startswith("len(result) == 1")
        assert ratio["successCondition"].startswith("len(result) == 0") == passes
    strict = (MetricSettings("error-ratio", "below", 1.5, form="safe", no_data="fail"),)
    full = objects(settings(steps=steps, metrics=strict), "v1")[1]
    assert "failureCondition" not in full["spec"]["metrics"][0]


def test_one_error_in_the_fewest_requests_does_not_fail_the_ratio() -> None:
    def floor(least: int) -> str:
        ratio = MetricSettings("error-ratio", "below", 1.5, form="safe")
        wanted = settings(analysis=Analysis(min_requests=least), metrics=(ratio,))
        args = objects(wanted, "v1")[0]["spec"]["args"]
        return next(str(a["value"]) for a in args if a["name"] == "error-floor")

    assert [floor(n) for n in (1, 8, 20, 100, 5000)] == ["1", "0.125", "0.05", "0.01", "0.01"]


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("form", [SAFE, LITERAL], ids=["safe", "literal"])
def test_the_queries_are_promql(form: dict[str, str], name: str) -> None:
    values = {"window": "5m", "min-requests": "100", "error-floor": "0.01", "canary-hash": ".*"}
    query = form[name].replace("{{args.scope}}", 'namespace="companyos"')
    for argument, value in values.items():
        query = query.replace(f"{{{{args.{argument}}}}}", value)
    assert "{{" not in query
    assert not any(word.isupper() and len(word) > 3 for word in query.split("{"))
    promql_parser.parse(query)


def test_the_conditions_of_each_policy() -> None:
    below = MetricSettings("m", "below", 0.05, form="safe")
    assert conditions(below) == ("len(result) == 1 && result[0] < 0.05", "len(result) == 1 && result[0] >= 0.05")
    assert conditions(MetricSettings("m", "above", 0.99, form="safe", no_data="pass")) == (
        "len(result) == 0 || isNaN(result[0]) || result[0] > 0.99",
        "len(result) > 0 && result[0] <= 0.99",
    )
    assert conditions(MetricSettings("m", "above", 1e-7, form="safe", no_data="fail")) == (
        "len(result) == 1 && result[0] > 0.0000001",
        "",
    )


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="`v1 2` is not a version"):
        objects(SETTINGS, "v1 2")
    rollout = objects(SETTINGS)[-1]
    assert rollout["spec"]["template"]["spec"]["containers"][0]["image"] == "companyos-api"


def test_a_merge_patch_reaches_its_object_or_is_refused() -> None:
    patch = MergePatch("p.yaml", "Service", "companyos-api", {"spec": {"type": "NodePort"}})
    service = objects(settings(merge=(patch,)), "v1")[-2]
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["selector"] == {"app": "companyos-api"}
    lost = MergePatch("p.yaml", "Service", "other", {})
    with pytest.raises(ConfigError) as error:
        objects(settings(merge=(lost,)), "v1")
    assert error.value.message == "p.yaml: no object `Service other` is rendered"
    assert "`Rollout companyos-api`" in error.value.hint


def test_a_pod_may_be_written_as_a_template_or_as_its_spec() -> None:
    short: dict[str, Any] = {"nodeName": "a", "metadata": {"labels": {"x": "y"}}}
    long: dict[str, Any] = {"spec": {"nodeName": "a"}, "metadata": {"labels": {"x": "y"}}}
    assert objects(settings(pod=short), "v1") == objects(settings(pod=long), "v1")


def test_a_placeholder_alone_keeps_its_type_and_inside_a_text_becomes_text() -> None:
    template = {"a": "${n}", "b": "x-${n}-${t}", "c": ["${l}"], "d": "{{args.n}}", "${t}": 1, "e": 2}
    values = {"n": 7, "t": "${n}: 'q'\n", "l": [1, {"x": None}]}
    assert filled_template(template, values, "t.yaml") == {
        "a": 7,
        "b": "x-7-${n}: 'q'\n",
        "c": [[1, {"x": None}]],
        "d": "{{args.n}}",
        "${n}: 'q'\n": 1,
        "e": 2,
    }
    assert filled_template({"a": "${nothing}", "b": 1}, {"nothing": None}, "t.yaml") == {"b": 1}


def test_an_unknown_placeholder_names_template_and_placeholder() -> None:
    with pytest.raises(CanaryError) as error:
        filled_template({"a": ["${rolout}"]}, {"rollout": 1}, "t.yaml")
    assert error.value.message == ("`t.yaml` has an unknown placeholder `${rolout}`; did you mean `${rollout}`")
    assert error.value.hint == "known: `rollout`"


def test_the_templates_are_valid_yaml_as_they_stand() -> None:
    files = sorted(path.name for path in template_dir().iterdir())
    assert files == ["analysis-template.yaml", "canary.yaml", "rollout.yaml", "service.yaml"]
    for name in files:
        assert isinstance(yaml.safe_load((template_dir() / name).read_text()), dict)


def test_evidence_needs_no_floor_and_says_what_the_limit_is_compared_with() -> None:
    template = objects(settings(metrics=(MetricSettings("error-ratio", "below", 1.5, burst=4.0),)), "v1")[0]
    assert "error-floor" not in {arg["name"] for arg in template["spec"]["args"]}
    (metric,) = template["spec"]["metrics"]
    assert metric["failureCondition"].endswith(" && result[0] >= 1.5 && result[1] >= 5.6")
    assert (metric["count"], metric["consecutiveSuccessLimit"]) == (16, 4)


def test_a_step_waits_as_long_as_it_is_given() -> None:
    def most(longest: float | None) -> int:
        analysis = Analysis(longest=None if longest is None else timedelta(minutes=longest))
        return int(objects(settings(analysis=analysis), "v1")[0]["spec"]["metrics"][0]["count"])

    assert [most(longest) for longest in (None, 10, 6, 2, 1)] == [16, 28, 16, 5, 5]


@given(st.integers(2, 3600), st.integers(1, 600), st.integers(1, 600), st.integers(1, 7200))
def test_a_warm_up_delays_all_looks_and_no_window_reaches_back_into_it(
    duration: int, window: int, warmup: int, longest: int
) -> None:
    spans = [timedelta(seconds=s) for s in (max(duration, 4), window, longest)]
    cold, warm = timing(*spans), timing(*spans, timedelta(seconds=warmup))
    assert warm.initial_delay == cold.initial_delay + timedelta(seconds=warmup)
    assert warm.initial_delay - warm.window >= timedelta(seconds=warmup)
    assert (warm.interval, warm.count, warm.most) == (cold.interval, cold.count, cold.most)


def test_a_warm_up_is_written_into_each_template() -> None:
    analysis = Analysis(warmup=timedelta(minutes=1))
    found = objects(settings(analysis=analysis), "v1")
    metric = found[0]["spec"]["metrics"][0]
    assert (metric["initialDelay"], metric["interval"]) == ("2m", "20s")
    assert next(a["value"] for a in found[0]["spec"]["args"] if a["name"] == "window") == "1m"
