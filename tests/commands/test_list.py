"""`canary list`, from argv to exit, in the sandbox."""

import copy
import re

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import NAMESPACE, ROLLOUT
from tests.commands.conftest import freeze
from tests.world import Ran, World


def another(world: World, name: str, namespace: str, **labels: str) -> None:
    """A Rollout like ours that no one acts on any more."""
    made = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
    made["metadata"] = {"name": name, "namespace": namespace, "labels": labels}
    status = made.pop("status")
    created = world.store.create(ROLLOUT, made)
    world.store.update(ROLLOUT, {**created, "status": status}, status_only=True)


@pytest.fixture
def many(waiting: World) -> World:
    """companyos-api waits for a person since 1 s; api-two and shop/cart are as it is."""
    freeze(waiting)
    waiting.store.create(NAMESPACE, {"metadata": {"name": "shop"}})
    another(waiting, "api-two", "companyos", team="search")
    another(waiting, "cart", "shop", team="checkout")
    waiting.requests.clear()
    return waiting


def names(ran: Ran) -> list[str]:
    return re.findall(r"rollout=(\S+)", ran.out)


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_one_request_for_the_namespace(many: World) -> None:
    ran = many.canary("list")
    assert names(ran) == ["api-two", "companyos-api"]
    assert [r.path for r in many.requests] == ["/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts"]
    assert ran.out.splitlines()[0] == (
        "namespace=companyos rollout=api-two phase=Paused step=1/3 weight=10 version=v1.1.0 "
        "waits=true for=2s message=CanaryPauseStep"
    )


def test_one_request_for_all_namespaces(many: World) -> None:
    assert names(many.canary("list", "-A")) == ["api-two", "companyos-api", "cart"]
    assert len(many.requests) == 1


def test_a_version_that_the_controller_has_not_looked_at_has_no_weight(behind: World) -> None:
    """Only the ReplicaSets tell which version the status speaks of: they are asked for where it may be another one."""
    (row,) = behind.canary("list", "-o", "json").json["data"]["rollouts"]
    assert (row["version"], row["weight"], row["percent"], row["activity"]) == ("v1.1.0", 0, 0, "held")
    _, asked = behind.requests
    shown = behind.rollout().current_hash
    assert asked.path == "/apis/apps/v1/namespaces/companyos/replicasets"
    assert asked.query == (("labelSelector", f"rollouts-pod-template-hash in ({shown})"),)
    behind.faults.add(Fault(Answer(403), path="/replicasets"))
    assert behind.canary("list").code == ExitCode.OK


def test_by_label(many: World) -> None:
    assert names(many.canary("list", "-A", "-l", "team=checkout")) == ["cart"]


@pytest.mark.parametrize(("older", "found"), [("1s", 2), ("2s", 2), ("10m", 0)])
@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_only_what_waits_for_long(many: World, older: str, found: int) -> None:
    assert len(names(many.canary("list", "--waiting", "--older", older))) == found


def test_what_does_not_wait_is_left_out(world: World) -> None:
    assert names(world.canary("list")) == ["companyos-api"]
    ran = world.canary("list", "--waiting")
    assert ran == Ran(0, "", "no Rollout like this in namespace `companyos`\n")


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_terminal_gets_a_table(many: World) -> None:
    out = re.sub(r"\x1b\[\d+m", "", many.canary("list", "-A", terminal=True).out)
    assert out.splitlines()[:2] == [
        "    NAMESPACE  NAME           PHASE          FOR       STEP  VERSION",
        "  ‖ companyos  api-two        Paused: waits   2s  1/3  10 %  v1.1.0",
    ]


def test_json_and_names(many: World) -> None:
    data = many.canary("list", "-A", "-o", "json").json["data"]
    assert set(data) == {"namespace", "context", "rollouts"}
    assert set(data["rollouts"][0]) == {
        "rollout",
        "namespace",
        "phase",
        "message",
        "activity",
        "waits_for_a_person",
        "since",
        "for_seconds",
        "version",
        "step",
        "steps",
        "weight",
        "percent",
        "revision",
        "aborted",
    }
    assert many.canary("list", "-o", "name").out == ("rollout.argoproj.io/api-two\nrollout.argoproj.io/companyos-api\n")
    assert many.canary("list", "-o", "yaml").out.count("\nkind: Rollout\n") == 2


@pytest.mark.parametrize("output", ["human", "name", "yaml"])
def test_nothing_is_no_line_and_a_note(empty: World, output: str) -> None:
    ran = empty.canary("list", "-o", output)
    assert ran == Ran(0, "", "no Rollout in namespace `companyos`\n")
    assert empty.canary("list", "-o", "json").json["data"]["rollouts"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--older", "soon"), "--older `soon` is not a duration"),
        (("--older", "-2h"), "--older `-2h` is not a duration"),
        (("-l", "="), "--selector `=` is not a label selector"),
        (("a-name",), "one argument too many"),
    ],
)
def test_bad_input_is_a_sentence(world: World, arguments: tuple[str, ...], said: str) -> None:
    ran = world.canary("list", *arguments)
    assert ran.code == ExitCode.USAGE
    assert said in ran.err


def test_who_may_not_list_everywhere_is_told_to_look_at_one_namespace(world: World) -> None:
    world.faults.add(Fault(Answer(403)))
    ran = world.canary("list", "-A")
    assert ran.code == ExitCode.DENIED
    assert "hint: look at one namespace with -n; " in ran.err


def test_without_argo_rollouts_that_is_said(world: World) -> None:
    world.faults.add(Fault(Answer(404)))
    assert world.canary("list").code == ExitCode.NOT_FOUND
