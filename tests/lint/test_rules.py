"""Every rule finds its bad sample and is silent about the good twin of it."""

import pytest

from companyos_canary.lint.check import check, file_of
from companyos_canary.lint.finding import Finding
from companyos_canary.lint.rules import RULES
from tests.lint import samples

IDS = [rule.id for rule in RULES]


def findings(text: str) -> tuple[Finding, ...]:
    return check([file_of("x.yaml", text.encode())]).findings


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_finds_its_bad_sample_and_nothing_else_in_it(rule: str) -> None:
    found = findings(samples.bad(rule))
    assert {f.rule for f in found} == {rule} | samples.also(rule), found


@pytest.mark.parametrize("rule", IDS)
def test_nothing_is_found_in_the_good_twin(rule: str) -> None:
    assert findings(samples.good(rule)) == ()


def test_every_sample_belongs_to_a_rule_and_no_id_is_there_twice() -> None:
    assert sorted(path.stem for path in samples.FOLDER.iterdir()) == sorted(set(IDS))
    assert len(IDS) == len(set(IDS))


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_says_what_is_wrong_in_a_line_and_why_below(rule) -> None:
    assert 10 < len(rule.title) < 90
    assert rule.title[0].isupper() or rule.title.startswith("`")


@pytest.mark.parametrize("rule", IDS)
def test_a_finding_is_one_sentence_at_its_field(rule: str) -> None:
    for found in findings(samples.bad(rule)):
        assert not found.message.endswith(".") or "controller" in found.message or found.rule == "invalid-rollout"
        assert "\n" not in found.message
        assert 1 <= found.line <= len(samples.bad(rule).splitlines())


def test_the_default_backend_of_an_ingress_is_no_rule_as_for_the_controller() -> None:
    good = samples.good("ingress-without-service")
    rules = good[good.index("  rules:") : good.index("---\napiVersion: v1")]
    only = "  defaultBackend: {service: {name: api-stable, port: {number: 80}}}\n"
    assert {f.rule for f in findings(good.replace(rules, only))} == {"ingress-without-service"}
