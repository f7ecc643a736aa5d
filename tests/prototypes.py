"""Worlds in which many tests begin are played once in a process; each test gets a copy of its own."""

import copy
import copyreg
import shutil
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from threading import Condition, Event, Lock, RLock
from typing import Any

from companyos_canary.promql import Vector
from companyos_canary.sandbox.kinds import KINDS
from companyos_canary.sandbox.store import Store
from companyos_canary.sandbox.traffic import Exporter, _Process
from companyos_canary.sandbox.tsdb import Identity, Row, Tsdb, _Entry
from tests.world import World

_EMPTY = 100  # the resourceVersion of a store that nothing was written to
_PLAYED: dict[tuple[Any, ...], tuple[World, dict[Path, bytes]]] = {}


def begun(story: str, config: str, folder: Path, play: Callable[[Path, str], World]) -> World:
    """The World that `play` makes in a folder with a canary.yaml. It is played for the first test that asks for the
    story, and kept as it is then, with its files: that test may change or remove them."""
    asked = (story, config, World.feed, World.usual)
    if asked not in _PLAYED:
        played = play(folder, config)
        _PLAYED[asked] = _copy(played, folder), _files(folder)
        return played
    world, files = _PLAYED[asked]
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return _copy(world, folder)


def _files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def copied(world: World, folder: Path | None = None) -> World:
    """The World as it is now, with its files in that folder; None: in its own. Shared is what never changes: the
    store's objects and their kinds, the labels of series, what was requested, what versions do."""
    if folder is not None:
        shutil.copytree(world.folder, folder, dirs_exist_ok=True)
    return _copy(world, folder or world.folder)


def _copy(world: World, folder: Path) -> World:
    log = world.store.changes(_EMPTY)
    objects = (o for change in log for o in (change.object, change.before) if o is not None)
    shared = (*KINDS, *log, *objects, *world.requests, world.scenario)
    memo: dict[int, Any] = {id(value): value for value in shared}
    memo[id(world.folder)] = folder
    return copy.deepcopy(world, memo)


def _random(state: tuple[Any, ...]) -> Random:
    made = Random()
    made.setstate(state)
    return made


def _shallow(of: Any, **other: Any) -> Any:
    """A copy of its fields, and of nothing that is in them; or `other` ones."""
    made = of.__new__(type(of))
    vars(made).update({name: other[name] if name in other else copy.copy(value) for name, value in vars(of).items()})
    return made


def _stored(store: Store, now: Callable[[], datetime]) -> Any:
    return _shallow(store, now=now, _owned={owner: keys.copy() for owner, keys in store._owned.items()}, _listed={})


def _sampled(tsdb: Tsdb) -> Any:
    entries = {
        key: _Entry(entry.labels, entry.place, entry.times[:], entry.values[:], entry.stale[:], entry.last)
        for key, entry in tsdb._entries.items()
    }
    named = {name: {key: entries[key] for key in found} for name, found in tsdb._named.items()}
    return _shallow(tsdb, _entries=entries, _named=named, _selected={})


def _scraped(rows: dict[Identity, Row], *others: Any) -> _Process:
    exporter, pod, since, labelled = others
    return _Process(exporter, pod, since, rows, labelled)


# What a World has most of: objects and their keys, samples and their labels. These never change.
for fixed in (Row, Vector, frozenset):
    copyreg.pickle(fixed, lambda _: "it never changes")  # `copy` takes the value itself where it gets a text
copyreg.pickle(Store, lambda store: (partial(_stored, store), (store.now,)))
copyreg.pickle(Tsdb, lambda tsdb: (partial(_sampled, tsdb), ()))
copyreg.pickle(_Process, lambda p: (partial(_scraped, p.rows), (p.exporter, p.pod, p.since, p.labelled)))
copyreg.pickle(Exporter, lambda exporter: (partial(_shallow, exporter), ()))
# Nobody waits or holds a lock between two commands. The state of a Random has 625 numbers.
copyreg.pickle(Condition, lambda _: (Condition, (RLock(),)))
copyreg.pickle(Event, lambda _: (Event, ()))
for lock in (Lock, RLock):
    copyreg.pickle(type(lock()), partial(lambda make, _: (make, ()), lock))
copyreg.pickle(Random, lambda r: (partial(_random, r.getstate()), ()))
