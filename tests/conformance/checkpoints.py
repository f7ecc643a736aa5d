"""The objects of a recording as of each checkpoint, where the plugin printed its screens.

`python -m tests.conformance.checkpoints DIR...` takes them out of the traces in folders of
scenarios (`scenarios`, `scenarios-bluegreen`, ...), and the screens next to them.
"""

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from companyos_canary.model.image import HASH_LABEL

HERE = Path(__file__).parent
FILE = HERE / "checkpoints.jsonl.gz"
_KINDS = ("Rollout", "ReplicaSet", "Pod", "AnalysisRun")
Json = dict[str, Any]


class Checkpoint(Struct, frozen=True):
    """`folder` and `name` say where the screen is. `objects` are by kind in order of creation;
    `hashes` lead from `<rev1>` to the pod hash."""

    folder: str
    name: str
    objects: dict[str, list[Json]]
    hashes: dict[str, str]

    @property
    def screen(self) -> str:
        text = (HERE / self.folder / "screens" / f"{self.name}.txt").read_text()
        for shown, digest in self.hashes.items():
            text = text.replace(shown, digest)
        return text


def all_checkpoints() -> list[Checkpoint]:
    with gzip.open(FILE, "rt") as file:
        return [Checkpoint(**json.loads(line)) for line in file]


def checkpoints(folder: str, lines: Iterable[Json]) -> Iterator[Checkpoint]:
    """What was there at each mark of a trace."""
    objects: dict[tuple[str, str], Json] = {}
    digests: dict[str, None] = {}
    for line in lines:
        if "checkpoint" in line:
            found = {kind: [o for (k, _), o in objects.items() if k == kind] for kind in _KINDS}
            hashes = {f"<rev{n}>": digest for n, digest in enumerate(digests, 1)}
            yield Checkpoint(folder, line["checkpoint"], found, hashes)
        if line.get("kind") not in _KINDS:
            continue
        key = (line["kind"], line["name"])
        if line["type"] == "DELETED":
            objects.pop(key, None)
            continue
        whole = objects.get(key, {})
        objects[key] = {**whole, **line["object"]}
        if line["kind"] == "ReplicaSet":  # its template is in the first line only
            objects[key]["spec"] = {**whole.get("spec", {}), **line["object"]["spec"]}
            if digest := (line["object"]["metadata"].get("labels") or {}).get(HASH_LABEL):
                digests[digest] = None


def _taken(root: Path) -> Iterator[Checkpoint]:
    for trace in sorted(root.glob("*/trace.jsonl")):
        scenario = trace.parent
        folder = f"{root.name}/{scenario.name}"
        for found in checkpoints(folder, map(json.loads, trace.read_text().splitlines())):
            screen = scenario / "screens" / f"{found.name}.txt"
            target = HERE / folder / "screens" / screen.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(screen.read_text())
            yield found


def main(roots: list[str]) -> None:
    taken = [found for root in roots for found in _taken(Path(root).resolve())]
    with FILE.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        for found in taken:
            text = json.dumps(vars(found), separators=(",", ":"), ensure_ascii=False)
            file.write(text.encode() + b"\n")
    print(f"{len(taken)} checkpoints")


if __name__ == "__main__":
    main(sys.argv[1:])
