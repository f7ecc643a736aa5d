"""Manifests of others, played on the sandbox: `python -m tests.upstream FOLDER …` says of each Rollout in the files
of a folder whether the sandbox takes it, whether a version is shipped with it, and whether `init --from` adopts it.

Objects to which a Rollout refers are looked for in its own file first, then in all files.
"""

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Json, Request
from companyos_canary.sandbox.kinds import KINDS
from tests.world import World

_HOME = "companyos"
_IN_GO = re.compile(r"`([^`]*\bkind: [^`]*)`")
_PLACEHOLDER = re.compile(r"\$\$\w+\$\$|\bREPLACEME\b|\bROLLOUT_NAME\b")
_PATIENCE = 10  # rounds at one step
_ROUNDS = 60


class Played(Struct, frozen=True):
    """What became of one Rollout: a word for each stage, empty if it went well."""

    where: str
    taken: str
    shipped: str
    adopted: str


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every manifest, also those within the texts of Go tests."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".yml"):
            yield str(path.relative_to(folder)), _PLACEHOLDER.sub("demo", path.read_text(errors="replace"))
        elif path.name.endswith("_test.go"):
            for number, found in enumerate(_IN_GO.findall(path.read_text(errors="replace")), 1):
                yield f"{path.relative_to(folder)}#{number}", found


def objects(text: str) -> list[Json]:
    """Those that are objects of Kubernetes; empty for a text that is a template of another language."""
    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError):
        return []
    found: list[Json] = []
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "List":
            found += [item for item in document.get("items") or [] if isinstance(item, dict)]
        elif isinstance(document, dict) and document.get("kind") and document.get("apiVersion"):
            found.append(document)
    return found


def played(folder: Path) -> Iterator[Played]:
    everything = [(name, objects(text)) for name, text in texts(folder)]
    pool: dict[tuple[str, str], Json] = {}
    for _, found in everything:
        for obj in found:
            if obj["kind"] not in ("Rollout", "Experiment", "AnalysisRun"):
                pool.setdefault((obj["kind"], _name(obj)), obj)
    for name, found in everything:
        for obj in found:
            if obj["kind"] == "Rollout" and "spec" in obj:
                with tempfile.TemporaryDirectory() as temporary:
                    yield _played(name, obj, found, pool, Path(temporary))


def _played(
    where: str, rollout: Json, beside: list[Json], pool: Mapping[tuple[str, str], Json], folder: Path
) -> Played:
    world, name = World(folder, ""), _name(rollout)
    rollout = json.loads(re.sub(r'"namespace": "[^"]*"', f'"namespace": "{_HOME}"', json.dumps(rollout)))
    where = f"{where}:{name}"
    own = {(o["kind"], _name(o)): o for o in beside if o["kind"] != "Rollout"}
    try:
        for obj in _referred(rollout, {**pool, **own}):
            _create(world, obj)
        for service in _services(rollout):
            _create(world, service)
        said = _create(world, rollout)
        if said:
            return Played(where, said, "-", "-")
        live = _rollout(world, name)
        for _ in range(_ROUNDS):
            if live.status_phase in ("Healthy", "Degraded") and live.observed:
                break
            world.advance(30)
            live = _rollout(world, name)
        if live.status_phase != "Healthy":
            return Played(where, f"{live.status_phase}: {live.raw.get('status', {}).get('message', '')}", "-", "-")
        adopted = _adopted(world, name)
        return Played(where, "", _shipped(world, name), adopted)
    except Exception as error:
        return Played(where, f"{type(error).__name__}: {error}", "-", "-")


def _shipped(world: World, name: str) -> str:
    ran = world.canary("deploy", "v9.9.9", "--rollout", name, "-n", _HOME, "--no-wait")
    if ran.code != ExitCode.OK:
        return ran.err.splitlines()[0]
    live, before, stays = _rollout(world, name), None, 0
    for _ in range(_ROUNDS):
        world.advance(60)
        live = _rollout(world, name)
        if live.is_fully_promoted and live.status_phase == "Healthy":
            return ""
        if live.aborted:
            return f"aborted: {live.raw.get('status', {}).get('message', '')}"
        stays = stays + 1 if live.step_index == before else 0
        before = live.step_index
        if live.pause_conditions or live.controller_pause or stays > _PATIENCE:
            world.canary("promote", name, "-n", _HOME, "--no-wait", *(["--skip-step"] if stays > _PATIENCE else []))
    return f"{live.status_phase}: {live.raw.get('status', {}).get('message', '')} at step {live.step_index}"


def _adopted(world: World, name: str) -> str:
    ran = world.canary("init", "--from", name, "-n", _HOME)
    if ran.code != ExitCode.OK:
        return " ".join(ran.err.split("\n")[:1])
    dry = world.canary("apply", "--dry-run")
    words = [line for line in dry.out.splitlines() if line and not line.endswith(": unchanged")]
    (world.folder / "canary.yaml").unlink()
    return "" if dry.code == ExitCode.OK and not words else "; ".join(words) or dry.err.splitlines()[0]


def _referred(rollout: Json, pool: Mapping[tuple[str, str], Json]) -> Iterator[Json]:
    """The objects of the pool whose names the Rollout has in it, and those that these name in turn."""
    asked, seen = [json.dumps(rollout)], set[tuple[str, str]]()
    while asked:
        text = asked.pop()
        for key, obj in pool.items():
            if key not in seen and f'"{key[1]}"' in text:
                seen.add(key)
                asked.append(json.dumps(obj))
    for key in seen:
        yield pool[key]


def _services(rollout: Json) -> Iterator[Json]:
    """Those that a Rollout names: the Go tests make theirs in Go. One that exists stays as it is."""
    labels = rollout["spec"].get("selector", {}).get("matchLabels") or {}
    for key, name in re.findall(r'"(\w*Service)": "([^"]+)"', json.dumps(rollout["spec"].get("strategy") or {})):
        spec = {"selector": labels, "ports": [{"port": 80}]}
        if key in ("activeService", "previewService", "canaryService", "stableService", "pingService", "pongService"):
            yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _create(world: World, obj: Json) -> str:
    kinds = {f"{k.group}/{k.version}" if k.group else k.version: k for k in KINDS if k.kind == obj["kind"]}
    kind = kinds.get(obj["apiVersion"])
    if kind is None:
        return f"no kind {obj['apiVersion']} {obj['kind']}"
    space = _HOME if kind.namespaced else ""
    obj = {**obj, "metadata": {**obj["metadata"], **({"namespace": space} if space else {})}}
    prefix = f"/apis/{obj['apiVersion']}" if "/" in obj["apiVersion"] else f"/api/{obj['apiVersion']}"
    path = f"{prefix}/namespaces/{space}/{kind.plural}" if space else f"{prefix}/{kind.plural}"
    response = world.answer(Request("POST", path, (), {"Content-Type": "application/json"}, json.dumps(obj).encode()))
    return "" if response.status in (201, 409) else str(json.loads(response.body).get("message"))


def _rollout(world: World, name: str) -> Any:
    return world.rollout(name)


def _name(obj: Json) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")


def main(arguments: list[str]) -> int:
    for root in arguments:
        counted: Counter[str] = Counter()
        for one in played(Path(root)):
            counted.update(["all"], taken=not one.taken, shipped=not one.shipped, adopted=not one.adopted)
            for stage in ("taken", "shipped", "adopted"):
                if (said := getattr(one, stage)) and said != "-":
                    print(f"{one.where}: not {stage}: {said}", flush=True)
        print(root, dict(counted))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
