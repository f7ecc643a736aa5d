"""Every rule finds its bad sample and is silent about the good twin of it."""

import sys
from collections.abc import Callable

import pytest

from companyos_canary.lint.check import check, file_of
from companyos_canary.lint.finding import Finding
from companyos_canary.lint.rules import RULES
from tests.lint import samples

IDS = [rule.id for rule in RULES]


def findings(text: str) -> tuple[Finding, ...]:
    return check([file_of("x.yaml", text.encode())]).findings


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_finds_its_bad_sample_and_nothing_else_in_it(rule: str) -> None:
    found = findings(samples.bad(rule))
    assert {f.rule for f in found} == {rule} | samples.also(rule), found


@pytest.mark.parametrize("rule", IDS)
def test_nothing_is_found_in_the_good_twin(rule: str) -> None:
    assert findings(samples.good(rule)) == ()


def test_every_sample_belongs_to_a_rule_and_no_id_is_there_twice() -> None:
    assert sorted(path.stem for path in samples.FOLDER.iterdir()) == sorted(set(IDS))
    assert len(IDS) == len(set(IDS))


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_says_what_is_wrong_in_a_line_and_why_below(rule) -> None:
    assert 10 < len(rule.title) < 90
    assert rule.title[0].isupper() or rule.title.startswith("`")


@pytest.mark.parametrize("rule", IDS)
def test_a_finding_is_one_sentence_at_its_field(rule: str) -> None:
    for found in findings(samples.bad(rule)):
        assert not found.message.endswith(".") or "controller" in found.message or found.rule == "invalid-rollout"
        assert "\n" not in found.message
        assert 1 <= found.line <= len(samples.bad(rule).splitlines())


def test_the_default_backend_of_an_ingress_is_no_rule_as_for_the_controller() -> None:
    good = samples.good("ingress-without-service")
    rules = good[good.index("  rules:") : good.index("---\napiVersion: v1")]
    only = "  defaultBackend: {service: {name: api-stable, port: {number: 80}}}\n"
    assert {f.rule for f in findings(good.replace(rules, only))} == {"ingress-without-service"}


SERVICE = """
{apiVersion: v1, kind: Service, metadata: {name: web-N}, spec: {selector: {app: web-N}, ports: [{port: 80}]}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web-N}
spec: {maxReplicas: 5, scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web-N}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web-N}
spec:
  replicas: 5
  selector: {matchLabels: {app: web-N}}
  template: {metadata: {labels: {app: web-N}}, spec: {containers: [{name: web, image: "web:v1"}]}}
  strategy:
    canary:
      canaryService: web-N
      stableService: web-N
      steps: [{setWeight: 20}, {analysis: {templates: [{templateName: errors-N}]}}]
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors-N}
spec:
  args: [{name: unused}]
  metrics:
  - name: errors
    interval: 1m
    count: 3
    successCondition: result[0] < 1
    provider: {prometheus: {address: "http://p", query: "sum(rate(x{a='{{args.x}}'}[5m]))"}}
---
"""


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those in C too."""
    count = 0

    def seen(_frame: object, event: str, _: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_twice_as_many_services_are_twice_the_work() -> None:
    """`kubectl get -o yaml` of a whole cluster has thousands of objects that name each other."""
    files = ["".join(SERVICE.replace("-N", f"-{n}") for n in range(services)) for services in (1, 40, 80)]
    one, some, more = (calls(lambda text=text: findings(text)) for text in files)
    assert more - some < 1.1 * (some - one)
