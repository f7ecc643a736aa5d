"""Whether Argo CD or Flux keeps a Rollout as it is in Git, so that an image that is set in the cluster is put back.

Argo CD marks what it manages with a tracking id that names the object, Flux with labels; both are known as managers of
the fields that they write (Argo CD: docs/user-guide/resource_tracking; Flux: kustomize-controller, helm-controller).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from companyos_canary.argo.patches.decision import Refusal
from companyos_canary.model.image import Container
from companyos_canary.model.rollout import Rollout

TRACKING = "argocd.argoproj.io/tracking-id"
FLUX = ("kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io")
MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}


class Keeper(Struct, frozen=True):
    """Who puts an object back. `source` is the application, Kustomization or HelmRelease; empty if only the field's
    manager is known."""

    tool: str
    source: str = ""

    @property
    def name(self) -> str:
        return f"{self.tool} ({self.source})" if self.source else self.tool


def keeper_of(rollout: Rollout) -> Keeper | None:
    """Who keeps the pod template's images: of the Rollout, or of the Deployment that it takes its pods from."""
    kind = str(rollout.workload_ref.get("kind")) if rollout.workload_ref else "Rollout"
    return _keeper(rollout.template_meta, kind)


def _keeper(meta: Mapping[str, Any], kind: str) -> Keeper | None:
    annotations, labels = _texts(meta.get("annotations")), _texts(meta.get("labels"))
    if application := _tracked(annotations.get(TRACKING, ""), meta, kind):
        return Keeper("Argo CD", f"application {application}")
    for group in FLUX:
        name, namespace = labels.get(f"{group}/name"), labels.get(f"{group}/namespace")
        marks = {**labels, **annotations}
        off = marks.get(f"{group}/reconcile") == "disabled" or marks.get(f"{group}/ssa") in ("Ignore", "IfNotPresent")
        if name and not off:
            of = "Kustomization" if group == FLUX[0] else "HelmRelease"
            return Keeper("Flux", f"{of} {'/'.join(filter(None, (namespace, name)))}")
    tools = (MANAGERS[manager] for manager in _image_managers(meta) if manager in MANAGERS)
    tool = next(tools, "")
    return Keeper(tool) if tool else None


def change_in_git(rollout: Rollout, images: Mapping[str, str]) -> str:
    """What to change in Git in place of the cluster: `image: web:v2` of the container `web` in Rollout shop/web."""
    ref = rollout.workload_ref
    kind, name = (str(ref.get("kind")), str(ref.get("name"))) if ref else ("Rollout", rollout.name)
    sets = " and ".join(f"`image: {image}` for container `{container}`" for container, image in images.items())
    return f"in Git, set {sets or 'the pod template'} in {kind} {rollout.namespace}/{name}"


def kept_in_git(rollout: Rollout, keeper: Keeper, images: Mapping[str, str]) -> Refusal:
    return Refusal(
        f"{keeper.name} manages the image of `{rollout.name}` and will put back the one in Git",
        f"{change_in_git(rollout, images)}; --force changes the cluster all the same",
    )


def put_back_note(keeper: Keeper | None) -> str:
    """What is said next to a change that is forced; empty if no one keeps it."""
    return f"{keeper.name} will put back the image in Git unless it is changed there too" if keeper else ""


def different(before: tuple[Container, ...], after: tuple[Container, ...]) -> dict[str, str]:
    """The images that change, by container."""
    live = {c.name: c.image for c in before}
    return {c.name: c.image for c in after if live.get(c.name) != c.image}


def _tracked(identity: str, meta: Mapping[str, Any], kind: str) -> str:
    """The application of `APP:GROUP/KIND:NAMESPACE/NAME`, if that is this very object: a copy of the annotation on
    something else is not believed, as Argo CD does not."""
    application, _, rest = identity.partition(":")
    what, _, where = rest.partition(":")
    same = what.rpartition("/")[2] == kind and where.rpartition("/")[2] == meta.get("name")
    return application if same else ""


def _image_managers(meta: Mapping[str, Any]) -> Iterator[str]:
    """Who owns the image of any container of the pod template, as the API server tells it."""
    entries = meta.get("managedFields")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("manager"), str):
            continue
        node: Any = entry.get("fieldsV1")
        for part in ("f:spec", "f:template", "f:spec"):
            node = node.get(part) if isinstance(node, dict) else None
        lists = [node.get(part) for part in ("f:containers", "f:initContainers")] if isinstance(node, dict) else []
        containers = [c for found in lists if isinstance(found, dict) for c in found.values()]
        if any(isinstance(c, dict) and "f:image" in c for c in containers):
            yield entry["manager"]


def _texts(found: object) -> dict[str, str]:
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
