"""Escapes and forms of GitHub's workflow commands."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.view.ci import forges
from companyos_canary.view.ci.summary import Outputs, Report


def report(message: str, title: str = "companyos-api degraded") -> Report:
    return Report(Outputs("degraded"), "error", title, message, "")


def test_what_would_end_a_property_or_a_line_is_escaped() -> None:
    assert forges.annotation(report("5 %\r\nmore: a, b", "a: b, 5 %\n")) == (
        "::error title=a%3A b%2C 5 %25%0A::5 %25%0D%0Amore: a, b"
    )


@given(st.text(), st.text())
def test_an_annotation_is_one_line_that_says_what_it_was_given(title: str, message: str) -> None:
    line = forges.annotation(report(message, title))
    assert "\n" not in line
    assert "\r" not in line
    _, head, data = line.split("::", 2)
    assert unquote(head.removeprefix("error title=")) == unquote(unquoted(title))
    assert unquote(data) == unquote(unquoted(message))


def unquoted(text: str) -> str:
    """As `unquote` reads it: what is no escape in the text must not become one."""
    return text.replace("%", "%25")


def test_outputs_are_a_line_each_and_a_heredoc_where_a_value_has_lines() -> None:
    values = Outputs("healthy", "Healthy", "2", "a\nverdict=fake")
    assert forges.outputs(values, "canary_1f") == (
        "phase=Healthy\nrevision=2\nimage<<canary_1f\na\nverdict=fake\ncanary_1f\nverdict=healthy\n"
    )


def test_words_of_the_cluster_are_no_commands() -> None:
    assert forges.harmless_line("  ::add-mask::a") == "   .::add-mask::a"
    assert forges.harmless_line("##[error]a") == "## [error]a"
    assert forges.harmless_line("  look: canary get") == "  look: canary get"


def test_the_older_form_of_a_command_is_none_anywhere_in_a_line() -> None:
    line = 'degraded message="##[set-output name=verdict]healthy"'
    assert "##[" not in forges.harmless_line(line)
    assert forges.harmless_line("error: a## [b").endswith("a## [b")
