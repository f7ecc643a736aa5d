"""A real Prometheus server without targets, perhaps with series that it is given as a block."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

BINARIES = ("prometheus", "promtool")
needs_prometheus = pytest.mark.skipif(
    not all(shutil.which(binary) for binary in BINARIES),
    reason="prometheus is not installed (Debian: package prometheus)",
)
Points = Mapping[str, Sequence[tuple[float, float]]]


@contextmanager
def running(folder: Path, series: Points | None = None) -> Iterator[str]:
    """The address of a server that knows these samples, (Unix seconds, value) by series."""
    data = folder / "data"
    if series:
        given = folder / "series.txt"
        given.write_text(_openmetrics(series))
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(given), str(data)]
        subprocess.run(command, check=True, capture_output=True)
    (folder / "empty.yml").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder}/empty.yml",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def ask(address: str, path: str, form: Mapping[str, str]) -> tuple[int, Any]:
    """Status and JSON of a GET."""
    try:
        with urllib.request.urlopen(f"{address}{path}?{urlencode(form)}", timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def _openmetrics(series: Points) -> str:
    """The text form; the lines of a metric must stand together."""
    lines = [
        f"{name} {value!r} {at:.3f}"
        for name in sorted(series, key=lambda n: (n.partition("{")[0], n))
        for at, value in series[name]
    ]
    return "\n".join([*lines, "# EOF\n"]).replace("inf", "Inf").replace("nan", "NaN")


def _wait_until_ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/-/ready", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)  # another process starts: nothing else tells when it listens
    pytest.fail("prometheus did not start")
