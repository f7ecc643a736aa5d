"""A release before it happens: steps and times, how often it would be stopped, and what does not work."""

from collections.abc import Sequence
from datetime import timedelta

from companyos_canary.model.outcome import Chance, PlannedStep, PlanRow, Warned
from companyos_canary.model.quantity import format_duration, plural
from companyos_canary.view.format import duration, keyed
from companyos_canary.view.lines import Column, Facts, Line, Tone, table, wrapped

_ALWAYS, _HARDLY = 0.99, 0.05


def screen(plan: PlanRow, facts: Facts) -> list[Line]:
    """For a terminal."""
    first, later = (_warned(plan, facts, doubtful=doubtful) for doubtful in (True, False))
    return [
        *_sentence(_head(plan), facts),
        *first,
        (),
        *table(_step_columns(plan.steps), facts.width),
        *_sentence(f"  {_takes(plan)}", facts),
        (),
        *table(_chance_columns(plan.chances), facts.width),
        *_sentence(f"  {stops(plan.chances)}", facts),
        *([()] if later else []),
        *later,
        (),
        *(((line, "hint"),) for line in _text(_how(plan), facts)),
    ]


def _is_first(warned: Warned) -> bool:
    """Whether it makes all numbers doubtful: then it is said before them."""
    return warned.code in ("scope", "share")


def _warned(plan: PlanRow, facts: Facts, *, doubtful: bool) -> list[Line]:
    told = (w.message for w in plan.warnings if _is_first(w) is doubtful)
    return [line for text in told for line in _sentence(f"{facts.symbols.warning} {text}", facts, "warning")]


def plain(plan: PlanRow) -> tuple[str, ...]:
    """For a pipe: a line for the traffic, each step, each kind of version and each warning."""
    warned = {w: keyed("warning", code=w.code, message=w.message) for w in plan.warnings}
    of = len(plan.steps)
    return (
        keyed(
            "plan",
            rollout=plan.rollout,
            version=plan.version,
            rps=f"{plan.requests_per_second:.4g}",
            errors=f"{plan.errors:.4g}",
            burst="" if plan.burst == 1 else str(plan.burst),
            prometheus=plan.prometheus,
            seed=str(plan.seed),
            scrape=format_duration(timedelta(seconds=plan.scrape_seconds)),
        ),
        *(line for w, line in warned.items() if _is_first(w)),
        *(_plain_step(step, of) for step in plan.steps),
        *map(_plain_chance, plan.chances),
        *(line for w, line in warned.items() if not _is_first(w)),
    )


def _plain_step(step: PlannedStep, of: int) -> str:
    return keyed(
        f"step {step.number}/{of}",
        weight=str(step.percent),
        share=f"{step.share:.4g}",
        pods="" if step.pods is None else str(step.pods),
        start=duration(step.starts_after_seconds),
        end=duration(step.ends_after_seconds),
        most=duration(step.at_most_after_seconds),
        looks=str(step.looks),
        requests=f"{step.requests:.0f}",
    )


def _plain_chance(chance: Chance) -> str:
    return keyed(
        "version",
        times=f"{chance.times:g}",
        rolled_back=f"{chance.rolled_back:.4g}",
        held=f"{chance.held:.4g}",
        promoted=f"{chance.promoted:.4g}",
        stopped_after=_after(chance.stopped_after_seconds),
        promoted_after=_after(chance.promoted_after_seconds),
        releases=str(chance.releases),
    )


def markdown(plan: PlanRow) -> str:
    """For a pull request."""
    steps, chances = _step_columns(plan.steps), _chance_columns(plan.chances)
    parts = [
        f"### Plan: {_head(plan)}",
        "\n".join(f"- {w.message}" for w in plan.warnings if _is_first(w)),
        _markdown_table(steps),
        _takes(plan),
        _markdown_table(chances),
        f"**{stops(plan.chances)}**",
        "\n".join(f"- {w.message}" for w in plan.warnings if not _is_first(w)),
        f"<sub>{_how(plan)}</sub>",
    ]
    return "\n\n".join(p for p in parts if p)


def stops(chances: Sequence[Chance]) -> str:
    """`stops 3 x the errors after 1m40s; 2 x in 74 % of releases; 1.5 x hardly ever`."""
    good = next((c for c in chances if c.times == 1), None)
    if good and good.held >= _ALWAYS:
        return "stops for a person at every release, and judges none"
    told = []
    for c in sorted((c for c in chances if c.times > 1), key=lambda c: -c.times):
        after = f" after {duration(c.stopped_after_seconds)}" if c.stopped_after_seconds else ""
        if c.rolled_back < _HARDLY:
            told.append(f"{c.times:g} x hardly ever")
        else:
            often = "" if c.rolled_back >= _ALWAYS else f" in {_percent(c.rolled_back)} of releases"
            told.append(f"{c.times:g} x{'' if told else ' the errors'}{often}{after}")
    return f"stops {'; '.join(told)}"


def _head(plan: PlanRow) -> str:
    name = f"{plan.rollout} {plan.version}".strip()
    source = "as given" if plan.given else f"counted by {plan.prometheus}"
    return f"{name} at {plan.requests_per_second:.3g} requests/s and {100 * plan.errors:.3g} % errors, {source}"


def _takes(plan: PlanRow) -> str:
    last, good = plan.steps[-1], next((c for c in plan.chances if c.times == 1), None)
    planned, longest = duration(last.ends_after_seconds), duration(last.at_most_after_seconds)
    told = f"takes {planned}"
    if last.at_most_after_seconds > last.ends_after_seconds:
        told += f", and up to {longest} while it waits for requests"
    if good and good.promoted_after_seconds:
        told += f"; expected {duration(good.promoted_after_seconds)}"
    persons = [f"{s.number}" for s in plan.steps if s.waits_for_a_person]
    return told + (f"; a person continues after step {' and '.join(persons)}" if persons else "")


def _how(plan: PlanRow) -> str:
    releases = sum(c.releases for c in plan.chances)
    own = f"; not simulated: {', '.join(plan.left_out)}" if plan.left_out else ""
    scrape = format_duration(timedelta(seconds=plan.scrape_seconds))
    given = f"seed {plan.seed}, pods scraped every {scrape}"
    return f"{releases} releases were simulated with the rendered AnalysisTemplates, {given}{own}"


def _step_columns(steps: Sequence[PlannedStep]) -> list[Column]:
    of = len(steps)
    columns = [
        Column("STEP", [f"{s.number}/{of}" for s in steps]),
        Column("WEIGHT", [f"{s.percent} %" for s in steps], align="right"),
        Column("TRAFFIC", [f"{s.share:.3g} %" for s in steps], align="right"),
        Column("PODS", ["" if s.pods is None else str(s.pods) for s in steps], align="right", keep=5),
        Column("START", [f"+{duration(s.starts_after_seconds)}" for s in steps], align="right"),
        Column("END", [f"+{duration(s.ends_after_seconds)}" for s in steps], align="right"),
        Column("LOOKS", [str(s.looks or "-") for s in steps], align="right", keep=7),
        Column("REQUESTS A LOOK", [f"{s.requests:,.0f}" if s.looks else "-" for s in steps], align="right", keep=6),
    ]
    return [c for c in columns if not c.empty]


def _chance_columns(chances: Sequence[Chance]) -> list[Column]:
    return [
        Column("A VERSION WITH", [f"{_times(c.times)}" for c in chances]),
        Column("ROLLED BACK", [_percent(c.rolled_back) for c in chances], align="right"),
        Column("HELD", [_percent(c.held) for c in chances], align="right"),
        Column("SHIPPED", [_percent(c.promoted) for c in chances], align="right"),
        Column("STOPPED AFTER", [_after(c.stopped_after_seconds) for c in chances], align="right"),
        Column("OF", [plural(c.releases, "release") for c in chances], align="right", keep=5),
    ]


def _times(times: float) -> str:
    return "as many errors" if times == 1 else f"{times:g} x the errors"


def _after(span: timedelta | None) -> str:
    return "-" if span is None else duration(span)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"


def _sentence(text: str, facts: Facts, role: Tone = "") -> list[Line]:
    return [((line, role),) for line in _text(text, facts)]


def _text(text: str, facts: Facts) -> list[str]:
    indent = "  " * text.startswith("  ")
    return [indent + line for line in wrapped(text.strip(), facts.width - len(indent), most=6)]


def _markdown_table(columns: Sequence[Column]) -> str:
    head = "|".join(f" {c.heading.strip().lower()} " for c in columns)
    line = "|".join("--:" if c.align == "right" else "---" for c in columns)
    rows = zip(*(c.cells for c in columns), strict=True)
    body = ["|".join(f" {str(cell).strip()} " for cell in row) for row in rows]
    return "\n".join(f"|{row}|" for row in (head, line, *body))
