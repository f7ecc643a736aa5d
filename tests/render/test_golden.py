"""Whole rendered files, compared. `CANARY_GOLDEN=write pytest tests/render` writes them again."""

import os
from pathlib import Path

import pytest
import yaml

from companyos_canary.config import load
from companyos_canary.render.objects import objects
from companyos_canary.render.templates import to_yaml

HERE = Path(__file__).parent
NAMES = ("four-lines", "everything", "seconds", "literal", "manual-pause", "by-hash")


@pytest.mark.parametrize("name", NAMES)
def test_the_rendered_file_is_the_golden_one(name: str) -> None:
    settings = load(HERE / "configs" / f"{name}.yaml", shown=f"configs/{name}.yaml")
    rendered = to_yaml(objects(settings, "v1.2.3"))
    golden = HERE / "golden" / f"{name}.yaml"
    if os.environ.get("CANARY_GOLDEN") == "write":
        golden.write_text(rendered)
    assert rendered == golden.read_text()
    assert tuple(yaml.load_all(rendered, yaml.CSafeLoader)) == objects(settings, "v1.2.3")


def test_every_golden_file_is_compared() -> None:
    assert {path.stem for path in (HERE / "golden").iterdir()} == set(NAMES)
