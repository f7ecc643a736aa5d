"""Every command line of the plugin runs as ours, or gets the command of ours, and then nothing is sent."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from companyos_canary.commands.aliases import translated
from companyos_canary.commands.plugin_words import meant
from companyos_canary.errors import ExitCode
from tests.world import World

IMAGE = "companyos-api:v1.1.0"
ALIASES = [
    ("get rollout web", "get web"),
    ("get rollout rollout", "get rollout"),
    ("get ro web -n shop", "get web -n shop"),
    ("get ro web -n shop -w", "watch web -n shop"),
    ("get web --watch", "watch web"),
    ("get rollout web --watch=false --no-color", "get web --no-color"),
    ("get rollout web -w --timeout-seconds 60", "watch web --timeout 60s"),
    ("get experiment web-1", "experiment get web-1"),
    ("get exp web-1 -n shop", "experiment get web-1 -n shop"),
    ("get experiment web-1 -w", "experiment get web-1 --wait"),
    ("list rollouts", "list"),
    ("list ro --all-namespaces", "list --all-namespaces"),
    ("list experiments -A", "experiment list -A"),
    ("set image web web=reg/web:v3", "deploy reg/web:v3 --rollout web --container web --no-wait"),
    ("set image ro/web *=reg/web:v3 -n shop", "deploy reg/web:v3 --rollout web --no-wait -n shop"),
    ("set image web web=reg/web@sha256:00", "deploy reg/web@sha256:00 --rollout web --container web --no-wait"),
    ("undo web --to-revision=1", "undo web --to 1"),
    ("undo web --to-revision 3 -n shop", "undo web --to 3 -n shop"),
    ("undo web --to-revision=0", "undo web"),
    ("promote web --skip-current-step", "promote web --skip-step"),
    ("promote web -c", "promote web --skip-step"),
    ("status web --watch=false", "status web"),
    ("status web -w", "status web --wait"),
    ("status web --watch=true -t 60s", "status web --wait --timeout 60s"),
    ("status web -t 60s", "status web --wait --timeout 60s"),
    ("restart web -i 10m", "restart web --in 10m"),
    ("retry experiment web-1 web-2", "experiment retry web-1 web-2"),
    ("create -f a.yaml -f b.yaml", "create a.yaml b.yaml"),
    ("create --filename a.yaml", "create a.yaml"),
    ("create analysisrun --from t -a k=-1 -a b=2", "create analysisrun --from t -a k=-1 -a b=2"),
    ("lint --filename a.yaml", "lint a.yaml"),
    ("version --short", "version --client"),
    ("-n shop get rollout web", "get web -n shop"),
    ("--context=prod --namespace shop abort web", "abort --context=prod --namespace shop web"),
    ("abort web --loglevel debug --kloglevel=4", "abort web"),
    ("abort web --request-timeout=1m30s", "abort web --request-timeout=90"),
    ("abort web --request-timeout 1m", "abort web --request-timeout 60"),
]
OURS = [
    "status -qo json web",
    "get",
    "get rollout",
    "get ro",
    "list",
    "promote --full --reason x --yes",
    "undo web --to 1",
    "abort web --request-timeout 5",
    "retry web shop",
    "deploy v1 -e prod",
    "set colour web c=d",
    "set image web",
    "-h",
    "--version",
    "-n shop",
    "nonsense -n x",
]

WORDS_OF_OURS = ["", "-n x", "get web", "status", "promote --full", "undo --to 3", "nonsense"]
# A word behind an option that nobody knows may be its value: which one is the Rollout is not known then.
WORDS_OF_OURS += ["deploy v3 -r web", "deploy -r web v3", "deploy v3 --ns web", "list --sort age"]


@pytest.mark.parametrize(("theirs", "ours"), ALIASES)
def test_a_command_line_of_the_plugin_runs_as_ours(theirs: str, ours: str) -> None:
    assert list(translated(theirs.split())) == ours.split()


@pytest.mark.parametrize("ours", OURS)
def test_ours_stay_as_they_are(ours: str) -> None:
    assert list(translated(ours.split())) == ours.split()


@given(st.lists(st.sampled_from([w for line in OURS for w in line.split()]), max_size=6))
def test_what_was_translated_is_ours(words: list[str]) -> None:
    """A Rollout may be called `rollout`: `get rollout rollout web` shows it, and `get rollout web` the other."""
    once = list(translated(words))
    assume(once[:1] not in (["get"], ["list"]) or not {"rollout", "ro"} & set(once[1:]))
    assert list(translated(once)) == once


def test_a_script_that_moves_over_does_the_same(waiting: World) -> None:
    """Each alias prints what our words print."""
    for theirs, ours in (
        ("get rollout companyos-api", "get companyos-api"),
        ("status companyos-api --watch=false", "status companyos-api"),
        ("list rollouts -A", "list -A"),
    ):
        assert waiting.canary(*theirs.split()) == waiting.canary(*ours.split())


def test_set_image_ends_once_it_is_sent(world: World) -> None:
    ran = world.canary("set", "image", "companyos-api", f"companyos-api={IMAGE}")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().image() == IMAGE
    assert not (world.rollout().observed and world.rollout().is_fully_promoted)
    assert world.canary("status", "companyos-api", "-t", "5m").code == ExitCode.OK
    assert world.rollout().is_fully_promoted
    assert world.canary("undo", "companyos-api", "--to-revision=1", "--no-wait").code == ExitCode.OK
    assert world.rollout().image() == "companyos-api:v1.0.0"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("set image web a=b:1 c=d:2", "`canary deploy 1 --rollout web --container a`"),
        ("promote web --skip-all-steps", "`canary promote web --full`"),
        ("list rollouts --name web", "`canary get web`"),
        ("list rollouts -w", "a list does not follow"),
        ("create -f rollout.yaml -w", "create does not follow"),
        ("deploy web v3", "`canary deploy v3 --rollout web`"),
        ("deploy v3 web", "`canary deploy v3 --rollout web`"),
        ("deploy reg/web:main web", "`canary deploy reg/web:main --rollout web`"),
        ("deploy web main", "`canary deploy main --rollout web`"),
        ("deploy web v3 --no-wait -q", "`canary deploy v3 --rollout web`"),
        ("dashboard", "`canary watch`"),
        ("pause web --for 5m", "a pause by hand has no end of its own: `canary resume` ends it"),
        ("pause --duration=5m", "a pause by hand has no end of its own: `canary resume` ends it"),
        ("rollout undo deployment/web", "the verb comes first"),
        ("get rollout web --as-uid root", "--as-uid is not an option here: write it into the kubeconfig"),
        ("list rollouts --name web --as ana --token secret", "`canary get web --as ana`"),
        ("abort web --server https://x", "--server is not an option here"),
    ],
)
def test_the_words_of_the_plugin_lead_to_ours(world: World, theirs: str, ours: str) -> None:
    ran = world.canary(*theirs.split())
    assert (ran.code, world.requests) == (ExitCode.USAGE, []), ran
    assert f"hint: {ours}" in ran.err or f"hint: here that is {ours}" in ran.err or f": {ours}" in ran.err


@pytest.mark.parametrize("words", WORDS_OF_OURS)
def test_words_that_are_not_the_plugins_have_no_such_hint(words: str) -> None:
    assert meant(words.split()) == ""


def test_a_type_before_a_name_is_none_of_the_names(rolled_back: World) -> None:
    ran = rolled_back.canary("retry", "rollout", "companyos-api")
    assert ran.code == ExitCode.OK, ran
    assert "runs again from step 1/3" in ran.out
