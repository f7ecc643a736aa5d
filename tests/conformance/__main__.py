"""Plays every scenario of a folder and prints what differs: `python -m tests.conformance [DIR]`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.analysis_rows import check_row
from tests.conformance.comparison import problems
from tests.conformance.play import Player
from tests.conformance.projection import projection
from tests.conformance.rollout_rows import check_rollout_row

HERE = Path(__file__).parent
TABLES = ("truth-table.json", "validation.json", "rollout-steps.json")


def check_scenario(folder: Path) -> list[str]:
    """The differences between a scenario's recording and the sandbox; empty when there are none."""
    expected = json.loads((folder / "expected.json").read_text())
    try:
        lines = Player(folder).play()
    except AssertionError as error:
        return [str(error)]
    return problems(expected, projection(lines))


def scenario_folders(root: Path) -> Iterator[Path]:
    """The scenarios in `root/scenarios`, in `root`, or `root` itself."""
    for found in (root / "scenarios", root):
        if found.is_dir():
            yield from sorted(f for f in found.iterdir() if (f / "scenario.yaml").is_file())
    if (root / "scenario.yaml").is_file():
        yield root


def analysis_rows(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and differences of every recorded AnalysisRun and Rollout with an analysis."""
    folder = root / "analysis" if (root / "analysis").is_dir() else root
    for table in TABLES:
        path = folder / table
        rows = json.loads(path.read_text())["rows"] if path.is_file() else []
        fine = [r for r in rows if r.get("kind") == "Rollout" and "controller" not in r["expect"]]
        for row in rows:
            if row.get("kind") == "Rollout":
                yield f"{table}:{row['name']}", check_rollout_row(row, fine)
            else:
                yield f"{table}:{row['name']}", check_row(row)


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else HERE
    failed = total = 0
    scenarios = ((f.name, check_scenario(f)) for f in scenario_folders(root))
    for source in (scenarios, analysis_rows(root)):
        for name, found in source:
            total += 1
            failed += bool(found)
            print(f"{'FAIL' if found else 'ok  '} {name}", flush=True)
            for line in found:
                print(f"    {line}")
    print(f"{total - failed} of {total} as recorded")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
