"""Kinds and the paths where an API server keeps them; what belongs to one Rollout, how to ask for it, and the Snapshot
made of the answers. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, structs

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import Experiment
from companyos_canary.model.http import Json, Request
from companyos_canary.model.image import HASH_LABEL, containers_of
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, Pod, ReplicaSet

ARGO = "argoproj.io/v1alpha1"


class Kind(Struct, frozen=True):
    """One kind as the API server names it; `api_version` is `v1` or `group/version`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True


ROLLOUT = Kind(ARGO, "Rollout", "rollouts")
ANALYSISRUN = Kind(ARGO, "AnalysisRun", "analysisruns")
ANALYSISTEMPLATE = Kind(ARGO, "AnalysisTemplate", "analysistemplates")
CLUSTERANALYSISTEMPLATE = Kind(ARGO, "ClusterAnalysisTemplate", "clusteranalysistemplates", namespaced=False)
EXPERIMENT = Kind(ARGO, "Experiment", "experiments")
REPLICASET = Kind("apps/v1", "ReplicaSet", "replicasets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SERVICE = Kind("v1", "Service", "services")
CONFIGMAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
CLUSTERROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

KNOWN: tuple[Kind, ...] = (
    ROLLOUT,
    ANALYSISRUN,
    REPLICASET,
    DEPLOYMENT,
    POD,
    EVENT,
    ANALYSISTEMPLATE,
    CLUSTERANALYSISTEMPLATE,
    EXPERIMENT,
    SERVICE,
    CONFIGMAP,
    SECRET,
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    NAMESPACE,
    Kind("apps/v1", "StatefulSet", "statefulsets"),
    AUTOSCALER,
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
    Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    Kind("networking.istio.io/v1", "VirtualService", "virtualservices"),
    Kind("traefik.io/v1alpha1", "TraefikService", "traefikservices"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
    Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
    CLUSTERROLE,
    Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False),
)


class Target(Struct, frozen=True):
    """What a path points at; fields that the path does not have are empty."""

    group: str = ""
    version: str = ""
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """`rollouts.argoproj.io`, `pods/log`: as `kubectl auth can-i` takes it."""
        full = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{full}/{self.subresource}" if self.subresource else full

    @property
    def kind(self) -> str:
        """`Rollout`; the plural where the kind is not one we know."""
        return next((k.kind for k in KNOWN if k.plural == self.plural), self.plural)


def known(api_version: str, kind: str) -> Kind | None:
    """The kind that an object's apiVersion and kind name, if it is one we know. Other versions of
    a group's kinds have the same plural."""
    group = api_version.rpartition("/")[0]
    for k in KNOWN:
        if k.kind == kind and k.api_version.rpartition("/")[0] == group:
            return Kind(api_version, kind, k.plural, k.namespaced)
    return None


def path_of(api_version: str, plural: str, namespace: str, name: str = "", sub: str = "") -> str:
    """The path of a collection, an object or its subresource; `namespace` is empty for kinds
    without one and for lists over all namespaces."""
    parts = ["/apis" if "/" in api_version else "/api", api_version]
    if namespace:
        parts += ["namespaces", namespace]
    return "/".join([*parts, plural, *filter(None, (name, sub))])


def path_target(path: str) -> Target:
    """The parts of an API path; everything empty for a path of another form."""
    parts = [p for p in path.split("/") if p]
    group = ""
    if parts[:1] == ["apis"] and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    elif parts[:1] == ["api"] and len(parts) >= 2:
        version, rest = parts[1], parts[2:]
    else:
        return Target()
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) >= 3:
        namespace, rest = rest[1], rest[2:]
    plural, name, *sub = [*rest, "", ""][: max(2, len(rest))]
    return Target(group, version, namespace, plural, name, "/".join(sub))


_EPOCH = datetime.fromtimestamp(0, UTC)
_OPERATORS = {"In": "in", "NotIn": "notin"}


class Selection(Struct, frozen=True):
    """Some objects of one kind in one namespace (all namespaces for an empty one)."""

    kind: Kind
    namespace: str
    labels: str = ""
    fields: str = ""

    def request(self, *more: tuple[str, str], timeout: float = 30.0) -> Request:
        """The list request, or with `more` the watch request."""
        selectors = (("labelSelector", self.labels), ("fieldSelector", self.fields))
        query = tuple(pair for pair in selectors if pair[1])
        path = path_of(self.kind.api_version, self.kind.plural, self.namespace)
        return Request("GET", path, (*query, *more), timeout=timeout)


def rollout_named(namespace: str, name: str) -> Selection:
    return Selection(ROLLOUT, namespace, fields=f"metadata.name={name}")


def workload_of(rollout: Rollout) -> Selection | None:
    """The Deployment that a Rollout with a workloadRef takes its template from."""
    ref = rollout.workload_ref
    if not ref or ref.get("kind") != DEPLOYMENT.kind:
        return None
    return Selection(DEPLOYMENT, rollout.namespace, fields=f"metadata.name={ref.get('name', '')}")


def with_workload(rollout: Rollout, deployment: Mapping[str, Any] | None) -> Rollout:
    """The Rollout with the pod template and the generation of its Deployment, and with its selector
    where it has none (upstream rollout/controller.go: the reference is resolved in memory)."""
    if not deployment or not rollout.workload_ref:
        return rollout
    spec = deployment.get("spec") or {}
    return structs.replace(
        rollout,
        selector=rollout.selector or spec.get("selector") or {},
        containers=containers_of((spec.get("template") or {}).get("spec") or {}),
        template=spec.get("template") or {},
        template_meta=deployment.get("metadata") or {},
        workload_generation=(deployment.get("metadata") or {}).get("generation", 1),
    )


def parts(rollout: Rollout, *, events: bool = True) -> tuple[Selection, ...]:
    """ReplicaSets, Pods, AnalysisRuns and Events of a Rollout whose selector is known, and Experiments where it has
    steps of that kind. Runs carry the matchLabels (upstream utils/analysis/helpers.go), not what matchExpressions
    would want; those of an experiment carry none of them."""
    namespace = rollout.namespace
    labels = selector_text(rollout.selector) or HASH_LABEL
    run_labels = selector_text({"matchLabels": rollout.selector.get("matchLabels")}) or HASH_LABEL
    experiments = [step.raw["experiment"] for step in rollout.steps if step.kind == "experiment"]
    if any(e.get("analyses") for e in experiments):
        run_labels = ""
    found: tuple[Selection, ...] = (
        Selection(REPLICASET, namespace, labels),
        Selection(POD, namespace, labels),
        Selection(ANALYSISRUN, namespace, run_labels),
    )
    if experiments:
        found = (*found, Selection(EXPERIMENT, namespace))
    return (*found, events_about(namespace, ROLLOUT.kind, rollout.name)) if events else found


def events_about(namespace: str, kind: str, name: str) -> Selection:
    """The events whose involvedObject is this one."""
    fields = f"involvedObject.kind={kind},involvedObject.name={name}"
    return Selection(EVENT, namespace, fields=fields)


def selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as a query takes it: `app=api,tier in (a,b),!old`."""
    terms = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for e in selector.get("matchExpressions") or []:
        key, operator, values = e.get("key", ""), e.get("operator"), e.get("values") or []
        if operator in _OPERATORS:
            terms.append(f"{key} {_OPERATORS[operator]} ({','.join(values)})")
        elif operator == "Exists":
            terms.append(key)
        elif operator == "DoesNotExist":
            terms.append(f"!{key}")
    return ",".join(terms)


def assemble(
    rollout: Rollout,
    objects: Callable[[Kind], Iterable[Json]],
    *,
    notes: tuple[str, ...] = (),
    stale_since: datetime | None = None,
    forbidden: tuple[tuple[str, str], ...] = (),
) -> Snapshot:
    """The Snapshot of a Rollout from the objects of each kind; those that only share its labels
    are left out by their owner."""
    raw = {kind: list(objects(kind)) for kind in (REPLICASET, POD, ANALYSISRUN, EVENT)}
    sets = [ReplicaSet.from_object(o) for o in raw[REPLICASET]]
    sets = [r for r in sets if r.owner_uid == rollout.uid]
    uids = {r.uid for r in sets}
    pods = [Pod.from_object(o) for o in raw[POD]]
    runs = [AnalysisRun.from_object(o) for o in raw[ANALYSISRUN]]
    events = [Event.from_object(o) for o in raw[EVENT] if _about(o, rollout.uid)]
    raw_experiments = list(objects(EXPERIMENT))
    found = [Experiment.from_object(o) for o in raw_experiments]
    newest = {str(o["metadata"].get("uid")) for o in raw_experiments if _of_newest(o, rollout)}
    experiment = next((e for e in found if e.name == rollout.experiment), None)
    compared = {a.run for a in experiment.analyses} if experiment else set()
    return Snapshot(
        rollout=rollout,
        replicasets=tuple(sorted(sets, key=lambda r: (-r.revision, r.name))),
        pods=tuple(sorted((p for p in pods if p.owner_uid in uids), key=_by_age)),
        runs=tuple(sorted((r for r in runs if r.owner_uid == rollout.uid), key=_by_age)),
        events=tuple(sorted(events, key=lambda e: e.at or _EPOCH)),
        stale_since=stale_since,
        notes=notes,
        forbidden=forbidden,
        experiment=experiment,
        experiment_runs=tuple(sorted((r for r in runs if r.name in compared), key=_by_age)),
        compared=tuple(sorted((r for r in runs if r.owner_uid in newest), key=_by_age)),
        objects={**{kind.kind: found for kind, found in raw.items()}, EXPERIMENT.kind: raw_experiments},
    )


def _of_newest(experiment: Json, rollout: Rollout) -> bool:
    """Whether an Experiment is one of the Rollout's newest revision (upstream rollout/experiment.go: its label)."""
    meta = experiment["metadata"]
    owners = (owner.get("uid") for owner in meta.get("ownerReferences") or ())
    return rollout.uid in owners and (meta.get("labels") or {}).get(HASH_LABEL) == rollout.current_hash


def _by_age(found: Pod | AnalysisRun) -> tuple[datetime, str]:
    return found.created_at or _EPOCH, found.name


def _about(event: Json, uid: str) -> bool:
    """Not about an earlier object of the same name."""
    return (event.get("involvedObject") or {}).get("uid", uid) in (uid, "")
