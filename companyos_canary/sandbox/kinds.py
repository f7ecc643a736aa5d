"""The kinds that the sandbox serves."""

from msgspec import Struct


class Kind(Struct, frozen=True, eq=False):
    """There is one value of each. `subresources` are those with isolation rules: `status`, `scale`."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`rollouts.argoproj.io`, `pods`: as error messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_custom(self) -> bool:
        """Whether a CRD makes it; the others are built in."""
        return "." in self.group and not self.group.endswith(".k8s.io")

    @property
    def counts_generations(self) -> bool:
        """The kinds of the core group have no metadata.generation."""
        return bool(self.group)


_ARGO = ("argoproj.io", "v1alpha1")

ROLLOUT = Kind(*_ARGO, "Rollout", "rollouts", "rollout", ("ro",), subresources=("status", "scale"))
ANALYSISRUN = Kind(*_ARGO, "AnalysisRun", "analysisruns", "analysisrun", ("ar",))
ANALYSISTEMPLATE = Kind(*_ARGO, "AnalysisTemplate", "analysistemplates", "analysistemplate", ("at",))
CLUSTERANALYSISTEMPLATE = Kind(
    *_ARGO, "ClusterAnalysisTemplate", "clusteranalysistemplates", "clusteranalysistemplate", ("cat",), namespaced=False
)
EXPERIMENT = Kind(*_ARGO, "Experiment", "experiments", "experiment", ("exp",))
REPLICASET = Kind(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    "replicaset",
    ("rs",),
    subresources=("status", "scale"),
    categories=("all",),
)
DEPLOYMENT = Kind(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    "deployment",
    ("deploy",),
    subresources=("status", "scale"),
    categories=("all",),
)
POD = Kind("", "v1", "Pod", "pods", "pod", ("po",), subresources=("status",), categories=("all",))
SERVICE = Kind("", "v1", "Service", "services", "service", ("svc",), subresources=("status",), categories=("all",))
EVENT = Kind("", "v1", "Event", "events", "event", ("ev",))
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", "namespace", ("ns",), namespaced=False, subresources=("status",))
CONFIGMAP = Kind("", "v1", "ConfigMap", "configmaps", "configmap", ("cm",))
SECRET = Kind("", "v1", "Secret", "secrets", "secret")
SERVICEACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", ("sa",))
CRD = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    "customresourcedefinition",
    ("crd", "crds"),
    namespaced=False,
    subresources=("status",),
)
# Kept, and nothing in the sandbox acts on them: a real Rollouts controller asks for them when it
# starts, and `canary apply` asks whether an autoscaler decides about the replicas.
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases", "lease")
INGRESS = Kind("networking.k8s.io", "v1", "Ingress", "ingresses", "ingress", ("ing",), subresources=("status",))
INGRESSCLASS = Kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", "ingressclass", namespaced=False)
AUTOSCALER = Kind(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "horizontalpodautoscaler",
    ("hpa",),
    subresources=("status",),
    categories=("all",),
)
JOB = Kind("batch", "v1", "Job", "jobs", "job", subresources=("status",), categories=("all",))
STATEFULSET = Kind(
    "apps",
    "v1",
    "StatefulSet",
    "statefulsets",
    "statefulset",
    ("sts",),
    subresources=("status", "scale"),
    categories=("all",),
)
DAEMONSET = Kind(
    "apps", "v1", "DaemonSet", "daemonsets", "daemonset", ("ds",), subresources=("status",), categories=("all",)
)
CONTROLLERREVISION = Kind("apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision")
PODTEMPLATE = Kind("", "v1", "PodTemplate", "podtemplates", "podtemplate")
_RBAC = ("rbac.authorization.k8s.io", "v1")
ROLE = Kind(*_RBAC, "Role", "roles", "role")
ROLEBINDING = Kind(*_RBAC, "RoleBinding", "rolebindings", "rolebinding")
CLUSTERROLE = Kind(*_RBAC, "ClusterRole", "clusterroles", "clusterrole", namespaced=False)
CLUSTERROLEBINDING = Kind(*_RBAC, "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", namespaced=False)
ENDPOINTS = Kind("", "v1", "Endpoints", "endpoints", "endpoints", ("ep",))
NODE = Kind("", "v1", "Node", "nodes", "node", ("no",), namespaced=False, subresources=("status",))


def _route(group: str, versions: str, kind: str, plural: str, *short_names: str) -> tuple[Kind, ...]:
    """One kind for each version: an object is seen in the version that it was written in."""
    return tuple(Kind(group, v, kind, plural, kind.lower(), short_names) for v in versions.split())


# What traffic routers are configured by: the controller writes weights and hashes into these objects, and
# nothing else in the sandbox acts on them.
VIRTUALSERVICES = _route("networking.istio.io", "v1 v1beta1 v1alpha3", "VirtualService", "virtualservices", "vs")
DESTINATIONRULES = _route("networking.istio.io", "v1 v1beta1 v1alpha3", "DestinationRule", "destinationrules", "dr")
_GATEWAY = "gateway.networking.k8s.io"
HTTPROUTES = _route(_GATEWAY, "v1 v1beta1", "HTTPRoute", "httproutes")
GRPCROUTES = _route(_GATEWAY, "v1", "GRPCRoute", "grpcroutes")
TCPROUTES = _route(_GATEWAY, "v1alpha2", "TCPRoute", "tcproutes")
TLSROUTES = _route(_GATEWAY, "v1alpha2", "TLSRoute", "tlsroutes")
TRAEFIKSERVICES = (
    *_route("traefik.io", "v1alpha1", "TraefikService", "traefikservices"),
    *_route("traefik.containo.us", "v1alpha1", "TraefikService", "traefikservices"),
)
TRAFFICSPLITS = _route("split.smi-spec.io", "v1alpha1 v1alpha2 v1alpha3", "TrafficSplit", "trafficsplits", "ts")
APISIXROUTES = _route("apisix.apache.org", "v2", "ApisixRoute", "apisixroutes")
MAPPINGS = (
    *_route("getambassador.io", "v2", "Mapping", "mappings"),
    *_route("x.getambassador.io", "v3alpha1", "AmbassadorMapping", "ambassadormappings"),
)
_APPMESH = "appmesh.k8s.aws"
MESHSERVICES = _route(_APPMESH, "v1beta2", "VirtualService", "virtualservices")
MESHROUTERS = _route(_APPMESH, "v1beta2", "VirtualRouter", "virtualrouters")
MESHNODES = _route(_APPMESH, "v1beta2", "VirtualNode", "virtualnodes")

ROUTES = (
    *VIRTUALSERVICES,
    *DESTINATIONRULES,
    *HTTPROUTES,
    *GRPCROUTES,
    *TCPROUTES,
    *TLSROUTES,
    *TRAEFIKSERVICES,
    *TRAFFICSPLITS,
    *APISIXROUTES,
    *MAPPINGS,
    *MESHSERVICES,
    *MESHROUTERS,
    *MESHNODES,
)

KINDS: tuple[Kind, ...] = (
    NAMESPACE,
    POD,
    SERVICE,
    EVENT,
    CONFIGMAP,
    SECRET,
    SERVICEACCOUNT,
    DEPLOYMENT,
    REPLICASET,
    ROLLOUT,
    ANALYSISRUN,
    ANALYSISTEMPLATE,
    CLUSTERANALYSISTEMPLATE,
    EXPERIMENT,
    CRD,
    LEASE,
    INGRESS,
    INGRESSCLASS,
    AUTOSCALER,
    JOB,
    STATEFULSET,
    DAEMONSET,
    CONTROLLERREVISION,
    PODTEMPLATE,
    ENDPOINTS,
    NODE,
    ROLE,
    ROLEBINDING,
    CLUSTERROLE,
    CLUSTERROLEBINDING,
    *ROUTES,
)
#: Kinds that are there as long as their CustomResourceDefinition is.
DEFINED = frozenset({kind for kind in KINDS if kind.group == _ARGO[0]} | set(ROUTES))
