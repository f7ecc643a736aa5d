"""What the fields that we read may hold. Objects of the API may hold anything: a CRD without a schema,
another release, a proxy, somebody's hand. A field with something else in it counts as absent.

A shape is a type, a tuple of types, `[shape]` for a list, or a mapping of names to shapes; `...`
is the shape of every other name. What no shape names is left as it is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Shape = Any
_TEXTS = {...: str}
_META = {
    "name": str,
    "namespace": str,
    "uid": str,
    "generation": int,
    "resourceVersion": str,
    "creationTimestamp": str,
    "deletionTimestamp": str,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "ownerReferences": [{"uid": str, "controller": bool, "kind": str, "name": str, "apiVersion": str}],
    "managedFields": [{"manager": str, "operation": str, "subresource": str, "time": str, "fieldsV1": dict}],
}
_SELECTOR = {"matchLabels": _TEXTS, "matchExpressions": [{"key": str, "operator": str, "values": [str]}]}
_REFERENCE = {"name": str, "key": str}
_CONTAINER = {
    "name": str,
    "image": str,
    "restartPolicy": str,
    "ports": [{"name": str, "containerPort": int, "protocol": str}],
    "env": [{"name": str, "value": str, "valueFrom": {...: _REFERENCE}}],
    "envFrom": [{"prefix": str, "configMapRef": _REFERENCE, "secretRef": _REFERENCE}],
    "resources": {"requests": {...: (str, int, float)}, "limits": {...: (str, int, float)}},
    **dict.fromkeys(("readinessProbe", "livenessProbe", "startupProbe", "lifecycle", "securityContext"), dict),
    "volumeMounts": [{"name": str, "mountPath": str}],
}
_POD_SPEC = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": [{"name": str, "configMap": {...: object}, "secret": {...: object}}],
    "nodeName": str,
    "nodeSelector": _TEXTS,
    "readinessGates": [{"conditionType": str}],
    "serviceAccountName": str,
    "affinity": dict,
    "tolerations": [dict],
}
_TEMPLATE = {"metadata": _META, "spec": _POD_SPEC}
_ARGUMENT = {
    "name": str,
    "value": (str, int, float, bool),
    "valueFrom": {"secretKeyRef": _REFERENCE, "fieldRef": {"fieldPath": str}, "podTemplateHashValue": str},
}
_ANALYSIS = {
    "templates": [{"templateName": str, "clusterScope": bool}],
    "args": [_ARGUMENT],
    "startingStep": int,
    "dryRun": [{"metricName": str}],
    "measurementRetention": [{"metricName": str, "limit": int}],
}
_MATCH = [{"headerName": str, "headerValue": _TEXTS}]
_STEP = {
    "setWeight": int,
    "pause": {"duration": (int, str)},
    "analysis": _ANALYSIS,
    "experiment": {
        "duration": str,
        "templates": [{"name": str, "specRef": str, "weight": int, "replicas": int, "selector": _SELECTOR}],
        "analyses": [{"name": str, "templateName": str, "clusterScope": bool, "args": [_ARGUMENT]}],
    },
    "setCanaryScale": {"weight": int, "replicas": int, "matchTrafficWeight": bool},
    "setHeaderRoute": {"name": str, "match": _MATCH},
    "setMirrorRoute": {"name": str, "percentage": int, "match": [dict]},
    "plugin": {"name": str},
}
_ROLE = {"labels": _TEXTS, "annotations": _TEXTS}
_ROUTING = {
    "maxTrafficWeight": int,
    "managedRoutes": [{"name": str}],
    "plugins": dict,
    "nginx": {
        "stableIngress": str,
        "stableIngresses": [str],
        "annotationPrefix": str,
        "additionalIngressAnnotations": _TEXTS,
    },
    "istio": {
        "virtualService": {"name": str, "routes": [str]},
        "virtualServices": [{"name": str, "routes": [str]}],
        "destinationRule": {"name": str, "canarySubsetName": str, "stableSubsetName": str},
    },
    "alb": {"ingress": str, "ingresses": [str], "rootService": str, "servicePort": int},
    ...: dict,
}
_COUNT = (int, str)
_CANARY = {
    "steps": [_STEP],
    "maxSurge": _COUNT,
    "maxUnavailable": _COUNT,
    "trafficRouting": _ROUTING,
    "canaryService": str,
    "stableService": str,
    "canaryMetadata": _ROLE,
    "stableMetadata": _ROLE,
    "analysis": _ANALYSIS,
    "abortScaleDownDelaySeconds": int,
    "scaleDownDelaySeconds": int,
    "scaleDownDelayRevisionLimit": int,
    "minPodsPerReplicaSet": int,
    "dynamicStableScale": bool,
    "pingPong": {"pingService": str, "pongService": str},
}
_BLUE_GREEN = {
    "activeService": str,
    "previewService": str,
    "autoPromotionEnabled": bool,
    "autoPromotionSeconds": int,
    "previewReplicaCount": int,
    "scaleDownDelaySeconds": int,
    "scaleDownDelayRevisionLimit": int,
    "abortScaleDownDelaySeconds": int,
    "prePromotionAnalysis": _ANALYSIS,
    "postPromotionAnalysis": _ANALYSIS,
    "maxUnavailable": _COUNT,
    "activeMetadata": _ROLE,
    "previewMetadata": _ROLE,
}
_RUN = {"name": str, "status": str, "message": str}
_CONDITION = {
    "type": str,
    "status": str,
    "reason": str,
    "message": str,
    "lastUpdateTime": str,
    "lastTransitionTime": str,
}
_WEIGHT = {"weight": int, "podTemplateHash": str, "serviceName": str}
_ROLLOUT = {
    "metadata": _META,
    "spec": {
        "replicas": int,
        "paused": bool,
        "selector": _SELECTOR,
        "template": _TEMPLATE,
        "workloadRef": {"kind": str, "name": str, "apiVersion": str, "scaleDown": str},
        "strategy": {"canary": _CANARY, "blueGreen": _BLUE_GREEN},
        "restartAt": str,
        "progressDeadlineSeconds": int,
        "progressDeadlineAbort": bool,
        "minReadySeconds": int,
        "revisionHistoryLimit": int,
        "rollbackWindow": {"revisions": int},
        "analysis": {"successfulRunHistoryLimit": int, "unsuccessfulRunHistoryLimit": int},
    },
    "status": {
        **dict.fromkeys(("phase", "message", "currentPodHash", "stableRS", "currentStepHash", "selector"), str),
        **dict.fromkeys(("abortedAt", "restartedAt"), str),
        **dict.fromkeys(("abort", "promoteFull", "controllerPause"), bool),
        **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas"), int),
        "currentStepIndex": int,
        "observedGeneration": (str, int),
        "workloadObservedGeneration": (str, int),
        "collisionCount": int,
        "pauseConditions": [{"reason": str, "startTime": str}],
        "conditions": [_CONDITION],
        "duration": {"rolloutStartedAt": str},
        "canary": {
            "currentStepAnalysisRunStatus": _RUN,
            "currentBackgroundAnalysisRunStatus": _RUN,
            "currentExperiment": str,
            "stablePingPong": str,
            "weights": {"canary": _WEIGHT, "stable": _WEIGHT, "additional": [_WEIGHT], "verified": bool},
        },
        "blueGreen": {
            "activeSelector": str,
            "previewSelector": str,
            "scaleUpPreviewCheckPoint": bool,
            "prePromotionAnalysisRunStatus": _RUN,
            "postPromotionAnalysisRunStatus": _RUN,
        },
    },
}
_STATE = {
    "waiting": {"reason": str, "message": str},
    "running": {"startedAt": str},
    "terminated": {"reason": str, "message": str, "exitCode": int, "signal": int, "startedAt": str, "finishedAt": str},
}
_CONTAINER_STATUS = {
    "name": str,
    "image": str,
    "ready": bool,
    "started": bool,
    "restartCount": int,
    "state": _STATE,
    "lastState": _STATE,
}
_SCALED = {
    **dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "observedGeneration"), int),
    "conditions": [_CONDITION],
}
_WORKLOAD = {
    "metadata": _META,
    "spec": {"replicas": int, "selector": _SELECTOR, "template": _TEMPLATE},
    "status": _SCALED,
}
_POD = {
    "metadata": _META,
    "spec": _POD_SPEC,
    "status": {
        **dict.fromkeys(("phase", "reason", "message", "podIP", "hostIP", "startTime"), str),
        "conditions": [_CONDITION],
        "containerStatuses": [_CONTAINER_STATUS],
        "initContainerStatuses": [_CONTAINER_STATUS],
    },
}
_LIMIT = (int, str)
_METRIC = {
    "name": str,
    **dict.fromkeys(("successCondition", "failureCondition", "interval", "initialDelay"), str),
    **dict.fromkeys(("count", "failureLimit", "inconclusiveLimit", "consecutiveErrorLimit"), _LIMIT),
    "consecutiveSuccessLimit": _LIMIT,
    "provider": {"prometheus": {"query": str, "address": str, "timeout": int}, ...: dict},
}
_TEMPLATE_OF_ANALYSIS = {
    "metadata": _META,
    "spec": {
        "metrics": [_METRIC],
        "args": [_ARGUMENT],
        "templates": [{"templateName": str, "clusterScope": bool}],
        "dryRun": [{"metricName": str}],
        "measurementRetention": [{"metricName": str, "limit": int}],
    },
}
_ANALYSIS_RUN = {
    "metadata": _META,
    "spec": {"metrics": [_METRIC], "args": [_ARGUMENT], "terminate": bool, "dryRun": [{"metricName": str}]},
    "status": {
        **dict.fromkeys(("phase", "message", "startedAt", "completedAt"), str),
        "metricResults": [
            {
                **dict.fromkeys(("name", "phase", "message"), str),
                **dict.fromkeys(("count", "successful", "failed", "inconclusive", "error"), int),
                **dict.fromkeys(("consecutiveError", "consecutiveSuccess"), int),
                "dryRun": bool,
                "metadata": _TEXTS,
                "measurements": [
                    {
                        **dict.fromkeys(("phase", "value", "message", "startedAt", "finishedAt", "resumeAt"), str),
                        "metadata": _TEXTS,
                    }
                ],
            }
        ],
    },
}
_EVENT = {
    "metadata": _META,
    "involvedObject": {"kind": str, "name": str, "namespace": str, "uid": str},
    **dict.fromkeys(("type", "reason", "message", "firstTimestamp", "lastTimestamp", "eventTime"), str),
    "count": int,
    "series": {"count": int, "lastObservedTime": str},
    "source": {"component": str},
}
_SHAPES: Mapping[str, Shape] = {
    "Rollout": _ROLLOUT,
    "ReplicaSet": _WORKLOAD,
    "Deployment": _WORKLOAD,
    "Pod": _POD,
    "AnalysisRun": _ANALYSIS_RUN,
    "AnalysisTemplate": _TEMPLATE_OF_ANALYSIS,
    "ClusterAnalysisTemplate": _TEMPLATE_OF_ANALYSIS,
    "Event": _EVENT,
}
_ANY = {"metadata": _META}
_LARGEST = 2**63
_ABSENT = object()


def readable(obj: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The object of that kind without the fields that hold something else than they can; the same
    one where there are none."""
    found = _fitted(obj, _SHAPES.get(kind, _ANY))
    return found if isinstance(found, dict) else {}


def misfits(obj: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """The fields that `readable` leaves out, as `spec.replicas`; without those that are only null."""
    return tuple(dict.fromkeys(_misfits(obj, _SHAPES.get(kind, _ANY), "")))


def _misfits(value: Any, shape: Shape, at: str) -> Iterator[str]:
    if value is None or _fitted(value, shape) is value:
        return
    if isinstance(shape, dict) and isinstance(value, dict):
        for name, held in value.items():
            if (wanted := shape.get(name, shape.get(...))) is not None:
                yield from _misfits(held, wanted, f"{at}.{name}")
    elif isinstance(shape, list) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _misfits(item, shape[0], f"{at}[{number}]")
    else:
        yield at.removeprefix(".")


def named(obj: Mapping[str, Any]) -> bool:
    """Whether it is an object at all: it has a name."""
    meta = obj.get("metadata")
    return isinstance(meta, dict) and bool(meta.get("name"))


def _fitted(value: Any, shape: Shape) -> Any:
    if isinstance(shape, dict):
        return _mapping(value, shape) if isinstance(value, dict) else _ABSENT
    if isinstance(shape, list):
        return _items(value, shape[0]) if isinstance(value, list) else _ABSENT
    if value is None or not isinstance(value, shape):
        return _ABSENT
    if isinstance(value, bool):
        return value if _takes(shape, bool) else _ABSENT
    too_large = isinstance(value, int) and abs(value) >= _LARGEST
    return _ABSENT if too_large else value


def _takes(shape: Shape, kind: type) -> bool:
    return shape in (kind, object) or (isinstance(shape, tuple) and kind in shape)


def _mapping(value: dict[str, Any], shape: dict[Any, Shape]) -> dict[str, Any]:
    others, changed = shape.get(...), None
    for name, held in value.items():
        wanted = shape.get(name, others)
        if wanted is None:
            continue
        fit = _fitted(held, wanted)
        if fit is not held:
            changed = dict(value) if changed is None else changed
            if fit is _ABSENT:
                del changed[name]
            else:
                changed[name] = fit
    return value if changed is None else changed


def _items(value: list[Any], shape: Shape) -> list[Any]:
    """Each item keeps its place: patches name them by their number."""
    fits = [_fitted(item, shape) for item in value]
    if all(fit is item for fit, item in zip(fits, value, strict=True)):
        return value
    if isinstance(shape, dict):
        return [{} if fit is _ABSENT else fit for fit in fits]
    return [fit for fit in fits if fit is not _ABSENT]
