"""Which containers of a pod template a version goes to."""

from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.world import World

WEB, PROXY = "reg.example.com/web", "reg.example.com/proxy:2.1"


@pytest.fixture
def web(tmp_path: Path) -> World:
    """`web` v1 is Healthy; its init container has the same image, its proxy another one."""
    made = World(tmp_path, config="")
    pods = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "initContainers": [{"name": "assets", "image": f"{WEB}:v1"}],
            "containers": [{"name": "web", "image": f"{WEB}:v1"}, {"name": "proxy", "image": PROXY}],
        },
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pods, "strategy": {"canary": {}}}
    made.store.create(ROLLOUT, {"metadata": {"name": "web", "namespace": "companyos"}, "spec": spec})
    made.advance(10)
    return made


def images(world: World) -> list[str]:
    live = world.rollout("web")
    return [c.image for c in (*live.init_containers, *live.containers)]


@pytest.mark.parametrize("container", [(), ("--container", "assets"), ("--container", "web")])
def test_containers_with_the_same_image_move_together(web: World, container: tuple[str, ...]) -> None:
    ran = web.canary("deploy", "v2", "--rollout", "web", "-n", "companyos", *container)
    assert ran.code == ExitCode.OK, ran
    assert "verdict=healthy version=v2 stable=v2" in ran.out
    assert images(web) == [f"{WEB}:v2", f"{WEB}:v2", PROXY]


def test_what_moves_beside_the_named_container_is_said(web: World) -> None:
    ran = web.canary("deploy", "v2", "--rollout", "web", "-n", "companyos", "--no-wait")
    assert ran.code == ExitCode.OK, ran
    assert "with the same image, and set too: `assets`" in ran.err


def test_a_container_that_is_not_there_lists_all_of_them(web: World) -> None:
    ran = web.canary("deploy", "v2", "--rollout", "web", "-n", "companyos", "--container", "api")
    assert ran.code == ExitCode.NOT_FOUND, ran
    assert "its containers are `web`, `proxy`, `assets`" in ran.err
