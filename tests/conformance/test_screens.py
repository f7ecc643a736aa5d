"""The numbers of the plugin's screens, and ours from the objects that were there: all recordings.

A recorded pod is only its phase and whether it was ready, so the text of one that was not ready
is not compared. Where a run was still measuring, the screen may be a measurement ahead.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from companyos_canary.argo.phase import shown_phase
from companyos_canary.argo.steps import actual_weight, set_weight, step_count
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Pod, ReplicaSet
from tests.conformance.checkpoints import Checkpoint, all_checkpoints
from tests.schema import snapshot_data

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHECKPOINTS = all_checkpoints()
COUNTS = {"✔": "successful", "✖": "failed", "?": "inconclusive", "⚠": "error"}
_ROW = re.compile(
    r"[├└─│ ]*(?P<mark>[⧉□α])?\s*(?P<name>\S+)\s+(?P<kind>ReplicaSet|Pod|AnalysisRun)"
    r"\s+\S (?P<status>\S+)\s+<age>\s*(?P<info>.*)"
)


def every_checkpoint(check: Callable[[Checkpoint], None]) -> Callable[[], None]:
    """A test of all of them that names those where the check fails."""

    def test() -> None:
        wrong = []
        for checkpoint in CHECKPOINTS:
            try:
                check(checkpoint)
            except AssertionError as error:
                wrong.append(f"{checkpoint.folder} {checkpoint.name}: {error}")
        assert not wrong, "\n".join(wrong)

    return test


def snapshot_of(checkpoint: Checkpoint) -> Snapshot:
    objects = checkpoint.objects
    sets = [ReplicaSet.from_object(o) for o in objects["ReplicaSet"] if _of_a_rollout(o)]
    return Snapshot(
        rollout=Rollout.from_object(objects["Rollout"][-1]),
        replicasets=tuple(sorted(sets, key=lambda r: -r.revision)),
        pods=tuple(Pod.from_object(_pod(checkpoint, o)) for o in objects["Pod"]),
        runs=tuple(AnalysisRun.from_object(o) for o in objects["AnalysisRun"]),
    )


def _of_a_rollout(obj: dict[str, Any]) -> bool:
    owners = obj["metadata"].get("ownerReferences") or []
    return any(o["kind"] == "Rollout" for o in owners)


def _pod(checkpoint: Checkpoint, cut: dict[str, Any]) -> dict[str, Any]:
    """A recorded pod with what was left out of it, as far as it follows from the rest."""
    owner = next(o for o in checkpoint.objects["ReplicaSet"] if o["metadata"]["name"] == cut["owner"]["name"])
    state = {"running": {}} if cut["ready"] else {"waiting": {}}
    containers = owner["spec"]["template"]["spec"]["containers"]
    return {
        "metadata": {**cut["metadata"], "ownerReferences": [{"uid": owner["metadata"]["uid"], "controller": True}]},
        "spec": {"containers": containers},
        "status": {
            "phase": cut["phase"],
            "containerStatuses": [{"name": c["name"], "ready": cut["ready"], "state": state} for c in containers],
        },
    }


def part(screen: str, command: str) -> list[str]:
    """The lines that a command printed."""
    found = re.search(rf"^\$ {command}[^\n]*\n(.*?)^\[exit", screen, re.DOTALL | re.MULTILINE)
    assert found, command
    return found[1].splitlines()


def fields(screen: str) -> dict[str, str]:
    """What is above the tree: `Status`, `Step`, `Desired`, ... with their texts."""
    pairs = (re.match(r" *(\w+): +(.*)", line) for line in part(screen, "get rollout"))
    return {m[1]: m[2].strip() for m in pairs if m}


def rows(screen: str, kind: str) -> Iterator[dict[str, str]]:
    for line in part(screen, "get rollout"):
        match = _ROW.match(line)
        if match and match["kind"] == kind:
            yield {k: (v or "").strip() for k, v in match.groupdict().items()}


@every_checkpoint
def test_phase_and_message_are_those_of_the_screen(checkpoint: Checkpoint) -> None:
    shown = shown_phase(snapshot_of(checkpoint).rollout)
    told = fields(checkpoint.screen)
    assert (shown.word, shown.message) == (told["Status"].split()[-1], told.get("Message", ""))
    first, *rest = part(checkpoint.screen, "status")
    assert first == (f"{shown.word} - {shown.message}" if _short(shown.word, shown.message) else shown.word)
    assert all(line.endswith(f"with message: {shown.message}") for line in rest)


def _short(phase: str, message: str) -> bool:
    """`status` gives the message of a Degraded one as an error instead."""
    return bool(message) and phase != "Degraded"


@every_checkpoint
def test_steps_and_weights_are_those_of_the_screen(checkpoint: Checkpoint) -> None:
    snapshot = snapshot_of(checkpoint)
    rollout, told = snapshot.rollout, fields(checkpoint.screen)
    data = snapshot_data(snapshot, NOW)
    steps = step_count(rollout)
    if rollout.strategy == "canary":
        assert told["Step"] == ("" if rollout.step_index is None else f"{rollout.step_index}/{steps}")
    assert (data["step"]["index"], data["step"]["count"]) == (rollout.step_index, steps)
    if rollout.strategy == "canary":
        current = snapshot.current
        weights = [set_weight(rollout), actual_weight(rollout, current.available if current else 0, snapshot.available)]
        assert weights == [int(told["SetWeight"]), int(told["ActualWeight"])]
        if snapshot.is_behind:  # the screen speaks of the version before: that of the spec has no pods yet
            weights[1] = 0
        assert data["weights"] == dict(zip(("set", "actual"), weights, strict=True))


@every_checkpoint
def test_counts_of_replicas_are_those_of_the_screen(checkpoint: Checkpoint) -> None:
    data, told = snapshot_data(snapshot_of(checkpoint), NOW), fields(checkpoint.screen)
    counts = {
        "desired": "Desired",
        "total": "Current",
        "updated": "Updated",
        "ready": "Ready",
        "available": "Available",
    }
    assert data["replicas"] == {ours: int(told[theirs]) for ours, theirs in counts.items()}


@every_checkpoint
def test_replicasets_are_those_of_the_screen(checkpoint: Checkpoint) -> None:
    data = snapshot_data(snapshot_of(checkpoint), NOW)
    screen = {row["name"]: row for row in rows(checkpoint.screen, "ReplicaSet")}
    assert list(screen) == [r["name"] for r in data["replicasets"]]
    for replicaset in data["replicasets"]:
        row = screen[replicaset["name"]]
        assert row["status"] == _status(replicaset)
        if data["strategy"] == "canary":
            assert row["info"].partition(",")[0].partition("delay")[0] == replicaset["role"]


def _status(replicaset: dict[str, Any]) -> str:
    """The plugin's word for what we show as numbers."""
    if not replicaset["desired"]:
        return "ScaledDown" if not replicaset["replicas"] else "Progressing"
    return "Healthy" if replicaset["available"] >= replicaset["desired"] else "Progressing"


@every_checkpoint
def test_images_are_those_of_the_screen(checkpoint: Checkpoint) -> None:
    data = snapshot_data(snapshot_of(checkpoint), NOW)
    lines = part(checkpoint.screen, "get rollout")
    block = "\n".join(lines).partition("Images:")[2].partition("Replicas:")[0].split("\n")
    told = {line.strip().partition(" ")[0].partition(":")[2] for line in block if line.strip()}
    assert told == {r["version"] for r in data["replicasets"] if r["replicas"]}


@every_checkpoint
def test_pods_are_those_of_the_screen(checkpoint: Checkpoint) -> None:
    data = snapshot_data(snapshot_of(checkpoint), NOW)
    told = sorted(
        (row["name"].removesuffix("-<pod>"), row["info"], row["status"]) for row in rows(checkpoint.screen, "Pod")
    )
    ours = sorted(
        (p["name"].rpartition("-")[0], f"ready:{p['containers_ready']}/{p['containers']}", p["status"])
        for p in data["pods"]
    )
    assert [pod[:2] for pod in told] == [pod[:2] for pod in ours]
    for (_, info, status), (_, _, our_status) in zip(told, ours, strict=True):
        assert status == our_status or not info.startswith("ready:1")


@every_checkpoint
def test_analysis_runs_are_those_of_the_screen(checkpoint: Checkpoint) -> None:
    snapshot = snapshot_of(checkpoint)
    screen = {row["name"]: row for row in rows(checkpoint.screen, "AnalysisRun")}
    assert set(screen) == {run.name for run in snapshot.runs}
    for run in snapshot.runs:
        row = screen[run.name]
        told = {COUNTS[mark]: int(n) for mark, n in re.findall(r"([✔✖?⚠]) (\d+)", row["info"])}
        ours = {
            word: total
            for word in COUNTS.values()
            if (total := sum(getattr(r, word) for r in run.results if not r.dry_run))
        }
        assert row["status"] == run.phase
        assert told == ours or (not run.is_finished and _one_ahead(ours, told))


def _one_ahead(ours: dict[str, int], told: dict[str, int]) -> bool:
    more = {word: n - ours.get(word, 0) for word, n in told.items()}
    return ours.keys() <= told.keys() and sum(more.values()) == 1 and min(more.values()) >= 0


@every_checkpoint
def test_the_line_of_the_list_is_that_of_the_screen(checkpoint: Checkpoint) -> None:
    data = snapshot_data(snapshot_of(checkpoint), NOW)
    line = next(row for row in part(checkpoint.screen, "list rollouts") if "NAME" not in row)
    counts, step = data["replicas"], data["step"]
    canary = data["strategy"] == "canary"
    assert line.split() == [
        data["rollout"],
        "Canary" if canary else "BlueGreen",
        data["phase"],
        "-" if step["index"] is None else f"{step['index']}/{step['count']}",
        str(data["weights"]["set"]) if canary else "-",
        f"{counts['ready']}/{counts['total']}",
        str(counts["desired"]),
        str(counts["updated"]),
        str(counts["available"]),
    ]


def test_there_is_a_screen_for_every_recorded_checkpoint() -> None:
    folders = [c.folder.partition("/")[0] for c in CHECKPOINTS]
    assert {f: folders.count(f) for f in folders} == {"scenarios": 79, "scenarios-bluegreen": 52, "scenarios-nginx": 54}
