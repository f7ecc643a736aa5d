"""What reaches the terminal."""

import io

from rich.console import Console

from companyos_canary.view.ink import ink
from companyos_canary.view.lines import Facts


def test_words_of_the_cluster_move_no_cursor_and_set_no_title() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=80, _environ={})
    console.print(ink([("event \x1b]0;owned\x07 \x1b[2J\x9b1m", ("\x1b[31m", "warning"))], Facts()))
    assert "\x1b" not in out.getvalue().replace("\x1b[33m", "").replace("\x1b[0m", "")
    assert "\x9b" not in out.getvalue()
    assert "event  ]0;owned" in out.getvalue()
