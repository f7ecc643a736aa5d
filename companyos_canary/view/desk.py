"""What a live screen holds beside the rollout: the open panel, a question, what a key has done."""

from dataclasses import dataclass
from typing import Literal

from companyos_canary.model.logline import LogLine
from companyos_canary.view.theme import Role

Panel = Literal["", "metrics", "events", "logs", "help"]


@dataclass(frozen=True, slots=True)
class Question:
    """Asked once, inside the frame. What is confirmed is meant for this revision and step alone."""

    verb: str
    text: str
    revision: int
    step: int | None


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of a key, until the next one is pressed."""

    text: str
    role: Role = ""


@dataclass(frozen=True, slots=True)
class Logs:
    """The last lines of one pod, oldest first; `note` says why there are none."""

    pod: str = ""
    lines: tuple[LogLine, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """`read_only`: why nothing can be changed from here, empty where it can. `busy`: the verb that
    is on its way. `logs` is None until they were read."""

    read_only: str = ""
    panel: Panel = ""
    question: Question | None = None
    notice: Notice | None = None
    busy: str = ""
    logs: Logs | None = None
