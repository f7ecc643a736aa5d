"""`pytest tests/view --update-screens` writes tests/view/screens again; review them as a diff."""

from collections.abc import Callable
from pathlib import Path

import pytest

SCREENS = Path(__file__).parent / "screens"


@pytest.fixture
def same_as_file(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with screens/NAME.txt, without the blanks that fill a line."""

    def check(name: str, text: str) -> None:
        text = "\n".join(line.rstrip() for line in text.split("\n"))
        path = SCREENS / f"{name}.txt"
        if request.config.getoption("--update-screens", default=False):
            path.write_text(text + "\n")
        assert path.read_text() == text + "\n"

    return check
