"""The tool that plays manifests of others: what it counts."""

from pathlib import Path

from tests.upstream import Played, played

ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: elsewhere}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:v1"}]}
  strategy:
    canary:
      STRATEGY
"""
STEPS = "steps: [{setWeight: 50}, {pause: {}}, {analysis: {templates: [{templateName: fine}]}}]"
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: fine}
spec:
  metrics: [{name: fine, count: 1, provider: {job: {spec: {template: {spec: {containers: []}}}}}}]
"""


def result(folder: Path, strategy: str) -> list[Played]:
    (folder / "rollout.yaml").write_text(ROLLOUT.replace("STRATEGY", strategy))
    return list(played(folder))


def test_a_rollout_is_shipped_with_the_template_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    assert result(tmp_path, STEPS) == [Played("rollout.yaml:web", "", "", "")]


def test_one_that_lies_in_the_text_of_a_go_test_is_found(tmp_path: Path) -> None:
    go = f"s.Given().RolloutObjects(`\n{ROLLOUT.replace('STRATEGY', 'steps: [{setWeight: 50}]')}`)"
    (tmp_path / "some_test.go").write_text(go)
    assert list(played(tmp_path)) == [Played("some_test.go#1:web", "", "", "")]


def test_what_the_sandbox_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    (found,) = result(tmp_path, "trafficRouting: {plugins: {other/router: {}}}")
    assert "the sandbox does not emulate" in found.taken


def test_what_is_invalid_is_not_taken(tmp_path: Path) -> None:
    (found,) = result(tmp_path, STEPS)
    assert "AnalysisTemplate 'fine' not found" in found.taken
