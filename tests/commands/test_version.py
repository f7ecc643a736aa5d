"""`canary version`: three versions, each where it can be seen."""

from companyos_canary import __version__
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Drop, Fault
from tests.commands.test_doctor import a_controller_is_installed
from tests.world import World


def test_it_names_program_api_server_and_controller(world: World) -> None:
    a_controller_is_installed(world)
    assert world.canary("version").out == (
        f"canary {__version__}\n"
        "Kubernetes v1.32.0+sandbox (context sandbox)\n"
        "Argo Rollouts v1.9.1 (argo-rollouts/argo-rollouts)\n"
    )
    data = world.canary("version", "-o", "json").json["data"]
    assert (data["argo_rollouts"], data["controller"]) == ("v1.9.1", "argo-rollouts/argo-rollouts")


def test_a_controller_that_cannot_be_seen_is_a_note(world: World) -> None:
    world.allowed = lambda asked: asked.resource != "deployments"
    ran = world.canary("version")
    assert (ran.code, len(ran.out.splitlines())) == (ExitCode.OK, 2)
    assert ran.err.startswith("the version of Argo Rollouts is not known: not permitted to `get` `deployments.apps`")


def test_without_an_api_server_its_own_is_printed_and_the_error(world: World) -> None:
    world.faults.add(Fault(Drop(), method="GET"))
    ran = world.canary("version")
    assert (ran.code, ran.out) == (ExitCode.FAILED, f"canary {__version__}\n")
    assert "error: the connection to" in ran.err


def test_credentials_that_are_refused_are_told(world: World) -> None:
    world.faults.add(Fault(Answer(401)))
    ran = world.canary("version")
    assert (ran.code, ran.out) == (ExitCode.DENIED, f"canary {__version__}\n")


def test_the_client_alone_asks_nothing(world: World) -> None:
    world.requests.clear()
    assert world.canary("version", "--client").out == f"canary {__version__}\n"
    assert world.requests == []


def test_status_names_the_controller_where_it_is_verbose(world: World) -> None:
    a_controller_is_installed(world)
    assert "Argo Rollouts v1.9.1 (argo-rollouts/argo-rollouts)\n" in world.canary("status", "-v").err
    assert "Argo Rollouts" not in world.canary("status").err
    world.allowed = lambda asked: asked.resource != "deployments"
    ran = world.canary("status", "-v")
    assert (ran.code, "the version of Argo Rollouts is not known: not permitted" in ran.err) == (ExitCode.OK, True)
