"""What versions do in the sandbox: the scenarios that ship, each a YAML file next to this one, and
those that people write."""

from functools import cache
from pathlib import Path

from companyos_canary.errors import UsageError, guess
from companyos_canary.files import bounded
from companyos_canary.sandbox.scenarios.scenario import (
    BOUNDS,
    HEALTHY,
    RATE,
    Behaviour,
    Course,
    Playing,
    Promise,
    Rates,
    Scenario,
    image_tag,
)

__all__ = [
    "BOUNDS",
    "DEFAULT",
    "HEALTHY",
    "RATE",
    "Behaviour",
    "Course",
    "Playing",
    "Promise",
    "Rates",
    "Scenario",
    "behaviour",
    "default",
    "find",
    "image_tag",
    "shipped",
]
DEFAULT = "default"
_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The scenarios that ship, by name; `default` first."""
    found = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return sorted(found, key=lambda name: name != DEFAULT)


def shipped() -> list[Scenario]:
    """Every scenario that ships."""
    return [_shipped(name) for name in names()]


def find(named: str, folder: Path) -> Scenario:
    """The scenario of that name, or that of a file (`./mine.yaml`, relative to `folder`).
    UsageError if there is neither, ConfigError where the file is wrong."""
    if named in names():
        return _shipped(named)
    path = folder / named
    if path.suffix not in (".yaml", ".yml") and "/" not in named:
        raise _none(named)
    try:
        text = bounded(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"`{named}` cannot be read: {why}") from error
    return _read(text, path.stem, named)


def given(text: str) -> Scenario:
    """The scenario of that name, or the one that a YAML text describes. Raises as `find`."""
    if ":" in text:
        return _read(text, "given", "the scenario")
    if text.strip() not in names():
        raise _none(text.strip())
    return _shipped(text.strip())


def _none(named: str) -> UsageError:
    return UsageError(
        f"there is no scenario `{named}`{guess(named, names())}",
        hint="`canary sandbox --list` names them; a file of yours ends in `.yaml`",
    )


def default() -> Scenario:
    """The tag conventions: `v1.2.0` turns bad at 25 %, `bad…` cannot be pulled, and so on."""
    return _shipped(DEFAULT)


def behaviour(image: str) -> Behaviour:
    """How pods of an image behave in the default scenario."""
    return default().behaviour(image)


@cache
def _shipped(name: str) -> Scenario:
    path = _FOLDER / f"{name}.yaml"
    return _read(path.read_text(encoding="utf-8"), name, path.name)


def _read(text: str, name: str, where: str) -> Scenario:
    from companyos_canary.sandbox.scenarios.reader import read_scenario  # noqa: PLC0415  # YAML

    return read_scenario(text, name, where)
