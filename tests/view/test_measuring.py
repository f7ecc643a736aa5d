"""The table of what Prometheus says now: whole screens, pipe lines, and the words for no value."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from companyos_canary.argo.limits import Limit
from companyos_canary.argo.picture import look
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Live, LiveMetric, Snapshot
from companyos_canary.render.questions import Question, Questions
from companyos_canary.view.lines import Facts
from companyos_canary.view.lines import plain_text as text
from companyos_canary.view.prometheus import Now, plain, screen, verdict
from tests.builders import NOW
from tests.view.scenes import analysing, failing

WRONG = "Prometheus at `http://prometheus:9090` does not accept the query: parse error: unclosed"
QUESTIONS = Questions(
    "http://prometheus:9090",
    (
        Question("error-rate", "q", Limit("<", 0.05), stable="s"),
        Question("latency-p95", "q", Limit("<", 0.3), stable="s"),
        Question("latency-ratio", "q", Limit("<", 1.2), compares=True),
        Question("error-ratio", "q", Limit("<", 1.5), compares=True),
        Question("opa-success", "q", Limit(">", 0.99), stable="s"),
        Question("mine", "q"),
    ),
)
METRICS = (
    LiveMetric("error-rate", 0.112, 0.01, 2140, needed=100),
    LiveMetric("latency-p95", float("inf"), 0.181, 2140, needed=100),
    LiveMetric("latency-ratio", None, None, 6, True, needed=100, missing="too few requests"),
    LiveMetric("error-ratio", None, None, 2140, True, needed=100, missing="NaN"),
    LiveMetric("opa-success", None, None, None, needed=100, missing="no data"),
    LiveMetric("mine", None, None, None, problem=WRONG),
)
LIVE = Live(NOW, "service monitoring/prometheus:9090", METRICS, share=0.2634)


def seen(snapshot: Snapshot, live: Live = LIVE) -> Now:
    return Now(look(snapshot, NOW, Place("prod-eu")), QUESTIONS, live)


@pytest.mark.parametrize(
    ("name", "facts"), [("80", Facts(80)), ("40-ascii", Facts(40, unicode=False)), ("120", Facts(120))]
)
def test_whole_tables(name: str, facts: Facts, same_as_file: Callable[[str, str], None]) -> None:
    lines = [text(line) for line in screen(seen(failing()), facts)]
    assert all(len(line) <= facts.width for line in lines)
    assert facts.unicode or all(line.isascii() for line in lines)
    same_as_file(f"metrics-{name}", "\n".join(lines))


def test_without_an_answer_what_was_measured_stays(same_as_file: Callable[[str, str], None]) -> None:
    live = Live(NOW, "http://prometheus:9090", problem="Prometheus cannot be reached")
    lines = screen(seen(analysing(), live), Facts(80))
    same_as_file("metrics-away", "\n".join(map(text, lines)))


def test_a_pipe_gets_every_number_and_word(same_as_file: Callable[[str, str], None]) -> None:
    same_as_file("metrics-pipe", "\n".join(plain(seen(failing()))))


@pytest.mark.parametrize(
    ("metric", "limit", "word"),
    [
        (None, Limit("<", 1), "not asked"),
        (LiveMetric("m", 0.5, None, None), Limit("<", 1), "ok"),
        (LiveMetric("m", 1.0, None, None), Limit("<", 1), "failing"),
        (LiveMetric("m", float("inf"), None, None), Limit("<", 1), "failing"),
        (LiveMetric("m", 1.0, None, None), None, "no limit"),
        (LiveMetric("m", None, None, None), None, "no data"),
        (LiveMetric("m", None, None, 3, missing="too few requests"), None, "too few requests"),
        (LiveMetric("m", None, None, None, problem="parse error"), Limit("<", 1), "error"),
    ],
)
def test_the_verdict_is_a_word(metric: LiveMetric | None, limit: Limit | None, word: str) -> None:
    assert verdict(metric, limit) == word


def test_the_share_may_be_unknown() -> None:
    lines = [text(line) for line in screen(seen(analysing(), replace(LIVE, share=None)), Facts())]
    assert lines[2].endswith("   measured unknown")
