"""docs/performance.md, which `make bench` writes: ratios of one run, and counts. Times would be those of one machine.

Whole processes are run in turns with the yardstick, so that a machine that gets busy meets all of them. What is
compared is the processor time of a process, which does not grow while others run.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.commands.conftest import paused_world
from tests.growth import Row, exponent, growth
from tests.world import MANUAL

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
CANARY = (sys.executable, "-m", "companyos_canary")
PLUGIN = "kubectl-argo-rollouts"
ROUNDS = 15
VERBS = (("--help",), ("status",), ("get",), ("promote", "--dry-run"))
GROWN = (("status",), ("get",), ("watch", "--until", "paused"))
SIZES = (10, 100, 1_000, 5_000)
#: Packages of the table of imports; the rest is one line.
SHOWN = 8


def write(folder: Path, env: Mapping[str, str], name: str, namespace: str) -> None:
    """The page, from the sandbox that `env` names."""
    yardstick, commands = _commands(name, namespace)
    costs = _in_turns(commands, folder, env)
    parts = [
        "# Performance\n",
        "Written by `make bench`; do not edit. The ratios are those of one run on one machine: of the processor time",
        f"of whole processes that were run in turns ({ROUNDS} rounds, medians). Tests assert requests and bytes",
        "(`tests/commands/test_requests.py`, `tests/commands/test_scale.py`) and the modules that a verb loads",
        "(`tests/test_cli.py`), and no ratios.\n",
        "## Commands\n",
        f"Compared with `{yardstick}`{'' if 'kubectl' in yardstick else ', as there was no kubectl'}.\n",
        _ratios(yardstick, costs),
        "\n## Imports of `canary status`\n",
        "Shares of the time that imports take (`-X importtime`).\n",
        _imports(folder, env),
        "\n## Pods of others in the namespace\n",
        "Requests and bytes, with so many pods and events of others. The exponent is that of the bytes: 0 is flat, and",
        "1 grows with the namespace.\n",
        _grown(),
    ]
    PAGE.write_text("\n".join(parts) + "\n")


def _commands(name: str, namespace: str) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The words of the yardstick, and all that is compared, by its words."""
    ours = {f"canary {' '.join(verb)}": (*CANARY, *verb) for verb in VERBS}
    python = {"python -c pass": (sys.executable, "-c", "pass")}
    if not shutil.which("kubectl"):
        return "python -c pass", {**python, **ours}
    kubectl = {"kubectl get rollout -o json": ("kubectl", "get", "rollout", name, "-n", namespace, "-o", "json")}
    plugin = {f"{PLUGIN} get rollout": (PLUGIN, "get", "rollout", name, "-n", namespace)}
    if not shutil.which(PLUGIN):
        plugin = {}
    return "kubectl get rollout -o json", {**kubectl, **plugin, **python, **ours}


def _in_turns(commands: Mapping[str, tuple[str, ...]], folder: Path, env: Mapping[str, str]) -> dict[str, list[float]]:
    """Processor seconds of each round."""
    seconds: dict[str, list[float]] = {words: [] for words in commands}
    for _ in range(ROUNDS):
        for words, command in commands.items():
            process = subprocess.Popen(
                command, cwd=folder, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
            seconds[words].append(usage.ru_utime + usage.ru_stime)
    return seconds


def _ratios(yardstick: str, costs: Mapping[str, list[float]]) -> str:
    lines = ["| command | × |", "|---|---:|"]
    for words, seconds in costs.items():
        ratio = statistics.median(mine / other for mine, other in zip(seconds, costs[yardstick], strict=True))
        lines.append(f"| `{words}` | {ratio:.1f} |")
    return "\n".join(lines)


def _imports(folder: Path, env: Mapping[str, str]) -> str:
    command = (sys.executable, "-X", "importtime", "-m", "companyos_canary", "status")
    told = subprocess.run(command, cwd=folder, env=dict(env), text=True, capture_output=True, check=False).stderr
    times: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for own, module in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", told, re.MULTILINE):
        package = module.partition(".")[0]
        package = "Python's own" if package in sys.stdlib_module_names else package
        times[package] += int(own)
        modules[package] += 1
    lines = ["| package | modules | share |", "|---|---:|---:|"]
    first = [package for package, _ in times.most_common(SHOWN)]
    rows = [(package, modules[package], times[package]) for package in first]
    others = [package for package in times if package not in first]
    rows.append(("all others", sum(modules[p] for p in others), sum(times[p] for p in others)))
    whole = sum(times.values())
    lines += [f"| {package} | {count} | {100 * time / whole:.0f} % |" for package, count, time in rows if count]
    return "\n".join(lines)


def _grown() -> str:
    with tempfile.TemporaryDirectory() as name:
        rows: dict[str, Sequence[Row]] = {}
        for arguments in GROWN:
            folder = Path(name) / arguments[0]
            folder.mkdir()
            rows[arguments[0]] = growth(paused_world(folder, MANUAL), arguments, SIZES)
    lines = [f"| pods of others | {' | '.join(rows)} |", f"|---:|{'---:|' * len(rows)}"]
    for place, size in enumerate(SIZES):
        told = (f"{row[place].requests}, {row[place].received:,} bytes" for row in rows.values())
        lines.append(f"| {size:,} | {' | '.join(told)} |")
    exponents = (f"{exponent([(r.pods, r.received) for r in row]):.2f}" for row in rows.values())
    lines.append(f"| exponent | {' | '.join(exponents)} |")
    return "\n".join(lines)
