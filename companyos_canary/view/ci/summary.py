"""The job summary: Markdown with the sentence, the steps, the metrics and what to type now."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

from companyos_canary.model.outcome import Ending
from companyos_canary.view.ci.timeline import timeline
from companyos_canary.view.closing import commands, look_of, meaning, sentence
from companyos_canary.view.format import duration, limit_text, value_text
from companyos_canary.view.metrics import MetricRow
from companyos_canary.view.picture import Picture, Place, look
from companyos_canary.view.theme import Facts
from companyos_canary.view.why import distinct

_MEANS_SOMETHING = re.compile(r"([\\`*_~\[\]<>|&#])")


def of_ending(ending: Ending, place: Place) -> str:
    """The whole summary; parts that have nothing in them are left out."""
    picture = look(ending.snapshot, ending.at, place)
    of_another = ending.kind in ("superseded", "reverted")
    parts = [
        f"### {look_of(ending, Facts())[1]} {_text(sentence(ending))}",
        _where(ending, picture),
        "\n".join(f"- {_text(fact)}" for fact in meaning(ending)),
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
    rows = [(f"{s.number}/{of}", f"{s.weight} %", s.became, _took(s.took)) for s in steps]
    return _table(("step", "weight:", "what became of it", "took:"), rows)


def _took(span: timedelta | None) -> str:
    return "" if span is None else duration(span)


def _metrics(metrics: Sequence[MetricRow]) -> str:
    if not any(m.measured for m in metrics):
        return ""
    rows = [
        (
            m.name,
            value_text(m.value, m.unit, limit=m.limit) if m.measured else "",
            limit_text(m.limit, m.unit),
            f"{m.failed} of {m.measured}" if m.measured else "",
            m.verdict,
        )
        for m in metrics
    ]
    return _table(("metric", "canary:", "limit:", "failed:", "verdict"), rows)


def _pods(ending: Ending) -> str:
    pods = distinct(ending.cause.pods) if ending.cause else ()
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
