"""The first row is the answer, the last one the keys, whatever is between them."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from companyos_canary.argo.picture import look
from companyos_canary.model.place import Place
from companyos_canary.view.banner import banner_line
from companyos_canary.view.ink import ink
from companyos_canary.view.lines import BANNERS, Facts, plain_text
from companyos_canary.view.metric_table import metrics_lines
from companyos_canary.view.panels import Desk
from tests.builders import NOW, result_object, run, snapshot
from tests.view.scenes import ALL, GOOD, colour_names, on_terminal, prometheus, rolled_back, screen

PLACE = Place(context="prod-eu", who="ana")
SIZES = [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5)]
SAID = {
    "analysing": "◌ IN PROGRESS  v1.0.0 → v1.1.0 at 25 %: step 2 of 3, analysing, 48s left",
    "scaling": "◌ IN PROGRESS  v1.0.0 → v1.1.0 at 25 %: step 2 of 3, waiting for pods",
    "failing": "✖ FAILING  v1.1.0 at 25 %: error-rate 11.2 %, limit 5 %",
    "rolled_back": "✖ ROLLED BACK  v1.1.0 at 25 %: error-rate 11.2 %, limit 5 %",
    "waiting": "‖ WAITS FOR YOU  v1.0.0 → v1.1.0 at 10 % since 12:03:53: promote or abort",
    "held": "‖ PAUSED BY HAND  v1.0.0 → v1.1.0 at 25 %: resume or abort",
    "bad_image": "✖ PODS FAIL  v1.1.0 at 25 %: ImagePullBackOff, 0 of 12 pods ready",
    "healthy": "✔ HEALTHY  v1.1.0 has all traffic",
    "lost": "! NO CONNECTION  for 12s, this is from 12:04:21: v1.1.0 at 25 %, in progress",
    "unobserved": "◌ NOT STARTED  v1.2.0: the controller has not acted on the change",
}
COLOURS = {
    "analysing": "doing",
    "failing": "bad",
    "rolled_back": "bad",
    "waiting": "asking",
    "held": "asking",
    "healthy": "done",
    "lost": "gone",
}


@pytest.mark.parametrize("name", SAID)
def test_the_first_row_says_the_state_the_version_and_the_one_fact_that_matters(name: str) -> None:
    assert plain_text(banner_line(look(ALL[name](), NOW, PLACE), Facts())) == SAID[name]


@pytest.mark.parametrize("name", COLOURS)
def test_its_colour_fills_the_row(name: str) -> None:
    frame = screen(ALL[name](), NOW, Facts(100, 30), place=PLACE, desk=Desk())
    ((_, role),) = (part for part in banner_line(look(ALL[name](), NOW, PLACE), Facts()) if isinstance(part, tuple))
    assert role == COLOURS[name]
    (coloured,) = ink([(("x", role),)], Facts(1))
    filling = on_terminal([coloured]).spans[0].style
    styled = [s for s in frame.spans if s.style == filling]
    assert (min(s.start for s in styled), max(s.end for s in styled)) == (0, 100)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ALL)
def test_the_keys_are_the_last_line_of_the_terminal(name: str, size: tuple[int, int]) -> None:
    for desk in (Desk(), Desk(panel="metrics"), Desk(panel="events"), Desk(panel="help")):
        lines = screen(ALL[name](), NOW, Facts(*size), place=PLACE, desk=desk).plain.split("\n")
        assert len(lines) == size[1]
        assert "q leave" in lines[-1]
        assert plain_text(banner_line(look(ALL[name](), NOW, PLACE), Facts(*size))).strip() == lines[0].strip()


def test_a_reason_is_said_once() -> None:
    text = screen(rolled_back(), NOW, Facts(), place=PLACE, desk=Desk()).plain
    assert text.count("limit 5 %") == 1
    assert "Degraded" not in text


def test_after_a_roll_back_what_passed_is_green_and_what_failed_red_up_to_where_it_stopped() -> None:
    frame = screen(rolled_back(), NOW, Facts(), place=PLACE, desk=Desk())
    bars = frame.plain.split("\n")[3]
    passed, failed = bars.split("25 %")
    assert colour_names(frame, passed.strip()[6:].strip()) == {"green"}
    bar = failed.partition("50 %")[0].strip()
    assert bar.startswith("━")
    assert bar.endswith("✖")
    assert colour_names(frame, bar) == {"red"}
    assert "━" not in failed.partition("50 %")[2]
    assert "✖ failed after 1m12s" in frame.plain


def test_what_was_measured_is_not_said_once_traffic_is_back() -> None:
    text = screen(rolled_back(), NOW, Facts(), place=PLACE, desk=Desk(), live=prometheus(share=0.27)).plain
    assert "measured 27 %" not in text
    assert "traffic  100 % on v1.0.0  (10 of 10 pods)" in text


def test_a_share_that_is_measured_over_more_than_the_step_says_over_what() -> None:
    live = replace(prometheus(share=0.09), over="1m")
    began, later = (
        screen(ALL["analysing"](), now, Facts(), place=PLACE, live=live).plain
        for now in (NOW - timedelta(seconds=40), NOW)
    )
    assert "measured 9 % over 1m\n" in began
    assert "measured 9 %, differs\n" in later


def test_a_value_beyond_its_limit_that_has_passed_is_said_to_be_chance() -> None:
    picture = look(ALL["analysing"](), NOW, PLACE)
    beyond = tuple(replace(r, value=1.54) if r.name == "error-ratio" else r for r in picture.metrics)
    for width in (80, 120):
        lines = map(plain_text, metrics_lines(replace(picture, metrics=beyond), Facts(width)))
        said = {line.split()[1]: "may be chance" in line for line in lines}
        assert [name for name, chance in said.items() if chance] == ["error-ratio"]


def test_the_words_of_the_banner_do_not_have_the_white_of_the_theme_which_is_grey_on_some_light_ones() -> None:
    assert not [style for style in BANNERS.values() if "37" in style.split(";")]


def test_keys_are_grey_without_a_connection_and_say_why() -> None:
    frame = screen(ALL["lost"](), NOW, Facts(), place=PLACE, desk=Desk())
    keys = frame.plain.split("\n")[-1]
    assert keys.startswith("a abort  space pause  (no connection)")
    assert colour_names(frame, "(no connection)") == {"bright_black"}
    plain_keys = screen(ALL["lost"](), NOW, Facts(colour=False), place=PLACE, desk=Desk()).plain.split("\n")[-1]
    assert "(no connection)" in plain_keys


def test_a_step_that_lasts_has_no_promote_to_offer() -> None:
    frame = screen(ALL["analysing"](), NOW, Facts(), place=PLACE, desk=Desk())
    assert colour_names(frame, "p promote") == {"bright_black"}
    frame = screen(ALL["waiting"](), NOW, Facts(), place=PLACE, desk=Desk())
    assert colour_names(frame, "p promote") == {"cyan"}


def test_too_few_requests_for_every_metric_are_one_line() -> None:
    asked = "result[3] >= 100 && result[0] < 0.05"
    held = [result_object(k, ["[0.01,0,1,60]"], ["Inconclusive"], phase="Inconclusive") for k in GOOD]
    spec = [{"name": k, "successCondition": asked, "provider": QUERY} for k in GOOD]
    paused = snapshot(
        runs=[run(held, metrics=spec, phase="Inconclusive")],
        phase="Paused",
        message="InconclusiveAnalysisRun",
        pause_reason="InconclusiveAnalysisRun",
        pause_started=NOW - timedelta(seconds=40),
    )
    text = screen(paused, NOW, Facts(), place=PLACE, desk=Desk()).plain
    said = "! too few requests to judge (60 of 100): all 5 metrics; at this rate 100 take "
    assert said in " ".join(text.split())
    assert text.count("60 of 100") == 1
    assert text.startswith("? WAITS FOR YOU  v1.0.0 → v1.1.0 at 25 % since 12:03:53: promote or abort")


QUERY = {"prometheus": {"address": "http://prometheus:9090", "query": "sum(increase(x[5m]))"}}


def test_ten_pods_that_are_alike_are_one_line() -> None:
    text = screen(ALL["healthy"](), NOW, Facts(80, 40), place=PLACE, desk=Desk()).plain
    assert text.count("□") == 1
    assert "    □ 10 running\n" in text


def test_a_wide_terminal_has_the_events_beside_the_picture() -> None:
    lines = screen(ALL["analysing"](), NOW, Facts(120, 40), place=PLACE, desk=Desk()).plain.split("\n")
    beside = [line.partition("┊ ")[2] for line in lines if "┊ " in line]
    assert any("12:04:30" in line for line in beside)
    assert any("error-rate" in line.partition("┊ ")[0] for line in lines)


def test_a_panel_stands_beside_the_picture_where_there_is_room() -> None:
    wide = screen(ALL["analysing"](), NOW, Facts(120, 40), place=PLACE, desk=Desk(panel="metrics")).plain
    low = screen(ALL["analysing"](), NOW, Facts(80, 24), place=PLACE, desk=Desk(panel="metrics")).plain
    assert "METRIC" in wide
    assert "METRIC" not in low


def test_an_old_picture_has_no_reason_of_its_own_in_the_banner() -> None:
    lost = replace(rolled_back(), stale_since=NOW - timedelta(seconds=5))
    assert plain_text(banner_line(look(lost, NOW, PLACE), Facts())).endswith("v1.1.0 at 25 %, rolled back")


@pytest.mark.parametrize("width", [80, 60, 50])
def test_what_to_do_is_kept_where_there_is_little_room(width: int) -> None:
    assert plain_text(banner_line(look(ALL["waiting"](), NOW, PLACE), Facts(width))).endswith(": promote or abort")
