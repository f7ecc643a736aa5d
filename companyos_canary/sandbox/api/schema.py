"""The fields of the kinds, as far as the sandbox checks and explains them.

A shape is a word (`text`, `number`, `flag`, `number or text`, `any`, `map`: an object with any
fields, `texts`: one of texts), a list with the shape of its items, or an object with these fields,
and others only where it has a `*`. A field that is required ends in `!`. The Argo fields are those
of the CRDs of Argo Rollouts, git 9f8d111d8.
"""

from typing import Any

from companyos_canary.model.http import Json
from companyos_canary.sandbox.kinds import (
    ANALYSISRUN,
    ANALYSISTEMPLATE,
    AUTOSCALER,
    CLUSTERANALYSISTEMPLATE,
    CLUSTERROLE,
    CLUSTERROLEBINDING,
    CONFIGMAP,
    CRD,
    DEPLOYMENT,
    EVENT,
    EXPERIMENT,
    NAMESPACE,
    POD,
    REPLICASET,
    ROLE,
    ROLEBINDING,
    ROLLOUT,
    SECRET,
    SERVICE,
    SERVICEACCOUNT,
    Kind,
)

Shape = Any

_LABELS: Shape = {"annotations": "texts", "labels": "texts"}
_CONTAINER = {
    "name!": "text",
    "image": "text",
    "env": [{"name!": "text", "*": "any"}],
    "ports": [{"containerPort!": "number", "*": "any"}],
    "*": "any",
}
_POD_SPEC: Shape = {"containers!": [_CONTAINER], "initContainers": [_CONTAINER], "*": "any"}
_POD_TEMPLATE: Shape = {"metadata": {**_LABELS, "*": "any"}, "spec": _POD_SPEC, "*": "any"}
_SELECTOR: Shape = {
    "matchExpressions": [{"key!": "text", "operator!": "text", "values": ["text"]}],
    "matchLabels": "texts",
}
_TEMPLATES = [{"templateName": "text", "clusterScope": "flag"}]
_VALUE: Shape = {
    "name!": "text",
    "value": "text",
    "valueFrom": {
        "podTemplateHashValue": "text",
        "fieldRef": {"fieldPath!": "text"},
        "secretKeyRef": {"name!": "text", "key!": "text"},
    },
}
_DRY_RUN = [{"metricName!": "text"}]
_RETENTION = [{"metricName!": "text", "limit!": "number"}]
_ANALYSIS: Shape = {
    "analysisRunMetadata": _LABELS,
    "args": [_VALUE],
    "dryRun": _DRY_RUN,
    "measurementRetention": _RETENTION,
    "templates": _TEMPLATES,
}
_STEP: Shape = {
    "setWeight": "number",
    "pause": {"duration": "number or text"},
    "analysis": _ANALYSIS,
    "experiment": {
        "analyses": ["map"],
        "analysisRunMetadata": _LABELS,
        "dryRun": _DRY_RUN,
        "duration": "text",
        "scaleDownDelaySeconds": "number",
        "templates!": ["map"],
    },
    "plugin": {"name!": "text", "config": "map"},
    "setCanaryScale": {"matchTrafficWeight": "flag", "replicas": "number", "weight": "number"},
    "setHeaderRoute": {"match": ["map"], "name": "text"},
    "setMirrorRoute": {"match": ["map"], "name!": "text", "percentage": "number"},
    "replicaProgressThreshold": {"type!": "text", "value!": "number"},
}
_DELAYS: Shape = {
    "abortScaleDownDelaySeconds": "number",
    "scaleDownDelayRevisionLimit": "number",
    "scaleDownDelaySeconds": "number",
}
_CANARY: Shape = {
    **_DELAYS,
    "analysis": {**_ANALYSIS, "startingStep": "number"},
    "antiAffinity": "map",
    "canaryMetadata": _LABELS,
    "canaryService": "text",
    "dynamicStableScale": "flag",
    "maxSurge": "number or text",
    "maxUnavailable": "number or text",
    "minPodsPerReplicaSet": "number",
    "pingPong": {"pingService!": "text", "pongService!": "text"},
    "replicaProgressThreshold": {"type!": "text", "value!": "number"},
    "stableMetadata": _LABELS,
    "stableService": "text",
    "steps": [_STEP],
    "trafficRouting": {
        "alb": "map",
        "ambassador": "map",
        "apisix": "map",
        "appMesh": "map",
        "istio": "map",
        "managedRoutes": ["map"],
        "maxTrafficWeight": "number",
        "nginx": "map",
        "plugins": "map",
        "smi": "map",
        "traefik": "map",
    },
}
_BLUE_GREEN = {
    **_DELAYS,
    "activeMetadata": _LABELS,
    "activeService!": "text",
    "antiAffinity": "map",
    "autoPromotionEnabled": "flag",
    "autoPromotionSeconds": "number",
    "maxUnavailable": "number or text",
    "postPromotionAnalysis": _ANALYSIS,
    "prePromotionAnalysis": _ANALYSIS,
    "previewMetadata": _LABELS,
    "previewReplicaCount": "number",
    "previewService": "text",
}
_ROLLOUT_SPEC = {
    "analysis": {"successfulRunHistoryLimit": "number", "unsuccessfulRunHistoryLimit": "number"},
    "minReadySeconds": "number",
    "paused": "flag",
    "progressDeadlineAbort": "flag",
    "progressDeadlineSeconds": "number",
    "replicas": "number",
    "restartAt": "text",
    "revisionHistoryLimit": "number",
    "rollbackWindow": {"revisions": "number"},
    "selector": _SELECTOR,
    "strategy": {"blueGreen": _BLUE_GREEN, "canary": _CANARY},
    "template": _POD_TEMPLATE,
    "workloadRef": {"apiVersion": "text", "kind": "text", "name": "text", "scaleDown": "text"},
}
_RUN_STATUS = {"message": "text", "name!": "text", "status!": "text"}
_ROLLOUT_STATUS = {
    "HPAReplicas": "number",
    "abort": "flag",
    "abortedAt": "text",
    "alb": "map",
    "albs": ["map"],
    "availableReplicas": "number",
    "blueGreen": "map",
    "canary": {
        "currentBackgroundAnalysisRunStatus": _RUN_STATUS,
        "currentExperiment": "text",
        "currentStepAnalysisRunStatus": _RUN_STATUS,
        "stablePingPong": "text",
        "stepPluginStatuses": ["map"],
        "weights": "map",
    },
    "collisionCount": "number",
    "conditions": ["map"],
    "controllerPause": "flag",
    "currentPodHash": "text",
    "currentStepHash": "text",
    "currentStepIndex": "number",
    "duration": "map",
    "message": "text",
    "observedGeneration": "text",
    "pauseConditions": [{"reason!": "text", "startTime!": "text"}],
    "phase": "text",
    "promoteFull": "flag",
    "readyReplicas": "number",
    "replicas": "number",
    "restartedAt": "text",
    "selector": "text",
    "stableRS": "text",
    "updatedReplicas": "number",
    "workloadObservedGeneration": "text",
}
_METRIC: Shape = {
    "consecutiveErrorLimit": "number or text",
    "consecutiveSuccessLimit": "number or text",
    "count": "number or text",
    "failureCondition": "text",
    "failureLimit": "number or text",
    "inconclusiveLimit": "number or text",
    "initialDelay": "text",
    "interval": "text",
    "name!": "text",
    "successCondition": "text",
    "provider!": {
        "cloudWatch": "map",
        "datadog": "map",
        "graphite": "map",
        "influxdb": "map",
        "job": "map",
        "kayenta": "map",
        "newRelic": "map",
        "plugin": "map",
        "skywalking": "map",
        "wavefront": "map",
        "web": "map",
        "prometheus": {
            "address": "text",
            "authentication": "map",
            "headers": ["map"],
            "insecure": "flag",
            "query": "text",
            "rangeQuery": {"end": "text", "start": "text", "step": "text"},
            "timeout": "number",
        },
    },
}
_TEMPLATE_SPEC = {
    "args": [_VALUE],
    "dryRun": _DRY_RUN,
    "measurementRetention": _RETENTION,
    "metrics": [_METRIC],
    "templates": _TEMPLATES,
}
_ANALYSIS_RUN_SPEC = {
    "args": [_VALUE],
    "dryRun": _DRY_RUN,
    "measurementRetention": _RETENTION,
    "metrics!": [_METRIC],
    "terminate": "flag",
    "ttlStrategy": {
        "secondsAfterCompletion": "number",
        "secondsAfterFailure": "number",
        "secondsAfterSuccess": "number",
    },
}
_EXPERIMENT_SPEC = {
    "analyses": ["map"],
    "analysisRunMetadata": _LABELS,
    "dryRun": _DRY_RUN,
    "duration": "text",
    "measurementRetention": _RETENTION,
    "progressDeadlineSeconds": "number",
    "scaleDownDelaySeconds": "number",
    "templates!": ["map"],
    "terminate": "flag",
}
_REPLICASET_SPEC = {
    "minReadySeconds": "number",
    "replicas": "number",
    "selector!": _SELECTOR,
    "template": _POD_TEMPLATE,
}
_DEPLOYMENT_SPEC = {
    "minReadySeconds": "number",
    "paused": "flag",
    "progressDeadlineSeconds": "number",
    "replicas": "number",
    "revisionHistoryLimit": "number",
    "selector!": _SELECTOR,
    "strategy": {"type": "text", "rollingUpdate": {"maxSurge": "number or text", "maxUnavailable": "number or text"}},
    "template!": _POD_TEMPLATE,
}

_SERVICE_PORT: Shape = {
    "appProtocol": "text",
    "name": "text",
    "nodePort": "number",
    "port!": "number",
    "protocol": "text",
    "targetPort": "number or text",
}
_SERVICE_SPEC: Shape = {
    "allocateLoadBalancerNodePorts": "flag",
    "clusterIP": "text",
    "clusterIPs": ["text"],
    "externalIPs": ["text"],
    "externalName": "text",
    "externalTrafficPolicy": "text",
    "healthCheckNodePort": "number",
    "internalTrafficPolicy": "text",
    "ipFamilies": ["text"],
    "ipFamilyPolicy": "text",
    "loadBalancerClass": "text",
    "loadBalancerIP": "text",
    "loadBalancerSourceRanges": ["text"],
    "ports": [_SERVICE_PORT],
    "publishNotReadyAddresses": "flag",
    "selector": "texts",
    "sessionAffinity": "text",
    "sessionAffinityConfig": "map",
    "trafficDistribution": "text",
    "type": "text",
}

_RULES: Shape = [
    {
        "verbs!": ["text"],
        "apiGroups": ["text"],
        "resources": ["text"],
        "resourceNames": ["text"],
        "nonResourceURLs": ["text"],
    }
]
_BINDING: Shape = {
    "roleRef!": {"apiGroup": "text", "kind!": "text", "name!": "text"},
    "subjects": [{"apiGroup": "text", "kind!": "text", "name!": "text", "namespace": "text"}],
}
SHAPES: dict[Kind, Shape] = {
    ROLLOUT: {"spec!": _ROLLOUT_SPEC, "status": _ROLLOUT_STATUS},
    ANALYSISRUN: {"spec!": _ANALYSIS_RUN_SPEC, "status": "map"},
    ANALYSISTEMPLATE: {"spec!": _TEMPLATE_SPEC},
    CLUSTERANALYSISTEMPLATE: {"spec!": _TEMPLATE_SPEC},
    EXPERIMENT: {"spec!": _EXPERIMENT_SPEC, "status": "map"},
    REPLICASET: {"spec!": _REPLICASET_SPEC, "status": "map"},
    DEPLOYMENT: {"spec!": _DEPLOYMENT_SPEC, "status": "map"},
    POD: {"spec!": _POD_SPEC, "status": "map"},
    SERVICE: {"spec": _SERVICE_SPEC, "status": "map"},
    NAMESPACE: {"spec": "map", "status": "map"},
    CONFIGMAP: {"data": "texts", "binaryData": "texts", "immutable": "flag"},
    SECRET: {"data": "texts", "stringData": "texts", "type": "text", "immutable": "flag"},
    AUTOSCALER: {
        "spec!": {
            "scaleTargetRef!": {"kind!": "text", "name!": "text", "apiVersion": "text"},
            "minReplicas": "number",
            "maxReplicas!": "number",
            "*": "any",
        },
        "status": "map",
    },
    SERVICEACCOUNT: {"secrets": ["map"], "imagePullSecrets": ["map"], "*": "any"},
    ROLE: {"rules": _RULES},
    CLUSTERROLE: {"rules": _RULES, "aggregationRule": "map"},
    ROLEBINDING: _BINDING,
    CLUSTERROLEBINDING: _BINDING,
    CRD: {"spec!": {"group!": "text", "*": "any"}, "status": "map"},
    EVENT: {
        "involvedObject!": {"kind": "text", "name": "text", "namespace": "text", "*": "any"},
        "source": {"component": "text", "host": "text"},
        "count": "number",
        "*": "any",
    },
}
_OPENAPI: dict[str, Json] = {
    "text": {"type": "string"},
    "number": {"type": "integer"},
    "flag": {"type": "boolean"},
    "map": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "texts": {"type": "object", "additionalProperties": {"type": "string"}},
    "number or text": {"x-kubernetes-int-or-string": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
}


def shape_of(kind: Kind) -> dict[str, Shape] | None:
    """The fields of a kind next to apiVersion, kind and metadata; None if any are taken."""
    return SHAPES.get(kind)


def json_schema(shape: Shape) -> Json:
    """A shape as an OpenAPI v3 schema."""
    if isinstance(shape, str):
        return _OPENAPI[shape]
    if isinstance(shape, list):
        return {"type": "array", "items": json_schema(shape[0])}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name.rstrip("!"): json_schema(inner) for name, inner in shape.items() if name != "*"},
    }
    if "*" in shape:
        schema["x-kubernetes-preserve-unknown-fields"] = True
    if required := [name[:-1] for name in shape if name.endswith("!")]:
        schema["required"] = required
    return schema
