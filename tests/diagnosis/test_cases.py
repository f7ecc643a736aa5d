"""Every labelled case: the cause, what is quoted, the next command, and how much was asked."""

import re
import shlex
from typing import Any

import pytest

from companyos_canary import cli
from companyos_canary.actions.explain import MOST_REQUESTS
from companyos_canary.diagnosis.table import CAUSES
from companyos_canary.model.outcome import MOST_EVIDENCE
from tests.causes import MEANINGS
from tests.diagnosis.__main__ import CASES
from tests.diagnosis.folder import Folder, folders

FOUND = folders(CASES)
FINE = {c.id for c in CAUSES if c.fine}


@pytest.fixture(scope="module", params=FOUND, ids=[p.name for p in FOUND])
def folder(request: pytest.FixtureRequest) -> Folder:
    return Folder(request.param)


def test_the_cause_is_the_one_that_a_person_gave(folder: Folder) -> None:
    line = folder.line()
    assert line["cause"] == folder.case["cause"], line["sentence"]


def test_the_sentence_says_what_the_case_wants(folder: Folder) -> None:
    assert folder.case.get("says", "") in folder.line()["sentence"]


def test_what_is_fine_is_no_alarm_and_what_is_not_is_one(folder: Folder) -> None:
    assert (folder.line()["cause"] in FINE) == (folder.case.get("healthy") == "true")


def test_every_field_that_is_quoted_has_that_value(folder: Folder) -> None:
    evidence = folder.line()["evidence"]
    assert 1 <= len(evidence) <= MOST_EVIDENCE
    for e in evidence:
        if e["object"] == "Prometheus":
            continue
        kind, _, name = e["object"].partition("/")
        held = [value_at(o, e["field"]) for o in folder.objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
        assert e["value"] in held, e


def test_the_next_command_can_be_run(folder: Folder) -> None:
    program, verb, *_ = shlex.split(folder.line()["next"])
    assert program in ("canary", "kubectl")
    assert program == "kubectl" or verb in cli.VERBS


def test_logs_that_are_next_are_there(folder: Folder) -> None:
    line = folder.line()
    _, verb, *options = shlex.split(line["next"])
    if verb != "logs":
        return
    previous = "--previous" in options
    named = options[options.index("-c") + 1] if "-c" in options else ""
    pods = {e["object"].partition("/")[2] for e in line["evidence"] if e["object"].startswith("Pod/")}
    for pod in (o for o in folder.objects if o["kind"] == "Pod" and o["metadata"]["name"] in pods):
        container = named or pod["spec"]["containers"][0]["name"]
        keys = ("initContainerStatuses", "containerStatuses")
        status = next(s for key in keys for s in pod["status"].get(key) or [] if s["name"] == container)
        ran = bool(status["restartCount"]) or (not previous and "waiting" not in status["state"])
        assert ran, (pod["metadata"]["name"], line["next"], status)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ["started", "panic: no url", "", "goroutine 1 [running]:", "main.main()", "\t/app/main.go:12 +0x1d"],
            "panic: no url",
        ),
        (["Traceback (most recent call last):", '  File "a.py", line 1', "KeyError: 'URL'"], "KeyError: 'URL'"),
        (
            ["/app/x.js:3", "Error: no url", "    at Object.<anonymous> (/app/x.js:3:7)", "Node.js v18.2.0"],
            "Error: no url",
        ),
        (["ERROR: no plugin, going on", "no url, exiting"], "no url, exiting"),
        (["FATAL: no url", "shutting down"], "FATAL: no url"),
        (["  indented"], "indented"),
    ],
)
def test_of_a_log_the_line_is_told_with_which_the_program_dies(lines: list[str], told: str) -> None:
    folder = Folder(CASES / "container-exits-at-once")
    folder.logs = lines
    assert folder.line()["sentence"].endswith(f": {told}")


def test_it_takes_few_requests(folder: Folder) -> None:
    folder.diagnosis()
    assert 1 <= len(folder.requests) <= MOST_REQUESTS


def test_every_cause_has_its_section_and_no_other_has() -> None:
    assert set(MEANINGS) == {c.id for c in CAUSES}


def value_at(obj: Any, path: str) -> Any:
    for key, index, quoted in re.findall(r"([^.\[\]]+)|\[(\d+)\]|\['([^']+)'\]", path):
        try:
            obj = obj[int(index)] if index else obj[quoted or key]
        except (KeyError, IndexError, TypeError):
            return None
    return obj
