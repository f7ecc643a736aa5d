"""Transcripts of kubectl: commands, and what each printed on an own sandbox whose clock jumps.

A transcript holds `$ kubectl …` lines, each followed by its standard output, its standard error
(lines that begin with `! `) and, where it failed, `[exit N]`. Lines that begin with `#` are prose;
`#pass 90` lets 90 seconds go by. What differs from run to run is masked.
"""

import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.controller.rollouts import refusal
from companyos_canary.sandbox.credentials import make_identity, write_kubeconfig
from companyos_canary.sandbox.defaults import namespace
from companyos_canary.sandbox.kinds import NAMESPACE
from companyos_canary.sandbox.server import Server
from companyos_canary.sandbox.store import Store

HERE = Path(__file__).parent / "kubectl"
SPACE = "shop"
TOKEN = "a-token"
#: What is due within these seconds after a change has happened when the change is answered.
SOON = timedelta(seconds=20)
PATIENCE = 120
MASKS = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uid>"),
    (re.compile(r"https://127\.0\.0\.1:\d+"), "<server>"),
    (re.compile(r"(resourceVersion\"?: )\"\d+\""), r"\1<version>"),
    (re.compile(r'(resourceVersion\\":)\\"\d+\\"'), r"\1<version>"),
    (re.compile(r"(Resource Version: +)\d+"), r"\1<version>"),
    (re.compile(r"^([-+]{3} )\S+\t.*$", re.MULTILINE), r"\1<file>"),
    (re.compile(r"^diff .*$", re.MULTILINE), "diff <files>"),
    (re.compile(r"(-[0-9a-z]{8,10}-)[bcdfghjklmnpqrstvwxz2456789]{5}\b"), r"\1*****"),
    (re.compile(r"debugger-[a-z0-9]{5}\b"), "debugger-*****"),
    (re.compile(r"status=(200|500) duration_ms=\d+"), "status=<code> duration_ms=<ms>"),
    (re.compile(r"level=(info|error)"), "level=<level>"),
    (re.compile(r"(name: |Name: +)[a-z-]+\.[0-9a-f]{16}\b"), r"\1<event>"),
    (re.compile(r"(?<= )\d+d(?=  )"), "<age>"),
)


class Desk:
    """A served sandbox, and kubectl in a folder of its own. Whatever a change leads to within the
    next seconds has happened when the change is answered; otherwise the clock is stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
        self.store = Store(lambda: self.now)
        self._cluster = Cluster(self.store, provider=_Silent())
        self._api = Api(self.store, refuse=refusal)
        self._lock = threading.Lock()
        identity = make_identity()
        self.server = Server(self.handle, tls=identity.context, token=TOKEN).start()
        write_kubeconfig(folder / "kubeconfig", server=self.server.url, token=TOKEN, ca=identity.ca, namespace=SPACE)
        self.store.create(NAMESPACE, namespace(SPACE))

    def handle(self, request: Request) -> Response:
        answer = self._api.handle(request)
        if request.method != "GET":
            with self._lock:
                self._act(self.now + SOON)
        return answer

    def forward(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        self._act(end)
        self.now = end
        self._cluster.settle(self.now)

    def _act(self, end: datetime) -> None:
        while (wake := self._cluster.settle(self.now)) is not None and wake <= end:
            self.now = max(self.now, wake)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "TZ": "UTC",
            "GOGC": "off",  # it ends before there is much to collect
            "GOMAXPROCS": "1",  # and before a second thread could help
        }
        pipe = subprocess.PIPE
        command = ["kubectl", "--cache-dir", str(self.folder / "cache"), *words]
        return subprocess.Popen(
            command, env=environment, cwd=HERE, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, line: str) -> str:
        """What a command prints, in the form of a transcript."""
        with self.start(*shlex.split(line)[1:]) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        told = masked(out) + "".join(f"! {text}\n" for text in masked(err).splitlines())
        return told + (f"[exit {process.returncode}]\n" if process.returncode else "")

    def close(self) -> None:
        self.server.close()


class _Silent:
    """No question of an analysis is ever answered."""

    def submit(self, request: Request, address: str) -> "Future[Response]":
        return Future()


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    lines = [line.rstrip() for line in text.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def played(desk: Desk, lines: list[str]) -> Iterator[str]:
    """The transcript again: its commands and prose, with what is printed now."""
    for line in lines:
        if line.startswith("$ "):
            yield f"{line}\n{desk.run(line[2:])}"
        elif line.startswith("#"):
            yield f"\n{line}\n"
            if line.startswith("#pass "):
                desk.forward(float(line.split()[1]))
