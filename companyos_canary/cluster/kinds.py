"""Kinds, their plurals, and the paths where an API server keeps them."""

from dataclasses import dataclass

ARGO = "argoproj.io/v1alpha1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind as the API server names it; `api_version` is `v1` or `group/version`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True


ROLLOUT = Kind(ARGO, "Rollout", "rollouts")
ANALYSISRUN = Kind(ARGO, "AnalysisRun", "analysisruns")
REPLICASET = Kind("apps/v1", "ReplicaSet", "replicasets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")

KNOWN: tuple[Kind, ...] = (
    ROLLOUT,
    ANALYSISRUN,
    REPLICASET,
    DEPLOYMENT,
    POD,
    EVENT,
    Kind(ARGO, "AnalysisTemplate", "analysistemplates"),
    Kind(ARGO, "ClusterAnalysisTemplate", "clusteranalysistemplates", namespaced=False),
    Kind(ARGO, "Experiment", "experiments"),
    Kind("v1", "Service", "services"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("apps/v1", "StatefulSet", "statefulsets"),
    AUTOSCALER,
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
    Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
    Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a path points at; fields that the path does not have are empty."""

    group: str
    version: str
    namespace: str
    plural: str
    name: str
    subresource: str

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


def namespaced(plural: str) -> bool:
    """False for the kinds we know to be of the whole cluster."""
    return all(k.namespaced for k in KNOWN if k.plural == plural)


def path_of(api_version: str, plural: str, namespace: str, name: str = "", sub: str = "") -> str:
    """The path of a collection, an object or its subresource; `namespace` is empty for kinds
    without one and for lists over all namespaces."""
    parts = ["/apis" if "/" in api_version else "/api", api_version]
    if namespace:
        parts += ["namespaces", namespace]
    return "/".join([*parts, plural, *filter(None, (name, sub))])


def target_of(path: str) -> Target:
    """The parts of an API path; everything empty for a path of another form."""
    parts = [p for p in path.split("/") if p]
    group = ""
    if parts[:1] == ["apis"] and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    elif parts[:1] == ["api"] and len(parts) >= 2:
        version, rest = parts[1], parts[2:]
    else:
        return Target("", "", "", "", "", "")
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) >= 3:
        namespace, rest = rest[1], rest[2:]
    plural, name, *sub = [*rest, "", ""][: max(2, len(rest))]
    return Target(group, version, namespace, plural, name, "/".join(sub))
