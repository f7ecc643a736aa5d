"""What the fields that we read may hold. Objects of the API may hold anything: a CRD without a schema,
another release, a proxy, someone's hand. A field with something else in it counts as absent.

A shape is a type, a tuple of types, `[shape]` for a list, or a mapping of names to shapes; `...`
is the shape of every other name. `WORDS` is text that people read, on one line; a message is left as it was written,
because it is quoted: whoever makes a sentence of it puts it on one line. What no shape names is left as it is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.errors import words

Shape = Any
WORDS: Any = "words"
_TEXTS = {...: str}
_META = {
    "name": WORDS,
    "namespace": WORDS,
    "uid": WORDS,
    "generation": int,
    "resourceVersion": WORDS,
    "creationTimestamp": WORDS,
    "deletionTimestamp": WORDS,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "ownerReferences": [{"uid": WORDS, "controller": bool, "kind": WORDS, "name": WORDS, "apiVersion": WORDS}],
    "managedFields": [{"manager": WORDS, "operation": WORDS, "subresource": WORDS, "time": WORDS, "fieldsV1": dict}],
}
_SELECTOR = {"matchLabels": _TEXTS, "matchExpressions": [{"key": WORDS, "operator": WORDS, "values": [WORDS]}]}
_REFERENCE = {"name": WORDS, "key": WORDS}
_CONTAINER = {
    "name": WORDS,
    "image": WORDS,
    "restartPolicy": WORDS,
    "ports": [{"name": WORDS, "containerPort": int, "protocol": WORDS}],
    "env": [{"name": str, "value": str, "valueFrom": {...: _REFERENCE}}],
    "envFrom": [{"prefix": WORDS, "configMapRef": _REFERENCE, "secretRef": _REFERENCE}],
    "resources": {"requests": {...: (str, int, float)}, "limits": {...: (str, int, float)}},
    **dict.fromkeys(("readinessProbe", "livenessProbe", "startupProbe", "lifecycle", "securityContext"), dict),
    "volumeMounts": [{"name": WORDS, "mountPath": WORDS}],
}
_POD_SPEC = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": [{"name": WORDS, "configMap": {...: object}, "secret": {...: object}}],
    "nodeName": WORDS,
    "nodeSelector": _TEXTS,
    "readinessGates": [{"conditionType": WORDS}],
    "serviceAccountName": WORDS,
    "affinity": dict,
    "tolerations": [dict],
}
_TEMPLATE = {"metadata": _META, "spec": _POD_SPEC}
_ARGUMENT = {
    "name": WORDS,
    "value": (str, int, float, bool),
    "valueFrom": {"secretKeyRef": _REFERENCE, "fieldRef": {"fieldPath": WORDS}, "podTemplateHashValue": WORDS},
}
_ANALYSIS = {
    "templates": [{"templateName": WORDS, "clusterScope": bool}],
    "args": [_ARGUMENT],
    "startingStep": int,
    "dryRun": [{"metricName": WORDS}],
    "measurementRetention": [{"metricName": WORDS, "limit": int}],
}
_MATCH = [{"headerName": WORDS, "headerValue": _TEXTS}]
_STEP = {
    "setWeight": int,
    "pause": {"duration": (int, str)},
    "analysis": _ANALYSIS,
    "experiment": {
        "duration": WORDS,
        "templates": [{"name": WORDS, "specRef": WORDS, "weight": int, "replicas": int, "selector": _SELECTOR}],
        "analyses": [{"name": WORDS, "templateName": WORDS, "clusterScope": bool, "args": [_ARGUMENT]}],
    },
    "setCanaryScale": {"weight": int, "replicas": int, "matchTrafficWeight": bool},
    "setHeaderRoute": {"name": WORDS, "match": _MATCH},
    "setMirrorRoute": {"name": WORDS, "percentage": int, "match": [dict]},
    "plugin": {"name": WORDS},
}
_ROLE = {"labels": _TEXTS, "annotations": _TEXTS}
_ROUTING = {
    "maxTrafficWeight": int,
    "managedRoutes": [{"name": WORDS}],
    "plugins": dict,
    "nginx": {
        "stableIngress": WORDS,
        "stableIngresses": [WORDS],
        "annotationPrefix": WORDS,
        "additionalIngressAnnotations": _TEXTS,
    },
    "istio": {
        "virtualService": {"name": WORDS, "routes": [WORDS]},
        "virtualServices": [{"name": WORDS, "routes": [WORDS]}],
        "destinationRule": {"name": WORDS, "canarySubsetName": WORDS, "stableSubsetName": WORDS},
    },
    "alb": {"ingress": WORDS, "ingresses": [WORDS], "rootService": WORDS, "servicePort": int},
    ...: dict,
}
_COUNT = (int, str)
_CANARY = {
    "steps": [_STEP],
    "maxSurge": _COUNT,
    "maxUnavailable": _COUNT,
    "trafficRouting": _ROUTING,
    "canaryService": WORDS,
    "stableService": WORDS,
    "canaryMetadata": _ROLE,
    "stableMetadata": _ROLE,
    "analysis": _ANALYSIS,
    "abortScaleDownDelaySeconds": int,
    "scaleDownDelaySeconds": int,
    "scaleDownDelayRevisionLimit": int,
    "minPodsPerReplicaSet": int,
    "dynamicStableScale": bool,
    "pingPong": {"pingService": WORDS, "pongService": WORDS},
}
_BLUE_GREEN = {
    "activeService": WORDS,
    "previewService": WORDS,
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
_RUN = {"name": WORDS, "status": WORDS, "message": str}
_CONDITION = {
    "type": WORDS,
    "status": WORDS,
    "reason": WORDS,
    "message": str,
    "lastUpdateTime": WORDS,
    "lastTransitionTime": WORDS,
}
_WEIGHT = {"weight": int, "podTemplateHash": WORDS, "serviceName": WORDS}
_ROLLOUT = {
    "metadata": _META,
    "spec": {
        "replicas": int,
        "paused": bool,
        "selector": _SELECTOR,
        "template": _TEMPLATE,
        "workloadRef": {"kind": WORDS, "name": WORDS, "apiVersion": WORDS, "scaleDown": WORDS},
        "strategy": {"canary": _CANARY, "blueGreen": _BLUE_GREEN},
        "restartAt": WORDS,
        "progressDeadlineSeconds": int,
        "progressDeadlineAbort": bool,
        "minReadySeconds": int,
        "revisionHistoryLimit": int,
        "rollbackWindow": {"revisions": int},
        "analysis": {"successfulRunHistoryLimit": int, "unsuccessfulRunHistoryLimit": int},
    },
    "status": {
        **dict.fromkeys(("phase", "currentPodHash", "stableRS", "currentStepHash", "selector"), WORDS),
        "message": str,
        **dict.fromkeys(("abortedAt", "restartedAt"), WORDS),
        **dict.fromkeys(("abort", "promoteFull", "controllerPause"), bool),
        **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas"), int),
        "currentStepIndex": int,
        "observedGeneration": (str, int),
        "workloadObservedGeneration": (str, int),
        "collisionCount": int,
        "pauseConditions": [{"reason": WORDS, "startTime": WORDS}],
        "conditions": [_CONDITION],
        "duration": {"rolloutStartedAt": WORDS},
        "canary": {
            "currentStepAnalysisRunStatus": _RUN,
            "currentBackgroundAnalysisRunStatus": _RUN,
            "currentExperiment": WORDS,
            "stablePingPong": WORDS,
            "stepPluginStatuses": [
                {
                    "index": int,
                    **dict.fromkeys(("name", "message", "phase", "operation", "startedAt", "updatedAt"), WORDS),
                }
            ],
            "weights": {"canary": _WEIGHT, "stable": _WEIGHT, "additional": [_WEIGHT], "verified": bool},
        },
        "blueGreen": {
            "activeSelector": WORDS,
            "previewSelector": WORDS,
            "scaleUpPreviewCheckPoint": bool,
            "prePromotionAnalysisRunStatus": _RUN,
            "postPromotionAnalysisRunStatus": _RUN,
        },
    },
}
_STATE = {
    "waiting": {"reason": WORDS, "message": str},
    "running": {"startedAt": WORDS},
    "terminated": {
        "reason": WORDS,
        "message": str,
        "exitCode": int,
        "signal": int,
        "startedAt": WORDS,
        "finishedAt": WORDS,
    },
}
_CONTAINER_STATUS = {
    "name": WORDS,
    "image": WORDS,
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
        **dict.fromkeys(("phase", "reason", "podIP", "hostIP", "startTime"), WORDS),
        "message": str,
        "conditions": [_CONDITION],
        "containerStatuses": [_CONTAINER_STATUS],
        "initContainerStatuses": [_CONTAINER_STATUS],
    },
}
_LIMIT = (int, str)
_METRIC = {
    "name": WORDS,
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
        "templates": [{"templateName": WORDS, "clusterScope": bool}],
        "dryRun": [{"metricName": WORDS}],
        "measurementRetention": [{"metricName": WORDS, "limit": int}],
    },
}
_ANALYSIS_RUN = {
    "metadata": _META,
    "spec": {"metrics": [_METRIC], "args": [_ARGUMENT], "terminate": bool, "dryRun": [{"metricName": WORDS}]},
    "status": {
        **dict.fromkeys(("phase", "startedAt", "completedAt"), WORDS),
        "message": str,
        "metricResults": [
            {
                **dict.fromkeys(("name", "phase"), WORDS),
                "message": str,
                **dict.fromkeys(("count", "successful", "failed", "inconclusive", "error"), int),
                **dict.fromkeys(("consecutiveError", "consecutiveSuccess"), int),
                "dryRun": bool,
                "metadata": _TEXTS,
                "measurements": [
                    {
                        **dict.fromkeys(("phase", "startedAt", "finishedAt", "resumeAt"), WORDS),
                        "value": str,
                        "message": str,
                        "metadata": _TEXTS,
                    }
                ],
            }
        ],
    },
}
_EXPERIMENT = {
    "metadata": _META,
    "spec": {
        "duration": WORDS,
        "terminate": bool,
        "templates": [{"name": WORDS, "replicas": int, "selector": _SELECTOR, "template": _TEMPLATE}],
        "analyses": [{"name": WORDS, "templateName": WORDS, "requiredForCompletion": bool}],
    },
    "status": {
        **dict.fromkeys(("phase", "availableAt"), WORDS),
        "message": str,
        "templateStatuses": [
            {
                **dict.fromkeys(("name", "status"), WORDS),
                "message": str,
                **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), int),
            }
        ],
        "analysisRuns": [{**dict.fromkeys(("name", "analysisRun", "phase"), WORDS), "message": str}],
    },
}
_EVENT = {
    "metadata": _META,
    "involvedObject": {"kind": WORDS, "name": WORDS, "namespace": WORDS, "uid": WORDS},
    **dict.fromkeys(("type", "reason", "firstTimestamp", "lastTimestamp", "eventTime"), WORDS),
    "message": str,
    "count": int,
    "series": {"count": int, "lastObservedTime": WORDS},
    "source": {"component": WORDS},
}
_SHAPES: Mapping[WORDS, Shape] = {
    "Rollout": _ROLLOUT,
    "ReplicaSet": _WORKLOAD,
    "Deployment": _WORKLOAD,
    "Pod": _POD,
    "AnalysisRun": _ANALYSIS_RUN,
    "AnalysisTemplate": _TEMPLATE_OF_ANALYSIS,
    "ClusterAnalysisTemplate": _TEMPLATE_OF_ANALYSIS,
    "Experiment": _EXPERIMENT,
    "Event": _EVENT,
}
_ANY = {"metadata": _META}
_LARGEST = 2**63
_ABSENT = object()


def readable(obj: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The object of that kind without the fields that hold something else than they can; the same
    one if there are none."""
    found = _fitted(obj, _SHAPES.get(kind, _ANY))
    return found if isinstance(found, dict) else {}


def misfits(obj: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """The fields that `readable` leaves out, as `spec.replicas`; without those that are only null."""
    return tuple(dict.fromkeys(_misfits(obj, _SHAPES.get(kind, _ANY), "")))


def _misfits(value: Any, shape: Shape, at: str) -> Iterator[str]:
    if value is None or _fitted(value, shape) is value:
        return
    if shape is WORDS and isinstance(value, str):
        return  # it was read, in other characters
    if isinstance(shape, dict) and isinstance(value, dict):
        for name, held in value.items():
            if (wanted := shape.get(name, shape.get(...))) is not None:
                yield from _misfits(held, wanted, f"{at}.{name}")
    elif isinstance(shape, list) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _misfits(item, shape[0], f"{at}[{number}]")
    else:
        yield at.removeprefix(".")


def has_name(obj: Mapping[str, Any]) -> bool:
    """Whether it is an object at all: it has a name."""
    meta = obj.get("metadata")
    return isinstance(meta, dict) and bool(meta.get("name"))


def _fitted(value: Any, shape: Shape) -> Any:
    if isinstance(shape, dict):
        return _mapping(value, shape) if isinstance(value, dict) else _ABSENT
    if isinstance(shape, list):
        return _items(value, shape[0]) if isinstance(value, list) else _ABSENT
    if shape is WORDS:
        return words(value) if isinstance(value, str) else _ABSENT
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
        if type(held) is str:  # most of a large list
            if wanted is str or (wanted is WORDS and held.isprintable()):
                continue
            fit = _fitted(held, wanted)
        elif type(held) is dict and type(wanted) is dict:
            fit = _mapping(held, wanted)
        else:
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
