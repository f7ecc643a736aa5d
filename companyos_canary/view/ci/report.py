"""What every CI system is told of an end, whatever form it wants it in."""

from dataclasses import dataclass
from typing import Literal

from companyos_canary.argo.endings import waits_for_a_person
from companyos_canary.argo.phase import shown_phase
from companyos_canary.errors import CanaryError, ExitCode
from companyos_canary.model.outcome import Ending
from companyos_canary.model.rollout import Rollout
from companyos_canary.view.ci.summary import of_ending, of_sentence
from companyos_canary.view.closing import sentence
from companyos_canary.view.machine import error_entry
from companyos_canary.view.picture import Place

Level = Literal["", "warning", "error"]
_WELL = ("healthy", "reached")
_SOMEBODY = ("paused", "interrupted")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What later steps may read. `phase` and `revision` are what the Rollout shows at the end,
    `image` is the one that was followed; each may be empty."""

    verdict: str
    phase: str = ""
    revision: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`message` is one sentence at `level` under `title`; nothing is to be told where the level is
    empty. `summary` is Markdown."""

    outputs: Outputs
    level: Level
    title: str
    message: str
    summary: str


def ending_report(ending: Ending, place: Place) -> Report:
    rollout = ending.snapshot.rollout
    level: Level = "error"
    if ending.kind in _WELL:
        level = "warning" if waits_for_a_person(rollout) else ""
    elif ending.kind in _SOMEBODY:
        level = "warning"
    return Report(
        outputs=_outputs(rollout, ending.kind, ending.image),
        level=level,
        title=f"{rollout.name} {ending.kind}",
        message=sentence(ending),
        summary=of_ending(ending, place),
    )


def standing_report(rollout: Rollout, image: str) -> Report:
    """Of a version that was stable before anything was asked."""
    said = f"{rollout.name}: {image} is stable, nothing was to be done"
    return Report(_outputs(rollout, "healthy", image), "", rollout.name, said, of_sentence(said))


def unobserved_report(rollout: Rollout, image: str, said: str) -> Report:
    """Of a change that no controller has acted on."""
    title = f"{rollout.name} unobserved"
    return Report(_outputs(rollout, "unobserved", image), "error", title, said, of_sentence(said))


def error_report(command: str, error: CanaryError) -> Report:
    """Of a command that failed before, or while, it followed anything."""
    title, said = f"canary {command}", error.message
    level: Level = "warning" if error.exit_code is ExitCode.INTERRUPTED else "error"
    return Report(Outputs(error_entry(error)["code"]), level, title, said, of_sentence(said, error.hint))


def _outputs(rollout: Rollout, verdict: str, image: str) -> Outputs:
    return Outputs(verdict, shown_phase(rollout).word, str(rollout.revision or ""), image)
