"""Whatever a manifest says, lint ends with findings and not with an exception."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.lint.check import check, file_of
from companyos_canary.lint.rules import RULES
from tests.lint import samples

MANIFESTS = [list(yaml.load_all(samples.bad(rule.id), yaml.CSafeLoader)) for rule in RULES]
ODD = (
    None,
    "",
    "x",
    0,
    -1,
    10**40,
    1.5,
    float("nan"),
    True,
    [],
    [None],
    [[]],
    {},
    {"x": None},
    "{{",
    "{{args.x}}",
    "1e9",
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def changed(manifest: list[Any], path: tuple[Any, ...], value: Any) -> str:
    """The manifest with another value at a path; without it for `...`."""
    made = copy.deepcopy(manifest)
    holder: Any = made
    for part in path[:-1]:
        holder = holder[part]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return yaml.dump_all(made, Dumper=yaml.CSafeDumper)


@cache
def ends(text: str) -> bool:
    return check([file_of("x.yaml", text.encode())]).objects >= 0


@pytest.mark.parametrize("number", range(len(MANIFESTS)))
def test_any_field_may_be_missing_or_empty(number: int) -> None:
    manifest = MANIFESTS[number]
    for path in places(manifest):
        for value in (..., []):
            assert ends(changed(manifest, path, value)), path


@given(st.data())
def test_any_field_may_be_anything(data: st.DataObject) -> None:
    text = ""
    manifest = data.draw(st.sampled_from(MANIFESTS))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(manifest))))
        text = changed(manifest, path, data.draw(st.sampled_from(ODD)))
        manifest = list(yaml.load_all(text, yaml.CSafeLoader))
    assert ends(text)
