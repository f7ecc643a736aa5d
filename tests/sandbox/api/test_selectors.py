"""Label selectors and field selectors in the forms that clients send."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.model.workload import labels_match
from companyos_canary.sandbox.api.selectors import field_selector, label_selector, selector_text
from companyos_canary.sandbox.kinds import EVENT, POD, ROLLOUT
from companyos_canary.sandbox.objects import ApiStatus

LABELS = {"app": "api", "tier": "web", "argo.io/hash": "abc", "n": "7"}
KEYS = st.sampled_from(["app", "tier", "x"])
EXPRESSIONS = st.lists(
    st.one_of(
        st.builds(
            lambda key, op, values: {"key": key, "operator": op, "values": values},
            KEYS,
            st.sampled_from(["In", "NotIn"]),
            st.lists(st.sampled_from(["api", "web", "z"]), min_size=1, max_size=2, unique=True),
        ),
        st.builds(lambda key, op: {"key": key, "operator": op}, KEYS, st.sampled_from(["Exists", "DoesNotExist"])),
    ),
    max_size=3,
)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("app=api", True),
        ("app==api,tier=web", True),
        ("app=api,tier=db", False),
        ("app!=api", False),
        ("other!=api", True),
        ("app in (api, x)", True),
        ("app in (x),tier", False),
        ("app notin (x,y),argo.io/hash=abc", True),
        ("other notin (x)", True),
        ("other", False),
        ("!other", True),
        ("! app", False),
        ("app=", False),
        ("n>6", True),
        ("n<7", False),
        ("app>1", False),
    ],
)
def test_a_label_selector_matches(selector: str, matches: bool) -> None:
    assert label_selector(selector)({"metadata": {"labels": LABELS}}) is matches


def test_an_object_without_labels_has_none() -> None:
    assert label_selector("!app")({"metadata": {}})


@pytest.mark.parametrize("selector", ["app=a=b", "app in x", "a b", "=x", "app in (x", "n>x"])
def test_a_label_selector_that_does_not_parse_is_a_bad_request(selector: str) -> None:
    with pytest.raises(ApiStatus) as raised:
        label_selector(selector)
    assert raised.value.code == 400


@given(EXPRESSIONS, st.dictionaries(KEYS, st.sampled_from(["api", "web"]), max_size=2))
def test_a_selector_means_the_same_as_object_and_as_text(expressions: Any, labels: dict[str, str]) -> None:
    selector = {"matchLabels": labels, "matchExpressions": expressions}
    as_text = label_selector(selector_text(selector))({"metadata": {"labels": LABELS}})
    assert labels_match(selector, LABELS) is as_text


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=a", True),
        ("metadata.name!=a", False),
        ("metadata.namespace==ns,status.phase=Running", True),
        ("status.phase!=Running", False),
        ("spec.nodeName=", True),
    ],
)
def test_a_field_selector_matches(text: str, matches: bool) -> None:
    obj = {"metadata": {"name": "a", "namespace": "ns"}, "status": {"phase": "Running"}}
    assert field_selector(POD, text)(obj) is matches


def test_events_are_found_by_what_they_are_about() -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Rollout", "name": "api", "uid": "u"},
        "source": {"component": "rollouts-controller"},
    }
    selector = "involvedObject.kind=Rollout,involvedObject.name=api,source=rollouts-controller"
    assert field_selector(EVENT, selector)(event)
    assert not field_selector(EVENT, "involvedObject.uid=v")(event)


@pytest.mark.parametrize("text", ["status.phase=Healthy", "metadata.name"])
def test_an_unknown_field_is_a_bad_request(text: str) -> None:
    with pytest.raises(ApiStatus) as raised:
        field_selector(ROLLOUT, text)
    assert raised.value.code == 400
