"""`canary demo`: a good release and a bad one, in the embedded cluster, with the real commands."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Struct

from companyos_canary.commands import base
from companyos_canary.errors import CanaryError, ExitCode
from companyos_canary.model.row import Output, Says
from companyos_canary.view.machine import Code


class Demo(Struct, frozen=True, kw_only=True):
    exit_codes: Annotated[dict[str, Code], Says("by command")]


EXAMPLES = ("canary demo", "NO_COLOR=1 canary demo | cat        one line per change")
OUTPUT = Output((Demo,))
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.INTERRUPTED)

DEMO_NAMESPACE = "companyos"
CONFIG = """\
schema: canary/v1
rollout: companyos-api
namespace: companyos
image: companyos-api
replicas: 10
steps:                      # seconds, so that the demo is short; the guide has 2m, 2m and 3m
  - {weight: 10, analysis: 6s}
  - {weight: 25, analysis: 6s}
  - {weight: 50, analysis: 6s}
analysis: {window: 5s, min_requests: 10, by_hash: true}
"""
STORY: tuple[tuple[str, tuple[str, ...], ExitCode], ...] = (
    ("the first version: nothing to compare it with", ("apply", "v1.0.0"), ExitCode.OK),
    ("a good version", ("deploy", "v1.1.0"), ExitCode.OK),
    ("a bad version: its error rate jumps at 25 % of the traffic", ("deploy", "v1.2.0"), ExitCode.DEGRADED),
)


def demo(session: base.Session) -> base.Answer:
    """Start a cluster in this process, ship a good version and a bad one, then exit.

    The commands are the real ones, run as you would run them. It takes less than a minute.
    """
    from companyos_canary.sandbox.sandbox import Sandbox

    running = Sandbox(namespaces=(DEMO_NAMESPACE,))
    codes: dict[str, int] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="canary-demo-") as folder:
            here = Path(folder)
            (here / "canary.yaml").write_text(CONFIG)
            kubeconfig = here / "kubeconfig"
            running.write_kubeconfig(kubeconfig, DEMO_NAMESPACE)
            for title, arguments, expected in STORY:
                _say(session, f"# {title}\n$ canary {' '.join(arguments)}")
                code = _run(session, arguments, here, kubeconfig)
                codes[" ".join(arguments)] = code
                _expect(arguments, code, expected)
                _say(session, "")
    finally:
        running.close()
    program = session.runtime.program
    _say(session, f"that was the demo. Next: `{program} sandbox`, then the same commands by hand")
    return base.Answer(data=Demo(exit_codes=codes))


def _run(session: base.Session, arguments: tuple[str, ...], here: Path, kubeconfig: Path) -> int:
    """One canary process on our own terminal (or pipe)."""
    session.runtime.flush()
    output = ("-o", "json") if session.output == "json" else ()
    done = subprocess.run(
        [sys.executable, "-m", "companyos_canary", *arguments, *output],
        cwd=here,
        env=_environment(session.runtime.environ, kubeconfig),
        stdout=None if session.human else subprocess.DEVNULL,
        check=False,
    )
    return done.returncode


def _environment(environ: Mapping[str, str], kubeconfig: Path) -> dict[str, str]:
    kept = {k: v for k, v in environ.items() if not k.startswith("CANARY_") or k == "CANARY_THEME"}
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(p for p in (package, kept.get("PYTHONPATH", "")) if p)
    # Its bad release is no error of the job that shows it.
    own = {"KUBECONFIG": str(kubeconfig), "PYTHONPATH": path, "CANARY_CI": "none"}
    return {**kept, **own}


def _expect(arguments: tuple[str, ...], code: int, expected: ExitCode) -> None:
    if code == ExitCode.INTERRUPTED or code < 0:
        raise KeyboardInterrupt
    if code != expected:
        raise CanaryError(
            f"`canary {' '.join(arguments)}` ended with {code} where the demo expects {int(expected)}",
            hint="run it again; if it stays, report it with the output above",
        )


def _say(session: base.Session, text: str) -> None:
    if session.human:
        session.runtime.tell(text)


command = base.verb(demo, reads_config=False, forms=("human", "json"), of_cluster=False)
