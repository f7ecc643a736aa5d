"""Whatever a cluster holds, the reading verbs have something to say and none fails."""

import json
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.argo.history import history, revision_row
from companyos_canary.argo.judged import judged_run, worst_first
from companyos_canary.argo.picture import look
from companyos_canary.argo.rows import listed
from companyos_canary.argo.steps import step_of
from companyos_canary.commands.events import by_time, left_out, subjects
from companyos_canary.model.place import Place
from companyos_canary.view import analysis, rollouts
from companyos_canary.view import analysis as analysis_screen
from companyos_canary.view import events as eventlist
from companyos_canary.view import history as revisions
from companyos_canary.view.lines import Facts, plain_text
from companyos_canary.view.machine import envelope
from tests import schema
from tests.builders import NOW
from tests.view.test_any_state import SCENES, STATES, assembled


@settings(deadline=None)
@given(STATES, st.tuples(SCENES, SCENES, SCENES, SCENES), st.integers(60, 120), st.booleans())
def test_every_reading_view_has_something_to_say(
    state: dict[str, Any], scenes: tuple[str, ...], width: int, unicode: bool
) -> None:
    found, facts = assembled(state, scenes), Facts(width, unicode=unicode)
    told = history(found, NOW)
    runs = worst_first(found.runs)
    row = listed(found, NOW, Place())
    picture, events = look(found, NOW), by_time(found.events)
    shown = [
        *(revisions.screen(told, NOW, facts, None) if told else []),
        *analysis_screen.screen(runs, NOW, facts, full=True, step=partial(step_of, found.rollout)),
        *rollouts.screen([row], facts, namespaces=True),
        *eventlist.event_lines(events, picture, facts),
    ]
    texts = [
        *map(plain_text, shown),
        *(revisions.plain(r, None) for r in told),
        *(x for r in runs for x in analysis.plain(r, step_of(found.rollout, r), full=True)),
        rollouts.plain(row),
        *map(eventlist.plain, events),
    ]
    assert all("\n" not in t and "None" not in t for t in texts)
    records = [
        *(("Revision", revision_row(r, None)) for r in told),
        *(("JudgedRun", judged_run(r, step_of(found.rollout, r))) for r in runs),
        ("Listed", row),
        *(("Event", e) for e in events),
    ]
    for name, record in records:
        schema.fits(name, json.loads(envelope("get", 0, record))["data"])
    assert len(told) == len(found.replicasets)
    assert len(subjects(found)) >= left_out(found)
