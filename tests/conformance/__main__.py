"""Plays every scenario of a folder and prints what differs: `python -m tests.conformance [DIR]`.

The file `controller` next to `scenarios/` names the release that was recorded: `1.9` or `head`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from companyos_canary.sandbox.behaviour import HEAD, Release, release_named
from tests.conformance.analysis_rows import check_row
from tests.conformance.comparison import problems
from tests.conformance.play import Machine, Player, busy, uneven
from tests.conformance.projection import projection
from tests.conformance.rollout_rows import check_rollout_row

HERE = Path(__file__).parent
MACHINES = (Machine(), *(busy(seed) for seed in range(8)), *(uneven(seed) for seed in range(4)))
TABLES = ("truth-table.json", "validation.json", "rollout-steps.json")


def check_scenario(folder: Path) -> list[str]:
    """The differences between a scenario's recording and the sandbox; empty when there are none.

    What shows for a moment depends on the machine of the recording: on how fast pods, controllers and
    clients were. What a machine of ours shows in the same way has been recorded by it."""
    least: list[str] | None = None
    for machine in MACHINES:
        found = _differences(folder, machine)
        if least is None or len(found) < len(least):
            least = found
        if not least:
            break
    return least or []


def _differences(folder: Path, machine: Machine) -> list[str]:
    expected = json.loads((folder / "expected.json").read_text())
    try:
        lines = Player(folder, recorded_with(folder), machine).play()
    except AssertionError as error:
        return [str(error)]
    return problems(expected, projection(lines))


def recorded_with(folder: Path) -> Release:
    """The release that the nearest file `controller` names, up to two folders above; the head of
    the branch if there is none. Raises UsageError for a name that is none."""
    folder = folder.resolve()
    found = (f / "controller" for f in (folder, *folder.parents[:2]))
    return next((release_named(f.read_text().strip()) for f in found if f.is_file()), HEAD)


def scenario_folders(root: Path) -> Iterator[Path]:
    """The scenarios in every `root/scenarios*`, in `root`, or `root` itself."""
    for found in (*sorted(root.glob("scenarios*")), root):
        if found.is_dir():
            yield from sorted(f for f in found.iterdir() if (f / "scenario.yaml").is_file())
    if (root / "scenario.yaml").is_file():
        yield root


def analysis_rows(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and differences of every recorded AnalysisRun and Rollout with an analysis."""
    folder = root / "analysis" if (root / "analysis").is_dir() else root
    release = recorded_with(folder)
    for table in TABLES:
        path = folder / table
        rows = json.loads(path.read_text())["rows"] if path.is_file() else []
        fine = [r for r in rows if r.get("kind") == "Rollout" and "controller" not in r["expect"]]
        for row in rows:
            if row.get("kind") == "Rollout":
                yield f"{table}:{row['name']}", check_rollout_row(row, fine, release)
            else:
                yield f"{table}:{row['name']}", check_row(row, release)


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else HERE
    failed = total = 0
    folders: dict[str, list[bool]] = {}
    scenarios = ((f"{f.parent.name}/{f.name}", check_scenario(f)) for f in scenario_folders(root))
    for source in (scenarios, analysis_rows(root)):
        for name, found in source:
            total += 1
            failed += bool(found)
            folders.setdefault(name.partition("/")[0] if "/" in name else "analysis", []).append(not found)
            print(f"{'FAIL' if found else 'ok  '} {name}", flush=True)
            for line in found:
                print(f"    {line}")
    for folder, fine in folders.items():
        print(f"{folder}: {sum(fine)} of {len(fine)}")
    print(f"{total - failed} of {total} as recorded")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
