"""What is believed, and what is kept to ourselves: answers, canary.yaml, credentials."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.cluster.credentials import open_transport
from companyos_canary.errors import CanaryError, ExitCode, Unauthenticated
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.cluster.wire import answer, encrypted
from tests.commands.conftest import changing
from tests.world import World

SECRET = "s3cr3t-of-the-cluster"
BODIES = {
    "nothing": b"",
    "an empty object": b"{}",
    "a page": b"<!DOCTYPE html><p>log in</p>",
    "another kind": b'{"kind": "Status", "metadata": {"name": "companyos-api"}}',
    "another name": b'{"kind": "Rollout", "metadata": {"name": "other"}}',
    "another namespace": b'{"kind": "Rollout", "metadata": {"name": "companyos-api", "namespace": "shop"}}',
    "a list of something else": b'{"kind": "ConfigMapList", "items": []}',
    "half an answer": b'{"kind": "Rollout", "metada',
}


def answered(world: World, body: bytes, method: str) -> None:
    """Every request of that method is answered 200 with this body, and not carried out."""
    real = world.faults

    def fault(request: Request) -> Response:
        return Response(200, {}, body) if request.method == method else real(request)

    world.faults = fault  # type: ignore[assignment]


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize(
    "command",
    [
        ("deploy", "v2", "--no-wait"),
        ("undo", "--to", "v1.0.0", "--no-wait"),
        ("abort", "--no-wait"),
        ("pause", "--no-wait"),
        ("promote", "--no-wait"),
    ],
    ids=lambda c: c[0],
)
def test_a_change_with_an_answer_that_is_not_the_object_is_not_said_to_be_done(
    waiting: World, command: tuple[str, ...], body: bytes
) -> None:
    if command[0] == "deploy":
        waiting.canary("abort")
        waiting.requests.clear()
    answered(waiting, body, "PATCH")
    ran = waiting.canary(*command)
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "may have taken effect" in ran.err
    assert "nothing was sent" not in ran.err
    assert changing(waiting) == ["PATCH"]


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize("verb", ["list", "history", "get", "resume", "status", "abort", "deploy"])
def test_a_read_with_an_answer_that_is_not_the_object_fails(world: World, verb: str, body: bytes) -> None:
    answered(world, body, "GET")
    ran = world.canary(verb, *(("v2",) if verb == "deploy" else ()))
    assert ran.code == ExitCode.FAILED, ran
    assert "not what was asked for" in ran.err
    assert changing(world) == []


def test_a_list_that_is_none_is_no_empty_list(world: World) -> None:
    real = world.faults

    def fault(request: Request) -> Response:
        return Response(200, {}, b"{}") if "/pods" in request.path else real(request)

    world.faults = fault  # type: ignore[assignment]
    ran = world.canary("get")
    assert ran.code == ExitCode.FAILED, ran
    assert "pods` is not a Kubernetes object" in ran.err


@pytest.fixture
def two(world: World) -> World:
    """Beside companyos-api there is `shop`, which has a container of the same name."""
    live = json.loads(json.dumps(world.store.read(ROLLOUT, "companyos", "companyos-api")))
    live["metadata"] = {"name": "shop", "namespace": "companyos"}
    live["spec"]["selector"] = {"matchLabels": {"app": "shop"}}
    live["spec"]["template"]["metadata"]["labels"] = {"app": "shop"}
    live["spec"]["template"]["spec"]["containers"] = [
        {"name": "companyos-api", "image": "registry.example.com/shop:v1"},
        {"name": "proxy", "image": "envoy:v9"},
    ]
    live.pop("status", None)
    world.store.create(ROLLOUT, live)
    world.advance(20)
    world.requests.clear()
    return world


def test_a_deploy_of_another_rollout_keeps_that_ones_repository(two: World) -> None:
    command = ("deploy", "v2", "--rollout", "shop", "--container", "companyos-api")
    ran = two.canary(*command, "--no-wait")
    assert ran.code == ExitCode.OK, ran
    assert two.rollout("shop").image("companyos-api") == "registry.example.com/shop:v2"


def test_another_rollout_is_shown_with_its_own_version(two: World) -> None:
    assert "HEALTHY  v1 has all traffic\nshop " in two.canary("get", "shop").out
    assert two.canary("status", "shop", "--field", "version").out == "v1\n"


def test_verbose_says_that_the_file_is_about_another_rollout(two: World) -> None:
    ran = two.canary("status", "shop", "-v")
    assert "`canary.yaml` is about `companyos-api` and was not used for this Rollout" in ran.err
    assert "was not used" not in two.canary("status", "-v").err


def test_in_another_namespace_the_file_does_not_count_either(two: World) -> None:
    ran = two.canary("status", "-n", "elsewhere", "-v")
    assert "was not used for this Rollout" in ran.err


def kubeconfig(folder: Path, user: dict[str, Any], server: str) -> str:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "jane", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "jane"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def asked(folder: Path, user: dict[str, Any], server: str) -> None:
    environ = {"HOME": str(folder)}
    connection = open_transport(kubeconfig(folder, user, server), None, environ=environ, timeout=5)
    try:
        connection.transport.send(Request("GET", "/version", timeout=5))
    finally:
        connection.transport.close()


def script(folder: Path, body: str) -> dict[str, Any]:
    path = folder / "login"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(path),
            "args": ["get-token", f"--oidc-client-secret={SECRET}", "--password", f"x{SECRET}"],
            "env": [{"name": "CLIENT", "value": f"y{SECRET}"}],
        }
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "  ", "\t\n"])
@pytest.mark.parametrize("form", ["token", "file", "plugin"])
def test_white_space_at_the_end_of_a_token_is_no_part_of_it(tmp_path: Path, form: str, end: str) -> None:
    (tmp_path / "token").write_text(SECRET + end)
    told = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": SECRET + end},
    }
    (tmp_path / "told").write_text(json.dumps(told))
    users = {
        "token": {"token": SECRET + end},
        "file": {"tokenFile": str(tmp_path / "token")},
        "plugin": script(tmp_path, f"cat {tmp_path / 'told'}"),
    }
    with encrypted(answer(200, {"major": "1"})) as server:
        asked(tmp_path, users[form], server.url)
        assert {k.lower(): v for k, v in server.requests[-1].headers.items()}["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("inside", ["\n", "\r", "\0", "\x1b", "ü"])
def test_a_token_that_no_header_can_carry_is_refused_without_its_value(tmp_path: Path, inside: str) -> None:
    with pytest.raises(Unauthenticated) as raised:
        asked(tmp_path, {"token": f"{SECRET}{inside}more"}, "https://127.0.0.1:1")
    assert "the token of user `jane`" in raised.value.message
    assert SECRET not in raised.value.message + raised.value.hint


def secrets_of(error: CanaryError) -> bool:
    chain: BaseException | None = error
    told = error.message + error.hint
    while chain is not None and isinstance(chain, CanaryError):
        told, chain = told + str(chain), chain.__cause__
    return SECRET in told


@pytest.mark.parametrize(
    "user", [{"token": "t"}, {"as": f"a\n{SECRET}", "token": "t"}], ids=["server", "impersonation"]
)
def test_no_network_error_says_a_secret(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(CanaryError) as raised:
        asked(tmp_path, user, f"http://jane:p@{SECRET}@127.0.0.1:1")
    assert not secrets_of(raised.value), raised.value.message


def test_a_plugin_that_fails_tells_no_argument_and_no_variable(tmp_path: Path) -> None:
    user = script(tmp_path, 'echo "cannot log in with $* $CLIENT" >&2; exit 3')
    with pytest.raises(Unauthenticated) as raised:
        asked(tmp_path, user, "http://127.0.0.1:1")
    assert not secrets_of(raised.value), raised.value.message
    assert "cannot log in with get-token" in raised.value.message
