"""No canary.yaml makes any verb fail with a mistake of ours, whatever its fields hold and whatever else it is."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from companyos_canary.errors import ExitCode
from tests.commands.conftest import freeze
from tests.commands.test_any_object import WRONG, places, put
from tests.world import Ran, World

FILE: dict[str, Any] = {
    "schema": "canary/v1",
    "rollout": "companyos-api",
    "namespace": "companyos",
    "image": "companyos-api",
    "app": "companyos-api",
    "container": "companyos-api",
    "replicas": 10,
    "port": 8080,
    "progress_deadline": "10m",
    "manage": "all",
    "strategy": "canary",
    "abort_on": ["crashloop", "stuck=10m"],
    "steps": [{"weight": 10, "analysis": "6s"}, {"weight": 25, "pause": "manual"}, {"weight": 50, "pause": "5s"}],
    "analysis": {
        "window": "5s",
        "min_requests": 10,
        "max": "18s",
        "burst": 1,
        "no_data": "hold",
        "scope": 'namespace="companyos"',
        "by_hash": True,
        "form": "safe",
    },
    "metrics": {
        "error-rate": {"below": "5%"},
        "latency-p95": {"below": "300ms", "boundary": "250ms"},
        "opa-success": None,
        "mine": {"query": "vector(1)", "below": 2},
    },
    "prometheus": {"url": "http://prometheus.monitoring:9090", "cli_url": "auto"},
    "pod": {"containers": [{"name": "companyos-api", "env": [{"name": "A", "value": "b"}]}]},
    "links": {"dashboard": "https://argo.example.com/{namespace}/{rollout}"},
    "environments": {"prod": {"context": "prod-eu", "replicas": 20, "analysis": {"window": "6s"}}},
}
ROUTED = {
    **FILE,
    "traffic": {
        "gateway": {"route": "companyos-api", "parent": "infra/public", "host": "api.example.com"},
        "header": {"X-Canary": "always"},
        "header_pause": "10m",
        "stable_scales_down": False,
        "abort_delay": "30s",
    },
    "steps": [{"weight": 1, "pods": "25%", "analysis": "6s"}, {"weight": 25, "pause": "manual"}],
}
SWITCHED = {
    **{key: value for key, value in FILE.items() if key != "steps"},
    "strategy": "blue-green",
    "blue_green": {"promote": "manual", "after": "6s", "before": "6s"},
}
DEEP: Any = "x"
for _ in range(300):
    DEEP = [DEEP]
WORSE: dict[str, Any] = {
    **{repr(value)[:20]: value for value in WRONG},
    "deep": DEEP,
    "deep in a mapping": {"a": DEEP},
    "long": "x" * 100_000,
    "wide": {f"k{n}": n for n in range(1000)},
    "argument": "{{args.x}}",
    "escape": "a\x1b[2Jb",
    "bidi": "\u202e",
}
VERBS = (
    *("render v1", "render v1 -e prod", "apply v1.4.0 --dry-run", "apply --dry-run -e prod", "diff v1.2.0", "lint"),
    *("plan", "doctor", "links", "metrics", "metrics --query error-rate", "rbac operator", "deploy v3 --dry-run"),
    *("get", "get -o json", "status", "history", "why", "analysis", "logs", "watch --timeout 1s", "abort --dry-run"),
    *("promote --dry-run", "undo --dry-run", "init", "verify mine --dry-run", "version -v"),
)


OURS = re.compile(r"unexpected \w*(Error|Exception)\b")  # PromQL has unexpected characters, too


@pytest.fixture
def held(running: World) -> World:
    """v1.1.0 is in its first analysis, and nothing moves."""
    freeze(running)
    return running


def is_foreseen(world: World, verb: str, content: bytes) -> Ran:
    (world.folder / "canary.yaml").write_bytes(content)
    ran = world.canary(*verb.split())
    assert not OURS.search(ran.err + ran.out), ran
    assert "Traceback" not in ran.err + ran.out, ran
    assert ran.code in set(ExitCode), ran
    assert not ran.code or ran.err or ran.out, "it failed without a word"
    return ran


files = st.sampled_from([FILE, ROUTED, SWITCHED])
CASES: dict[str, Any] = {
    "verb": st.sampled_from(VERBS),
    "file": files,
    "place": st.floats(0, 1, exclude_max=True),
    "new": st.sampled_from(sorted(WORSE)),
}
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def changed(file: dict[str, Any], place: float, new: str) -> bytes:
    choices = list(places(file))
    text: bytes = yaml.safe_dump(put(file, choices[int(place * len(choices))], WORSE[new]), allow_unicode=True).encode()
    return text


@pytest.mark.parametrize("file", [FILE, ROUTED, SWITCHED], ids=["steps", "routed", "blue-green"])
def test_the_files_that_are_changed_are_good_ones(held: World, file: dict[str, Any]) -> None:
    """Else every mutation would end at the same mistake."""
    ran = is_foreseen(held, "render v1", yaml.safe_dump(file).encode())
    assert ran.code == ExitCode.OK, ran


@PATIENT
@given(**CASES)
def test_no_field_makes_a_verb_fail_with_a_mistake_of_ours(
    held: World, verb: str, file: dict[str, Any], place: float, new: str
) -> None:
    is_foreseen(held, verb, changed(file, place, new))


@PATIENT
@given(verb=st.sampled_from(VERBS), at=st.floats(0, 1), cut=st.integers(0, 3), said=st.binary(max_size=6))
@example(verb="render v1", at=0.0, cut=0, said=b"\xff\xfe")
@example(verb="get", at=0.0, cut=0, said=b"\x00")
@example(verb="render v1", at=1.0, cut=0, said=b"&a [*a]")
def test_no_byte_makes_a_verb_fail_with_a_mistake_of_ours(
    held: World, verb: str, at: float, cut: int, said: bytes
) -> None:
    text: bytes = yaml.safe_dump(FILE).encode()
    place = int(at * len(text))
    is_foreseen(held, verb, text[:place] + said + text[place + cut :])


@pytest.mark.soak
@settings(PATIENT, max_examples=1500)
@given(**CASES)
def test_soak_of_wrong_files(held: World, verb: str, file: dict[str, Any], place: float, new: str) -> None:
    is_foreseen(held, verb, changed(file, place, new))
