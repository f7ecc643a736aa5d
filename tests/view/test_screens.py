"""Whole screens, compared as text: recorded objects and built ones."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from companyos_canary.argo.picture import look
from companyos_canary.cli import VERBS
from companyos_canary.diagnosis.table import seen
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Live
from companyos_canary.model.workload import LogLine
from companyos_canary.view.events import events_lines
from companyos_canary.view.lines import Facts
from companyos_canary.view.next import outlook
from companyos_canary.view.panels import Confirmation, Desk, LogPanel, Notice
from companyos_canary.view.screen import last_screen
from tests.builders import ANALYSIS, NOW, PAUSE, event, metric_object, result_object, run, snapshot
from tests.view.recorded import FIXTURES, moment, recorded
from tests.view.scenes import (
    ABORTED,
    ALL,
    FAILED,
    analysing,
    colour_names,
    on_terminal,
    piped,
    prometheus,
    screen,
    whole_lines,
)

Same = Callable[[str, str], None]
RECORDED = sorted(p.stem for p in FIXTURES.glob("*.json"))
PLACE = Place(context="prod-eu", who="ana")


@pytest.mark.parametrize("name", RECORDED)
def test_get_shows_what_was_recorded(name: str, same_as_file: Same) -> None:
    snapshot = recorded(name)
    same_as_file(f"get-{name}", "\n".join(whole_lines(snapshot, moment(snapshot), Facts())))


@pytest.mark.parametrize("name", ALL)
def test_a_screen_of_80_by_30_shows_the_scene(name: str, same_as_file: Same) -> None:
    frame = screen(ALL[name](), NOW, Facts(80, 30), place=PLACE, leave="Ctrl-C")
    same_as_file(f"80x30-{name}", frame.plain)


WIDTHS = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("name", RECORDED)
def test_a_live_screen_of_every_recorded_phase(name: str, size: str, same_as_file: Same) -> None:
    snapshot = recorded(name)
    frame = screen(snapshot, moment(snapshot), Facts(*WIDTHS[size]), place=PLACE, desk=Desk())
    same_as_file(f"live/{size}-{name}", frame.plain)


@pytest.mark.parametrize("height", range(16, 40))
@pytest.mark.parametrize("name", RECORDED)
def test_no_event_is_left_out_while_a_row_is_free(name: str, height: int) -> None:
    snapshot, facts = recorded(name), Facts(80, height)
    rows = screen(snapshot, moment(snapshot), facts, place=PLACE, desk=Desk()).plain.splitlines()
    known = len(events_lines(look(snapshot, moment(snapshot), PLACE), facts, 12))
    shown = [n for n, row in enumerate(rows) if re.match(r"  \d\d:\d\d:\d\d  ", row)]
    free = sum(1 for row in rows[shown[-1] + 1 :] if not row) - 1 if shown else 0
    assert free <= 0 or len(shown) == known


@pytest.mark.parametrize("size", [*WIDTHS, "40x10"])
@pytest.mark.parametrize("unicode", [True, False], ids=["", "ascii"])
def test_prometheus_stands_beside_what_was_measured(size: str, unicode: bool, same_as_file: Same) -> None:
    facts = Facts(*WIDTHS.get(size, (40, 10)), unicode=unicode)
    frame = screen(analysing(), NOW, facts, place=PLACE, desk=Desk(), live=prometheus())
    same_as_file(f"live/{size}-prometheus{'' if unicode else '-ascii'}", frame.plain)


DESKS = {
    "question": Desk(question=Confirmation("abort", "abort v1.1.0 at 25 %: back to v1.0.0?", 8, 2)),
    "refused": Desk(notice=Notice("`companyos-api` is at step 2/3: a promote would skip it")),
    "busy": Desk(busy="abort"),
    "read-only": Desk(read_only="--read-only"),
    "metrics": Desk(panel="metrics"),
    "events": Desk(panel="events"),
    "logs": Desk(panel="logs", logs=LogPanel("pod-x2k1z", (LogLine("", "p", "", "c", "GET /\t200"),))),
    "no-logs": Desk(panel="logs", logs=LogPanel(note="the canary has no pods")),
    "help": Desk(panel="help"),
}


@pytest.mark.parametrize("size", ["80x24", "40x10", "120x40"])
@pytest.mark.parametrize("name", DESKS)
def test_keys_and_panels(name: str, size: str, same_as_file: Same) -> None:
    facts = Facts(*WIDTHS.get(size, (40, 10)))
    frame = screen(analysing(), NOW, facts, place=PLACE, desk=DESKS[name])
    same_as_file(f"live/{size}-key-{name}", frame.plain)


SIZES = {
    "80x24": Facts(80, 24),
    "120x40": Facts(120, 40),
    "60x40-ascii": Facts(60, 40, unicode=False),
    "40x12": Facts(40, 12),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["analysing", "bad_image"])
def test_a_screen_fits_other_terminals(name: str, size: str, same_as_file: Same) -> None:
    frame = screen(ALL[name](), NOW, SIZES[size], place=PLACE, leave="Ctrl-C")
    same_as_file(f"{size}-{name}", frame.plain)


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(ALL)),
    desk=st.sampled_from([None, Desk(), *DESKS.values()]),
    live=st.sampled_from([None, prometheus(), Live(NOW, "", problem="Prometheus is away " * 9)]),
    width=st.integers(30, 160),
    height=st.integers(6, 60),
    unicode=st.booleans(),
)
def test_no_line_is_too_wide_and_a_screen_is_as_high_as_the_terminal(
    name: str, desk: Desk | None, live: Live | None, width: int, height: int, unicode: bool
) -> None:
    facts = Facts(width, height, unicode=unicode)
    frame = screen(ALL[name](), NOW, facts, place=PLACE, leave="Ctrl-C", desk=desk, live=live)
    lines = frame.plain.split("\n")
    assert len(lines) == height
    assert all(cell_len(line) <= width for line in lines)
    if not unicode and name != "extreme":
        assert all(line.isascii() for line in lines)
    assert "None" not in "".join(lines)


@pytest.mark.parametrize("name", [n for n in ALL if n != "extreme"])
def test_80_columns_cut_nothing_but_messages_of_others(name: str) -> None:
    for line in whole_lines(ALL[name](), NOW, Facts(), place=PLACE):
        assert len(line) <= 80
        assert not line.endswith("…") or "prometheus" in line


@pytest.mark.parametrize("size", [(20, 5), (20, 6), (40, 5), (80, 4)])
def test_a_question_is_read_in_the_smallest_terminal(size: tuple[int, int]) -> None:
    frame = screen(analysing(), NOW, Facts(*size), place=PLACE, desk=DESKS["question"])
    lines = frame.plain.split("\n")
    assert len(lines) == size[1]
    said = [line for line in lines if line]
    assert len(set(said)) == len(said), "nothing stands there twice"
    assert "y yes" in lines[-1]


def test_a_version_that_nobody_has_seen_has_no_traffic_yet() -> None:
    alone = replace(ALL["unobserved"](), whole=False, replicasets=())
    assert "traffic" not in screen(alone, NOW, Facts(), place=PLACE).plain


def test_metrics_without_a_verdict_are_not_said_to_hold() -> None:
    text = screen(ALL["no_data"](), NOW, Facts(), place=PLACE).plain
    assert "next: 50 % at 12:05:21 if 3 metrics get a verdict" in text


def test_a_low_terminal_gives_up_pods_before_steps_and_metrics() -> None:
    full = screen(ALL["analysing"](), NOW, Facts(80, 40), place=PLACE).plain
    low = screen(ALL["analysing"](), NOW, Facts(80, 24), place=PLACE).plain
    assert full.count("□") == 2
    assert "□" not in low
    assert "error-rate" in low
    assert "analysing" in low


def test_without_colour_nothing_is_styled() -> None:
    plain = screen(ALL["failing"](), NOW, Facts(colour=False), place=PLACE)
    coloured = screen(ALL["failing"](), NOW, Facts(), place=PLACE)
    assert not plain.spans
    assert colour_names(coloured) == {"red", "green", "cyan", "bright_black", "bold bright_white on red"}
    assert plain.plain == "\n".join(line.rstrip() for line in coloured.plain.split("\n"))


def test_without_colour_a_key_that_does_nothing_is_left_out() -> None:
    plain, coloured = (screen(analysing(), NOW, Facts(colour=c), place=PLACE, desk=Desk()).plain for c in (False, True))
    assert "p promote" in coloured
    assert "p promote" not in plain


def test_commands_name_the_rollout_where_no_file_does() -> None:
    place = Place(target=("api", "shop"))
    frame = screen(ALL["waiting"](), NOW, Facts(120, 40), place=place).plain
    assert "canary promote api -n shop" in frame
    over = screen(ALL["healthy"](), NOW, Facts(120, 40), place=place).plain
    assert "canary deploy VERSION --rollout api -n shop" in over


def test_time_left_counts_down_and_then_says_that_it_is_due() -> None:
    def note(seconds: int) -> str:
        frame = screen(ALL["analysing"](), NOW + timedelta(seconds=seconds), Facts(), place=PLACE)
        return frame.plain.split("\n")[4]

    assert "48s left" in note(0)
    assert "8s left" in note(40)
    assert "due now" in note(60)


@pytest.mark.parametrize("name", ALL)
def test_only_verbs_that_exist_are_named(name: str) -> None:
    _, commands = outlook(look(ALL[name](), NOW))
    assert all(command.split()[1] in VERBS for _, command in commands)


def test_events_of_an_earlier_update_are_not_shown_as_news() -> None:
    old = event("RolloutUpdated", "Rollout updated to revision 7", at=NOW - timedelta(hours=1))
    moment = analysing()
    aged = replace(moment, events=(old, *moment.events))
    assert whole_lines(aged, NOW, Facts()) == whole_lines(moment, NOW, Facts())
    done = replace(ALL["healthy"](), events=(old,))
    assert not any("updated to revision 7" in line for line in whole_lines(done, NOW, Facts()))


def test_what_comes_next_may_be_another_wait_at_the_same_weight() -> None:
    steps = ({"setWeight": 10}, ANALYSIS, PAUSE, {"setWeight": 50})
    both = snapshot(steps=steps, step_index=1, canary=1, stable=9)
    assert outlook(look(both, NOW))[0] == "the pause if all metrics hold"
    assert outlook(look(snapshot(steps=steps[:2], step_index=1), NOW))[0] == ("all traffic if all metrics hold")


def test_nothing_goes_on_in_a_picture_that_is_old() -> None:
    lost = ALL["lost"]()
    now, later = (whole_lines(lost, NOW + timedelta(seconds=s), Facts()) for s in (0, 30))
    changed = [b for a, b in zip(now, later, strict=True) if a != b]
    assert [line.split(" ago")[0] for line in changed if "3m42s" not in line] == [
        "! NO CONNECTION  for 42s, this is from 12:04:21: v1.1.0 at 25 %, in progress"
    ]
    assert "  next, as of 12:04:21: 50 % at 12:05:21 if all metrics hold" in now
    assert not any("about" in line for line in now)


def test_a_metric_that_fails_is_not_said_to_hold() -> None:
    sentence = outlook(look(ALL["failing"](), NOW))[0]
    assert sentence == "50 % at 12:05:21 if error-rate does not fail again"


def test_who_waits_for_a_person_is_told_that_the_analysis_goes_on() -> None:
    assert outlook(look(ALL["waiting"](), NOW))[0] == ("50 % after `canary promote`, unless the analysis aborts it")
    alone = replace(ALL["waiting"](), runs=())
    assert outlook(look(alone, NOW))[0] == "50 % after `canary promote`"


@pytest.mark.parametrize("name", ["bad_image", "crashing"])
def test_no_end_is_foreseen_while_pods_do_not_start(name: str) -> None:
    scene = ALL[name]()
    runs = (replace(ALL["analysing"]().runs[0], step_index=1),)
    lines = whole_lines(replace(scene, runs=runs), NOW, Facts(120, 40))
    assert not any("about" in line for line in lines)


@pytest.mark.parametrize("height", [40, 12])
def test_the_last_frame_leaves_what_comes_next_to_the_closing(height: int) -> None:
    facts = Facts(80, height)
    shown = on_terminal(last_screen(seen(ALL["rolled_back"](), NOW, PLACE), facts)).plain
    assert "canary" not in shown.replace("canary  v", "").replace("CANARY", "")
    assert "✖ failed after 1m12s" in shown
    assert "ROLLED BACK" not in shown, "the sentence under it says so"
    assert not shown.endswith("\n")


def test_of_several_values_the_one_that_decided_is_shown_and_counted() -> None:
    mine = metric_object("error-rate", successCondition="all(result, # < 0.05)", failureCondition="")
    bad = result_object("error-rate", ["[0.01,0.2,0.03]"] * 2, ["Failed"] * 2, phase="Failed")
    ended = run([bad], metrics=[mine], phase="Failed", message=FAILED, completed_at=NOW)
    seen = snapshot(runs=[ended], canary=0, stable=10, phase="Degraded", message=ABORTED, aborted_at=NOW, step_index=0)
    banner, *lines = whole_lines(seen, NOW, Facts())
    assert "error-rate 20.0 %, limit 5 %" in banner
    assert "    error-rate is the largest of 3 values" in lines
    assert any(
        re.search(r"metric error-rate failing value=0.2 of=3 limit=0.05 ", line) for line in piped(None, seen, NOW)
    )
