"""Every command line of the plugin gets the command of ours, and nothing is sent."""

import pytest

from companyos_canary.commands.plugin_words import meant
from companyos_canary.errors import ExitCode
from tests.world import World

PLUGIN = "for that use the plugin: `kubectl argo rollouts "


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("get rollout web", "`canary get web`"),
        ("get ro web -n shop -w", "`canary watch web -n shop`"),
        ("get web -w", "`canary watch web`"),
        ("get web --watch", "`canary watch web`"),
        ("set image web web=reg/web:v3", "`canary deploy v3 --rollout web`"),
        ("set image web proxy=reg/proxy:2.1", "`canary deploy 2.1 --rollout web --container proxy`"),
        ("set image web *=reg/web:v3 --context prod", "`canary deploy v3 --rollout web --context prod`"),
        ("undo web --to-revision=1", "`canary undo web --to 1`"),
        ("undo web --to-revision 3", "`canary undo web --to 3`"),
        ("undo web --to-revision=0", "`canary undo web`"),
        ("promote web --skip-all-steps", "`canary promote web --full`"),
        ("promote web --skip-current-step", "`canary promote web --skip-step`"),
        ("status web --watch=false", "`canary status web`"),
        ("status web -w", "`canary status web --wait`"),
        ("list rollouts --all-namespaces", "`canary list -A`"),
        ("restart web -i 10m", "`canary restart web --in 10m`"),
        ("deploy web v3", "`canary deploy v3 --rollout web`"),
        ("dashboard", "`canary watch`"),
        ("get experiment web-1", PLUGIN),
        ("notifications trigger get", PLUGIN),
        ("create -f rollout.yaml", "`canary apply VERSION`"),
        ("rollout undo deployment/web", "the verb comes first"),
    ],
)
def test_the_words_of_the_plugin_lead_to_ours(world: World, theirs: str, ours: str) -> None:
    ran = world.canary(*theirs.split())
    assert (ran.code, world.requests) == (ExitCode.USAGE, []), ran
    assert f"hint: {ours}" in ran.err or f"hint: here that is {ours}" in ran.err or f": {ours}" in ran.err


@pytest.mark.parametrize("words", ["", "-n x", "get web", "status", "promote --full", "undo --to 3", "nonsense"])
def test_words_that_are_not_the_plugins_have_no_such_hint(words: str) -> None:
    assert meant(words.split()) == ""


def test_a_type_before_a_name_is_none_of_the_names(rolled_back: World) -> None:
    ran = rolled_back.canary("retry", "rollout", "companyos-api")
    assert ran.code == ExitCode.OK, ran
    assert "runs again from step 1/3" in ran.out
