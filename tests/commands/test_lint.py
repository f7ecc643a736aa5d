"""`canary lint`: files in, findings out; no cluster is asked. The rules themselves: tests/lint."""

import json
import os
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from tests.world import CONFIG, World

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: api
spec:
  replicas: 10
  selector:
    matchLabels: {app: api}
  template:
    metadata:
      labels: {app: api}
    spec:
      containers:
      - name: api
        image: api:1
  strategy:
    canary:
      steps:
      - setWeight: 20
      - pause: {duration: 5m}
"""
MISSPELLED = GOOD.replace("setWeight", "setWeigth")
TWICE = GOOD.replace("  replicas: 10\n", "  replicas: 10\n  replicas: 12\n")
SENTENCE = "Rollout has no field `spec.strategy.canary.steps[0].setWeigth`"


@pytest.fixture
def here(tmp_path: Path) -> World:
    """A folder without a canary.yaml."""
    made = World(tmp_path)
    (tmp_path / "canary.yaml").unlink()
    return made


def write(world: World, **files: str | bytes) -> None:
    for name, text in files.items():
        path = world.folder / name.replace("__", "/")
        path = path.with_name(f"{path.name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_nothing_to_say_about_a_good_file(here: World) -> None:
    write(here, good=GOOD)
    ran = here.canary("lint", "good.yaml")
    assert (ran.code, ran.out, ran.err) == (ExitCode.OK, "", "no findings in 1 object of 1 file\n")
    assert here.canary("lint", "good.yaml", "-q").err == ""
    assert here.requests == []


def test_an_error_has_its_place_its_rule_and_a_hint(here: World) -> None:
    write(here, bad=MISSPELLED)
    ran = here.canary("lint", "bad.yaml")
    assert ran.code == ExitCode.DEGRADED
    assert ran.out == f"bad.yaml:19: error: {SENTENCE} [unknown-field]\n  hint: did you mean `setWeight`?\n"
    assert ran.err == "1 error in 1 object of 1 file\n"


def test_a_warning_does_not_change_the_exit_code(here: World) -> None:
    write(here, twice=TWICE)
    ran = here.canary("lint", "twice.yaml")
    assert (ran.code, ran.err) == (ExitCode.OK, "1 warning in 1 object of 1 file\n")
    assert ran.out == (
        "twice.yaml:7: warning: `replicas` is also in line 6; only the last one counts [duplicate-key]\n"
    )


def test_json_has_the_same_facts(here: World) -> None:
    write(here, bad=MISSPELLED)
    data = here.canary("lint", "bad.yaml", "-o", "json").json["data"]
    assert {k: v for k, v in data.items() if k != "findings"} == {
        "files": 1,
        "objects": 1,
        "severities": {"error": 1, "warning": 0, "note": 0},
        "ignored": 0,
        "unreadable": [],
    }
    assert data["findings"] == [
        {
            "rule": "unknown-field",
            "severity": "error",
            "file": "bad.yaml",
            "line": 19,
            "kind": "Rollout",
            "name": "api",
            "path": "spec.strategy.canary.steps[0].setWeigth",
            "message": SENTENCE,
            "hint": "did you mean `setWeight`?",
        }
    ]


def test_github_gets_annotations(here: World) -> None:
    write(here, bad=MISSPELLED, twice=TWICE)
    ran = here.canary("lint", ".", "-o", "github", environ={"GITHUB_ACTIONS": "true"})
    assert ran.code == ExitCode.DEGRADED
    assert ran.out.splitlines() == [
        f"::error file=bad.yaml,line=19,title=unknown-field::{SENTENCE}%0Adid you mean `setWeight`?",
        "::warning file=twice.yaml,line=7,title=duplicate-key::`replicas` is also in line 6; only the last one counts",
    ]


def test_sarif_names_every_rule_and_every_place(here: World) -> None:
    write(here, **{"a folder__bad": MISSPELLED})
    ran = here.canary("lint", ".", "-o", "sarif")
    assert ran.code == ExitCode.DEGRADED
    log = json.loads(ran.out)
    (run,) = log["runs"]
    (result,) = run["results"]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "unknown-field"
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20folder/bad.yaml"}, "region": {"startLine": 19}}
    assert run["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize("form", ["human", "json", "github", "sarif"])
def test_what_cannot_be_read_is_told_and_the_rest_is_checked(here: World, form: str) -> None:
    write(here, bad=MISSPELLED, broken="kind: Rollout\nspec: a: b\n", other="kind: Rollout\nmore: {\n")
    ran = here.canary("lint", ".", "-o", form)
    assert ran.code == ExitCode.USAGE
    assert "error: broken.yaml:2: the file is not valid YAML: mapping values are not allowed" in ran.err
    assert "error: other.yaml:3: the file is not valid YAML" in ran.err
    assert "setWeigth" in ran.out
    if form != "human":
        assert "broken.yaml" in ran.out


def test_data_that_are_no_manifest_are_refused_if_named_and_skipped_in_a_folder(here: World) -> None:
    write(here, good=GOOD, values="replicas: 3\n", list="- a\n")
    assert here.canary("lint", ".").code == ExitCode.OK
    ran = here.canary("lint", "values.yaml")
    assert ran.code == ExitCode.USAGE
    assert ran.err.startswith("error: values.yaml:1: this is not an object of Kubernetes: it has no `apiVersion`")
    assert here.canary("lint", "list.yaml").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x00\x01\x02", "bad.yaml:1: the file is binary"),
        (b"a: \xff\xfe\n", "bad.yaml:1: the file is not text in UTF-8"),
        (b"a: &a [*a]\n", "bad.yaml:1: the alias `*a` refers to itself"),
        (b"[" * 100_000, "bad.yaml:1: more than 200 values inside one another"),
    ],
)
def test_bad_input_is_one_sentence(here: World, content: bytes, sentence: str) -> None:
    write(here, bad=content)
    ran = here.canary("lint", "bad.yaml")
    assert (ran.code, ran.out, ran.err) == (ExitCode.USAGE, "", f"error: {sentence}\n")


@pytest.mark.parametrize("content", [b"", b"# nothing\n---\n---\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_fine(here: World, content: bytes) -> None:
    write(here, empty=content)
    assert here.canary("lint", "empty.yaml").code == ExitCode.OK


def test_a_file_that_does_not_exist_is_usage(here: World) -> None:
    ran = here.canary("lint", "nowhere.yaml")
    assert (ran.code, ran.err) == (ExitCode.USAGE, "error: nowhere.yaml: no such file or directory\n")


def test_standard_input_is_a_file_too(here: World) -> None:
    ran = here.canary("lint", "-", answer=MISSPELLED)
    assert ran.code == ExitCode.DEGRADED
    assert ran.out.startswith("stdin:19: error:")


def test_documents_lists_and_line_ends_are_looked_into(here: World) -> None:
    indented = "\n".join(f"  {line}" for line in MISSPELLED.splitlines()).replace("  apiVersion", "- apiVersion", 1)
    listed = f"apiVersion: v1\nkind: List\nitems:\n{indented}\n"
    write(here, all=f"\ufeff---\n{GOOD}---\n{listed}".replace("\n", "\r\n"))
    ran = here.canary("lint", "all.yaml")
    assert ran.out.startswith("all.yaml:44: error: Rollout has no field `spec.strategy")
    assert ran.err == "1 error in 2 objects of 1 file\n"


def test_a_folder_is_read_to_its_end_and_hidden_folders_are_not(here: World) -> None:
    write(here, deploy__base__bad=MISSPELLED, deploy__good=GOOD, **{"deploy__.git__bad": MISSPELLED})
    ran = here.canary("lint", "deploy")
    assert ran.out.startswith("deploy/base/bad.yaml:19: error:")
    assert ran.err == "1 error in 2 objects of 2 files\n"
    assert here.canary("lint", "deploy", "deploy/good.yaml", "./deploy").err == ran.err, "each file once"


def test_canary_yaml_is_checked_as_what_it_renders(tmp_path: Path) -> None:
    world = World(tmp_path, CONFIG)
    ran = world.canary("lint")
    assert ran.code == ExitCode.OK
    assert ran.err.endswith(" of 1 file\n")
    data = world.canary("lint", "-f", "canary.yaml", "-o", "json").json["data"]
    assert data["objects"] == 3
    (tmp_path / "canary.yaml").write_text(CONFIG.replace("replicas: 10", "replicas: ten"))
    ran = world.canary("lint")
    assert ran.code == ExitCode.USAGE
    assert ran.err.startswith("error: canary.yaml:5: field `replicas`: found `ten`")


def test_with_nothing_to_read_it_says_so(here: World) -> None:
    ran = here.canary("lint")
    assert ran.code == ExitCode.USAGE
    assert ran.err.startswith("error: there is nothing to lint")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- setWeigth: 20", "- setWeigth: 20  # canary-lint: ignore=unknown-field we know"),
        ("      - setWeigth: 20", "      # canary-lint: ignore=unknown-field we know\n      - setWeigth: 20"),
        ("      steps:", "      # canary-lint: ignore=unknown-field we know\n      steps:"),
        ("apiVersion", "# canary-lint: ignore=unknown-field we know\napiVersion"),
    ],
)
def test_a_comment_leaves_a_finding_out(here: World, before: str, after: str) -> None:
    write(here, bad=MISSPELLED.replace(before, after, 1))
    ran = here.canary("lint", "bad.yaml")
    assert (ran.code, ran.out, ran.err) == (ExitCode.OK, "", "no findings in 1 object of 1 file (1 ignored)\n")


def test_a_comment_may_name_several_rules(here: World) -> None:
    both = TWICE.replace("setWeight", "setWeigth")
    write(here, bad=f"# canary-lint: ignore=unknown-field, duplicate-key we know\n{both}")
    ran = here.canary("lint", "bad.yaml")
    assert (ran.code, ran.err) == (ExitCode.OK, "no findings in 1 object of 1 file (2 ignored)\n")


@pytest.mark.parametrize(
    ("comment", "sentence"),
    [
        ("ignore=unknown-field", "the comment has no reason"),
        ("ignore=unknown-feild we know", "there is no rule `unknown-feild`"),
        ("ignore=unknown-field,duplicate-key we know", "`duplicate-key` finds nothing here"),
        ("disable unknown-field", "the comment is not understood"),
    ],
)
def test_a_comment_that_does_nothing_is_found_too(here: World, comment: str, sentence: str) -> None:
    write(here, bad=f"# canary-lint: {comment}\n{MISSPELLED}")
    assert f"bad.yaml:1: warning: {sentence} [useless-ignore]\n" in here.canary("lint", "bad.yaml").out


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- setWeigth: 20", "- setWeigth: 20  # canary-lint: ignore=wrong-type we know"),
        ("  replicas: 10", "  replicas: 10  # canary-lint: ignore=unknown-field we know"),
        ("  replicas: 10", "  # canary-lint: ignore=unknown-field we know\n  replicas: 10"),
        ("- setWeigth: 20", "- setWeigth: 20\n# canary-lint: ignore=unknown-field we know"),
    ],
)
def test_a_comment_about_something_else_leaves_it_in(here: World, before: str, after: str) -> None:
    write(here, bad=MISSPELLED.replace(before, after, 1))
    assert here.canary("lint", "bad.yaml").code == ExitCode.DEGRADED


def test_what_canary_renders_by_default_is_clean_and_the_literal_queries_are_not(tmp_path: Path) -> None:
    world = World(tmp_path, CONFIG.replace(", form: safe", ""))
    assert world.canary("lint", "--scrape-interval", "1s").out == ""
    (tmp_path / "canary.yaml").write_text(CONFIG.replace("by_hash: true, form: safe", "form: literal"))
    ran = world.canary("lint")
    assert ran.code == ExitCode.DEGRADED
    assert "[healthy-is-empty]" in ran.out


def test_how_often_prometheus_scrapes_decides_how_long_a_window_must_be(tmp_path: Path) -> None:
    world = World(tmp_path, CONFIG)
    assert "the window `[5s]` of `error-rate` has room for less than four scrapes" in world.canary("lint").out
    ran = world.canary("lint", "--scrape-interval", "often")
    assert (ran.code, ran.err.splitlines()[0]) == (ExitCode.USAGE, "error: --scrape-interval `often` is not a duration")


def test_files_of_several_applications_in_one_folder_do_not_answer_for_each_other(here: World) -> None:
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: APP}, ports: [{port: 80}]}\n"
    )
    named = GOOD.replace("    canary:\n", "    canary:\n      canaryService: web\n")
    write(here, one__rollout=named, one__service=service.replace("APP", "api"), two__service=service)
    assert here.canary("lint", ".").code == ExitCode.OK, "the nearest is meant"
    write(here, one__another=service)
    assert here.canary("lint", ".").code == ExitCode.OK, "it cannot be told which is meant"
    write(here, one__rollout=f"{named}---\n{service}")
    assert here.canary("lint", ".").code == ExitCode.DEGRADED, "the one in the same file is meant"


@pytest.mark.parametrize("arguments", [(), ("canary.yaml",)])
@pytest.mark.parametrize("content", ["", "# later\n", "a\n", "rollout: web\n"])
def test_a_canary_yaml_that_no_verb_can_read_is_an_error(
    empty: World, content: str, arguments: tuple[str, ...]
) -> None:
    (empty.folder / "canary.yaml").write_text(content)
    ran, others = empty.canary("lint", *arguments), empty.canary("status")
    assert (ran.code, ran.err) == (ExitCode.USAGE, others.err)
    assert ran.err.startswith("error: canary.yaml:1: ")


def test_a_pipe_in_the_place_of_canary_yaml_is_not_waited_for(empty: World) -> None:
    (empty.folder / "canary.yaml").unlink()
    os.mkfifo(empty.folder / "canary.yaml")
    ran = empty.canary("lint")
    assert (ran.code, "canary.yaml is not a regular file" in ran.err) == (ExitCode.USAGE, True), ran
