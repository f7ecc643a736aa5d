"""JSON merge patch and JSON patch: the examples of the RFCs, and their laws."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.sandbox.api.patch import PatchFailed, PatchMalformed, equal, json_patch, merge_patch

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab~/", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", max_size=2), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("ab", max_size=2), VALUES, max_size=3)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_does_what_the_rfc_shows(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_changes_nothing_more(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leaves_its_input_alone(target: Any, patch: Any) -> None:
    before = json.dumps([target, patch])
    merge_patch(target, patch)
    assert json.dumps([target, patch]) == before


@pytest.mark.parametrize(
    ("target", "operations", "result"),
    [  # RFC 6902, appendix A
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": [2]}], {"a": [1, [2]]}),
        ({"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/1"}], {"a": [1, 3]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
        ({"a": {"x": 1}, "b": {}}, [{"op": "move", "from": "/a/x", "path": "/b/y"}], {"a": {}, "b": {"y": 1}}),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"a": 1}, [{"op": "add", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({}, [{"op": "test", "path": "/nothing", "value": None}], {}),
        ({"a": {}}, [{"op": "replace", "path": "/a/b", "value": 1}], {"a": {"b": 1}}),
    ],
)
def test_json_patch_does_what_the_rfc_shows(target: Any, operations: Any, result: Any) -> None:
    assert json_patch(target, operations) == result


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (
            {"op": "test", "path": "/status/currentStepIndex", "value": 2},
            "testing value /status/currentStepIndex failed: test failed",
        ),
        ({"op": "test", "path": "/x", "value": 2}, "testing path /x failed: missing value"),
        ({"op": "test", "path": "/flag", "value": 1}, "testing value /flag failed: test failed"),
        ({"op": "remove", "path": "/list/9"}, "Unable to access invalid index: 9: invalid index"),
        ({"op": "remove", "path": "/list/01"}, "Unable to access invalid index: 01: invalid"),
        ({"op": "remove", "path": "/x"}, "error in remove for path: '/x': Unable to remove"),
        ({"op": "x", "path": "/flag"}, "Unexpected kind: x"),
        ({"op": "replace", "path": "/x/y", "value": 1}, 'doc is missing path: "/x/y"'),
        ({"op": "replace", "path": "/list/1", "value": 1}, 'doc is missing path: "/list/1"'),
        ({"op": "add", "path": "/x/y", "value": 1}, 'doc is missing path: "/x/y"'),
        ({"op": "add", "path": "/list/9", "value": 1}, "invalid index referenced"),
        ({"op": "add", "path": "/flag/x", "value": 1}, "doc is missing path: /flag/x"),
        ({"op": "move", "from": "/list", "path": "/list/0"}, "moves /list into itself"),
    ],
)
def test_an_operation_that_cannot_be_done_says_why(operation: Any, message: str) -> None:
    target = {"status": {"currentStepIndex": 1}, "flag": True, "list": [1]}
    with pytest.raises(PatchFailed, match=message.replace("[", r"\[")):
        json_patch(target, [operation])


@pytest.mark.parametrize(
    "patch",
    [
        {},
        [1],
        [{"op": "add"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "move", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
    ],
)
def test_what_is_no_json_patch_is_malformed(patch: Any) -> None:
    with pytest.raises(PatchMalformed):
        json_patch({"a": 1}, patch)


@given(OBJECTS, st.text("ab", min_size=1, max_size=2), VALUES)
def test_what_was_added_can_be_tested_and_removed(target: Any, key: str, value: Any) -> None:
    path = f"/{key}"
    added = json_patch(target, [{"op": "add", "path": path, "value": value}])
    assert json_patch(added, [{"op": "test", "path": path, "value": value}]) == added
    removed = json_patch(added, [{"op": "remove", "path": path}])
    assert removed == {k: v for k, v in target.items() if k != key}


@given(OBJECTS, st.lists(st.sampled_from("ab"), max_size=2), VALUES)
def test_a_json_patch_leaves_its_input_alone(target: Any, keys: list[str], value: Any) -> None:
    before = json.dumps(target)
    path = "".join(f"/{key}" for key in keys)
    with contextlib.suppress(PatchFailed):
        json_patch(target, [{"op": "add", "path": path, "value": value}])
    assert json.dumps(target) == before


@given(VALUES, VALUES)
def test_json_values_are_equal_when_their_text_is(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert equal(one, other) == same
