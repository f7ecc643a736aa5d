"""Compares a projection with a recorded one; what recordings disagree on is not compared."""

import difflib
import json
from collections.abc import Iterator
from typing import Any

from tests.conformance.projection import IN_TURN, once

Json = dict[str, Any]
Problem = tuple[str, str]

# Which of the last two states of a release shows depends on which pod is ready first.
_SWITCH = "SwitchService"
_ENDING = ("old replicas are pending termination", "updated replicas are still becoming available")
_PARTS = ("scaleDownDeadlines", "ingresses")
_LISTS = ("weights", "selectors")
_COMPARED = {"rollout", "replicasets", "events", "analysisruns", "experiments", "final", *_PARTS, *_LISTS}
_NOT_COMPARED = {"recordings", "eventsDropped", "noise"}


def problems(expected: Json, got: Json) -> list[str]:
    """One line a difference: the part, then `-` what was recorded or `+` what came instead."""
    found = [
        *_states(expected, got),
        *_events(expected, got),
        *_sizes(expected, got),
        *_runs(expected, got),
        *_routing(expected, got),
        *_experiments(expected, got),
        *_final(expected, got),
    ]
    unknown = sorted(set(expected) - _COMPARED - _NOT_COMPARED)
    found += [(part, "is recorded, but not emulated") for part in unknown]
    return [f"{part}: {what}" for part, what in found]


def _states(expected: Json, got: Json) -> Iterator[Problem]:
    def steady(states: list[Json]) -> list[Json]:
        return once(s for s in states if s["message"] not in _ENDING)

    wanted, had = steady(expected["rollout"]["coarse"]), steady(got["rollout"]["coarse"])
    yield from _lists(expected, "rollout.coarse", wanted, had)


def _events(expected: Json, got: Json) -> Iterator[Problem]:
    endless = _endless(expected)
    for kind in ("Rollout", "AnalysisRun", "Experiment"):
        for type_ in ("Normal", "Warning"):
            wanted = [e for e in expected["events"] if e[:2] == [kind, type_] and not (endless and e[2] == _SWITCH)]
            had = [e for e in got["events"] if e[:2] == [kind, type_] and not (endless and e[2] == _SWITCH)]
            spent = bool(expected.get("eventsDropped")) and (kind, type_) == ("Rollout", "Normal")
            yield from _lists(expected, "events", wanted, had, open_end=spent)


def _sizes(expected: Json, got: Json) -> Iterator[Problem]:
    for name, wanted in expected["replicasets"].items():
        had = got["replicasets"].get(name, [])
        yield from _lists(expected, f"replicasets.{name}", wanted, had)
    yield from _unexpected(expected, got, "replicasets")


def _runs(expected: Json, got: Json) -> Iterator[Problem]:
    for name, wanted in expected["analysisruns"].items():
        part, had = f"analysisruns.{name}", got["analysisruns"].get(name)
        if had is None:
            yield part, "missing"
            continue
        yield from _lists(expected, f"{part}.states", wanted["states"], had["states"])
        for field in ("metrics", "summary"):
            if field in wanted and wanted[field] != had.get(field):
                yield f"{part}.{field}", _both(wanted[field], had.get(field))
    yield from _unexpected(expected, got, "analysisruns")


def _endless(expected: Json) -> set[str]:
    """The Services that the controller switched to and fro without end, a defect that is not to be
    copied: where they point at last is compared."""
    switches: dict[str, list[Any]] = expected["final"].get("serviceSwitches") or {}
    return {name for name, found in switches.items() if IN_TURN in found}


def _routing(expected: Json, got: Json) -> Iterator[Problem]:
    for part in _PARTS:
        for name, wanted in expected.get(part, {}).items():
            yield from _lists(expected, f"{part}.{name}", wanted, got.get(part, {}).get(name, []))
    for part in _LISTS:
        if part in expected:
            yield from _lists(expected, part, expected[part], got.get(part, []))
    if "ingresses" in expected:
        yield from _unexpected(expected, got, "ingresses")


def _experiments(expected: Json, got: Json) -> Iterator[Problem]:
    for name, wanted in expected.get("experiments", {}).items():
        part, had = f"experiments.{name}", got.get("experiments", {}).get(name)
        if had is None:
            yield part, "missing"
            continue
        yield from _lists(expected, f"{part}.states", wanted["states"], had["states"])
        for template, states in wanted["templates"].items():
            where = f"{part}.templates.{template}"
            yield from _lists(expected, where, states, had["templates"].get(template, []))
        for field in ("terminate", "analysisRuns", "conditions"):
            if field in wanted and wanted[field] != had.get(field):
                yield f"{part}.{field}", _both(wanted[field], had.get(field))
    if "experiments" in expected:
        yield from _unexpected(expected, got, "experiments")


def _final(expected: Json, got: Json) -> Iterator[Problem]:
    for field, wanted in expected["final"].items():
        had = got["final"].get(field)
        if field == "status":
            for key, value in wanted.items():
                if value != (had or {}).get(key):
                    yield f"final.status.{key}", _both(value, (had or {}).get(key))
        elif field == "serviceSwitches":
            free = _endless(expected)
            pairs = ((n, wanted.get(n), (had or {}).get(n)) for n in wanted | (had or {}) if n not in free)
            for name, one, other in pairs:
                if one != other:
                    yield f"final.{field}.{name}", _both(one, other)
        elif wanted != had:
            yield f"final.{field}", _both(wanted, had)


def _unexpected(expected: Json, got: Json, part: str) -> Iterator[Problem]:
    for name in got.get(part, {}):
        if name not in expected[part] and f"{part}.{name}" not in expected["noise"]:
            yield f"{part}.{name}", "not expected"


def _lists(
    expected: Json, part: str, wanted: list[Any], had: list[Any], *, open_end: bool = False
) -> Iterator[Problem]:
    """Differences of two lists in order. What is listed as noise may appear anywhere in ours; with
    `open_end`, ours may continue."""
    noise = expected["noise"].get(part)
    free = {_text(n) for n in noise} if isinstance(noise, list) else set()
    first, second = [_text(w) for w in wanted], [_text(h) for h in had]
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal" or (open_end and what == "insert" and a == len(first)):
            continue
        yield from ((part, f"- {text}") for text in first[a:b])
        yield from ((part, f"+ {text}") for text in second[c:d] if text not in free)


def _both(wanted: Any, had: Any) -> str:
    return f"- {_text(wanted)}\n    + {_text(had)}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
