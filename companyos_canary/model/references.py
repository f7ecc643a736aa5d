"""The ConfigMaps and Secrets that pods refer to."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]


def references(template: Json) -> frozenset[tuple[str, str]]:
    """(kind, name) of each ConfigMap and Secret that a pod template refers to: in volumes, in the environment of its
    containers, and for pulling images."""
    spec: Json = template.get("spec") or {}
    found = [*_of_volumes(spec), *_of_containers(spec)]
    found += [("Secret", ref.get("name")) for ref in spec.get("imagePullSecrets") or ()]
    return frozenset((kind, str(name)) for kind, name in found if name)


def _of_volumes(spec: Json) -> Iterator[tuple[str, Any]]:
    for volume in spec.get("volumes") or ():
        sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for source in sources:
            yield "ConfigMap", (source.get("configMap") or {}).get("name")
            secret = source.get("secret") or {}
            yield "Secret", secret.get("secretName") or secret.get("name")


def _of_containers(spec: Json) -> Iterator[tuple[str, Any]]:
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            yield "ConfigMap", (source.get("configMapKeyRef") or {}).get("name")
            yield "Secret", (source.get("secretKeyRef") or {}).get("name")
        for source in container.get("envFrom") or ():
            yield "ConfigMap", (source.get("configMapRef") or {}).get("name")
            yield "Secret", (source.get("secretRef") or {}).get("name")
