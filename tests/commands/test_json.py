"""The JSON of every verb is a contract: key paths and types. Keys are added, never removed.

`pytest tests/commands/test_json.py --update-contract` writes contract.json; review it as a diff: a
line that goes or changes is a new schema version.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from companyos_canary import cli
from tests.commands.conftest import at_the_pause, installed
from tests.world import CONFIG, MANUAL, World

CONTRACT = Path(__file__).parent / "contract.json"
NAMES = {str: "text", bool: "bool", int: "number", float: "number", type(None): "null"}
# Below these paths stand objects of Kubernetes, or names that the user chose.
OPAQUE = ("data.objects[]", "data.requests[].body[]", "data.requests[].body", "data.links",
          "data.images", "data.snapshot.images")  # fmt: skip


def healthy(folder: Path) -> World:
    return installed(folder, CONFIG)


def waiting(folder: Path) -> World:
    return at_the_pause(installed(folder, MANUAL))


def analysing(folder: Path) -> World:
    return at_the_pause(healthy(folder))


def rolled_back(folder: Path) -> World:
    world = healthy(folder)
    world.canary("deploy", "errors-1")
    return world


AT_REST: dict[Callable[[Path], World], World] = {}
"""Worlds in which nothing happens by itself, for commands that change nothing."""
READS = {"analysis", "events", "list", "history", "get", "status", "watch", "links", "render",
         "completion"}  # fmt: skip


CASES: dict[str, list[tuple[Callable[[Path], World], tuple[str, ...]]]] = {
    "deploy": [(healthy, ("errors-1",)), (healthy, ("v1.1.0", "--no-wait")),
               (healthy, ("v1.1.0", "--dry-run")), (healthy, ("v1 0",))],
    "promote": [(waiting, ()), (waiting, ("--dry-run",)), (analysing, ())],
    "abort": [(waiting, ()), (waiting, ("--dry-run",)), (healthy, ())],
    "undo": [(waiting, ()), (waiting, ("--dry-run",)), (waiting, ("--to", "v9"))],
    "retry": [(rolled_back, ()), (rolled_back, ("--dry-run",)), (healthy, ())],
    "pause": [(analysing, ()), (analysing, ("--dry-run",)), (healthy, ("other",))],
    "resume": [(waiting, ()), (healthy, ("other",))],
    "restart": [(healthy, ()), (healthy, ("--dry-run",)), (healthy, ("other",))],
    "watch": [(analysing, ("--timeout", "1s")), (waiting, ()), (healthy, ("other",))],
    "status": [(waiting, ()), (rolled_back, ()), (healthy, ("--wait",)), (healthy, ("other",))],
    "get": [(analysing, ()), (rolled_back, ()), (healthy, ()), (healthy, ("other",))],
    "analysis": [(rolled_back, ()), (analysing, ()), (healthy, ("other",))],
    "history": [(rolled_back, ()), (waiting, ()), (healthy, ("other",))],
    "events": [(waiting, ()), (healthy, ("other",))],
    "list": [(waiting, ()), (healthy, ("--older", "soon"))],
    "links": [(healthy, ()), (healthy, ("-f", "no.yaml"))],
    "init": [(healthy, ("-f", "new.yaml")), (healthy, ())],
    "render": [(healthy, ("v1",)), (healthy, ("-e", "no"))],
    "completion": [(healthy, ("bash",)), (healthy, ("tcsh",))],
    "apply": [(healthy, ()), (healthy, ("v2", "--dry-run")), (healthy, ("v2",))],
}  # fmt: skip
PROCESSES = {"demo", "sandbox", "logs"}  # no envelope, or in a process: modules of their own


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Key paths and the types found there; `[]` is any member of a list."""
    if path in OPAQUE and value:
        yield path, "any"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from shape(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from shape(inner, f"{path}[]")
    else:
        yield path, NAMES[type(value)]


def found(verb: str, folder: Path) -> dict[str, str]:
    """The shape of all outputs of a verb; types that differ between them are joined by `|`."""
    types: dict[str, set[str]] = {}
    for n, (world_of, arguments) in enumerate(CASES[verb]):
        here = folder / f"{verb}-{n}"
        here.mkdir()
        rests = world_of is not analysing and (verb in READS or "--dry-run" in arguments)
        if rests and world_of not in AT_REST:
            AT_REST[world_of] = world_of(here)
        world = AT_REST[world_of] if rests else world_of(here)
        ran = world.canary(verb, *arguments, "-o", "json")
        texts = ran.out.splitlines() if verb == "watch" else [ran.out]
        for text in texts:
            for path, kind in shape(json.loads(text)):
                types.setdefault(path, set()).add(kind)
    return {path: "|".join(sorted(kinds)) for path, kinds in sorted(types.items())}


def agree(promised: str, now: str) -> bool:
    """Whether the types are the same; a value that is null at times may be null always or never."""
    one, other = ({*kinds.split("|")} - {"null"} for kinds in (promised, now))
    return not one or not other or one == other


@pytest.mark.parametrize("verb", CASES)
def test_keys_and_types_are_as_promised(
    verb: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    contract = json.loads(CONTRACT.read_text()) if CONTRACT.exists() else {}
    now = found(verb, tmp_path)
    if pytestconfig.getoption("--update-contract", default=False):
        contract[verb] = now
        CONTRACT.write_text(json.dumps(contract, indent=1, sort_keys=True) + "\n")
    promised = contract[verb]
    assert not promised.keys() - now.keys(), "keys that are gone: a new schema version"
    for path, kind in promised.items():
        assert agree(kind, now[path]), f"{path} was {kind}, is {now[path]}: a new schema version"
    assert now.keys() == promised.keys(), "new keys: run it with --update-contract"


def test_every_verb_has_a_contract() -> None:
    assert set(CASES) | PROCESSES == set(cli.VERBS)
    assert set(json.loads(CONTRACT.read_text())) == set(CASES)


def test_every_envelope_begins_alike() -> None:
    for verb, keys in json.loads(CONTRACT.read_text()).items():
        assert keys["schema"] == "text", verb
        if verb != "watch":
            assert (keys["command"], keys["exit_code"]) == ("text", "number"), verb
        place = "data." if verb == "watch" else ""
        for key in ("code", "message", "hint"):
            assert keys[f"{place}errors[].{key}"] == "text", verb
