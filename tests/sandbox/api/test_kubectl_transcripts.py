"""Whole outputs of the real kubectl, one transcript a theme (tests/sandbox/api/kubectl).

`pytest tests/sandbox/api --update-transcripts` writes them again; review them as a diff.
"""

import shutil
from pathlib import Path

import pytest

from tests.sandbox.api.transcript import HERE, Desk, played

TRANSCRIPTS = sorted(HERE.glob("*.txt"))
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing")


@needs_kubectl
@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda p: p.stem)
def test_kubectl_prints_what_stands_in_the_transcript(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    desk = Desk(tmp_path)
    try:
        got = "".join(played(desk, path.read_text().splitlines())).lstrip("\n")
    finally:
        desk.close()
    if request.config.getoption("--update-transcripts", default=False):
        path.write_text(got)
    assert got == path.read_text()


def test_the_transcripts_are_of_many_commands() -> None:
    lines = [line for path in TRANSCRIPTS for line in path.read_text().splitlines()]
    assert len([line for line in lines if line.startswith("$ kubectl ")]) >= 60
