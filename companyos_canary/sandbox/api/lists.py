"""How lists of the built-in kinds are merged: by which key, as a set, or as a whole."""

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "conditions": "type",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "secrets": "name",
    "finalizers": "",
}


def merge_key(path: tuple[str, ...]) -> str | None:
    """The merge key of the list at a path of field names, `""` for a set of texts, None for a list
    that is replaced as a whole."""
    name = path[-1] if path else ""
    if name == "ports":
        return "containerPort" if "containers" in path or "initContainers" in path else "port"
    return _KEYS.get(name)


def apply_keys(group: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """The keys that tell items apart in server-side apply: ports are told by protocol, too; `()`
    for a set. Custom resources have such lists in their metadata and pod templates only, and
    volumes as a whole (the CRD of Rollouts, git 9f8d111d8)."""
    if group.endswith("argoproj.io"):
        in_template = path[:2] == ("spec", "template") and path[-1] != "volumes"
        if path[:1] != ("metadata",) and not in_template:
            return None
    key = merge_key(path)
    if key is None:
        return None
    if key in ("containerPort", "port"):
        return (key, "protocol")
    return (key,) if key else ()
