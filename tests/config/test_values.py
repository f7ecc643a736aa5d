"""Units, image references, merging, and the schema for editors."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.config import config_schema, image_reference, repository, settings
from companyos_canary.config.document import ALLOWED
from companyos_canary.config.source import merged
from companyos_canary.errors import UsageError, printable
from companyos_canary.model.http import merge_patched

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("300ms", 0.3),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("5%", 0.05),
        ("99.9%", 0.999),
        ("0.1%", 0.001),
        ("1.2", 1.2),
        ("1e-3", 0.001),
        ("-3", -3.0),
        (5, 5.0),
        (0.05, 0.05),
        (" 5 % ", 0.05),
    ],
)
def test_a_limit_is_a_number_with_its_unit(text: str | float, number: float) -> None:
    assert settings.limit(text) == number


@pytest.mark.parametrize("text", ["", "%", "1.2x", "5 percent", "1,5", "inf", "nan", "5%%", "1e999"])
def test_a_limit_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        settings.limit(text)


@pytest.mark.parametrize("text", ["", "2", "2 minutes", "0s", "-2m", " 2m", "2d", "721h", "2m?"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        settings.parsed_duration(text)


def test_durations_are_those_of_go() -> None:
    assert settings.parsed_duration("1h30m") == timedelta(minutes=90)
    assert settings.parsed_duration("90s") == timedelta(seconds=90)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_plain_number_reads_back_and_has_no_exponent(number: float) -> None:
    assert float(settings.plain_number(number)) == number
    assert "e" not in settings.plain_number(number).lower()


@pytest.mark.parametrize(
    ("version", "reference"),
    [
        ("v1.2.3", "registry:5000/app:v1.2.3"),
        ("1", "registry:5000/app:1"),
        (DIGEST, f"registry:5000/app@{DIGEST}"),
        ("other/app:v2", "other/app:v2"),
        ("registry:5000/app:v2", "registry:5000/app:v2"),
        (f"app:v1@{DIGEST}", f"app:v1@{DIGEST}"),
    ],
)
def test_a_version_becomes_an_image(version: str, reference: str) -> None:
    assert image_reference("registry:5000/app", version) == reference
    assert repository(reference) in ("registry:5000/app", "other/app", "app")


@pytest.mark.parametrize(
    "version", ["", "v1 2", "v1.2.3 ", "-v1", ".x", "a" * 129, "v1\n", "sha256:abc", "app:", "app/x", "A/x:v1"]
)
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(UsageError) as error:
        image_reference("app", version)
    assert error.value.message == f"`{printable(version)}` is not a version"


def test_named_lists_merge_by_name_and_null_removes() -> None:
    base = {
        "containers": [{"name": "a", "image": "x", "env": [{"name": "A", "value": "1"}], "tty": True}],
        "args": ["one"],
        "hostNetwork": True,
    }
    over = {
        "containers": [
            {"name": "b", "image": "y"},
            {"name": "a", "tty": None, "env": [{"name": "B"}, {"name": "A", "value": "3"}]},
        ],
        "args": ["two"],
        "hostNetwork": None,
    }
    assert merged(base, over) == {
        "containers": [
            {"name": "a", "image": "x", "env": [{"name": "A", "value": "3"}, {"name": "B"}]},
            {"name": "b", "image": "y"},
        ],
        "args": ["two"],
    }
    assert base["hostNetwork"] is True


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_merging_twice_is_merging_once(base: Any, over: Any) -> None:
    once = merged(base, over)
    assert merged(once, over) == once
    patched = merge_patched(base, over)
    assert merge_patched(patched, over) == patched


def test_the_schema_names_every_field_with_what_is_allowed() -> None:
    definitions = config_schema()["$defs"]
    whole = definitions["Document"]
    assert whole["required"] == ["schema", "rollout", "namespace", "image"]
    assert whole["additionalProperties"] is False
    top = {key for key in ALLOWED if "." not in key and "[" not in key}
    assert set(whole["properties"]) | {"context"} == top
    assert set(definitions["Environment"]["properties"]) == top - {"environments"}
    assert definitions["Environment"]["required"] == []
    assert {name: field["description"] for name, field in whole["properties"].items()} == {
        name: ALLOWED[name] for name in top - {"context"}
    }
    assert all(field["description"] for struct in definitions.values() for field in struct["properties"].values())
    weight = definitions["StepDocument"]["properties"]["weight"]
    assert (weight["minimum"], weight["maximum"]) == (1, 100)
    assert weight["description"] == ALLOWED["steps[].weight"]


@pytest.mark.parametrize("text", ["1e99999999999999999999%", "-1e99999999999999999999%", "٥%", "1e400"])
def test_a_limit_that_no_number_is_large_enough_for_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a"):
        settings.limit(text)
