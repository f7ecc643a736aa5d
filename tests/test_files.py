"""What may stand where a file is named: pipes that are read once, and what only looks like a file."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from companyos_canary import files
from companyos_canary.cluster.credentials import open_transport
from companyos_canary.errors import ConfigError, ExitCode
from tests.cluster.test_credentials import config
from tests.commands.test_create import template_object
from tests.world import CONFIG, World

NEITHER = ("socket", "folder", "fifo", "device")
KINDS = {"socket": "a socket", "folder": "a directory", "fifo": "a pipe", "device": "a device"}


@pytest.fixture
def piped() -> Iterator[Callable[[bytes], str]]:
    """A pipe into which this is written, under the name that `<(…)` has."""
    threads: list[threading.Thread] = []
    handles: list[int] = []

    def write(handle: int, text: bytes) -> None:
        with suppress(BrokenPipeError), os.fdopen(handle, "wb") as file:
            file.write(text)

    def make(text: bytes) -> str:
        reading, writing = os.pipe()
        handles.append(reading)
        threads.append(threading.Thread(target=write, args=(writing, text)))
        threads[-1].start()
        return f"/dev/fd/{reading}"

    yield make
    for handle in handles:
        os.close(handle)
    for thread in threads:
        thread.join()


@pytest.fixture
def others(tmp_path: Path) -> Iterator[dict[str, str]]:
    """By what it is: what is no file, and no pipe that someone writes into."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "fifo")
        yield {name: str(tmp_path / name) for name in ("socket", "folder", "fifo")} | {"device": "/dev/zero"}


def test_what_is_in_a_pipe_is_read_to_its_end_and_kept(piped: Callable[[bytes], str]) -> None:
    text = os.urandom(300_000)  # more than a pipe holds
    name = piped(text)
    assert files.content(name) == text
    assert files.content(name) == text
    assert files.content(piped(b"")) == b""
    assert files.content("/dev/null") == b""


def test_a_pipe_into_which_no_one_writes_is_not_waited_for_without_an_end(others: dict[str, str]) -> None:
    with pytest.raises(OSError, match=r"it is a pipe into which no one wrote for 0\.01 s") as caught:
        files.content(others["fifo"], patience=0.01)
    assert caught.value.filename == others["fifo"]


def test_what_has_no_end_is_not_read_to_it(piped: Callable[[bytes], str]) -> None:
    assert len(files.content("/dev/zero")) == files.LONGEST_FILE + 1
    with pytest.raises(OSError, match=r"it is longer than 16 MiB"):
        files.bounded(piped(b"#" * (files.LONGEST_FILE + 2)))


@pytest.mark.parametrize("name", ["socket", "folder"])
def test_what_cannot_be_read_is_named(others: dict[str, str], name: str) -> None:
    with pytest.raises(OSError, match=rf"it is {KINDS[name]}: '"):
        files.content(others[name])


@pytest.mark.parametrize("name", NEITHER)
@pytest.mark.parametrize("field", ["tokenFile", "client-certificate", "client-key", "certificate-authority"])
def test_a_credential_is_a_file_because_it_is_read_again(
    tmp_path: Path, others: dict[str, str], name: str, field: str
) -> None:
    of_user = {} if field == "certificate-authority" else {field: others[name]}
    of_cluster = {field: others[name]} if field == "certificate-authority" else {}
    (tmp_path / "config").write_text(yaml.safe_dump(config(of_user, "https://127.0.0.1:1", **of_cluster)))
    with pytest.raises(ConfigError, match=rf"context `prod` cannot be used: `{others[name]}`: it is {KINDS[name]}"):
        open_transport(str(tmp_path / "config"), None, timeout=5, environ={"HOME": "/nonexistent"})


def test_a_kubeconfig_may_come_through_a_pipe(piped: Callable[[bytes], str]) -> None:
    name = piped(yaml.safe_dump(config({"token": "t"}, "https://127.0.0.1:1")).encode())
    for _ in range(2):
        made = open_transport(name, None, timeout=5, environ={"HOME": "/nonexistent"})
        assert made.context == "prod"
        made.transport.close()


@pytest.mark.parametrize("name", ["socket", "folder", "device"])
def test_a_kubeconfig_that_is_no_file_is_one_sentence(others: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigError, match=rf"the kubeconfig `{others[name]}` cannot be read: it is "):
        open_transport(others[name], None, timeout=5, environ={"HOME": "/nonexistent"})


def test_canary_yaml_and_objects_may_come_through_a_pipe(tmp_path: Path, piped: Callable[[bytes], str]) -> None:
    world = World(tmp_path, "")
    ran = world.canary("apply", "v1.0.0", "-f", piped(CONFIG.encode()))
    assert ran.code == ExitCode.OK, ran
    made = piped(yaml.safe_dump(template_object()).encode())
    assert world.canary("create", "-f", made).code == ExitCode.OK
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    assert world.canary("lint", piped(yaml.safe_dump(service).encode())).code == ExitCode.OK


@pytest.mark.parametrize("name", ["socket", "folder", "device"])
@pytest.mark.parametrize("command", [("render", "v1", "-f"), ("create", "-n", "companyos", "-f")], ids=lambda c: c[0])
def test_what_is_no_file_is_a_wrong_word_of_the_command_line(
    tmp_path: Path, others: dict[str, str], name: str, command: tuple[str, ...]
) -> None:
    ran = World(tmp_path, "").canary(*command, others[name])
    said = "MiB" if name == "device" else f"it is {KINDS[name]}"
    assert (ran.code, said in ran.err) == (ExitCode.USAGE, True), ran
