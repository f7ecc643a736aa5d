"""Makes cases of other cases: `python -m tests.diagnosis.varied [FOLDER]`.

Each takes a recorded state, gives it other names, and changes what makes the difference: a metric with its query and
values, the state of a pod, a Service, the answers of Prometheus. Controllers and kubelets write it in this form.
"""

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.quantity import format_time, parse_time
from tests.diagnosis.__main__ import CASES

Json = dict[str, Any]
VARIED: dict[str, Callable[[], "Variation"]] = {}
ABORTED = "recorded-analysis-failed-aborted"
PAUSED = "recorded-pause-promote-paused"
BY_HAND = "recorded-services-canary-stable-aborted"


@dataclass
class Variation:
    """A case that is being made: its objects, and what case.yaml has of it."""

    base: str
    cause: str
    healthy: bool = False
    objects: list[Json] = field(default_factory=list)
    case: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        folder = CASES / self.base
        self.objects = [o for o in yaml.load_all((folder / "objects.yaml").read_text(), _Text) if o]
        was = yaml.load((folder / "case.yaml").read_text(), _Text)
        self.case = {"now": was["now"], "config": was["config"], **self.case}

    def later(self, **span: float) -> "Variation":
        """Looked at so much later; whoever writes a Lease does so still."""
        at = parse_time(self.case["now"])
        assert at is not None
        self.case["now"] = format_time(at + timedelta(**span))
        return self

    def ago(self, seconds: float) -> str:
        at = parse_time(self.case["now"])
        assert at is not None
        return format_time(at - timedelta(seconds=seconds))

    @property
    def rollout(self) -> Json:
        return next(o for o in self.objects if o["kind"] == "Rollout")

    @property
    def canary(self) -> Json:
        return self.rollout["spec"]["strategy"]["canary"]  # type: ignore[no-any-return]

    @property
    def status(self) -> Json:
        return self.rollout["status"]  # type: ignore[no-any-return]

    @canary.setter
    def canary(self, value: Json) -> None:
        self.rollout["spec"]["strategy"]["canary"] = value

    @status.setter
    def status(self, value: Json) -> None:
        self.rollout["status"] = value

    @property
    def run(self) -> Json:
        return next(o for o in self.objects if o["kind"] == "AnalysisRun")

    def condition(self, type_: str) -> Json:
        return next(c for c in self.status["conditions"] if c["type"] == type_)

    def pods(self, hash_: str) -> list[Json]:
        return [o for o in self.objects if o["kind"] == "Pod" and o["metadata"]["labels"].get(HASH_LABEL) == hash_]

    def replicaset(self, hash_: str) -> Json:
        sets = [o for o in self.objects if o["kind"] == "ReplicaSet"]
        return next(o for o in sets if o["metadata"]["labels"].get(HASH_LABEL) == hash_)

    def namespaced(self, name: str, namespace: str) -> "Variation":
        """The Rollout, what it owns, and its namespace have other names."""
        text = yaml.safe_dump_all([self.case, *self.objects])
        old = self.case["config"]["namespace"]
        text = text.replace("companyos-api", name).replace(old, namespace)
        self.case, *self.objects = yaml.load_all(text, _Text)
        return self

    def controller(self, version: str, *, renewed: float = 3) -> "Variation":
        """What the controller's own namespace has."""
        image = f"quay.io/argoproj/argo-rollouts:{version}"
        containers = [{"name": "argo-rollouts", "image": image, "args": ["--leader-elect"]}]
        self.objects += [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "argo-rollouts", "namespace": "argo-rollouts"},
                "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
                "status": {"replicas": 1, "availableReplicas": 1},
            },
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "argo-rollouts-controller-lock", "namespace": "argo-rollouts"},
                "spec": {"holderIdentity": "argo-rollouts-7", "renewTime": self.ago(renewed)},
            },
        ]
        return self

    def event(self, kind: str, name: str, reason: str, message: str, *, ago: float = 5) -> None:
        where = self.rollout["metadata"]["namespace"]
        self.objects.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{name}.{len(self.objects):016x}", "namespace": where},
                "involvedObject": {"kind": kind, "name": name, "namespace": where},
                "type": "Warning",
                "reason": reason,
                "message": message,
                "count": 4,
                "firstTimestamp": self.ago(ago + 60),
                "lastTimestamp": self.ago(ago),
            }
        )

    def asked(self, *answers: tuple[str, list[float]]) -> "Variation":
        """What Prometheus answers to each query."""
        found = [{"query": q, "answer": {"vector": [{"metric": {}, "value": v} for v in vs]}} for q, vs in answers]
        self.case["prometheus"] = {"answers": found}
        return self

    def metric(
        self, name: str, query: str, condition: str, values: list[str], *, phase: str = "Failed", message: str = ""
    ) -> "Variation":
        """The newest run judges this metric alone; every value has the verdict that ended it."""
        spec, status = self.run["spec"], self.run["status"]
        metric = spec["metrics"][0]
        metric |= {"name": name, "successCondition": condition}
        metric["provider"]["prometheus"]["query"] = query
        result = status["metricResults"][0]
        at = result["measurements"][-1]["finishedAt"]
        said = {"message": message} if message else {}
        measured = [{"phase": phase, "startedAt": at, "finishedAt": at, "value": v, **said} for v in values]
        counted = {"Failed": "failed", "Error": "error", "Inconclusive": "inconclusive"}[phase]
        status["metricResults"] = [
            {
                "name": name,
                "phase": phase,
                counted: len(values),
                "count": len(values),
                "measurements": measured,
                "metadata": {"ResolvedPrometheusQuery": query},
            }
        ]
        why = f"failed ({len(values)}) > failureLimit (0)"
        if phase == "Error":
            why = f'consecutiveErrors ({len(values)}) > consecutiveErrorLimit (4): "Error Message: {message}"'
            status["metricResults"][0]["consecutiveError"] = len(values)
        told = f'Metric "{name}" assessed {phase} due to {why}'
        status |= {"phase": phase, "message": told}
        whole = f"Rollout aborted update to revision 2: Step-based analysis phase error/failed: {told}"
        self.status["message"] = f"RolloutAborted: {whole}"
        self.condition("Progressing")["message"] = whole
        self.status["canary"]["currentStepAnalysisRunStatus"] |= {"status": phase, "message": told}
        return self

    def write(self, name: str, root: Path) -> None:
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump_all(self.objects, sort_keys=False, width=120, default_flow_style=None)
        (folder / "objects.yaml").write_text(text)
        source = f"varied: {self.base}"
        case = {**self.case, "cause": self.cause, "healthy": self.healthy, "source": self.case.get("source", source)}
        (folder / "case.yaml").write_text(yaml.safe_dump(case, sort_keys=False, width=120))


def varied(make: Callable[[], Variation]) -> Callable[[], Variation]:
    VARIED[make.__name__.replace("_", "-")] = make
    return make


REQUESTS = 'http_requests_total{namespace="shop",app="checkout",canary="true"}'
ERRORS = 'http_requests_total{namespace="shop",app="checkout",canary="true",code=~"5.."}'
SHARE = f"sum(rate({ERRORS}[2m])) / sum(rate({REQUESTS}[2m]))"
COUNT = f"sum(increase({REQUESTS}[2m]))"
STABLE = SHARE.replace('canary="true"', 'canary!="true"')


def checkout(value: str, cause: str, *answers: tuple[str, list[float]], query: str = SHARE) -> Variation:
    made = Variation(ABORTED, cause).namespaced("checkout", "shop")
    return made.metric("error-rate", query, "result[0] < 0.02", [value]).asked(*answers)


@varied
def one_error_in_sixteen_requests() -> Variation:
    return checkout("[0.0625]", "chance", (STABLE, [0.004]), (COUNT, [16]))


@varied
def a_database_is_down_for_both_versions() -> Variation:
    query = 'sum(rate(failed_total{rollouts_pod_template_hash="5649d79497"}[3m])) / 40'
    made = checkout("[0.4]", "stable-is-as-bad", query=query)
    stable = query.replace("5649d79497", made.status["stableRS"])
    return made.asked((stable, [0.38]))


@varied
def stable_is_asked_about_by_its_own_label() -> Variation:
    return checkout("[0.4]", "stable-is-as-bad", (SHARE.replace('canary="true"', 'canary="false"'), [0.41]))


@varied
def one_in_sixteen_of_thousands_of_requests() -> Variation:
    return checkout("[0.0625]", "analysis-failed", (STABLE, [0.004]), (COUNT, [8200]))


@varied
def no_one_knows_how_many_requests_there_were() -> Variation:
    made = checkout("[0.0625]", "analysis-failed")
    made.case["prometheus"] = {"unreachable": True}
    return made


@varied
def a_query_of_every_service() -> Variation:
    query = 'sum(rate(http_requests_total{code=~"5.."}[2m])) / sum(rate(http_requests_total[2m]))'
    made = checkout("[0.31]", "several-apps", query=query)
    labels = [
        {"namespace": "shop", "app": "checkout", "pod": "checkout-5649d79497-aaaaa"},
        {"namespace": "shop", "app": "cart", "pod": "cart-6fbd9c7d55-bbbbb"},
        {"namespace": "billing", "app": "invoices", "pod": "invoices-0"},
    ]
    series = [{"metric": {"__name__": "http_requests_total", "code": "200", **m}, "value": 90} for m in labels]
    made.case["prometheus"] = {"series": series}
    return made


@varied
def series_that_only_name_their_service() -> Variation:
    query = 'sum(rate(http_requests_total{code=~"5.."}[2m])) / sum(rate(http_requests_total[2m]))'
    made = checkout("[0.31]", "several-apps", query=query)
    names = ("checkout-stable", "checkout-canary", "payments", "search")
    series = [{"metric": {"__name__": "http_requests_total", "service": n}, "value": 90} for n in names]
    made.case["prometheus"] = {"series": series}
    return made


@varied
def a_query_of_its_own_pods() -> Variation:
    query = 'sum(rate(http_requests_total{code=~"5.."}[2m])) / sum(rate(http_requests_total[2m]))'
    made = checkout("[0.31]", "analysis-failed", query=query)
    labels = [{"namespace": "shop", "app": "checkout", "pod": f"checkout-5649d79497-{n * 5}"} for n in "abc"]
    series = [{"metric": {"__name__": "http_requests_total", "code": "200", **m}, "value": 90} for m in labels]
    made.case["prometheus"] = {"series": series}
    return made


def latency(query: str, condition: str, value: str, cause: str) -> Variation:
    made = Variation(ABORTED, cause).namespaced("quotes", "pricing-eu")
    return made.metric("latency-p95", query, condition, [value, value])


QUANTILE = 'histogram_quantile(0.95, sum by (le) (rate({}{{canary="true"}}[5m])))'


@varied
def milliseconds_are_compared_with_seconds() -> Variation:
    query = QUANTILE.format("http_request_duration_milliseconds_bucket")
    return latency(query, "len(result) > 0 && result[0] < 0.3", "[212.4]", "wrong-unit")


@varied
def seconds_made_milliseconds_are_compared_with_seconds() -> Variation:
    query = "1000 * " + QUANTILE.format("http_request_duration_seconds_bucket")
    return latency(query, "result[0] <= 0.5", "[188]", "wrong-unit")


@varied
def a_share_is_compared_with_a_percentage() -> Variation:
    made = Variation(ABORTED, "wrong-unit").namespaced("quotes", "pricing-eu")
    query = 'sum(rate(grpc_ok_total{canary="true"}[5m])) / sum(rate(grpc_handled_total{canary="true"}[5m]))'
    return made.metric("success-rate", query, "result[0] >= 95", ["[0.998]"])


@varied
def a_percentage_is_compared_with_a_share() -> Variation:
    made = Variation(ABORTED, "wrong-unit").namespaced("quotes", "pricing-eu")
    query = '100 * sum(rate(failed_total{canary="true"}[5m])) / sum(rate(handled_total{canary="true"}[5m]))'
    return made.metric("error-rate", query, "result[0] < 0.05", ["[0.9]"])


@varied
def ten_times_as_slow_in_the_right_unit() -> Variation:
    query = QUANTILE.format("http_request_duration_seconds_bucket")
    return latency(query, "result[0] < 0.3", "[3.9]", "analysis-failed")


@varied
def everything_fails_in_the_right_unit() -> Variation:
    made = Variation(ABORTED, "analysis-failed").namespaced("quotes", "pricing-eu")
    query = 'sum(rate(failed_total{canary="true"}[5m])) / sum(rate(handled_total{canary="true"}[5m]))'
    return made.metric("error-rate", query, "result[0] < 0.005", ["[1]"])


def twice(cause: str, *, hours: float = 0, query: str = SHARE) -> Variation:
    """The same version was aborted by the same metric, and run again."""
    made = checkout("[0.4]", cause, (STABLE, [0.001]), (COUNT, [900]), query=query)
    first = copy.deepcopy(made.run)
    at = made.ago(60 + 3600 * hours)
    first["metadata"] |= {"creationTimestamp": at, "uid": "0c4ea6f2-77a7-4df5-8d3b-56a1c8b4a001"}
    first["status"] |= {"startedAt": at, "completedAt": at}
    for measurement in first["status"]["metricResults"][0]["measurements"]:
        measurement |= {"startedAt": at, "finishedAt": at}
    made.run["metadata"]["name"] += ".1"
    made.objects.append(first)
    made.replicaset(made.status["currentPodHash"])["metadata"]["creationTimestamp"] = made.ago(90 + 3600 * hours)
    made.case["did"] = {"verb": "retry", "at": made.ago(8)}
    return made


@varied
def retried_within_the_window_of_the_query() -> Variation:
    return twice("retry-on-old-samples")


@varied
def retried_an_hour_later() -> Variation:
    return twice("analysis-failed", hours=1)


def after_another(cause: str, *, query: str = SHARE, ended: float = 25) -> Variation:
    """A canary of another version had pods until shortly before."""
    made = checkout("[0.4]", cause, (STABLE.replace(SHARE, query), [0.001]), (COUNT, [900]), query=query)
    current = made.replicaset(made.status["currentPodHash"])
    for o in (made.rollout, current):
        o["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "3"
    made.run["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "3"
    current["metadata"]["creationTimestamp"] = made.ago(20)
    earlier = copy.deepcopy(current)
    earlier["metadata"] |= {"name": "checkout-6c7d8f9b44", "uid": "b0a5de6e-9f02-4d0c-9c2c-aa0000000001"}
    earlier["metadata"]["labels"] = {**earlier["metadata"]["labels"], HASH_LABEL: "6c7d8f9b44"}
    earlier["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "2"
    earlier["metadata"]["creationTimestamp"] = made.ago(400)
    earlier["spec"]["template"]["spec"]["containers"][0]["image"] = "checkout:v1.4.0"
    run = copy.deepcopy(made.run)
    run["metadata"] |= {"name": "checkout-6c7d8f9b44-2-1", "uid": "0c4ea6f2-77a7-4df5-8d3b-56a1c8b4a002"}
    run["metadata"]["labels"] = {**run["metadata"]["labels"], HASH_LABEL: "6c7d8f9b44"}
    run["metadata"]["annotations"] = {"rollout.argoproj.io/revision": "2"}
    run["metadata"]["creationTimestamp"] = made.ago(ended + 60)
    run["status"] |= {"startedAt": made.ago(ended + 60), "completedAt": made.ago(ended)}
    for measurement in run["status"]["metricResults"][0]["measurements"]:
        measurement |= {"startedAt": made.ago(ended + 1), "finishedAt": made.ago(ended)}
    made.objects += [earlier, run]
    return made


@varied
def the_version_before_it_was_aborted_a_moment_ago() -> Variation:
    return after_another("judged-on-earlier-canary")


@varied
def the_version_before_it_was_aborted_long_ago() -> Variation:
    return after_another("analysis-failed", ended=380)


@varied
def the_version_before_it_is_told_apart_by_its_hash() -> Variation:
    query = SHARE.replace('canary="true"', 'canary="true",rollouts_pod_template_hash="5649d79497"')
    return after_another("analysis-failed", query=query)


def starting(
    cause: str, *, silent: float = 120, status: Json | None = None, healthy: bool = False, version: str = ""
) -> Variation:
    """The canary's one pod is not ready; the controller saw the last progress `silent` seconds ago."""
    made = Variation(PAUSED, cause, healthy=healthy).namespaced("catalog", "store").later(seconds=silent)
    for key in ("pauseConditions", "controllerPause"):
        made.status.pop(key)
    made.status |= {"phase": "Progressing", "currentStepIndex": 0, "updatedReplicas": 1, "availableReplicas": 4}
    made.status["message"] = "more replicas need to be updated"
    made.status["conditions"] = [c for c in made.status["conditions"] if c["type"] != "Paused"]
    said = 'ReplicaSet "catalog-5649d79497" is progressing.'
    at = made.ago(silent)
    made.condition("Progressing").update(
        {"status": "True", "reason": "ReplicaSetUpdated", "message": said, "lastUpdateTime": at}
    )
    made.replicaset("5649d79497")["status"] |= {"readyReplicas": 0, "availableReplicas": 0}
    (pod,) = made.pods("5649d79497")
    for condition in pod["status"]["conditions"]:
        condition |= {"status": "False", "reason": "ContainersNotReady"}
    pod["spec"] = {"containers": [{"name": "catalog", "image": "catalog:v2"}]}
    pod["status"]["phase"] = "Pending"
    container = {"name": "catalog", "image": "catalog:v2", "ready": False, "restartCount": 0, "lastState": {}}
    creating = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    pod["status"]["containerStatuses"] = [{**container, **(status or creating)}]
    return made.controller(version) if version else made


@varied
def starting_for_two_minutes() -> Variation:
    return starting("in-progress", healthy=True)


@varied
def starting_shortly_before_the_deadline() -> Variation:
    return starting("slow-start", silent=520, healthy=True)


@varied
def starting_long_after_the_deadline() -> Variation:
    return starting("deadline-not-firing", silent=1500, version="v1.8.1")


@varied
def starting_long_after_the_deadline_behind_istio() -> Variation:
    made = starting("deadline-not-firing", silent=1500, version="v1.9.1")
    made.canary["trafficRouting"] = {
        "istio": {
            "virtualService": {"name": "catalog"},
            "destinationRule": {"name": "catalog", "canarySubsetName": "canary", "stableSubsetName": "stable"},
        }
    }
    return made


@varied
def a_deadline_of_an_hour_has_not_passed() -> Variation:
    made = starting("in-progress", silent=1500, healthy=True)
    made.rollout["spec"]["progressDeadlineSeconds"] = 3600
    return made


@varied
def a_migration_fails_in_the_init_container() -> Variation:
    made = starting("init-container")
    (pod,) = made.pods("5649d79497")
    failed = {"exitCode": 3, "reason": "Error"}
    pod["spec"]["initContainers"] = [{"name": "migrate", "image": "catalog-migrations:v2"}]
    pod["status"]["initContainerStatuses"] = [
        {
            "name": "migrate",
            "image": "catalog-migrations:v2",
            "ready": False,
            "restartCount": 4,
            "lastState": {"terminated": failed},
            "state": {
                "waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s restarting failed container"}
            },
        }
    ]
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "PodInitializing"}}
    made.case["logs"] = {"migrate": ["connecting to catalog-db", 'relation "prices" already exists']}
    return made


@varied
def a_migration_is_still_running() -> Variation:
    made = starting("in-progress", silent=90, healthy=True)
    (pod,) = made.pods("5649d79497")
    running = {"running": {"startedAt": made.ago(80)}}
    pod["status"]["initContainerStatuses"] = [
        {"name": "migrate", "image": "m:1", "ready": False, "restartCount": 0, "lastState": {}, "state": running}
    ]
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "PodInitializing"}}
    return made


@varied
def a_pod_was_evicted() -> Variation:
    made = starting("pod-failed")
    (pod,) = made.pods("5649d79497")
    told = "The node was low on resource: ephemeral-storage. Container catalog was using 4Gi, request is 0."
    pod["status"] |= {"phase": "Failed", "reason": "Evicted", "message": told, "containerStatuses": []}
    return made


@varied
def a_load_balancer_does_not_accept_the_pod() -> Variation:
    made = starting("readiness-gate", silent=200)
    (pod,) = made.pods("5649d79497")
    gate = "target-health.elbv2.k8s.aws/k8s-store-catalog-1a2b3c"
    pod["spec"]["readinessGates"] = [{"conditionType": gate}]
    running = {"running": {"startedAt": made.ago(190)}}
    pod["status"] |= {"phase": "Running"}
    pod["status"]["containerStatuses"][0] |= {"ready": True, "started": True, "state": running}
    pod["status"]["conditions"] = [
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": made.ago(185)},
        {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "lastTransitionTime": made.ago(185)},
        {"type": gate, "status": "False", "reason": "Target.FailedHealthChecks", "message": "Health checks failed"},
    ]
    return made


def unmade(cause: str, message: str, *, of: str = "ReplicaSet") -> Variation:
    """No pod of the new version can be made, and this is said of it."""
    made = starting(cause)
    made.objects.remove(made.pods("5649d79497")[0])
    replicaset = made.replicaset("5649d79497")
    replicaset["status"] = {"observedGeneration": replicaset["metadata"]["generation"], "replicas": 0}
    if of == "ReplicaSet":
        failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
        replicaset["status"]["conditions"] = [{**failure, "lastTransitionTime": made.ago(110)}]
    else:
        made.objects.remove(replicaset)
        failure = {"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": message}
        made.condition("Progressing").update(failure)
    return made


@varied
def a_service_account_does_not_exist() -> Variation:
    why = 'error looking up service account store/catalog: serviceaccount "catalog" not found'
    return unmade("pods-refused", f'pods "catalog-5649d79497-" is forbidden: {why}')


@varied
def pods_break_the_rules_of_the_namespace() -> Variation:
    why = 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
    return unmade("admission-refused", f'pods "catalog-5649d79497-rx2vk" is forbidden: {why}')


@varied
def the_controller_may_not_make_replicasets() -> Variation:
    user = 'User "system:serviceaccount:argo-rollouts:argo-rollouts" cannot create resource "replicasets"'
    why = f'replicasets.apps is forbidden: {user} in API group "apps" in the namespace "store"'
    return unmade(
        "controller-permissions", f'Failed to create new replica set "catalog-5649d79497": {why}', of="Rollout"
    )


def paused(cause: str, *, healthy: bool = False) -> Variation:
    return Variation(PAUSED, cause, healthy=healthy).namespaced("catalog", "store")


def service(made: Variation, name: str, **selector: str) -> Json:
    where = made.rollout["metadata"]["namespace"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": where},
        "spec": {"selector": selector, "ports": [{"port": 80}]},
    }


def routed(made: Variation, canary: Json, stable: Json) -> None:
    """nginx sends the traffic to these two Services."""
    made.canary["trafficRouting"] = {"nginx": {"stableIngress": "catalog"}}
    made.canary["stableService"] = stable["metadata"]["name"]
    made.canary["canaryService"] = canary["metadata"]["name"]
    made.objects += [canary, stable]


@varied
def the_stable_service_stays_on_the_aborted_version() -> Variation:
    made = Variation(BY_HAND, "service-pinned").namespaced("catalog", "store").later(minutes=2)
    made.case["did"] = {"verb": "abort", "at": made.status["abortedAt"]}
    stable = next(o for o in made.objects if o["kind"] == "Service" and o["metadata"]["name"] == "api-stable")
    stable["spec"]["selector"][HASH_LABEL] = "695d864bcd"
    return made


@varied
def the_stable_service_selects_another_label() -> Variation:
    made = Variation(BY_HAND, "service-selects-nothing").namespaced("catalog", "store").later(minutes=2)
    made.case["did"] = {"verb": "abort", "at": made.status["abortedAt"]}
    stable = next(o for o in made.objects if o["kind"] == "Service" and o["metadata"]["name"] == "api-stable")
    stable["spec"]["selector"] = {"app": "catalogue"}
    return made


@varied
def promoted_but_the_stable_service_is_pinned_to_the_old_version() -> Variation:
    made = Variation("recorded-pause-promote-new-image", "service-pinned").namespaced("catalog", "store")
    made.rollout["metadata"]["generation"] = int(made.status["observedGeneration"])
    made.rollout["spec"]["template"]["spec"]["containers"][0]["image"] = "catalog:v1"
    made.later(minutes=3)
    routed(made, service(made, "catalog-canary", app="catalog"), service(made, "catalog-stable", app="catalog"))
    stable = made.objects[-1]
    stable["spec"]["selector"][HASH_LABEL] = "5649d79497"
    return made


@varied
def promoted_and_both_services_follow() -> Variation:
    made = promoted_but_the_stable_service_is_pinned_to_the_old_version()
    made.cause, made.healthy = "healthy", True
    for o in made.objects:
        if o["kind"] == "Service":
            o["spec"]["selector"][HASH_LABEL] = made.status["stableRS"]
    return made


@varied
def weight_on_a_canary_that_is_scaled_to_nothing() -> Variation:
    made = paused("weight-without-pods").later(minutes=4)
    made.objects.remove(made.pods("5649d79497")[0])
    replicaset = made.replicaset("5649d79497")
    replicaset["spec"]["replicas"] = 0
    replicaset["status"] = {"observedGeneration": replicaset["metadata"]["generation"], "replicas": 0}
    made.canary["steps"].insert(0, {"setCanaryScale": {"replicas": 0}})
    made.status["currentStepIndex"] = 2
    made.canary["trafficRouting"] = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "catalog"}}}
    made.status["canary"]["weights"] = {
        "canary": {"weight": 20, "podTemplateHash": "5649d79497"},
        "stable": {"weight": 80, "podTemplateHash": "7498c94dc6"},
    }
    return made


@varied
def a_canary_scaled_to_nothing_without_weight() -> Variation:
    made = weight_on_a_canary_that_is_scaled_to_nothing()
    made.status["canary"]["weights"]["canary"]["weight"] = 0
    return made


@varied
def an_undo_that_git_takes_back() -> Variation:
    made = paused("gitops-reverted").later(minutes=1)
    made.case["did"] = {"verb": "undo", "at": made.ago(90)}
    writers = [{"manager": "argocd-controller", "operation": "Apply", "time": made.ago(70)}]
    made.rollout["metadata"]["managedFields"] = writers
    return made


@varied
def an_undo_of_what_git_applied_before() -> Variation:
    made = an_undo_that_git_takes_back()
    made.cause = "undo-is-a-canary"
    made.rollout["metadata"]["managedFields"][0]["time"] = made.ago(4000)
    return made


def late(cause: str, seconds: float) -> Variation:
    """Aborted so long after it began, with a deadline of ten minutes that aborts; no Event is left."""
    made = Variation(BY_HAND, cause).namespaced("catalog", "store").later(minutes=30)
    made.objects = [o for o in made.objects if o["kind"] != "Event"]
    made.rollout["spec"] |= {"progressDeadlineSeconds": 600, "progressDeadlineAbort": True}
    began = made.condition("Healthy")["lastTransitionTime"]
    at = parse_time(began)
    assert at is not None
    aborted = format_time(at + timedelta(seconds=seconds))
    made.status["abortedAt"] = aborted
    made.condition("Progressing").update({"lastUpdateTime": aborted, "lastTransitionTime": aborted})
    return made


@varied
def aborted_when_the_deadline_passed() -> Variation:
    return late("progress-deadline", 607)


@varied
def aborted_long_before_the_deadline() -> Variation:
    return late("aborted-by-a-person", 130)


@varied
def the_controller_may_not_change_the_ingress() -> Variation:
    made = starting("router-error", silent=90)
    for pod in made.pods("5649d79497"):
        for condition in pod["status"]["conditions"]:
            condition["status"] = "True"
    routed(made, service(made, "catalog-canary", app="catalog"), service(made, "catalog-stable", app="catalog"))
    why = 'ingresses.networking.k8s.io "catalog" is forbidden: cannot update resource "ingresses"'
    made.event("Rollout", "catalog", "TrafficRoutingError", why)
    return made


@varied
def the_load_balancer_does_not_show_the_weight() -> Variation:
    made = starting("router-lagging", silent=150)
    for pod in made.pods("5649d79497"):
        for condition in pod["status"]["conditions"]:
            condition["status"] = "True"
    made.replicaset("5649d79497")["status"] |= {"readyReplicas": 1, "availableReplicas": 1}
    made.canary["trafficRouting"] = {"alb": {"ingress": "catalog", "servicePort": 80}}
    made.status["canary"]["weights"] = {
        "canary": {"weight": 20, "podTemplateHash": "5649d79497"},
        "stable": {"weight": 80, "podTemplateHash": "7498c94dc6"},
        "verified": False,
    }
    return made


@varied
def ten_percent_of_two_pods_without_surge() -> Variation:
    made = unmade("no-room", "")
    made.rollout["spec"]["replicas"] = 2
    made.canary |= {"maxSurge": 0, "maxUnavailable": 1}
    made.canary["steps"][0] = {"setWeight": 10}
    replicaset = made.replicaset("5649d79497")
    replicaset["spec"]["replicas"] = 0
    replicaset["status"].pop("conditions")
    return made


@varied
def a_step_of_analysis_lists_no_templates() -> Variation:
    made = starting("analysis-not-started", silent=400)
    for pod in made.pods("5649d79497"):
        for condition in pod["status"]["conditions"]:
            condition["status"] = "True"
    made.replicaset("5649d79497")["status"] |= {"readyReplicas": 1, "availableReplicas": 1}
    made.canary["steps"][1] = {"analysis": {}}
    made.status |= {"currentStepIndex": 1, "availableReplicas": 5}
    return made


def erring(cause: str, message: str) -> Variation:
    made = Variation(ABORTED, cause).namespaced("ledger", "finance-2")
    made.metric("freshness", "max(ledger_lag_seconds)", "result[0] < 60", [""] * 5, phase="Error", message=message)
    for measurement in made.run["status"]["metricResults"][0]["measurements"]:
        measurement.pop("value")
    return made


@varied
def a_secret_of_the_query_is_missing() -> Variation:
    return erring("missing-secret", 'secrets "ledger-token" not found')


@varied
def a_header_of_the_query_has_no_value() -> Variation:
    return erring("missing-argument", "failed to resolve {{args.tenant}}")


@varied
def a_provider_that_no_one_knows_fails() -> Variation:
    return erring("analysis-error", "no valid provider in metric 'freshness'")


@varied
def the_window_is_as_long_as_a_scrape() -> Variation:
    made = Variation(ABORTED, "window-too-short").namespaced("ledger", "finance-2")
    series = 'posts_total{namespace="finance-2",canary="true"}'
    made.metric("errors", f"sum(rate({series}[30s]))", "result[0] > 0", ["[]"])
    return made.asked(
        (f"count({series})", [3]), (f"max(count_over_time({series}[30s]))", [1]), (f"sum(increase({series}[30s]))", [])
    )


NOTHING = 'could not evaluate successCondition "result[0] < 0.02": metric result is nil or empty'


def without_data(cause: str, query: str, series: list[Json | str]) -> Variation:
    made = Variation(ABORTED, cause).namespaced("checkout", "shop")
    said = f"{NOTHING}: no data returned from the metric provider"
    made.metric("error-rate", query, "result[0] < 0.02", ["[]"] * 5, phase="Error", message=said)
    made.case["prometheus"] = {"series": series}
    return made


@varied
def no_request_has_failed() -> Variation:
    series = 'http_requests_total{namespace="shop",app="checkout",canary="%s",code="200"}'
    return without_data("nothing-to-count", SHARE, [series % "true", series % "false"])


@varied
def only_pods_of_stable_are_scraped() -> Variation:
    labels = {"namespace": "shop", "app": "checkout", "canary": "false"}
    series: Json = {"name": "http_requests_total", "labels": labels}
    return without_data("not-scraped", SHARE, [series, {**series, "labels": {**labels, "code": "500"}}])


@varied
def no_pod_has_the_label_of_the_canary() -> Variation:
    labels = {"__name__": "http_requests_total", "namespace": "shop", "app": "checkout"}
    return without_data("label-missing", SHARE, [{**labels, "pod": "checkout-5649d79497-a"}])


@varied
def requests_are_told_per_second() -> Variation:
    made = without_data("too-little-traffic", f"{SHARE} and on() ({COUNT} >= 100)", [])
    found: list[tuple[str, list[float]]] = [(f"count({REQUESTS})", [2]), (f"count({ERRORS})", [1])]
    found += [(f"max(count_over_time({REQUESTS}[2m]))", [8]), (f"sum(rate({REQUESTS}[2m]))", [0.1])]
    return made.asked(*found)


@varied
def the_controller_aborts_for_a_reason_of_its_own() -> Variation:
    made = Variation(BY_HAND, "aborted").namespaced("catalog", "store")
    why = "Rollout aborted update to revision 3: Step plugin 'acme/gate' failed: change window is closed"
    made.status["message"] = f"RolloutAborted: {why}"
    made.condition("Progressing")["message"] = why
    return made


@varied
def asked_for_the_stable_version_after_an_abort() -> Variation:
    made = Variation(BY_HAND, "spec-on-aborted-version").namespaced("catalog", "store").later(minutes=6)
    made.case["wanted"] = "v2"
    return made


def aborted_by_weight(cause: str, version: str, *, weight: int, minutes: float = 5, **canary: Any) -> Variation:
    """An abort with a router and a stable version that is scaled by weight."""
    made = Variation(BY_HAND, cause).namespaced("catalog", "store").later(minutes=minutes).controller(version)
    made.case["did"] = {"verb": "abort", "at": made.status["abortedAt"]}
    made.canary |= {"trafficRouting": {"nginx": {"stableIngress": "catalog"}}, "dynamicStableScale": True, **canary}
    made.status["canary"]["weights"] = {
        "canary": {"weight": weight, "podTemplateHash": "695d864bcd"},
        "stable": {"weight": 100 - weight, "podTemplateHash": "5649d79497"},
    }
    if weight:
        replicaset = made.replicaset("695d864bcd")
        replicaset["spec"]["replicas"] = 3
        replicaset["status"] |= {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3}
    return made


@varied
def weight_stays_on_an_aborted_canary_of_several_pods() -> Variation:
    return aborted_by_weight("abort-keeps-weight", "v1.9.0", weight=30, minPodsPerReplicaSet=3)


@varied
def weight_stays_on_an_aborted_canary_with_a_delay() -> Variation:
    return aborted_by_weight("abort-keeps-weight", "v1.9.1", weight=60, abortScaleDownDelaySeconds=30)


@varied
def weight_goes_back_since_a_moment() -> Variation:
    return aborted_by_weight("aborted-by-a-person", "v1.9.0", weight=30, minutes=0, minPodsPerReplicaSet=3)


@varied
def weight_is_back_after_an_abort() -> Variation:
    return aborted_by_weight("aborted-by-a-person", "v1.9.0", weight=0, minPodsPerReplicaSet=3)


@varied
def a_controller_without_this_defect_keeps_the_weight() -> Variation:
    return aborted_by_weight("abort-keeps-weight", "v1.8.3", weight=30)


@varied
def a_retry_is_ended_by_the_run_before_it() -> Variation:
    made = checkout("[0.4]", "old-run-decides")
    made.controller("v1.7.2")
    made.case.pop("prometheus")
    at = made.ago(3600)
    run = made.run
    run["metadata"]["creationTimestamp"] = at
    run["status"] |= {"startedAt": at, "completedAt": at}
    for measurement in run["status"]["metricResults"][0]["measurements"]:
        measurement |= {"startedAt": at, "finishedAt": at}
    made.replicaset(made.status["currentPodHash"])["metadata"]["creationTimestamp"] = made.ago(3700)
    made.case["did"] = {"verb": "retry", "at": made.ago(30)}
    made.status["abortedAt"] = made.ago(28)
    return made


@varied
def more_pods_are_counted_than_there_are() -> Variation:
    made = starting("stale-replica-count", silent=700, version="v1.6.6")
    for pod in made.pods("5649d79497"):
        for condition in pod["status"]["conditions"]:
            condition["status"] = "True"
    for hash_ in ("5649d79497", "7498c94dc6"):
        made.objects = [o for o in made.objects if o not in made.pods(hash_)[5:]]
    made.replicaset("5649d79497")["status"] |= {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    made.status |= {"replicas": 6, "availableReplicas": 5, "readyReplicas": 5}
    made.status["message"] = "old replicas are pending termination"
    return made


def unscheduled(cause: str, *events: tuple[str, str], healthy: bool = False) -> Variation:
    """No node has room for the canary's pod; these events are about it, the newest last."""
    made = starting(cause, silent=90, healthy=healthy)
    (pod,) = made.pods("5649d79497")
    message = "0/9 nodes are available: 9 Insufficient cpu."
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pod["status"]["conditions"] = [{**told, "lastTransitionTime": made.ago(85)}]
    pod["status"].pop("containerStatuses")
    pod["metadata"]["creationTimestamp"] = made.ago(85)
    for n, (reason, text) in enumerate(events):
        made.event("Pod", pod["metadata"]["name"], reason, text, ago=80 - 10 * n)
    return made


_SCALES = ("TriggeredScaleUp", "pod triggered scale-up: [{workers-a 3->4 (max: 9)}]")
_NOT = ("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached")


@varied
def a_node_is_nominated_by_karpenter() -> Variation:
    return unscheduled("in-progress", ("Nominated", "Pod should schedule on: nodeclaim/general-7xk2p"), healthy=True)


@varied
def the_autoscaler_adds_a_node_after_it_could_not() -> Variation:
    return unscheduled("in-progress", _NOT, _SCALES, healthy=True)


@varied
def the_autoscaler_has_no_node_to_add() -> Variation:
    return unscheduled("unschedulable", _SCALES, _NOT)


def on_the_router(cause: str, *, weight: int, seconds: float, healthy: bool = False) -> Variation:
    """A step of 20 % has been passed, its pods are there, and nginx has this weight; the pause began so long ago."""
    made = paused(cause, healthy=healthy).later(seconds=seconds)
    made.canary["trafficRouting"] = {"nginx": {"stableIngress": "catalog"}}
    made.canary |= {"canaryService": "catalog-canary", "stableService": "catalog-stable"}
    made.status["canary"]["weights"] = {
        "canary": {"weight": weight, "podTemplateHash": "5649d79497", "serviceName": "catalog-canary"},
        "stable": {"weight": 100 - weight, "podTemplateHash": "7498c94dc6", "serviceName": "catalog-stable"},
    }
    return made


@varied
def the_weight_waits_for_a_pod_of_stable() -> Variation:
    # rollout/trafficrouting.go: no weight is set while stable has too few available pods for its part
    made = on_the_router("weight-not-reached", weight=0, seconds=400)
    stable = made.replicaset("7498c94dc6")
    stable["status"] |= {"availableReplicas": stable["spec"]["replicas"] - 1}
    return made


@varied
def the_weight_is_the_one_of_the_step() -> Variation:
    return on_the_router("waiting-for-a-person", weight=20, seconds=400, healthy=True)


@varied
def the_weight_was_asked_for_a_moment_ago() -> Variation:
    return on_the_router("waiting-for-a-person", weight=0, seconds=5, healthy=True)


@varied
def the_weight_of_a_router_with_finer_parts() -> Variation:
    made = on_the_router("waiting-for-a-person", weight=20, seconds=400, healthy=True)
    made.canary["trafficRouting"]["maxTrafficWeight"] = 1000
    made.status["canary"]["weights"]["stable"]["weight"] = 980
    return made


def on_few_pods(
    cause: str, *, replicas: int, weight: int, canary: int, stable: int, healthy: bool = False
) -> Variation:
    """Without a router, and without a pod more than `replicas`: so many pods of each are there for that weight."""
    made = paused(cause, healthy=healthy).later(seconds=400)
    made.rollout["spec"]["replicas"] = replicas
    made.canary |= {"maxSurge": 0, "maxUnavailable": 1}
    made.canary["steps"][0] = {"setWeight": weight}
    for hash_, count in (("5649d79497", canary), ("7498c94dc6", stable)):
        replicaset = made.replicaset(hash_)
        replicaset["spec"]["replicas"] = count
        counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas"), count)
        replicaset["status"] |= counts
        kept = made.pods(hash_)[:count]
        made.objects = [o for o in made.objects if o in kept or o not in made.pods(hash_)]
    made.status |= {"replicas": canary + stable, "updatedReplicas": canary, "availableReplicas": canary + stable}
    made.status["readyReplicas"] = canary + stable
    return made


@varied
def half_of_one_pod_is_all_of_it() -> Variation:
    return on_few_pods("weight-rounded", replicas=1, weight=50, canary=1, stable=0)


@varied
def a_tenth_of_one_pod_is_none_of_it() -> Variation:
    return on_few_pods("weight-rounded", replicas=1, weight=10, canary=0, stable=1)


@varied
def a_tenth_of_two_pods_is_half_of_them() -> Variation:
    return on_few_pods("waiting-for-a-person", replicas=2, weight=10, canary=1, stable=1, healthy=True)


@varied
def a_step_of_nothing_has_no_pod() -> Variation:
    return on_few_pods("waiting-for-a-person", replicas=2, weight=0, canary=0, stable=2, healthy=True)


@varied
def lease_of_before_the_controller_had_an_instance_id() -> Variation:
    made = paused("in-progress", healthy=True).controller("v1.10.0", renewed=3 * 86400)
    deployment = next(o for o in made.objects if o["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["args"].append("--instance-id=team-a")
    made.rollout["metadata"].setdefault("labels", {})["argo-rollouts.argoproj.io/controller-instance-id"] = "team-a"
    made.rollout["metadata"]["generation"] = int(made.rollout["metadata"]["generation"]) + 1
    made.case["did"] = {"verb": "deploy", "at": made.ago(4)}
    made.rollout["metadata"]["managedFields"] = [{"manager": "canary", "operation": "Update", "time": made.ago(4)}]
    return made


@varied
def scaled_a_moment_ago_after_an_abort() -> Variation:
    made = Variation(BY_HAND, "aborted-by-a-person")
    made.case["says"] = "was aborted"
    made.rollout["metadata"]["generation"] = int(made.rollout["metadata"]["generation"]) + 1
    made.rollout["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Update", "time": made.ago(2)}]
    return made


def templates_of(made: Variation, **uses: list[str]) -> Variation:
    """AnalysisTemplates by name, each with those that it uses; the Rollout's analysis uses the first."""
    where = made.rollout["metadata"]["namespace"]
    for name, inner in uses.items():
        metric = {"name": "errors", "successCondition": "result[0] < 0.05"}
        metric["provider"] = {"prometheus": {"address": "http://prometheus:9090", "query": "vector(0)"}}  # type: ignore[assignment]
        spec = {"metrics": [metric], "templates": [{"templateName": n} for n in inner]}
        made.objects.append(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AnalysisTemplate",
                "metadata": {"name": name, "namespace": where},
                "spec": spec,
            }
        )
    made.canary["steps"].insert(1, {"analysis": {"templates": [{"templateName": next(iter(uses))}]}})
    return made


def crashed(cause: str) -> Variation:
    """A change was sent two minutes ago, and the controller's one pod crashes."""
    made = paused(cause).controller("v1.9.1", renewed=110)
    made.rollout["metadata"]["generation"] = int(made.rollout["metadata"]["generation"]) + 1
    made.case["did"] = {"verb": "deploy", "at": made.ago(120)}
    writer = {"manager": "canary", "operation": "Update", "time": made.ago(120)}
    made.rollout["metadata"]["managedFields"] = [writer]
    deployment = next(o for o in made.objects if o["kind"] == "Deployment")
    deployment["status"] = {"replicas": 1, "unavailableReplicas": 1, "availableReplicas": 0}
    return made


@varied
def two_templates_use_each_other() -> Variation:
    return templates_of(crashed("template-cycle"), errors=["latency"], latency=["errors"])


@varied
def two_templates_of_the_cluster_use_each_other() -> Variation:
    made = two_templates_use_each_other()
    named = made.canary["steps"][1]["analysis"]["templates"]
    for template in (o for o in made.objects if o["kind"] == "AnalysisTemplate"):
        template["kind"] = "ClusterAnalysisTemplate"
        del template["metadata"]["namespace"]
        named += template["spec"]["templates"]
    for ref in named:
        ref["clusterScope"] = True
    del named[1:]
    return made


@varied
def a_template_uses_itself_two_levels_below() -> Variation:
    return templates_of(crashed("template-cycle"), all=["errors"], errors=["latency"], latency=["errors"])


@varied
def templates_that_use_one_another_in_one_direction() -> Variation:
    return templates_of(crashed("controller-not-running"), all=["errors", "latency"], errors=["latency"], latency=[])


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CASES
    for name, make in VARIED.items():
        make().write(name, root)
    return 0


class _Text(yaml.SafeLoader):
    """Times stay the text that they are in JSON."""


_Text.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
