"""What the sandbox's applications export while pods come, go and misbehave."""

import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from companyos_canary.model.http import Request
from companyos_canary.promql import Vector, evaluate
from companyos_canary.sandbox.kinds import POD, REPLICASET, ROLLOUT
from companyos_canary.sandbox.prometheus import PrometheusApi
from companyos_canary.sandbox.scenarios import HEALTHY, Behaviour, Course, behaviour, image_tag
from companyos_canary.sandbox.store import Store
from companyos_canary.sandbox.traffic import MAX_SCRAPES, Traffic
from companyos_canary.sandbox.tsdb import Tsdb

START = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS = 'sum(rate(companyos_http_requests_total{status=~"5..",canary="true"}[30s]))'
REQUESTS = 'sum(rate(companyos_http_requests_total{canary="true"}[30s]))'
P95 = 'histogram_quantile(0.95, sum by (le) (rate(companyos_http_request_duration_seconds_bucket{canary="true"}[30s])))'


class World:
    """A store with one Rollout, its pods, and a clock that the test moves."""

    def __init__(self, **options: Any) -> None:
        self.now = START
        self.store = Store(lambda: self.now)
        self.tsdb = Tsdb()
        self.traffic = Traffic(self.store, self.tsdb, **options)
        self.rollout = self.store.create(ROLLOUT, {"metadata": _meta("api")})
        self._sets: dict[str, Any] = {}

    def add(self, name: str, image: str, labels: dict[str, str], *, ready: bool = True) -> None:
        if image not in self._sets:
            meta = _meta(f"api-{len(self._sets)}", owner=("Rollout", self.rollout))
            self._sets[image] = self.store.create(REPLICASET, {"metadata": meta})
        meta = _meta(name, owner=("ReplicaSet", self._sets[image]))
        meta["labels"] = {"app": "api", **labels}
        status: dict[str, Any] = {"podIP": "10.0.0.1", "conditions": []}
        if ready:
            status["conditions"] = [{"type": "Ready", "status": "True"}]
        ports = [{"containerPort": 9000}]
        spec = {"containers": [{"name": "api", "image": image, "ports": ports}]}
        self.store.create(POD, {"metadata": meta, "spec": spec, "status": status})

    def change(self, name: str, **status: Any) -> None:
        pod = self.store.read(POD, "shop", name)
        new = {**pod, "status": {**pod["status"], **status}}
        self.store.update(POD, new, status_only=True)

    def run(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            wake = self.traffic.step(self.now)
            self.now = min(wake or end, end)
        self.traffic.step(self.now)

    def ask(self, text: str) -> list[float]:
        value = evaluate(text, self.now.timestamp(), self.tsdb.select)
        assert isinstance(value, Vector)
        return [s.value for s in value.samples]


def _meta(name: str, owner: tuple[str, Any] | None = None) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": "shop"}
    if owner:
        kind, obj = owner
        uid = obj["metadata"]["uid"]
        meta["ownerReferences"] = [{"kind": kind, "name": obj["metadata"]["name"], "uid": uid, "controller": True}]
    return meta


def one_canary_of(image: str, of: int = 10) -> World:
    world = World()
    world.add("canary-0", image, {"canary": "true", "rollouts-pod-template-hash": "abc"})
    for i in range(of - 1):
        world.add(f"stable-{i}", "api:v1.0.0", {"canary": "false"})
    return world


def test_requests_are_spread_evenly_over_the_ready_pods() -> None:
    world = one_canary_of("api:v1.1.0")
    world.add("late", "api:v1.1.0", {"canary": "true"}, ready=False)
    world.run(40)
    rates = world.ask("sum by (pod) (rate(companyos_http_requests_total[30s]))")
    assert len(rates) == 10
    assert rates == pytest.approx([20.0] * 10, rel=0.03)


def test_a_healthy_version_has_one_percent_errors_and_a_p95_of_180_ms() -> None:
    world = one_canary_of("api:v1.1.0", of=2)
    world.run(40)
    assert world.ask(f"{ERRORS} / {REQUESTS}") == pytest.approx([0.01], abs=0.002)
    assert world.ask(P95) == pytest.approx([0.18], abs=0.01)
    assert world.ask("sum(rate(companyos_http_request_duration_seconds_count[30s]))") == (
        pytest.approx([200], rel=0.03)
    )
    assert world.ask(
        'sum(rate(companyos_opa_decisions_total{result="success"}[30s])) '
        "/ sum(rate(companyos_opa_decisions_total[30s]))"
    ) == pytest.approx([0.999], abs=0.001)
    assert world.ask("min(up)") == [1.0]


def test_the_histogram_is_cumulative_and_agrees_with_its_count_and_sum() -> None:
    world = one_canary_of("api:v1.1.0", of=1)
    world.run(20)
    name = "companyos_http_request_duration_seconds"
    assert world.ask(f'{name}_bucket{{le="+Inf"}}') == world.ask(f"{name}_count")
    by_bound = sorted(
        (float(s.labels["le"]), s.value)
        for s in evaluate(f"{name}_bucket", world.now.timestamp(), world.tsdb.select).samples  # type: ignore[union-attr]
    )
    counts = [count for _, count in by_bound]
    assert counts == sorted(counts)
    assert 0.05 < world.ask(f"{name}_sum / {name}_count")[0] < 0.1


def test_v1_2_0_turns_bad_once_it_has_a_quarter_of_the_traffic() -> None:
    few, enough = one_canary_of("api:v1.2.0", of=10), one_canary_of("api:v1.2.0", of=4)
    few.run(40)
    enough.run(40)
    assert few.ask(f"{ERRORS} / {REQUESTS}") == pytest.approx([0.01], abs=0.004)
    assert enough.ask(f"{ERRORS} / {REQUESTS}") == pytest.approx([0.12], abs=0.005)


def test_slow_error_and_policy_versions_are_bad_from_the_start() -> None:
    slow, errors, policy = (one_canary_of(f"api:{tag}-1") for tag in ("slow", "errors", "policy"))
    for world in (slow, errors, policy):
        world.run(40)
    assert slow.ask(P95)[0] > 0.3
    assert errors.ask(f"{ERRORS} / {REQUESTS}") == pytest.approx([0.12], abs=0.01)
    success = 'rate(companyos_opa_decisions_total{canary="true",result="success"}[30s])'
    assert policy.ask(
        f'sum({success}) / sum(rate(companyos_opa_decisions_total{{canary="true"}}[30s]))'
    ) == pytest.approx([0.9], abs=0.01)


def playing(how: Behaviour) -> World:
    world = World(scenarios=lambda image: how if "v1.1.0" in image else HEALTHY)
    world.add("canary-0", "api:v1.1.0", {"canary": "true"})
    world.add("stable-0", "api:v1.0.0", {"canary": "false"})
    return world


def test_a_version_without_metrics_is_down_and_shows_nothing_else() -> None:
    world = playing(Behaviour(metrics="none"))
    world.run(10)
    assert world.ask('up{canary="true"}') == [0.0]
    assert world.ask('up{canary="false"}') == [1.0]
    assert world.ask('{canary="true",__name__!="up"}') == []
    assert [target.health for target in world.traffic.targets()] == ["down", "up"]


def test_a_version_can_lack_the_label_that_tells_it_apart() -> None:
    world = playing(Behaviour(metrics="unlabelled"))
    world.run(10)
    assert world.ask('{canary="true"}') == []
    assert len(world.ask('companyos_http_requests_total{canary="",pod="canary-0"}')) == 3


def test_a_version_gets_worse_with_its_age() -> None:
    world = playing(Behaviour(errors=Course(((0, 0.0), (10, 0.5)))))
    errors = 'sum(increase(companyos_http_requests_total{canary="true",status="500"}[5s]))'
    world.run(9)
    assert world.ask(errors) == [0.0]
    world.run(9)
    assert world.ask(errors)[0] == pytest.approx(250, rel=0.1)


def test_labels_are_those_of_the_pod_as_a_scrape_rule_copies_them() -> None:
    world = one_canary_of("api:v1.1.0", of=1)
    world.run(1)
    (target,) = world.traffic.targets()
    assert target.labels == {
        "app": "api",
        "canary": "true",
        "rollouts_pod_template_hash": "abc",
        "job": "api",
        "namespace": "shop",
        "pod": "canary-0",
        "instance": "10.0.0.1:9000",
    }
    assert target.url == "http://10.0.0.1:9000/metrics"
    labels = 'namespace="shop",pod="canary-0",rollouts_pod_template_hash="abc",job="api"'
    assert len(world.ask(f'companyos_http_requests_total{{{labels},status="200"}}')) == 1


def test_counters_start_at_zero_with_the_pod_and_again_after_a_restart() -> None:
    world = one_canary_of("api:v1.1.0", of=1)
    world.traffic.step(world.now)
    assert set(world.ask("companyos_http_requests_total")) == {0.0}
    world.run(30)
    before = world.ask("sum(companyos_http_requests_total)")[0]
    assert before > 5000
    world.change("canary-0", containerStatuses=[{"name": "api", "restartCount": 1}])
    world.run(1)
    assert world.ask("sum(companyos_http_requests_total)")[0] < 300
    assert world.ask(REQUESTS) == pytest.approx([200], rel=0.05)


def test_the_series_of_a_gone_pod_end_with_the_next_scrape() -> None:
    world = one_canary_of("api:v1.1.0", of=2)
    world.run(10)
    assert len(world.ask("up")) == 2
    world.store.delete(POD, "shop", "canary-0")
    world.run(0.5)
    assert world.ask('up{canary="true"}') == []
    assert world.ask('companyos_http_requests_total{canary="true"}') == []
    assert len(world.ask("up")) == 1


def test_a_pod_that_changes_its_labels_goes_on_under_new_series() -> None:
    world = one_canary_of("api:v1.1.0", of=1)
    world.run(10)
    pod = world.store.read(POD, "shop", "canary-0")
    labels = {**pod["metadata"]["labels"], "canary": "false"}
    world.store.update(POD, {**pod, "metadata": {**pod["metadata"], "labels": labels}})
    world.run(0.5)
    assert world.ask('up{canary="true"}') == []
    assert world.ask('sum(companyos_http_requests_total{canary="false"})')[0] > 1900


def test_pods_that_no_rollout_owns_are_not_scraped() -> None:
    world = World()
    meta = _meta("lonely")
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    world.store.create(POD, {"metadata": meta, "spec": {"containers": [{"image": "x"}]}, "status": status})
    assert world.traffic.step(world.now) is None
    assert world.tsdb.series([], 0, 2e9) == []


def test_the_scrape_interval_may_be_below_a_second() -> None:
    world = World(interval=0.1, rate=lambda: 1000.0)
    world.add("canary-0", "api:v1.1.0", {"canary": "true"})
    assert world.traffic.step(world.now) == START + timedelta(seconds=0.1)
    world.run(3)
    assert world.ask("count_over_time(up[1s])") == [11.0]
    assert world.ask('sum(rate(companyos_http_requests_total{canary="true"}[1s]))') == (pytest.approx([1000], rel=0.03))


def test_a_long_gap_is_filled_by_a_bounded_number_of_scrapes() -> None:
    world = one_canary_of("api:v1.1.0", of=1)
    world.run(5)
    world.now += timedelta(days=3)
    wake = world.traffic.step(world.now)
    assert wake == world.now + timedelta(seconds=0.5)
    assert world.ask("count_over_time(up[1h])") == [MAX_SCRAPES]


def test_being_stepped_more_often_changes_nothing() -> None:
    calm, busy = one_canary_of("api:v1.2.0", of=4), one_canary_of("api:v1.2.0", of=4)
    calm.run(20)
    while busy.now < START + timedelta(seconds=20):
        busy.traffic.step(busy.now)
        busy.now += timedelta(milliseconds=130)
    busy.now = START + timedelta(seconds=20)
    busy.traffic.step(busy.now)
    for text in ("companyos_http_requests_total", "companyos_opa_decisions_total"):
        assert calm.ask(text) == busy.ask(text)


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("api", "latest"),
        ("api:v1", "v1"),
        ("registry:5000/team/api", "latest"),
        ("registry:5000/team/api:v1.2.0@sha256:aa", "v1.2.0"),
    ],
)
def test_the_tag_of_an_image_is_found_behind_registries_and_digests(image: str, tag: str) -> None:
    assert image_tag(image) == tag


def test_tags_that_cannot_start_say_why() -> None:
    assert behaviour("api:bad").fails == "ImagePullBackOff"
    assert behaviour("api:bad-1").fails == "ImagePullBackOff"
    assert behaviour("api:crash-loop").fails == "CrashLoopBackOff"
    assert behaviour("api:v1.2.3").fails is None
    assert behaviour("api:v1x2x0") is HEALTHY


def drawn(seed: int, how: Behaviour = HEALTHY, **options: Any) -> World:
    world = World(seed=seed, scenarios=lambda _: how, **options)
    world.add("canary-0", "api:v1.1.0", {"canary": "true"})
    world.run(60)
    return world


def variance_over_mean(how: Behaviour, query: str) -> float:
    counts = [drawn(seed, how).ask(query)[0] for seed in range(40)]
    mean = sum(counts) / len(counts)
    return sum((count - mean) ** 2 for count in counts) / (len(counts) - 1) / mean


def test_with_a_seed_requests_errors_and_latencies_are_drawn() -> None:
    counts = "companyos_http_requests_total"
    buckets = "companyos_http_request_duration_seconds_bucket"
    once, again, other = (drawn(seed) for seed in (1, 1, 2))
    assert once.ask(counts) == again.ask(counts) != other.ask(counts)
    assert once.ask(buckets) == again.ask(buckets) != other.ask(buckets)
    assert once.ask("sum(companyos_http_requests_total)") == pytest.approx([12_000], rel=0.05)
    assert once.ask(f"{ERRORS} / {REQUESTS}") == pytest.approx([0.01], abs=0.006)
    assert once.ask(P95) == pytest.approx([0.183], abs=0.02)
    assert once.ask(f'max({buckets}) - max({buckets}{{le="+Inf"}})') == [0.0]


def test_drawn_errors_vary_as_counts_do_and_clumps_as_clumps_do() -> None:
    errors = 'companyos_http_requests_total{status="500"}'
    assert 0.5 < variance_over_mean(HEALTHY, errors) < 1.8
    assert 2.5 < variance_over_mean(Behaviour(clumps=5), errors) < 9


def test_the_buckets_of_the_histogram_can_be_others() -> None:
    for seed in (None, 1):
        world = World(bounds=lambda: (0.1, 0.25), seed=seed)
        world.add("canary-0", "api:v1.1.0", {"canary": "true"})
        world.run(20)
        ask = "companyos_http_request_duration_seconds_bucket / on() group_left sum(companyos_http_requests_total)"
        assert sorted(world.ask(ask)) == pytest.approx([0.8, 0.9875, 1.0], abs=0.02)


def test_a_query_never_sees_half_of_a_scrape() -> None:
    world = one_canary_of("api:v1.1.0")
    api = PrometheusApi(world.tsdb, lambda: world.now)
    total = "sum(companyos_http_request_duration_seconds_count)"
    same = 'sum(companyos_http_request_duration_seconds_bucket{le="+Inf"})'
    torn = Request("GET", "/api/v1/query", (("query", f"{total} - {same}"),))
    ended = threading.Event()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    traffic = threading.Thread(target=lambda: (world.run(60), ended.set()))
    traffic.start()
    seen: set[str] = set()
    try:
        while not ended.is_set():
            seen |= {s["value"][1] for s in api.handle(torn).json()["data"]["result"]}
    finally:
        traffic.join()
        sys.setswitchinterval(before)
    assert seen == {"0"}
