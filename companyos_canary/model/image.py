"""What people call an image: its repository, its tag or digest, and its short name."""

from collections.abc import Iterable

from companyos_canary.model.rollout import Container


def repository(reference: str) -> str:
    """An image reference without its tag and digest; a registry's port stays."""
    name = reference.split("@", 1)[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.split(":", 1)[0]


def tag(image: str) -> str:
    """What people call an image: its tag, its digest, or all of it where it has neither."""
    if "@" in image:
        return image.split("@", 1)[1]
    name = image.rsplit("/", 1)[-1]
    return name.split(":", 1)[1] if ":" in name else image


def version(image: str) -> str:
    """The tag of an image, or the start of its digest, or the image where it has neither."""
    name, _, digest = image.partition("@")
    if digest:
        return digest[:15]
    last = name.rsplit("/", 1)[-1]
    return last.partition(":")[2] or last


def image_of(containers: Iterable[Container], name: str | None = None) -> str:
    """The image of the named container, or of the first."""
    return next((c.image for c in containers if name is None or c.name == name), "")
