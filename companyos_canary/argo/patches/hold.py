"""Versions that no one may deploy until they are released: what `undo --hold` leaves on a Rollout.

Each hold is an annotation of its own, so that several people who hold or release at the same time do not overwrite one
another. Its name is made from the images, so that the same hold is never there twice.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from companyos_canary.argo.actions import one_line
from companyos_canary.argo.patches.decision import Patch, add, annotation_patch, annotation_path, remove, test
from companyos_canary.argo.patches.record import LONGEST_REASON, facts_of, written_facts
from companyos_canary.model.image import Container
from companyos_canary.model.quantity import format_time, parse_time

PREFIX = "canary.companyos.io/hold-"
_UNWRITTEN = "the hold could not be written, so the version may be deployed again"

STILL_HELD = "the hold could not be taken away"


class Hold(Struct, frozen=True):
    """`images` are held, each for its container. `key` and `text` are the annotation as it was read, empty before."""

    images: Mapping[str, str]
    by: str
    at: datetime | None
    reason: str
    key: str = ""
    text: str = ""

    @property
    def annotation(self) -> tuple[str, str]:
        """Its name and its text."""
        facts = {
            "images": dict(self.images),
            "by": self.by,
            "at": format_time(self.at) if self.at else "",
            "reason": self.reason[:LONGEST_REASON],
        }
        images = json.dumps(sorted(self.images.items()))
        digest = hashlib.sha256(images.encode()).hexdigest()[:10]
        return f"{PREFIX}{digest}", written_facts(facts)

    def operation(self) -> dict[str, Any]:
        """The operation of a JSON patch that writes it, where there are annotations."""
        key, text = self.annotation
        return add(annotation_path(key), text)

    def patch(self) -> Patch:
        """A patch of the Rollout that writes nothing else."""
        return annotation_patch(*self.annotation, _UNWRITTEN)

    def release(self) -> list[dict[str, Any]]:
        """The operations that take it away, if it is still the one that was read."""
        path = annotation_path(self.key)
        return [test(path, self.text), remove(path)]

    def is_there(self, annotations: Mapping[str, str]) -> bool:
        """Whether these images are held already, by anyone."""
        return self.annotation[0] in {hold.key for hold in holds(annotations)}


def images_left(left: tuple[Container, ...], target: tuple[Container, ...]) -> dict[str, str]:
    """The images that an undo leaves: those that the version it goes back to does not have."""
    kept = {c.name: c.image for c in target}
    return {c.name: c.image for c in left if c.image and kept.get(c.name) != c.image}


def holds(annotations: Mapping[str, str]) -> tuple[Hold, ...]:
    """The holds of a Rollout; anyone may write an annotation, and what cannot be read is left out."""
    found = ((key, text) for key, text in annotations.items() if isinstance(key, str) and key.startswith(PREFIX))
    return tuple(hold for key, text in sorted(found) if isinstance(text, str) and (hold := _read(key, text)))


def held(annotations: Mapping[str, str], container: str, image: str) -> tuple[Hold, ...]:
    """The holds that keep this image from being deployed."""
    return tuple(hold for hold in holds(annotations) if image and hold.images.get(container) == image)


def held_sentence(hold: Hold) -> str:
    """`ana left it with an undo at 2026-03-02T12:00:00Z: slow login`."""
    at = f" at {format_time(hold.at)}" if hold.at else ""
    why = f": {hold.reason}" if hold.reason else ""
    return f"{hold.by or 'someone'} left it with an undo{at}{why}"


def _read(key: str, text: str) -> Hold | None:
    facts = facts_of(text)
    images = facts.get("images")
    if not isinstance(images, dict):
        return None
    named = {k: v for k, v in images.items() if isinstance(v, str) and v}
    by, reason, at = (one_line(v) if isinstance(v := facts.get(name), str) else "" for name in ("by", "reason", "at"))
    return Hold(named, by, parse_time(at), reason, key, text) if named else None
