from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.argo.steps import WeightStep, weight_step_at, weight_steps
from companyos_canary.model.rollout import Step

RAW = {
    "w10": {"setWeight": 10},
    "w50": {"setWeight": 50},
    "w100": {"setWeight": 100},
    "pause": {"pause": {}},
    "analysis": {"analysis": {}},
}


def steps(*words: str) -> tuple[Step, ...]:
    return tuple(Step.from_object(RAW[w]) for w in words)


def test_a_weight_and_what_is_waited_for_is_one_step() -> None:
    assert weight_steps(steps("w10", "analysis", "w50", "pause", "analysis")) == (
        WeightStep(1, 10, 0, 2, 10),
        WeightStep(2, 50, 2, 5, 50),
    )


def test_a_last_weight_of_100_is_the_end_and_no_step() -> None:
    assert weight_steps(steps("w50", "pause", "w100")) == (WeightStep(1, 50, 0, 2, 50),)
    assert weight_steps(steps("w100")) == (WeightStep(1, 100, 0, 1, 100),)
    assert len(weight_steps(steps("w50", "w100", "pause"))) == 2


def test_what_stands_before_the_first_weight_has_weight_0() -> None:
    assert weight_steps(steps("pause", "w50")) == (WeightStep(1, 0, 0, 1, 0), WeightStep(2, 50, 1, 2, 50))
    assert weight_steps(()) == ()


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(RAW))))
def test_every_step_but_the_end_is_in_exactly_one(words: list[str]) -> None:
    groups = weight_steps(steps(*words))
    assert [g.number for g in groups] == list(range(1, len(groups) + 1))
    ends = len(words) > 1 and words[-1] == "w100"
    for index, _ in enumerate(words):
        found = [g for g in groups if g.covers(index)]
        assert len(found) == (0 if ends and index == len(words) - 1 else 1)
        assert weight_step_at(groups, index) == (found[0] if found else None)
    assert weight_step_at(groups, None) is None
