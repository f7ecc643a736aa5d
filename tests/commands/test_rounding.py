"""Without a traffic router a weight is a number of pods: deploy says what becomes of it."""

from collections.abc import Callable

import pytest

from tests.world import CONFIG, World


@pytest.mark.parametrize(("replicas", "said"), [(3, "10 % of 3 pods is 25 %"), (1, "10 % of 1 pod is 50 %"), (20, "")])
def test_a_deploy_says_what_rounding_does_to_the_weights(
    world_of: Callable[[str], World], replicas: int, said: str
) -> None:
    world = world_of(CONFIG.replace("replicas: 10", f"replicas: {replicas}"))
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == 0
    if said:
        assert "without a traffic router a weight is a number of pods" in ran.err
        assert said in ran.err
    else:
        assert "number of pods" not in ran.err


def test_a_router_makes_every_weight(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG.replace("replicas: 10", "replicas: 3\ntraffic: gateway"))
    assert "number of pods" not in world.canary("deploy", "v1.1.0", "--until", "weight=10").err
