"""What a Rollout's analysis becomes, against the recorded runs and refusals."""

import json
from pathlib import Path

import pytest

from companyos_canary.analysis.arguments import FieldError, TemplateError
from companyos_canary.analysis.spec import check, collect, run_spec

ANALYSIS = Path(__file__).parents[1] / "conformance/analysis"
RUNS = [
    row for row in json.loads((ANALYSIS / "rollout-steps.json").read_text())["rows"] if row["expect"]["analysisruns"]
]
OWN_FIELDS = ('Invalid value: "step.', "supported by downwardAPI")


def is_about_templates(row):
    """Rows of Rollouts with an analysis, but for faults of the Rollout's own fields."""
    canary, said = row.get("canary", {}), row["expect"].get("invalidSpec") or ""
    has_analysis = "analysis" in canary or any("analysis" in s for s in canary.get("steps", ()))
    circle = row["name"] == "rollout-template-cycle"
    return has_analysis and not circle and not any(text in said for text in OWN_FIELDS)


ROWS = json.loads((ANALYSIS / "validation.json").read_text())["rows"]
REFUSALS = [row for row in ROWS if is_about_templates(row)]


def template(name, spec):
    return {"metadata": {"name": name}, "spec": spec}


def lookup_in(objects):
    return lambda name, cluster: objects.get((name, cluster))


def analysis_of(canary):
    return canary.get("analysis") or next(s["analysis"] for s in canary["steps"] if "analysis" in s)


@pytest.mark.parametrize("row", RUNS, ids=lambda row: row["name"])
def test_a_run_has_the_recorded_spec(row):
    objects = {
        (name, t["kind"] == "ClusterAnalysisTemplate"): template(name, t["spec"])
        for name, t in row["templates"].items()
    }
    recorded = row["expect"]["analysisruns"][0]
    expected = {k: v for k, v in recorded["spec"].items() if k != "terminate"}
    rollout = {"metadata": {"name": recorded["labels"]["app"], "namespace": "n"}, "spec": {"replicas": 2}}
    spec = run_spec(
        analysis_of(row["canary"]), rollout, lookup_in(objects), latest_hash="NEWHASH", stable_hash="STABLEHASH"
    )
    assert spec == expected


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row["name"])
def test_a_rollout_is_refused_with_the_recorded_sentence(row):
    said = row["expect"]["invalidSpec"] or ""
    objects = {(t["_name"], False): template(t["_name"], t) for t in row["templates"]}
    for name in ("vt-ok", "vt-endless"):
        metric = {"name": "m", "successCondition": "true", "provider": {"prometheus": {}}}
        objects.setdefault((name, False), template(name, {"metrics": [metric]}))
    rollout = {"metadata": {"name": "r", "namespace": "n"}, "spec": {}}
    background = "analysis" in row["canary"]
    analysis = analysis_of(row["canary"])
    if not said:
        check(analysis, rollout, lookup_in(objects), background=background)
        return
    with pytest.raises(TemplateError) as refusal:
        check(analysis, rollout, lookup_in(objects), background=background)
    error = refusal.value
    assert said.endswith(f': Invalid value: "{error.value}": {error.message}')
    assert error.nested == ("spec.templates:" in said)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_templates_in_a_circle_are_refused(length):
    names = "abc"[:length]
    objects = {
        (name, False): template(name, {"templates": [{"templateName": names[(i + 1) % length]}]})
        for i, name in enumerate(names)
    }
    with pytest.raises(TemplateError, match="names itself"):
        collect([{"templateName": "a"}], lookup_in(objects))


def test_a_template_named_twice_counts_once():
    leaf = template("leaf", {"metrics": [{"name": "m", "provider": {}}]})
    objects = {("leaf", False): leaf, ("top", False): template("top", {"templates": [{"templateName": "leaf"}]})}
    refs = [{"templateName": "leaf"}, {"templateName": "top"}]
    assert [t["metadata"]["name"] for t in collect(refs, lookup_in(objects))] == ["leaf", "top"]


ROLLOUT = {
    "metadata": {"name": "app", "namespace": "n", "labels": {"team": "a"}},
    "spec": {
        "replicas": 1000000,
        "paused": True,
        "strategy": {"canary": {"steps": [{"setWeight": 5}, {"pause": {"duration": "1m"}}]}},
    },
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "app"),
        ("metadata.namespace", "n"),
        ("metadata.labels['team']", "a"),
        ("metadata.labels['none']", ""),
        ("spec.replicas", "1e+06"),
        ("spec.paused", "true"),
        ("spec.strategy.canary.steps[0].setWeight", "5"),
        ("spec.strategy.canary.steps[1].pause.duration", "1m"),
    ],
)
def test_a_field_of_the_rollout_is_an_argument(path, value):
    assert argument(path) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("spec.nope", "invalid path spec.nope in rollout"),
        ("spec.replicas.x", "invalid path spec.replicas.x in rollout"),
        ("spec.strategy", "path spec.strategy in rollout must terminate in a primitive value"),
        ("spec.strategy.canary.steps[7]", "index 7 out of range"),
        ("spec.strategy.canary.steps[x]", "invalid index 'x'"),
        ("metadata.nope", "unsupported fieldPath: metadata.nope"),
    ],
)
def test_a_field_that_leads_nowhere_is_an_error(path, message):
    with pytest.raises(FieldError) as error:
        argument(path)
    assert error.value.message == message


def argument(path):
    analysis = {
        "templates": [{"templateName": "t"}],
        "args": [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": path}}}],
    }
    objects = {("t", False): template("t", {"args": [{"name": "x"}]})}
    spec = run_spec(analysis, ROLLOUT, lookup_in(objects), latest_hash="l", stable_hash="s")
    return spec["args"][0]["value"]
