"""What is wrong in a pod template, in the sentences of Kubernetes, which the controller asks: names, labels, ports,
variables, resources, volumes, probes. What seldom goes wrong (affinities, security contexts, DNS) is not looked at.

Upstream k8s.io/kubernetes pkg/apis/core/validation and apimachinery's util/validation; recorded with v1.9.1.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import Any

from companyos_canary.argo.canary_faults import Fault, invalid, required
from companyos_canary.model.http import Fields
from companyos_canary.model.quantity import amount

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VARIABLE = "[-._a-zA-Z][-._a-zA-Z0-9]*"


def _like(rule: str, form: str, *examples: str) -> str:
    told = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {told}regex used for validation is '{form}')"


_LABEL_RULE = _like(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_DOMAIN_RULE = _like(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character",
    _DOMAIN,
    "example.com",
)
_KEY_RULE = _like(
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character",
    _NAME,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_RULE = _like(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character",
    f"({_NAME})?",
    "MyValue",
    "my_value",
    "12345",
)
_VARIABLE_RULE = _like(
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not "
    "start with a digit",
    _VARIABLE,
    "my.env-name",
    "MY_ENV.NAME",
    "MyEnvName1",
)
_PORT_RULE = "must be between 1 and 65535, inclusive"
_ONE_HANDLER = "may not specify more than 1 handler type"
_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_SECONDS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_METADATA = r"metadata\.((name|namespace|uid|labels|annotations)$|(labels|annotations)\[)"
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_NAMED = {"configMap": "name", "secret": "secretName", "hostPath": "path", "persistentVolumeClaim": "claimName"}
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OF_SPEC = {
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "dnsPolicy": ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    "preemptionPolicy": ("PreemptLowerPriority", "Never"),
}
_OF_CONTAINER = {
    "terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
}


def template_faults(template: Fields, at: str) -> Iterator[Fault]:
    """Of a whole template, its metadata and its pods, in the order of the controller."""
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    yield from label_faults(meta.get("labels") or {}, f"{at}.labels")
    for key in meta.get("annotations") or {}:
        yield from key_faults(key, f"{at}.annotations", key.lower())
    yield from _pod_faults(spec, f"{at}.spec")
    if spec.get("ephemeralContainers"):
        yield Fault(f"{at}.spec.ephemeralContainers", "Forbidden", "ephemeral containers not allowed in pod template")


def label_faults(labels: Fields, at: str) -> Iterator[Fault]:
    for key, value in labels.items():
        yield from key_faults(key, at)
        yield from label_value_faults(value, at)


def label_value_faults(value: Any, at: str) -> Iterator[Fault]:
    text = str(value)
    if len(text) > 63:
        yield invalid(at, text, "must be no more than 63 characters")
    if text and not re.fullmatch(_NAME, text):
        yield invalid(at, text, _VALUE_RULE)


def key_faults(key: str, at: str, plain: str = "") -> Iterator[Fault]:
    prefix, slash, name = (plain or key).rpartition("/")
    if slash and not re.fullmatch(_DOMAIN, prefix):
        yield invalid(at, key, f"prefix part {_DOMAIN_RULE}" if prefix else "prefix part must be non-empty")
    if not name:
        yield invalid(at, key, "name part must be non-empty")
    elif len(name) > 63:
        yield invalid(at, key, "name part must be no more than 63 characters")
    if not re.fullmatch(_NAME, name):
        yield invalid(at, key, _KEY_RULE)


def _pod_faults(spec: Fields, at: str) -> Iterator[Fault]:
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or []):
        found = list(_volume_faults(volume, f"{at}.volumes[{index}]", volumes))
        yield from found
        if not found:
            volumes.add(volume["name"])
    names: set[str] = set()
    if not spec.get("containers"):
        yield required(f"{at}.containers")
    for index, container in enumerate(spec.get("containers") or []):
        where = f"{at}.containers[{index}]"
        yield from _container_faults(container, where, volumes, names)
        yield from _handler_faults(container, where)
    for index, container in enumerate(spec.get("initContainers") or []):
        yield from _init_faults(container, f"{at}.initContainers[{index}]", volumes, names)
    yield from _spec_faults(spec, at)


def _init_faults(container: Fields, at: str, volumes: Container[str], names: set[str]) -> Iterator[Fault]:
    yield from _container_faults(container, at, volumes, names)
    yield from _unsupported(f"{at}.restartPolicy", container.get("restartPolicy"), ("Always",))
    if container.get("restartPolicy") == "Always":
        yield from _handler_faults(container, at)
        return
    for field in ("lifecycle", *_PROBES):
        if container.get(field) is not None:
            yield Fault(f"{at}.{field}", "Forbidden", _ONLY_SIDECARS)


def _spec_faults(spec: Fields, at: str) -> Iterator[Fault]:
    for field in ("restartPolicy", "dnsPolicy"):
        yield from _unsupported(f"{at}.{field}", spec.get(field), _OF_SPEC[field])
    yield from label_faults(spec.get("nodeSelector") or {}, f"{at}.nodeSelector")
    if spec.get("dnsPolicy") == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        yield from _without_nameservers(spec, at)
    for index, spread in enumerate(spec.get("topologySpreadConstraints") or []):
        yield from _spread_faults(spread, f"{at}.topologySpreadConstraints[{index}]")
    for field in ("serviceAccountName", "nodeName"):
        yield from _domain_faults(f"{at}.{field}", spec.get(field))
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            yield from _label_name_faults(f"{at}.{field}", spec[field])
    for index, toleration in enumerate(spec.get("tolerations") or []):
        yield from _toleration_faults(toleration, f"{at}.tolerations[{index}]")
    for field in ("priorityClassName", "runtimeClassName"):
        yield from _domain_faults(f"{at}.{field}", spec.get(field))
    yield from _unsupported(f"{at}.preemptionPolicy", spec.get("preemptionPolicy"), _OF_SPEC["preemptionPolicy"])


def _without_nameservers(spec: Fields, at: str) -> Iterator[Fault]:
    if spec.get("dnsConfig") is None:
        yield required(f"{at}.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")
    else:
        yield required(
            f"{at}.dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"
        )


def _volume_faults(volume: Fields, at: str, known: Container[str]) -> Iterator[Fault]:
    sources = [kind for kind in volume if kind != "name" and volume[kind] is not None]
    for kind in sources[:1]:
        field = _NAMED.get(kind)
        if field is not None and not volume[kind].get(field):
            yield required(f"{at}.{kind}.{field}")
        mode = volume[kind].get("defaultMode")
        if mode is not None and not 0 <= mode <= 0o777:
            text = "must be a number between 0 and 0777 (octal), both inclusive"
            yield invalid(f"{at}.{kind}.defaultMode", mode, text)
    for kind in sources[1:]:
        yield Fault(f"{at}.{kind}", "Forbidden", "may not specify more than 1 volume type")
    name = str(volume.get("name") or "")
    if not name:
        yield required(f"{at}.name")
    else:
        yield from _label_name_faults(f"{at}.name", name)
    if name in known:
        yield _duplicate(f"{at}.name", name)


def _container_faults(container: Fields, at: str, volumes: Container[str], names: set[str]) -> Iterator[Fault]:
    name = container.get("name") or ""
    if not name:
        yield required(f"{at}.name")
    else:
        yield from _label_name_faults(f"{at}.name", name)
    if not container.get("image"):
        yield required(f"{at}.image")
    field = "terminationMessagePolicy"
    yield from _unsupported(f"{at}.{field}", container.get(field), _OF_CONTAINER[field])
    yield from _port_faults(container.get("ports") or [], f"{at}.ports")
    for index, variable in enumerate(container.get("env") or []):
        yield from _variable_faults(variable, f"{at}.env[{index}]")
    for index, source in enumerate(container.get("envFrom") or []):
        yield from _source_faults(source, f"{at}.envFrom", index)
    yield from _mount_faults(container.get("volumeMounts") or [], f"{at}.volumeMounts", volumes)
    for index, device in enumerate(container.get("volumeDevices") or []):
        if device.get("name") not in volumes:
            yield _missing(f"{at}.volumeDevices[{index}].name", device.get("name"))
    field = "imagePullPolicy"
    yield from _unsupported(f"{at}.{field}", container.get(field), sorted(_OF_CONTAINER[field]))
    yield from _resource_faults(container.get("resources") or {}, f"{at}.resources")
    if name in names:
        yield _duplicate(f"{at}.name", name)
    names.add(name)


def _port_faults(ports: Iterable[Fields], at: str) -> Iterator[Fault]:
    names: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"{at}[{index}]", port.get("name")
        if name and (why := _port_name(name)):
            yield invalid(f"{where}.name", name, why)
        elif name in names:
            yield _duplicate(f"{where}.name", name)
        elif name:
            names.add(name)
        for field in ("containerPort", "hostPort"):
            number = port.get(field) or 0
            if not number and field == "containerPort":
                yield required(f"{where}.{field}")
            elif number and not 1 <= number <= 65535:
                yield invalid(f"{where}.{field}", number, _PORT_RULE)
        yield from _unsupported(f"{where}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))


def _port_name(name: str) -> str:
    """Why it is none."""
    if len(name) > 15:
        return "must be no more than 15 characters"
    if not re.fullmatch("[-a-z0-9]+", name):
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search("[a-z]", name):
        return "must contain at least one letter (a-z)"
    if "--" in name:
        return "must not contain consecutive hyphens"
    return "must not begin or end with a hyphen" if name.strip("-") != name else ""


def _variable_faults(variable: Fields, at: str) -> Iterator[Fault]:
    name, source = variable.get("name"), variable.get("valueFrom")
    if not name:
        yield required(f"{at}.name")
    elif not re.fullmatch(_VARIABLE, name):
        yield invalid(f"{at}.name", name, _VARIABLE_RULE)
    if source is None:
        return
    given = [kind for kind in _SOURCES if source.get(kind) is not None]
    for kind in given:
        yield from _value_faults(kind, source[kind], f"{at}.valueFrom.{kind}")
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        yield invalid(f"{at}.valueFrom", "", text)
    elif variable.get("value"):
        yield invalid(f"{at}.valueFrom", "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield invalid(f"{at}.valueFrom", "", "may not have more than one field specified at a time")


def _value_faults(kind: str, source: Fields, at: str) -> Iterator[Fault]:
    if kind == "fieldRef":
        yield from _reference_faults(f"{at}.fieldPath", source.get("fieldPath") or "")
    if kind in ("configMapKeyRef", "secretKeyRef"):
        yield from _domain_faults(f"{at}.name", source.get("name") or "", needed=True)
        if not source.get("key"):
            yield required(f"{at}.key")


def _reference_faults(at: str, path: str) -> Iterator[Fault]:
    if not path:
        yield required(at)
    elif path.startswith("metadata.") and not re.match(_METADATA, path):
        yield invalid(at, path, f"error converting fieldPath: field label not supported: {path}")


def _source_faults(source: Fields, at: str, index: int) -> Iterator[Fault]:
    given = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
    for kind in given:
        if not source[kind].get("name"):
            yield required(f"{at}[{index}].{kind}.name")
    if len(given) != 1:
        text = "may not have more than one field specified at a time"
        yield invalid(at, "", text if given else "must specify one of: `configMapRef` or `secretRef`")


def _mount_faults(mounts: Iterable[Fields], at: str, volumes: Container[str]) -> Iterator[Fault]:
    paths: set[str] = set()
    for index, mount in enumerate(mounts):
        name, path = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required(f"{at}[{index}].name")
        if name not in volumes:
            yield _missing(f"{at}[{index}].name", name)
        if not path:
            yield required(f"{at}[{index}].mountPath")
        if path in paths:
            yield invalid(f"{at}[{index}].mountPath", path, "must be unique")
        paths.add(path)
        within = mount.get("subPath") or ""
        if within.startswith("/"):
            yield invalid(f"{at}.subPath", within, "must be a relative path")
        if ".." in within.split("/"):
            yield invalid(f"{at}.subPath", within, "must not contain '..'")


def _resource_faults(resources: Fields, at: str) -> Iterator[Fault]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, given in (("limits", limits), ("requests", requests)):
        for name, quantity in given.items():
            where, size = f"{at}.{field}[{name}]", amount(quantity)
            if "/" not in name and not _is_standard(name):
                yield invalid(where, name, "must be a standard resource type or fully qualified")
            if size is not None and size < 0:
                yield invalid(where, str(quantity), "must be greater than or equal to 0")
            elif size is not None and not _may_be_parts(name) and size != int(size):
                yield invalid(where, str(quantity), "must be an integer")
            if field == "requests":
                yield from _request_faults(name, quantity, limits.get(name), at)


def _request_faults(name: str, quantity: Any, limit: Any, at: str) -> Iterator[Fault]:
    size, most = amount(quantity), amount(limit) if limit is not None else None
    if limit is None:
        if not _may_be_parts(name):
            yield required(f"{at}.limits", "Limit must be set for non overcommitable resources")
    elif size is None or most is None or size == most:
        return
    elif not _may_be_parts(name):
        yield invalid(f"{at}.requests", str(quantity), f"must be equal to {name} limit of {limit}")
    elif size > most:
        yield invalid(f"{at}.requests", str(quantity), f"must be less than or equal to {name} limit of {limit}")


def _is_standard(name: str) -> bool:
    return name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")


def _may_be_parts(name: str) -> bool:
    """Resources of Kubernetes itself, but not huge pages, may be had in part and promised twice."""
    own = "/" not in name or "kubernetes.io/" in name
    return own and not name.startswith("hugepages-")


def _handler_faults(container: Fields, at: str) -> Iterator[Fault]:
    for hook in ("postStart", "preStop"):
        handler = (container.get("lifecycle") or {}).get(hook)
        if handler is not None:
            yield from _action_faults(handler, f"{at}.lifecycle.{hook}")
    for name in _PROBES:
        probe, where = container.get(name), f"{at}.{name}"
        if probe is None:
            continue
        yield from _action_faults(probe, where)
        for field in _SECONDS:
            if (probe.get(field) or 0) < 0:
                yield invalid(f"{where}.{field}", probe[field], "must be greater than or equal to 0")
        grace, field = probe.get("terminationGracePeriodSeconds"), f"{where}.terminationGracePeriodSeconds"
        if grace is not None and grace <= 0:
            yield invalid(field, grace, "must be greater than 0")
        if grace is not None and name == "readinessProbe":
            yield invalid(field, grace, "must not be set for readinessProbes")
        if name != "readinessProbe" and (probe.get("successThreshold") or 1) != 1:
            yield invalid(f"{where}.successThreshold", probe["successThreshold"], "must be 1")


def _action_faults(handler: Fields, at: str) -> Iterator[Fault]:
    given = [k for k in ("exec", "httpGet", "tcpSocket", "grpc", "sleep") if handler.get(k) is not None]
    if not given:
        yield required(at, "must specify a handler type")
    for kind in given[1:]:
        yield Fault(f"{at}.{kind}", "Forbidden", _ONE_HANDLER)
    for kind in given[:1]:
        action, where = handler[kind], f"{at}.{kind}"
        if kind == "exec" and not action.get("command"):
            yield required(f"{where}.command")
        if kind in ("httpGet", "tcpSocket", "grpc"):
            port = action.get("port")
            why = _port_name(port) if isinstance(port, str) else "" if 1 <= (port or 0) <= 65535 else _PORT_RULE
            if why:
                yield invalid(f"{where}.port", port or 0, why)
        if kind == "httpGet":
            yield from _unsupported(f"{where}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))


def _spread_faults(spread: Fields, at: str) -> Iterator[Fault]:
    if (skew := spread.get("maxSkew") or 0) <= 0:
        yield invalid(f"{at}.maxSkew", skew, "must be greater than zero")
    if not spread.get("topologyKey"):
        yield required(f"{at}.topologyKey", "can not be empty")
    field = "whenUnsatisfiable"
    yield from _unsupported(f"{at}.{field}", spread.get(field), ("DoNotSchedule", "ScheduleAnyway"))


def _toleration_faults(toleration: Fields, at: str) -> Iterator[Fault]:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    if key:
        yield from key_faults(key, f"{at}.key")
    elif operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield invalid(f"{at}.operator", operator, text)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        yield invalid(f"{at}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    if operator == "Exists" and value:
        yield invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'")
    yield from _unsupported(f"{at}.operator", operator, ("Equal", "Exists"))
    yield from _unsupported(f"{at}.effect", effect, _EFFECTS)


def _label_name_faults(at: str, name: str) -> Iterator[Fault]:
    if len(name) > 63:
        yield invalid(at, name, "must be no more than 63 characters")
    if not re.fullmatch(_LABEL, name):
        yield invalid(at, name, "must not contain dots" if re.fullmatch(_DOMAIN, name) else _LABEL_RULE)


def _domain_faults(at: str, name: str | None, *, needed: bool = False) -> Iterator[Fault]:
    if (name or needed) and not re.fullmatch(_DOMAIN, name or ""):
        yield invalid(at, name, _DOMAIN_RULE)


def _unsupported(at: str, value: str | None, known: Iterable[str]) -> Iterator[Fault]:
    """Where a value is left out the API server fills it in."""
    if value and value not in known:
        told = ", ".join(f'"{name}"' for name in known)
        yield Fault(at, f'Unsupported value: "{value}"', f"supported values: {told}")


def _duplicate(at: str, value: str) -> Fault:
    return Fault(at, f'Duplicate value: "{value}"', "")


def _missing(at: str, value: str) -> Fault:
    return Fault(at, f'Not found: "{value}"', "")
