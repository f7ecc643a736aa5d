"""What is asked: taken from recorded and built runs, or from canary.yaml; queries apart as text."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from companyos_canary.argo.limits import Limit
from companyos_canary.config import PrometheusSettings, Settings
from companyos_canary.config.settings import MetricSettings
from companyos_canary.model.analysisrun import ARGUMENT, AnalysisRun
from companyos_canary.promql import parse
from companyos_canary.render.queries import LITERAL, SAFE
from companyos_canary.render.questions import compares, guard, of_stable, questions, share
from tests.builders import CANARY, metric_object, result_object, run, run_object, snapshot
from tests.view.recorded import FIXTURES, recorded

MINE = 'sum(x{canary="true"})'
SETTINGS = Settings(
    rollout="companyos-api",
    namespace="companyos",
    image="i",
    app="a",
    container="c",
    metrics=(MetricSettings("error-rate", "below", 0.05), MetricSettings("mine", "above", 3, query=MINE)),
)


def prometheus(query: str, address: str = "http://prometheus:9090") -> dict[str, object]:
    return {"provider": {"prometheus": {"address": address, "query": query}}}


@pytest.mark.parametrize(
    ("query", "stable"),
    [
        ('up{canary="true"}', 'up{canary!="true"}'),
        ("up{ canary = 'true' , a='}' }", "up{ canary!=\"true\", a='}' }"),
        ('up{canary="true",rollouts_pod_template_hash=~"ab",b="1"}', 'up{canary!="true",b="1"}'),
        ('up{rollouts_pod_template_hash="ab",canary="true"}', 'up{canary!="true"}'),
        ('a{canary="true"} / b{job="x"}', 'a{canary!="true"} / b{job="x"}'),
        ('a{canary="true"} / a{canary="false"}', ""),
        ('a{canary="true"} / a{canary!="true"}', ""),
        ('a{canary="false"}', ""),
        ('a{rollouts_pod_template_hash="ab"}', ""),
        ('label_replace(a, "canary", "true", "", "")', ""),
        ("up", ""),
    ],
)
def test_the_same_question_about_stable(query: str, stable: str) -> None:
    assert of_stable(query) == stable


@pytest.mark.parametrize("form", [SAFE, LITERAL])
def test_two_of_the_guides_metrics_compare_and_the_others_can_be_asked_of_stable(form: dict[str, str]) -> None:
    filled = {name: re.sub(ARGUMENT, "", query) for name, query in form.items()}
    compared = {"latency-ratio", "error-ratio"}
    assert {name for name, query in filled.items() if compares(query)} == compared
    assert {name for name, query in filled.items() if of_stable(query)} == form.keys() - compared


def test_a_safe_query_says_how_its_requests_are_counted() -> None:
    assert guard('x and (sum(increase(r{canary!="true"}[5m])) >= 9)') is None, "stable's guard"
    assert guard(LITERAL["error-rate"]) is None
    found = guard('x and on() ( sum( increase(r{canary="true",z="}"} [5m]) ) >= 100)')
    assert found is not None
    assert (found.count, found.needed) == ('sum( increase(r{canary="true",z="}"} [5m]) )', 100)


@pytest.mark.parametrize(("window", "over"), [("5s", "5s"), ("1m", "1m"), ("1h30m", "1m"), ("1d", "1m")])
def test_the_share_is_asked_over_a_minute_at_most(window: str, over: str) -> None:
    found = guard(f'sum(increase(r{{canary="true",s="1"}}[{window}])) >= 1')
    assert found is not None
    assert share(found) == (f'sum(rate(r{{canary="true",s="1"}}[{over}])) / sum(rate(r{{s="1"}}[{over}]))')
    parse(share(found))


def test_a_run_is_asked_with_its_arguments_put_in() -> None:
    own = metric_object("error-rate", **prometheus('q{x="{{args.x}}"}', "{{args.where}}"))
    raw = run_object(metrics=[own])
    raw["spec"]["args"] = [{"name": "x", "value": "7"}, {"name": "where", "value": "http://p"}]
    found = questions(snapshot(runs=[AnalysisRun.from_object(raw)]), None)
    assert found.address == "http://p"
    assert [(q.query, q.limit) for q in found.metrics] == [('q{x="7"}', Limit("<", 0.05))]


def test_the_query_that_the_controller_asked_wins() -> None:
    result = result_object("error-rate", ["[0.1]"])
    result["metadata"]["ResolvedPrometheusQuery"] = "asked"
    found = questions(snapshot(runs=[run([result], metrics=[metric_object("error-rate")])]), None)
    assert found.metrics[0].query == "asked"


def test_the_newest_run_of_a_metric_is_asked_and_other_providers_are_left_out() -> None:
    web = metric_object("page", provider={"web": {"url": "http://x"}})
    runs = [
        run(metrics=[metric_object("error-rate", **prometheus("old")), web], step_index=1),
        run(metrics=[metric_object("error-rate", **prometheus("new", "http://new"))]),
    ]
    found = questions(snapshot(runs=runs), None)
    assert (found.address, [q.query for q in found.metrics]) == ("http://new", ["new"])


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (prometheus("{{args.token}}"), "it is asked with the value of a Secret"),
        (prometheus("up", "http://other"), "it is asked of another Prometheus"),
    ],
)
def test_what_cannot_be_asked_says_so(other: dict[str, object], problem: str) -> None:
    first = metric_object("one", **other)
    found = questions(snapshot(runs=[run(metrics=[first, metric_object("error-rate")])]), None)
    assert [q.problem for q in found.metrics] == [problem, ""]


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda p: p.stem)
def test_every_recorded_run_gives_complete_questions(path: Path) -> None:
    found = recorded(path.stem)
    asked = questions(found, None)
    assert bool(asked.metrics) == bool(found.runs)
    for q in asked.metrics:
        assert q.query, q
        assert "{{" not in q.query + asked.address or q.problem


def test_without_a_run_canary_yaml_says_what_would_be_asked() -> None:
    found = questions(snapshot(), SETTINGS)
    rate, mine = found.metrics
    assert found.address == "http://prometheus.monitoring:9090"
    assert "[5m]" in rate.query
    assert rate.needed == 100
    assert (mine.query, mine.stable, mine.limit) == (MINE, 'sum(x{canary!="true"})', Limit(">", 3))
    assert "{{" not in str(found)


def test_its_window_scope_and_hash_are_those_of_canary_yaml() -> None:
    analysis = replace(SETTINGS.analysis, by_hash=True, scope='ns="n"', window=timedelta(seconds=90))
    rate = questions(snapshot(), replace(SETTINGS, analysis=analysis)).metrics[0]
    assert rate.count == (
        'sum(increase(companyos_http_requests_total{canary="true",'
        f'rollouts_pod_template_hash=~"{CANARY}",ns="n"}}[1m30s]))'
    )


def test_canary_yaml_of_another_rollout_says_only_where_prometheus_is() -> None:
    other = replace(SETTINGS, rollout="other", prometheus=PrometheusSettings("http://mine"))
    found = questions(snapshot(), other)
    assert (found.address, found.metrics) == ("http://mine", ())


def test_the_runs_of_an_earlier_revision_are_asked_about_the_pods_of_this_one() -> None:
    own = metric_object("error-rate", **prometheus('up{rollouts_pod_template_hash="old0"}'))
    found = questions(snapshot(runs=[run(metrics=[own], hash="old0", revision=7)]), None)
    assert found.metrics[0].query == f'up{{rollouts_pod_template_hash="{CANARY}"}}'


def test_nothing_is_known_without_runs_and_canary_yaml() -> None:
    assert questions(snapshot(), None).metrics == ()
