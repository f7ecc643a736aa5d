"""A line to the sandbox that can be cut and fixed: bytes pass as they are."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

import yaml


class Proxy:
    """Writes a kubeconfig that leads through it. `cut` ends all connections, and new ones too."""

    def __init__(self, kubeconfig: Path, written: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        host, _, port = cluster["server"].rpartition("/")[2].partition(":")
        self._target = (host, int(port))
        self._ear = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._passing: list[threading.Thread] = []
        self._whole = True
        cluster["server"] = f"https://127.0.0.1:{self._ear.getsockname()[1]}"
        written.write_text(yaml.safe_dump(config))

    def __enter__(self) -> "Proxy":
        self._listening.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ear.shutdown(socket.SHUT_RDWR)  # ends the wait for a connection, which closing does not
        self._listening.join()
        self.cut()
        for thread in self._passing:
            thread.join()
        for end in (self._ear, *self._open):
            end.close()

    def cut(self) -> None:
        self._whole = False
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._whole = True

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._ear.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    thread = threading.Thread(target=_pass_on, args=pair, daemon=True)
                    self._passing.append(thread)
                    thread.start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
