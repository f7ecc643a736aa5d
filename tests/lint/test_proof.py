"""The defects are real: each bad sample is run by the judge or in the sandbox, next to its good twin."""

import copy
import json
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.analysis.spec import check, collect, run_spec
from companyos_canary.lint.rules import RULES
from companyos_canary.model.http import Request, Response
from companyos_canary.promql import PromqlError, Series, evaluate
from companyos_canary.promql.values import Scalar, Vector
from companyos_canary.sandbox.api.validation import findings_of
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.kinds import (
    ANALYSISRUN,
    ANALYSISTEMPLATE,
    CLUSTERANALYSISTEMPLATE,
    INGRESS,
    REPLICASET,
    ROLLOUT,
    SECRET,
    SERVICE,
    Kind,
)
from companyos_canary.sandbox.store import Store
from tests.clock import Clock
from tests.lint import samples
from tests.provider import FunctionProvider

Answer = Callable[[str], Response]
KINDS = {k.kind: k for k in (ROLLOUT, ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE, SERVICE, INGRESS)}
NS = "default"


def answered(values: Sequence[float]) -> Answer:
    """Prometheus answers every query with these values."""
    text = [{"metric": {"n": str(n)}, "value": [0, _number(v)]} for n, v in enumerate(values)]
    return lambda _: _success({"resultType": "vector", "result": text})


def counted(**per_second: float) -> Answer:
    """Prometheus has counters: `http_requests_total__canary__200=5` grows by 5 a second and has these labels."""
    series = [_counter(name, rate) for name, rate in per_second.items()]

    def answer(query: str) -> Response:
        try:
            found = evaluate(
                query, 3600, lambda wanted, *_: [s for s in series if all(m.accepts(s.labels) for m in wanted)]
            )
        except PromqlError as error:
            return Response(400, {}, json.dumps({"status": "error", "error": error.message}).encode())
        if isinstance(found, Scalar):
            return _success({"resultType": "scalar", "result": [0, _number(found.value)]})
        assert isinstance(found, Vector)
        values = [{"metric": dict(s.labels), "value": [0, _number(s.value)]} for s in found.samples]
        return _success({"resultType": "vector", "result": values})

    return answer


def _counter(name: str, rate: float) -> Series:
    metric, role, code = f"{name}__200".split("__")[:3]
    points = [(float(t), rate * t) for t in range(0, 3601, 15)]
    return Series({"__name__": metric, "role": role, "code": code}, points)


def _success(data: dict[str, Any]) -> Response:
    return Response(200, {}, json.dumps({"status": "success", "data": data}).encode())


def _number(value: float) -> str:
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else repr(value))


class Released:
    """The objects of a manifest in a fresh sandbox, fifteen minutes (`after` seconds) after the Rollout's image was
    changed; a template alone is run once."""

    def __init__(self, text: str, answer: Answer, after: float = 900) -> None:
        self.clock = Clock()
        self.store = Store(self.clock)
        provider = FunctionProvider(lambda request, _: answer(_query(request)), self.clock)
        self.cluster = Cluster(self.store, provider=provider, traffic=provider)
        objects = list(yaml.load_all(text, yaml.CSafeLoader))
        for obj in objects:
            kind = KINDS[obj["kind"]]
            self.store.create(kind, {**obj, "metadata": {**obj["metadata"], **_place(kind)}})
        self.store.create(SECRET, {"metadata": {"name": "prometheus", "namespace": NS}, "data": {"token": "czNjcmV0"}})
        self.has_rollout = any(obj["kind"] == "Rollout" for obj in objects)
        if self.has_rollout:
            self._pass(60)
            self._update("api:2")
        else:
            spec = objects[-1]["spec"]
            self.store.create(ANALYSISRUN, {"metadata": {"name": "run", "namespace": NS}, "spec": spec})
        self._pass(after)

    def _pass(self, seconds: float) -> None:
        end = self.clock() + timedelta(seconds=seconds)
        while (wake := self.cluster.settle(self.clock())) is not None and wake <= end:
            self.clock.to(wake)
        self.clock.to(end)
        self.cluster.settle(end)

    def _update(self, image: str) -> None:
        rollout = copy.deepcopy(self.store.items(ROLLOUT, NS)[0])
        rollout["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self.store.update(ROLLOUT, rollout)

    @property
    def run(self) -> dict[str, Any]:
        runs = self.store.items(ANALYSISRUN, NS)
        return dict(runs[-1].get("status") or {}) if runs else {}

    @property
    def share(self) -> Fraction:
        """The share of the pods that run the new image."""
        sets = self.store.items(REPLICASET, NS)
        pods = {s["spec"]["template"]["spec"]["containers"][0]["image"]: s["status"]["readyReplicas"] for s in sets}
        return Fraction(pods["api:2"], sum(pods.values()))

    @property
    def outcome(self) -> str:
        """The phase of the Rollout, or of the run; `InvalidSpec` and `hangs` for what has no phase of its own."""
        if not self.has_rollout:
            return str(self.run.get("phase", "none"))
        (rollout,) = self.store.items(ROLLOUT, NS)
        status = rollout.get("status") or {}
        if "InvalidSpec" in (status.get("message") or ""):
            return "InvalidSpec"
        waits = status.get("phase") == "Progressing" and not self.store.items(ANALYSISRUN, NS)
        return "hangs" if waits else str(status.get("phase"))


def _place(kind: Kind) -> dict[str, str]:
    return {"namespace": NS} if kind.namespaced else {}


def _query(request: Request) -> str:
    return parse_qs(request.body.decode())["query"][0]


GOOD_ANSWER = answered([0.01])
BUSY = {"http_requests_total__canary__200": 5.0, "http_requests_total__stable__200": 45.0}
#: What Prometheus answers, and how it ends with the defect and without it.
ENDS: dict[str, tuple[Answer, str, str]] = {
    "invalid-rollout": (GOOD_ANSWER, "InvalidSpec", "Healthy"),
    "endless-pause": (GOOD_ANSWER, "Paused", "Healthy"),
    "missing-service": (GOOD_ANSWER, "InvalidSpec", "Healthy"),
    "ingress-without-service": (GOOD_ANSWER, "InvalidSpec", "Healthy"),
    "empty-analysis": (GOOD_ANSWER, "hangs", "Healthy"),
    "field-nowhere": (GOOD_ANSWER, "hangs", "Healthy"),
    "invalid-analysis": (GOOD_ANSWER, "InvalidSpec", "Healthy"),
    "missing-template": (GOOD_ANSWER, "InvalidSpec", "Healthy"),
    "no-metrics": (GOOD_ANSWER, "Error", "Successful"),
    "duplicate-metric": (GOOD_ANSWER, "Error", "Successful"),
    "invalid-metric": (GOOD_ANSWER, "Error", "Successful"),
    "invalid-condition": (GOOD_ANSWER, "Error", "Successful"),
    "invalid-query": (counted(**BUSY), "Error", "Failed"),
    "no-such-metric": (GOOD_ANSWER, "Error", "Successful"),
    "undeclared-argument": (GOOD_ANSWER, "Error", "Successful"),
    "no-condition": (answered([99]), "Successful", "Failed"),
    "limit-never-reached": (answered([99]), "Successful", "Failed"),
    "cut-short": (answered([99]), "Healthy", "Degraded"),
    "window-too-short": (counted(**BUSY), "Inconclusive", "Successful"),
    "not-separated": (
        counted(http_requests_total__canary__500=1.0, http_requests_total__stable__200=49.0),
        "Successful",
        "Failed",
    ),
    "wrong-unit": (answered([4]), "Successful", "Failed"),
    "first-of-many": (answered([0, 0.9]), "Successful", "Failed"),
    "constant-condition": (answered([99]), "Successful", "Failed"),
    "wrong-result": (GOOD_ANSWER, "Error", "Successful"),
    "web-fault": (GOOD_ANSWER, "Error", "Successful"),
    "cannot-fail": (counted(http_requests_total__canary__500=5.0), "Successful", "Failed"),
    "cannot-pass": (counted(**BUSY), "Failed", "Successful"),
    "failure-never-holds": (counted(http_requests_total__canary__500=5.0), "Inconclusive", "Failed"),
    "healthy-is-empty": (counted(**BUSY), "Error", "Successful"),
    "empty-answer": (answered([]), "Error", "Inconclusive"),
    "passes-on-nothing": (answered([]), "Successful", "Inconclusive"),
    "fails-on-nan": (answered([math.nan]), "Failed", "Inconclusive"),
    "division-by-zero": (
        counted(http_errors_total__canary=0.002, http_errors_total__stable=0.0),
        "Failed",
        "Successful",
    ),
}
#: What shows the others to be real; `nothing` for what has no effect that can be run.
OTHERWISE = {
    "template-cycle": "collecting",
    "weight-by-pods": "the pods",
    "short-history": "the ReplicaSets",
    "abort-keeps-canary": "recorded",
    "service-without-router": "nothing",
    "two-owners-of-replicas": "nothing",
    "scaled-by-memory": "nothing",
    "route-without-backends": "nothing",
    "virtual-service-without-route": "nothing",
    "ignore-differences": "nothing",
    "useless-ignore": "nothing",
    "unknown-field": "the API server",
    "native-gateway-api": "the API server",
    "wrong-type": "the API server",
    "missing-field": "the API server",
    "duplicate-key": "nothing",
    "secret-in-query": "the status",
    "password-in-template": "nothing",
    "unused-argument": "nothing",
    "unknown-argument": "the arguments",
    "duplicate-argument": "the arguments",
    "empty-argument": "the arguments",
    "two-values": "the check",
    "path-is-text": "recorded",
}


@pytest.mark.parametrize("rule", ENDS)
def test_the_defect_ends_otherwise_than_its_twin(rule: str) -> None:
    answer, bad, good = ENDS[rule]
    assert (Released(samples.bad(rule), answer).outcome, Released(samples.good(rule), answer).outcome) == (bad, good)


def test_the_weight_of_few_pods_is_not_that_of_the_step() -> None:
    found = [Released(text("weight-by-pods"), GOOD_ANSWER, after=60).share for text in (samples.bad, samples.good)]
    assert found == [Fraction(1, 4), Fraction(1, 10)]


def test_without_a_history_the_old_replicaset_is_gone() -> None:
    found = [Released(text("short-history"), GOOD_ANSWER) for text in (samples.bad, samples.good)]
    assert [len(one.store.items(REPLICASET, NS)) for one in found] == [1, 2]


def test_a_secret_in_a_query_is_in_the_status() -> None:
    shown = [str(Released(text("secret-in-query"), GOOD_ANSWER).run) for text in (samples.bad, samples.good)]
    assert ["s3cret" in text for text in shown] == [True, False]


def test_templates_in_a_circle_are_refused_by_the_sandbox_which_a_controller_does_not_survive() -> None:
    found = [_collected(text("template-cycle")) for text in (samples.bad, samples.good)]
    assert found == ["AnalysisTemplate 'one' names itself: one -> two -> one", ""]


def _collected(text: str) -> str:
    objects = {o["metadata"]["name"]: o for o in yaml.load_all(text, yaml.CSafeLoader)}
    try:
        collect([{"templateName": "one"}], lambda name, _: objects.get(name))
    except TemplateError as error:
        return error.message
    return ""


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ("unknown-argument", ["0.5"], ["0.4"]),
        ("duplicate-argument", ["0.3"], ["0.4"]),
        ("empty-argument", [""], ["0.5"]),
    ],
)
def test_what_a_rollout_gives_becomes_of_an_argument(rule: str, bad: list[str], good: list[str]) -> None:
    assert [_limits(text(rule)) for text in (samples.bad, samples.good)] == [bad, good]


def _limits(text: str) -> list[str]:
    rollout, template = yaml.load_all(text, yaml.CSafeLoader)
    analysis = rollout["spec"]["strategy"]["canary"]["steps"][1]["analysis"]
    spec = run_spec(analysis, rollout, lambda *_: template, latest_hash="l", stable_hash="s")
    return [arg["value"] for arg in spec["args"]]


def test_an_argument_with_two_values_is_refused() -> None:
    (template,) = yaml.load_all(samples.bad("two-values"), yaml.CSafeLoader)
    with pytest.raises(TemplateError, match="both Value and ValueFrom"):
        check({"templates": [{"templateName": "rate"}]}, {"metadata": {}}, lambda *_: template, background=False)


def test_every_rule_is_shown_to_be_real_or_says_why_not() -> None:
    assert sorted([*ENDS, *OTHERWISE]) == sorted(rule.id for rule in RULES)


@pytest.mark.parametrize("rule", [rule for rule, shown in OTHERWISE.items() if shown == "the API server"])
def test_the_api_server_drops_or_refuses_it(rule: str) -> None:
    for text, wrong in ((samples.bad(rule), True), (samples.good(rule), False)):
        (obj,) = yaml.load_all(text, yaml.CSafeLoader)
        found = findings_of(KINDS[obj["kind"]], obj)
        assert bool(found.unknown or found.wrong) is wrong
