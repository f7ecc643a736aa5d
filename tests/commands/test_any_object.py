"""No object of the API makes any verb fail with a mistake of ours, whatever its fields hold."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from tests.commands.conftest import freeze
from tests.prototypes import copied
from tests.world import World

pytestmark = pytest.mark.replicas(4)

GONE = object()
WRONG: list[Any] = [
    *(GONE, None, "", "x", "²", "9" * 5000, "99999999999h", "2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z"),
    *(0, -1, 10**30, 1.5, True, [], [None], [1], ["x"], [[]], {}, {"x": 1}, {"a": None}),
]
KINDS = ("rollouts/companyos-api", "rollouts", "replicasets", "pods", "analysisruns", "events")
VERBS = (
    *("status", "get", "get -o json", "list", "list -o json", "history", "history -o json", "events", "events -o json"),
    *("analysis", "analysis -o json", "metrics", "why", "logs", "links", "watch --timeout 1s", "diff v1.2.0"),
    *(f"{verb} --dry-run" for verb in ("promote", "abort", "pause", "resume", "retry", "restart", "undo", "apply")),
    *("deploy v3 --dry-run --supersede", "promote --full --yes --reason r --dry-run"),
)

FOLLOWED = (
    *(
        "deploy v1.3.0 --supersede",
        "undo",
        "undo --to v1.0.0",
        "promote",
        "promote --to-weight 50",
        "promote --skip-step",
    ),
    *("promote --full --yes --reason r", "abort", "pause", "resume", "retry", "restart"),
)
CHANGING = (
    *(f"{verb} --timeout 5s" for verb in FOLLOWED),
    *("apply", "apply v1.4.0", "init --from companyos-api -n companyos -f new.yaml"),
)


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*at, key)
        yield from places(below, (*at, key))


def put(value: Any, at: tuple[str | int, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    above = changed
    for key in at[:-1]:
        above = above[key]
    if new is GONE:
        del above[at[-1]]
    else:
        above[at[-1]] = new
    return changed


@pytest.fixture
def held(running: World) -> World:
    """v1.1.0 is in its first analysis, and nothing moves."""
    freeze(running)
    return running


def with_answers(world: World, kind: str, place: float, new: Any) -> None:
    """From now on one field of what is read of that kind holds something else."""
    real = world.faults
    found: dict[str, tuple[str | int, ...]] = {}

    def answer(request: Request) -> Response:
        told = real(request)
        of_kind = request.path.removesuffix("/status").endswith(kind)
        if request.method not in ("GET", "PATCH") or not of_kind or told.status != 200:
            return told
        body = json.loads(told.body)
        choices = [p for p in places(body) if p[0] not in ("kind", "apiVersion") and p != ("items",)]
        at = found.setdefault(request.path, choices[int(place * len(choices))])
        try:
            return replace(told, body=json.dumps(put(body, at, new)).encode())
        except (KeyError, IndexError, TypeError):
            return told

    world.faults = answer  # type: ignore[assignment]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    verb=st.sampled_from(VERBS),
    kind=st.sampled_from(KINDS),
    place=st.floats(0, 1, exclude_max=True),
    new=st.sampled_from(WRONG),
)
def test_no_verb_fails_with_a_mistake_of_ours(held: World, verb: str, kind: str, place: float, new: Any) -> None:
    real = held.faults
    with_answers(held, kind, place, new)
    try:
        ran = held.canary(*verb.split())
    finally:
        held.faults = real
    assert "CANARY_DEBUG" not in ran.err + ran.out, ran
    assert ran.code in set(ExitCode)


def not_a_mistake_of_ours(world: World, verb: str, kind: str, place: float, new: Any) -> None:
    """Each command in a copy of the World: it changes something."""
    world = copied(world)
    with_answers(world, kind, place, new)
    ran = world.canary(*verb.split())
    assert "CANARY_DEBUG" not in ran.out + ran.err, ran
    assert ran.code in set(ExitCode), ran


fields = {"kind": st.sampled_from(KINDS), "place": st.floats(0, 1, exclude_max=True), "new": st.sampled_from(WRONG)}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verb=st.sampled_from(CHANGING), **fields)
def test_no_changing_verb_fails_with_a_mistake_of_ours(
    running: World, verb: str, kind: str, place: float, new: Any
) -> None:
    not_a_mistake_of_ours(running, verb, kind, place, new)


@pytest.mark.soak
@settings(
    max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(verb=st.sampled_from((*CHANGING, *VERBS)), **fields)
def test_soak_of_wrong_fields(running: World, verb: str, kind: str, place: float, new: Any) -> None:
    not_a_mistake_of_ours(running, verb, kind, place, new)


def test_what_was_not_read_is_named_with_v(held: World) -> None:
    real = held.faults

    def answer(request: Request) -> Response:
        told = real(request)
        body = json.loads(told.body)
        if request.path.endswith("rollouts/companyos-api"):
            body = put(body, ("status", "message"), 7)
        return replace(told, body=json.dumps(body).encode())

    held.faults = answer  # type: ignore[assignment]
    ran = held.canary("get", "-v")
    assert ran.code == ExitCode.OK, ran
    said = "not read, as it holds something else than it can: Rollout `companyos-api`: status.message\n"
    assert ran.err.count(said) == 1
    assert "not read" not in held.canary("get").err
