"""`canary schema`: the JSON Schema of what `-o json` prints.

The published schema is a promise: keys are added, none is removed and none changes its type.
"""

import json
from difflib import unified_diff
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from companyos_canary import cli
from companyos_canary.errors import ExitCode
from tests import schema
from tests.world import World

PUBLISHED = Path(__file__).parent / "schema.json"
TO_UPDATE = (
    "`canary schema` prints something else than tests/commands/schema.json; if that is an addition,"
    " run `pytest tests/commands/test_schema.py --update-screens` and review the diff"
)


def test_it_prints_what_was_published_and_breaks_no_reader_of_it(empty: World, pytestconfig: pytest.Config) -> None:
    out, published = empty.canary("schema").out, PUBLISHED.read_text()
    broken = schema.breaks(json.loads(published), json.loads(out))
    assert broken == [], "this is a new schema version"
    if pytestconfig.getoption("--update-screens"):
        PUBLISHED.write_text(out)
        published = out
    difference = "\n".join(unified_diff(published.split("\n"), out.split("\n"), lineterm=""))
    assert not difference, f"{TO_UPDATE}\n{difference}"


def test_it_prints_one_schema_of_all_verbs(empty: World) -> None:
    ran = empty.canary("schema")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    found = json.loads(ran.out)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for verb in cli.VERBS:
        assert f"{verb}-answer" in found["$defs"] or verb == "watch"


@pytest.mark.parametrize("verb", ["get", "watch", "status"])
def test_a_verbs_own_schema_accepts_what_it_prints_and_nothing_else(waiting: World, verb: str) -> None:
    own = Draft202012Validator(json.loads(waiting.canary("schema", verb).out))
    until = ("--until", "paused") if verb == "watch" else ()
    printed = schema.outputs(waiting.canary(verb, *until, "-o", "json").out)
    assert all(own.is_valid(one) for one in printed)
    other = waiting.canary("list", "-o", "json").json
    assert not own.is_valid(other)
    assert own.is_valid({**printed[0], "added": "later"}), "keys may be added"


def test_an_unknown_verb_is_a_usage_error(empty: World) -> None:
    ran = empty.canary("schema", "wach")
    assert ran.code == ExitCode.USAGE
    assert ran.err == "error: there is no verb `wach`\nhint: did you mean `watch`?\n"


def test_the_schema_asks_no_cluster_and_no_canary_yaml(empty: World) -> None:
    (empty.folder / "canary.yaml").write_text("schema: [")
    assert empty.canary("schema", "-o", "json").json["data"]["schema"]["$defs"]
    assert empty.requests == []
