"""docs/sandbox.md: its examples are read by the program that they are for."""

import re
from pathlib import Path

import pytest

from companyos_canary.sandbox.faults.effects import EFFECTS, parse_fault
from companyos_canary.sandbox.scenarios.reader import read_scenario
from companyos_canary.sandbox.scenarios.scenario import Behaviour

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
EXAMPLES = re.findall(r"^\| `([^`]+)` \| ", PAGE.partition("## Faults")[2], re.M)


@pytest.mark.parametrize("rule", EXAMPLES)
def test_an_example_of_a_fault_is_one(rule: str) -> None:
    parse_fault(rule)


def test_every_effect_has_an_example() -> None:
    words = {word.partition("=")[0] for rule in EXAMPLES for word in rule.split()}
    assert set(EFFECTS) <= words


def test_the_example_of_a_scenario_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    scenario = read_scenario(text, "mine", "docs/sandbox.md")
    assert scenario.behaviour("api:v1.1.0").at(45, 50).errors == 0.05
    assert [pattern for pattern, _ in scenario.versions] == ["v1.1.*", "v1.2.*", "bad*"]


def test_every_field_of_a_version_is_told() -> None:
    fields = set(Behaviour.__struct_fields__)
    told = set(re.findall(r"^\| `([a-z_]+)` \| ", PAGE, re.M))
    assert fields <= told
