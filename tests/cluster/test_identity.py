"""Whom requests come from and where they go, where the command line says it: --user, --cluster, --token, --as and
--as-group, from argv to the wire."""

import base64
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary import adapters
from companyos_canary.cluster.credentials import open_transport
from companyos_canary.errors import ConfigError, ExitCode, Unauthenticated
from companyos_canary.model.place import Identity
from tests.cluster.wire import Server, answer, encrypted
from tests.cluster.wire import certificate as certificate_of_loopback
from tests.commands.conftest import paused_world
from tests.commands.test_rbac import bound
from tests.printed import SECRETS
from tests.world import MANUAL, Ran, World

TOKEN = SECRETS[0]
EVERYTHING = ("--as", "ana", "--as-group", "ops", "--as-group", "dev", "--token", TOKEN)
NOTHING = {"kind": "RolloutList", "apiVersion": "argoproj.io/v1alpha1", "metadata": {}, "items": []}
CLAIMS = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")


@pytest.fixture
def server() -> Iterator[Server]:
    with encrypted(*[answer(200, json.dumps(NOTHING).encode())] * 3) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, config="")
    world.connect = adapters.connect  # type: ignore[method-assign]
    return world


def cluster(name: str, url: str) -> dict[str, Any]:
    return {"name": name, "cluster": {"server": url, "insecure-skip-tls-verify": True}}


def kubeconfig(folder: Path, url: str) -> Path:
    content = {
        "current-context": "prod",
        "contexts": [{"name": "prod", "context": {"cluster": "away", "user": "jane", "namespace": "shop"}}],
        "clusters": [cluster("away", "https://127.0.0.1:1"), cluster("here", url)],
        "users": [
            {"name": "jane", "user": {"token": "of-jane", "as": "boss", "as-groups": ["bosses"]}},
            {"name": "ben", "user": {"token": "of-ben"}},
            {"name": "eve", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/gone"}}},
        ],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


def listed(world: World, url: str, *more: str) -> Ran:
    environ = {"KUBECONFIG": str(kubeconfig(world.folder, url)), "HOME": str(world.folder)}
    return world.canary("list", *more, environ=environ)


def heads(server: Server) -> dict[str, str]:
    return {k: v for k, v in server.requests[-1].headers.items() if k in ("authorization",) or "impersonate" in k}


def test_the_user_and_the_cluster_are_those_of_the_kubeconfig_by_name(world: World, server: Server) -> None:
    ran = listed(world, server.url, "--cluster", "here", "--user", "ben")
    assert ran.code == ExitCode.OK, ran
    assert heads(server) == {"authorization": "Bearer of-ben"}
    assert server.requests[-1].line.startswith("GET /apis/argoproj.io/v1alpha1/namespaces/shop/rollouts")


def test_the_token_takes_the_place_of_the_credentials_and_is_never_printed(world: World, server: Server) -> None:
    """`tests.printed` searches what is printed for it."""
    for user in ("ben", "eve"):  # the plugin of eve is not even run
        ran = listed(world, server.url, "--cluster", "here", "--user", user, "--token", TOKEN, "-v")
        assert ran.code == ExitCode.OK, ran
        assert heads(server) == {"authorization": f"Bearer {TOKEN}"}


def test_the_server_acts_as_another_user_and_groups(world: World, server: Server) -> None:
    ran = listed(world, server.url, "--cluster", "here", *EVERYTHING)
    assert ran.code == ExitCode.OK, ran
    found = heads(server)
    assert (found["authorization"], found["impersonate-user"]) == (f"Bearer {TOKEN}", "ana")
    assert found["impersonate-group"] in ("ops, dev", "dev")


def test_what_the_user_says_stays_beside_what_is_not_given(world: World, server: Server) -> None:
    assert listed(world, server.url, "--cluster", "here", "--as-group", "ops").code == ExitCode.OK
    assert heads(server) == {"authorization": "Bearer of-jane", "impersonate-user": "boss", "impersonate-group": "ops"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--user bne", "the kubeconfig has no user `bne`"),
        ("--cluster heer", "the kubeconfig has no cluster `heer`"),
        ("--user ben --as-group ops", "--as-group needs a user to act as"),
        ("--as ''", "--as is empty"),
        ("--as-group ''", "--as-group is empty"),
        ("--user ''", "--user is empty"),
        ("--cluster ''", "--cluster is empty"),
        ("--token ''", "--token is empty"),
        (f"--token '{TOKEN}\nX-Header: y'", "--token has a character that HTTP cannot carry"),
        ("--as 'a\nb'", "--as has a character that HTTP cannot carry"),
        ("--as ana --as-group ok --as-group 'é'", "--as-group has a character that HTTP cannot carry"),
    ],
)
def test_what_cannot_be_is_a_mistake_and_nothing_is_sent(world: World, server: Server, words: str, said: str) -> None:
    ran = listed(world, server.url, *shlex.split(words))
    assert ran.code == ExitCode.USAGE, ran
    assert ran.err.startswith(f"error: {said}\nhint: ")
    assert server.requests == []


def test_they_stand_before_the_verb_too(world: World, server: Server) -> None:
    environ = {"KUBECONFIG": str(kubeconfig(world.folder, server.url)), "HOME": str(world.folder)}
    ran = world.canary("--cluster", "here", "--as", "ana", "--token", TOKEN, "list", environ=environ)
    assert ran.code == ExitCode.OK, ran
    assert heads(server)["impersonate-user"] == "ana"


def test_the_context_is_not_needed_where_the_cluster_is_named(world: World, server: Server) -> None:
    path = kubeconfig(world.folder, server.url)
    path.write_text(path.read_text().replace("current-context: prod\n", ""))
    ran = world.canary(
        "list", "-o", "json", "--cluster", "here", "--user", "ben", environ={"KUBECONFIG": str(path), "HOME": "/"}
    )
    assert (ran.code, ran.json["data"]["context"]) == (ExitCode.OK, "here"), ran


def test_inside_a_pod_the_token_and_the_name_count_too(tmp_path: Path) -> None:
    certificate, _ = certificate_of_loopback()
    for name, text in (("token", "of-the-pod"), ("namespace", "shop"), ("ca.crt", certificate.decode())):
        (tmp_path / name).write_text(text)
    environ = {"HOME": "/none", "KUBERNETES_SERVICE_HOST": "127.0.0.1"}
    identity = Identity(token=TOKEN, acts_as="ana", groups=("ops",))
    made = open_transport(None, None, environ=environ, timeout=5, identity=identity, service_account=tmp_path)
    assert made.transport._authorize() == f"Bearer {TOKEN}"
    assert dict(made.transport._headers) == {"Impersonate-User": "ana", "Impersonate-Group": "ops"}
    made.transport.close()
    with pytest.raises(ConfigError, match="no kubeconfig"):
        open_transport(None, None, environ=environ, timeout=5, identity=Identity(user="ben"), service_account=tmp_path)


def test_a_login_through_the_library_is_that_of_the_named_user_too(tmp_path: Path) -> None:
    """An auth-provider whose token has to be renewed is left to the kubernetes library, which knows contexts only."""
    path = kubeconfig(tmp_path, "https://127.0.0.1:1")
    content = yaml.safe_load(path.read_text())
    config = {"refresh-token": "r", "id-token": f"a.{CLAIMS}.c", "idp-issuer-url": "http://127.0.0.1:1"}
    content["users"].append({"name": "old", "user": {"auth-provider": {"name": "oidc", "config": config}}})
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(Unauthenticated, match="the id-token of user `old` has expired"):
        open_transport(str(path), None, environ={}, timeout=5, identity=Identity(user="old", cluster="here"))
    made = open_transport(str(path), None, environ={}, timeout=5, identity=Identity(user="old", token=TOKEN))
    assert made.transport._authorize() == f"Bearer {TOKEN}"
    made.transport.close()


def test_a_command_in_a_hint_leads_to_the_same_cluster_without_the_token(tmp_path: Path) -> None:
    world = paused_world(tmp_path, MANUAL)
    bound(world, "deployer", "--group", "dev")
    said = ("--cluster", "here", "--user", "ben", *EVERYTHING)
    ran = world.canary("get", *said)
    assert "canary promote --user ben --cluster here --as ana --as-group ops --as-group dev\n" in ran.out
    assert "--token" not in ran.out + ran.err
    assert world.canary("promote", *said).code == ExitCode.OK
