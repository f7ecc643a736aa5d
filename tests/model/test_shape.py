"""What an object of the API may hold."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.shape import has_name, misfits, readable
from companyos_canary.model.workload import Event, Pod, ReplicaSet
from tests.builders import pod_object, replicaset_object, rollout_object, run_object

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats()
KEYS = st.sampled_from(("metadata", "spec", "status", "name", "labels", "steps", "containers", "conditions", "x"))
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
MODELS: dict[str, Any] = {
    "Rollout": Rollout,
    "ReplicaSet": ReplicaSet,
    "Pod": Pod,
    "AnalysisRun": AnalysisRun,
    "Event": Event,
}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(MODELS)), st.dictionaries(KEYS, ANYTHING, max_size=5))
def test_whatever_is_there_can_be_read(kind: str, obj: dict[str, Any]) -> None:
    found = readable(obj, kind)
    assert readable(found, kind) is found
    if has_name(found):
        MODELS[kind].from_object(found)


def test_an_object_as_it_should_be_stays_the_same_one() -> None:
    for kind, obj in (
        ("Rollout", rollout_object()),
        ("ReplicaSet", replicaset_object()),
        ("Pod", pod_object("a")),
        ("AnalysisRun", run_object()),
    ):
        assert misfits(obj, kind) == ()
        assert readable(obj, kind) == obj


def test_what_does_not_fit_is_absent_and_items_keep_their_place() -> None:
    steps: list[Any] = [{"setWeight": "10"}, None, {"setWeight": 20, "other": [1]}]
    obj = {"metadata": {"name": "a", "labels": {"b": 1}}, "spec": {"strategy": {"canary": {"steps": steps}}}}
    canary = {"steps": [{}, {}, {"setWeight": 20, "other": [1]}]}
    assert readable(obj, "Rollout") == {
        "metadata": {"name": "a", "labels": {}},
        "spec": {"strategy": {"canary": canary}},
    }
    assert misfits(obj, "Rollout") == ("metadata.labels.b", "spec.strategy.canary.steps[0].setWeight")
