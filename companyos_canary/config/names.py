"""What a name in Kubernetes, an image and a version may look like, and how the two make one."""

import re

from companyos_canary.errors import UsageError
from companyos_canary.model.image import repository

NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})+(?::[0-9]{{1,5}})?|{_LABEL}:[0-9]{{1,5}}|localhost)"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"({_HOST}/)?{_PART}(/{_PART})*")


def printable(text: str) -> str:
    """The text on one line, control characters written out: for messages."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def image_reference(image: str, version: str) -> str:
    """The image to run for a version: `v1.2.3` is a tag of `image`, `sha256:…` a digest of it, and
    a whole reference (`registry/name:tag`) is taken as it is. UsageError for anything else."""
    if _DIGEST.fullmatch(version):
        return f"{image}@{version}"
    if TAG.fullmatch(version):
        return f"{image}:{version}"
    if is_reference(version):
        return version
    raise UsageError(
        f"`{printable(version)}` is not a version",
        hint="a version is an image tag such as `v1.2.3`, a digest `sha256:…`, "
        "or a whole reference such as `registry/name:v1.2.3`",
    )


def is_reference(text: str) -> bool:
    """A repository followed by a tag, a digest or both."""
    name, at, digest = text.partition("@")
    base = repository(name)
    tag = name[len(base) :]
    if base == "sha256" or not REPOSITORY.fullmatch(base) or (at and not _DIGEST.fullmatch(digest)):
        return False
    return bool(TAG.fullmatch(tag[1:])) if tag else bool(at)
