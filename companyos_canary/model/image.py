"""How versions are told apart: by people by their images, by the controller by hashes and revisions."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

HASH_LABEL = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"


class Container(Struct, frozen=True):
    name: str
    image: str


def containers_of(pod: Mapping[str, Any], key: str = "containers") -> tuple[Container, ...]:
    """Those of a pod's spec."""
    return tuple(Container(c.get("name", ""), c.get("image", "")) for c in pod.get(key) or [])


def repository(reference: str) -> str:
    """An image reference without its tag and digest; a registry's port stays."""
    name = reference.split("@", 1)[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.split(":", 1)[0]


def version(image: str) -> str:
    """What people call an image: its tag, or the start of its digest, or its name where it has neither."""
    name, _, digest = image.partition("@")
    if digest:
        return digest[:15]
    last = name.rsplit("/", 1)[-1]
    return last.partition(":")[2] or last


def pull_policy(image: str) -> str:
    """The imagePullPolicy of a container that names none (upstream pkg/apis/core/v1/defaults.go)."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def is_called(image: str, word: str) -> bool:
    """Whether a person may mean this image by that word: all of it, its tag, its digest, or the
    digest's start as far as `version` prints it or further."""
    digest = image.partition("@")[2]
    named = word in (image, version(image), version(image.partition("@")[0]))
    return named or (bool(digest) and len(word) >= len(version(image)) and digest.startswith(word))


def image_of(containers: Iterable[Container], name: str | None = None) -> str:
    """The image of the named container, or of the first."""
    return next((c.image for c in containers if name is None or c.name == name), "")
