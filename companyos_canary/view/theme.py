"""What a screen may use: four styles, symbols, the facts of the terminal. No rich."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["", "success", "warning", "failure", "hint"]

STYLES: dict[Role, str] = {"": "", "success": "green", "warning": "yellow", "failure": "red", "hint": "cyan"}
# Yellow and cyan can hardly be read on white.
ON_LIGHT: dict[Role, str] = {**STYLES, "warning": "magenta", "hint": "blue"}


@dataclass(frozen=True, slots=True)
class Facts:
    """The stream a view is drawn for. `terminal` is false for a pipe or a file; `unicode` and
    `colour` are already decided (encoding, NO_COLOR, TERM=dumb, --no-color), so is `light`, the
    background."""

    width: int = 80
    height: int = 24
    unicode: bool = True
    colour: bool = True
    terminal: bool = True
    light: bool = False

    @property
    def symbols(self) -> "Symbols":
        return UNICODE if self.unicode else ASCII

    def style(self, role: Role) -> str:
        """The rich style of a role; empty without colour, so that no escape is ever written."""
        return (ON_LIGHT if self.light else STYLES)[role] if self.colour else ""


@dataclass(frozen=True, slots=True)
class Symbols:
    ok: str
    failed: str
    running: str
    paused: str
    unknown: str
    waiting: str
    warning: str
    scaled_down: str
    replicaset: str
    pod: str
    arrow: str
    dot: str
    more: str
    bar_done: str
    bar_tip: str
    bar_open: str
    levels: str
    gap: str
    limit: str
    now: str


UNICODE = Symbols(
    ok="✔",
    failed="✖",
    running="◌",
    paused="‖",
    unknown="?",
    waiting="·",
    warning="!",
    scaled_down="•",
    replicaset="⧉",
    pod="□",
    arrow="→",
    dot="·",
    more="…",
    bar_done="━",
    bar_tip="╸",
    bar_open="─",
    levels="▁▂▃▄▅▆▇█",
    gap="·",
    limit="┊",
    now="≈",
)

ASCII = Symbols(
    ok="+",
    failed="x",
    running="o",
    paused="=",
    unknown="?",
    waiting="-",
    warning="!",
    scaled_down=".",
    replicaset="#",
    pod="-",
    arrow="->",
    dot="-",
    more="~",
    bar_done="=",
    bar_tip=">",
    bar_open=".",
    levels="_.,:-=*#",
    gap="?",
    limit="|",
    now="~",
)

PHASES: dict[str, Role] = {"Healthy": "success", "Progressing": "hint", "Paused": "warning", "Degraded": "failure"}


def role_symbol(symbols: Symbols, role: Role, otherwise: str) -> str:
    """The symbol of what went well, badly, or without a verdict."""
    marks = {"success": symbols.ok, "failure": symbols.failed, "warning": symbols.unknown}
    return marks.get(role, otherwise)


def phase_symbol(symbols: Symbols, word: str) -> str:
    """The symbol of a phase; the plugin's meaning, one column wide everywhere."""
    marks = {
        "Healthy": symbols.ok,
        "Progressing": symbols.running,
        "Paused": symbols.paused,
        "Degraded": symbols.failed,
    }
    return marks.get(word, symbols.unknown)
