"""The search of what is printed finds what it looks for."""

import pytest

from tests.printed import SECRETS, faults


@pytest.mark.parametrize(
    ("out", "terminal", "github"),
    [
        ("a\x1b[31mb\n", False, False),
        ("a\x07\n", True, False),
        ("a\x1b]52;c;aGk=\x07\n", True, False),
        ("a\rb\n", True, False),
        ("a\u202eb\n", True, False),
        (f"token {SECRETS[0]}\n", False, False),
        ("  ::error::boo\n", False, False),
        ("::set-output name=a::b\n", False, True),
        ("a ##[error]boo\n", False, True),
        ("verdict=healthy exit=0\nmore\n", False, False),
        ("verdict=healthy exit=3\n", False, False),
        ("verdict=healthy exit=0\nverdict=healthy exit=0\n", False, False),
    ],
)
def test_what_is_not_ours_is_found(out: str, terminal: bool, github: bool) -> None:
    assert list(faults(0, out, "", terminal=terminal, github=github))


@pytest.mark.parametrize(
    ("out", "terminal", "github"),
    [
        ("a\tb\n‖ WAITS\u00a0FOR YOU\n", False, False),
        ("\x1b[1;31mred\x1b[0m\r\x1b[2K\x1b[1A", True, False),
        ("::group::step 1/3\n::endgroup::\nverdict=healthy exit=0\n", False, True),
        ("\x1b[0Ksection_start:1772452800:canary_1[collapsed=true]\r\x1b[0Kstep 1/3\n", False, False),
    ],
)
def test_what_is_ours_is_not(out: str, terminal: bool, github: bool) -> None:
    assert not list(faults(0, out, "", terminal=terminal, github=github))
