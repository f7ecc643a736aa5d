"""A release as a summary in Markdown, and the facts that it is made from."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.picture import Picture, look
from companyos_canary.argo.timeline import timeline
from companyos_canary.errors import CanaryError, ExitCode
from companyos_canary.model.outcome import Ending, Warned
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout
from companyos_canary.view import advice
from companyos_canary.view.closing import commands, look_of, meaning, sentence
from companyos_canary.view.format import duration, limit_text, value_text
from companyos_canary.view.lines import Facts
from companyos_canary.view.machine import error_entry

_Level = Literal["", "warning", "error"]
_WELL = ("healthy", "reached")
_LONGEST = 200  # characters of a value in a table
_SOMEBODY = ("paused", "interrupted")


class Outputs(Struct, frozen=True):
    """What later steps may read. `phase` and `revision` are what the Rollout shows at the end,
    `image` is the one that was followed; each may be empty."""

    verdict: str
    phase: str = ""
    revision: str = ""
    image: str = ""


class Report(Struct, frozen=True):
    """`message` is one sentence at `level` under `title`; nothing is to be reported where the level is
    empty. `summary` is Markdown."""

    outputs: Outputs
    level: _Level
    title: str
    message: str
    summary: str


def ending_report(ending: Ending, place: Place) -> Report:
    picture, rollout = look(ending.snapshot, ending.at, place), ending.snapshot.rollout
    level: _Level = "error"
    if ending.kind in _WELL:
        level = "warning" if picture.waits else ""
    elif ending.kind in _SOMEBODY:
        level = "warning"
    return Report(
        outputs=_outputs(rollout, picture.progress.phase.word, ending.kind, ending.image),
        level=level,
        title=f"{rollout.name} {ending.kind}",
        message=sentence(ending),
        summary=of_ending(ending, place),
    )


def warning_report(ending: Ending, warning: Warned) -> Report:
    """Of what its metrics count besides."""
    name = ending.snapshot.rollout.name
    return Report(Outputs(ending.kind), "warning", f"{name} {warning.code}", warning.message, "")


def standing_report(rollout: Rollout, phase: str, image: str) -> Report:
    """Of a version that was stable before anything was asked."""
    said = f"{rollout.name}: {image} is stable; there was nothing to do"
    return Report(_outputs(rollout, phase, "healthy", image), "", rollout.name, said, of_sentence(said))


def unobserved_report(rollout: Rollout, phase: str, image: str, said: str) -> Report:
    """Of a change that no controller has acted on."""
    title = f"{rollout.name} unobserved"
    return Report(_outputs(rollout, phase, "unobserved", image), "error", title, said, of_sentence(said))


def error_report(command: str, error: CanaryError) -> Report:
    """Of a command that failed before, or while, it followed anything."""
    title, said = f"canary {command}", error.message
    level: _Level = "warning" if error.exit_code is ExitCode.INTERRUPTED else "error"
    return Report(Outputs(error_entry(error).code), level, title, said, of_sentence(said, error.hint))


def _outputs(rollout: Rollout, phase: str, verdict: str, image: str) -> Outputs:
    return Outputs(verdict, phase, str(rollout.revision or ""), image)


_WORDS = {"waiting": "waits for a person", "held": "paused by hand", "inconclusive": "no verdict"}
_MEANS_SOMETHING = re.compile(r"([\\`*_~\[\]<>|&#])")


def of_ending(ending: Ending, place: Place) -> str:
    """The whole summary; parts that have nothing in them are left out."""
    picture = look(ending.snapshot, ending.at, place)
    of_another = ending.kind in ("superseded", "reverted")
    parts = [
        f"### {look_of(ending, Facts())[1]} {_text(sentence(ending))}",
        _where(ending, picture),
        "\n".join(f"- {_text(fact)}" for fact in (*meaning(ending), *(w.message for w in ending.warnings))),
        _evidence(ending),
        _steps(ending),
        "" if of_another else _metrics(picture.metrics),
        _pods(ending),
        _commands(command for _, command in commands(ending, place)),
    ]
    return _joined(parts)


def of_sentence(said: str, hint: str = "") -> str:
    """The summary of a command that followed nothing."""
    return _joined([f"### {_text(said)}", _text(hint)])


def _where(ending: Ending, picture: Picture) -> str:
    rollout, took = ending.snapshot.rollout, duration(ending.at - ending.started_at)
    times = f"{ending.started_at:%H:%M:%S} to {ending.at:%H:%M:%S} ({took})"
    facts = (picture.name, picture.where, f"revision {rollout.revision}", times)
    return " · ".join(_text(f) for f in facts)


def _steps(ending: Ending) -> str:
    steps = timeline(ending)
    of = len(steps)
    rows = [(f"{s.number}/{of}", f"{s.weight} %", _WORDS.get(s.became, s.became), _took(s.took)) for s in steps]
    return _table(("step", "weight:", "outcome", "took:"), rows)


def _took(span: timedelta | None) -> str:
    return "" if span is None else duration(span)


def _metrics(metrics: Sequence[MetricRow]) -> str:
    if not any(m.measured for m in metrics):
        return ""
    counts = any(m.advice and m.advice.counts.requests for m in metrics)
    rows = [
        (
            m.name,
            value_text(m.value, m.unit, limit=m.limit) if m.measured else "",
            limit_text(m.limit, m.unit),
            f"{m.failed} of {m.measured}" if m.measured else "",
            m.verdict,
            *_so_far(m, counts=counts),
        )
        for m in metrics
    ]
    return _table(("metric", "canary:", "limit:", "failed:", "verdict", *(("all requests",) if counts else ())), rows)


def _so_far(row: MetricRow, *, counts: bool) -> tuple[str, ...]:
    """`12/4,180 vs 31/37,900, 2.9 x (1.4-5.9): worse, sure`, where any metric counts."""
    found = row.advice
    if not counts or found is None or not found.counts.requests:
        return ("",) if counts else ()
    told = ", ".join(p for p in (advice.counted(found), advice.measured(found)) if p)
    return (f"{told}: {advice.sequential_words(found)}",)


def _shown(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _evidence(ending: Ending) -> str:
    """The fields that show why, as `canary why` quotes them."""
    found = ending.why.evidence if ending.why else ()
    return _table(("object", "field", "value"), [(e.object, e.field, _shown(e.value)) for e in found])


def _pods(ending: Ending) -> str:
    pods = ending.cause.pods_by_reason if ending.cause else ()
    rows = [(p.pod, p.reason, str(p.restarts or ""), p.message) for p in pods]
    return _table(("pod", "reason", "restarts:", "message"), rows)


def _commands(commands: Iterable[str]) -> str:
    lines = "\n".join(commands)
    return f"Next:\n\n```sh\n{lines}\n```" if lines else ""


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Empty without rows; a heading that ends with `:` is of a column of numbers."""
    if not rows:
        return ""
    head = "|".join(f" {h.rstrip(':')} " for h in headings)
    line = "|".join("--:" if h.endswith(":") else "---" for h in headings)
    cells = ["|".join(f" {_text(cell)} " for cell in row) for row in rows]
    return "\n".join(f"|{row}|" for row in (head, line, *cells))


def _text(text: str) -> str:
    """As it is read, whatever a message of the cluster has in it."""
    return _MEANS_SOMETHING.sub(r"\\\1", " ".join(text.split()))


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(p for p in parts if p) + "\n"
