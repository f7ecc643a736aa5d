"""Documents that the build can refute."""

import re

import pytest

from companyos_canary import cli
from tests import docs


def test_the_reference_is_what_the_program_says() -> None:
    assert docs.REFERENCE.read_text() == docs.reference(), "run `make docs`"


def test_the_page_of_causes_is_that_of_the_table() -> None:
    assert docs.CAUSES_PAGE.read_text() == docs.causes(), "run `make docs`"


def test_the_exit_codes_in_the_readme_are_those_of_the_program() -> None:
    text = docs.README.read_text()
    assert docs.readme(text) == text, "run `make docs`"


def test_the_scenarios_are_those_that_ship() -> None:
    text = docs.SANDBOX.read_text()
    assert docs.sandbox(text) == text, "run `make docs`"


def test_the_rules_of_lint_are_those_of_the_program() -> None:
    assert docs.LINT.read_text() == docs.lint(), "run `make docs`"


def test_every_router_does_what_the_page_says() -> None:
    text = docs.ROUTING.read_text()
    assert docs.routing.page(text) == text, "run `make docs`"
    assert "**no**" not in text


def test_the_picture_is_what_the_program_draws() -> None:
    assert docs.SCREEN.read_text() == docs.picture(), "run `make docs`"


@pytest.mark.parametrize("page", sorted(docs.ROOT.glob("*.md")) + sorted(docs.ROOT.glob("docs/**/*.md")))  # fmt: skip
def test_every_link_to_a_file_leads_somewhere(page: docs.Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_in_the_readme_is_a_verb_that_exists() -> None:
    for verb in re.findall(r"(?:`|^)canary ([a-z]+)\b", docs.README.read_text(), re.M):
        assert verb in cli.VERBS, f"README names `canary {verb}`"
