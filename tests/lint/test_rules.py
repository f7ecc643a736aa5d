"""Every rule finds its bad sample and is silent about the good twin of it."""

import posixpath
import sys
from collections.abc import Callable
from functools import partial
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.lint.check import File, check, file_of
from companyos_canary.lint.finding import Finding
from companyos_canary.lint.objects import Manifest, World
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
    files = ["".join(SERVICE.replace("-N", f"-{n}") for n in range(services)) for services in (1, 20, 40)]
    findings(files[0])  # what is kept for the whole process is there by then
    one, some, more = (calls(lambda text=text: findings(text)) for text in files)
    assert more - some < 1.07 * (some - one)


def one_file(services: int) -> list[File]:
    return [file_of("all.yaml", (SERVICE * services).encode())]


def namespaces(services: int) -> list[File]:
    places = (SERVICE.replace("metadata: {", f"metadata: {{namespace: shop-{n}, ") for n in range(services))
    return [file_of("all.yaml", "".join(places).encode())]


def folders(services: int) -> list[File]:
    return [file_of(f"apps/{n}/all.yaml", SERVICE.encode()) for n in range(services)]


def one_folder(services: int) -> list[File]:
    return [file_of(f"apps/{n}.yaml", SERVICE.encode()) for n in range(services)]


def lost(services: int) -> list[File]:
    """What each names is not there."""
    text = SERVICE.replace("Service: web-N", "Service: nowhere").replace("templateName: errors-N", "templateName: none")
    return [file_of(f"apps/{n}.yaml", text.encode()) for n in range(services)]


def ignored(services: int) -> list[File]:
    text = SERVICE.replace("replicas: 5", "replicas: 5  # canary-lint: ignore=two-owners-of-replicas mine")
    return [file_of(f"apps/{n}/all.yaml", text.encode()) for n in range(services)]


@pytest.mark.parametrize("laid_out", [one_file, namespaces, folders, one_folder, lost, ignored])
def test_twice_as_many_services_of_one_name_are_twice_the_work(laid_out: Callable[[int], list[File]]) -> None:
    check(laid_out(1))
    few, some, more = (calls(partial(check, laid_out(services))) for services in (5, 20, 35))
    assert more - some < 1.05 * (some - few)


places = st.builds(
    lambda kind, name, namespace, folders, file: (kind, name, namespace, "/".join([*folders, file])),
    st.sampled_from(["Service", "AnalysisTemplate", "ClusterAnalysisTemplate"]),
    st.sampled_from(["web", "api"]),
    st.sampled_from(["", "shop", "bank"]),
    st.lists(st.sampled_from(["a", "b", ".", ".."]), max_size=4),
    st.sampled_from(["x.yaml", "y.yaml"]),
)


@given(st.lists(places, min_size=1, max_size=12))
def test_the_object_that_is_meant_is_the_only_nearest_one_that_may_be_in_the_namespace(
    given_places: list[tuple[str, str, str, str]],
) -> None:
    objects = []
    for kind, name, namespace, file in given_places:
        version = "v1" if kind == "Service" else "argoproj.io/v1alpha1"
        text = f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: {name}, namespace: '{namespace}'}}}}"
        objects += file_of(file, text.encode()).objects
    world, beside = World(tuple(objects)), objects[0]
    for kind, name in {(o.kind, o.name) for o in objects}:
        known = [o for o in objects if (o.kind, o.name) == (kind, name) and together(o, beside)]
        far = {o: apart(o.document.file, beside.document.file) for o in known}
        nearest = [o for o in known if far[o] == min(far.values()) < 5]
        assert world.find(kind, name, beside) is (nearest[0] if len(nearest) == 1 else None)
        close = [o for o in objects if apart(o.document.file, beside.document.file) <= 1 and together(o, beside)]
        assert {*world.names_beside(kind, beside)} == {o.name for o in close if o.kind == kind}


def together(one: Manifest, other: Manifest) -> bool:
    if "ClusterAnalysisTemplate" in (one.kind, other.kind):
        return True
    return one.namespace == other.namespace or "" in (one.namespace, other.namespace)


def apart(one: str, other: str) -> int:
    """0 for one file, 1 for one folder, and one more for each folder up or down."""
    if one == other:
        return 0
    first, second = (posixpath.dirname(posixpath.normpath(f)).split("/") for f in (one, other))
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))))
    return 1 + len(first) + len(second) - 2 * shared
