"""Whatever tells why says what `canary why` says: each labelled case, in every voice.

Each voice says in its own way which version it is about and what became of it. The rest of the sentence is the same
text everywhere. One thing shortens it: a banner is one row, so that it is cut there, and told again below it in three
rows at most. What a state is called already (`paused by hand`) is not said twice.
"""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from companyos_canary.cluster.client import Cluster
from companyos_canary.diagnosis.table import seen
from companyos_canary.errors import ExitCode
from companyos_canary.model.outcome import Diagnosis, Ending, EndKind
from companyos_canary.model.place import Place
from companyos_canary.view import closing, rollouts
from companyos_canary.view.banner import banner_line
from companyos_canary.view.ci.forges import annotation
from companyos_canary.view.ci.summary import ending_report
from companyos_canary.view.lines import Facts, plain_text
from companyos_canary.view.screen import warning_lines
from tests.diagnosis.__main__ import CASES
from tests.diagnosis.folder import Folder, folders
from tests.world import World

WIDE = Facts(width=2000, height=60)
STATE = "paused-by-hand"
FOUND = [Folder(path) for path in folders(CASES)]
WRONG = [f for f in FOUND if f.case.get("healthy") != "true" and f.case["cause"] != STATE]
# Asked about a version that is no longer there, no screen shows it. Each worker that collects would read all objects.
HEALTHY = re.compile(r"^kind: Rollout\n(.+\n)*  phase: Healthy$", re.M)
SHOWN = [f for f in WRONG if not HEALTHY.search((f.path / "objects.yaml").read_text())]
FINE = [f for f in FOUND if f.case.get("healthy") == "true"]


def names(found: list[Folder]) -> list[str]:
    return [f.path.name for f in found]


def ending(folder: Folder, why: Diagnosis) -> Ending:
    _, case = folder.diagnosis()
    rollout = case.rollout
    kind: EndKind = "timeout"
    if case.wanted and why.cause in ("superseded", "gitops-reverted"):
        kind = "superseded"
    elif rollout.aborted:
        kind = "rolled-back"
    elif rollout.status_phase == "Degraded":
        kind = "degraded"
    elif rollout.pause_conditions:
        kind = "paused"
    began = case.now - timedelta(minutes=2)
    image = rollout.image(None)
    return Ending(kind, ExitCode.DEGRADED, case.snapshot, image, "", None, None, None, began, case.now, why=why)


@pytest.mark.parametrize("folder", WRONG, ids=names(WRONG))
def test_every_voice_repeats_what_why_says(folder: Folder) -> None:
    why, case = folder.diagnosis()
    assert (folder in SHOWN) == (folder.rollout["status"].get("phase") != "Healthy")
    end = ending(folder, why)
    report = ending_report(end, Place())
    assert why.because in why.sentence or why.cause in ("progress-deadline", "aborted-by-a-person"), why
    assert why.because in closing.sentence(end)
    assert why.because in report.message
    assert why.because.replace("%", "%25") in annotation(report)
    assert "| object | field | value |" in report.summary
    if case.rollout.status_phase != "Healthy":
        assert why.because in rollouts.status_line(case.snapshot, case.now, why=why)


@pytest.mark.parametrize("width", [40, 80, 2000])
@pytest.mark.parametrize("folder", SHOWN, ids=names(SHOWN))
def test_the_banner_says_it_whole_or_the_rows_below_do(folder: Folder, width: int) -> None:
    why, case = folder.diagnosis()
    picture = replace(seen(case.snapshot, case.now), why=why)
    facts = replace(WIDE, width=width)
    banner, below = plain_text(banner_line(picture, facts)), warning_lines(picture, facts)
    said = squeezed("".join(plain_text(line)[2:] for line in below))
    whole, cut = squeezed(why.because), said.partition("…")[0]
    assert why.because in banner or whole in said or (len(cut) > width and whole.startswith(cut))


@pytest.mark.parametrize("folder", FINE, ids=names(FINE))
def test_no_screen_has_an_alarm_where_nothing_is_wrong(folder: Folder) -> None:
    _, case = folder.diagnosis()
    assert seen(replace(case.snapshot, objects=case.objects), case.now).why is None


# What a screen does not read: the controller's own objects, Services, Prometheus, what the person did who asks, and
# which version is meant. There it says less, and nothing else.
LESS = {
    "controller-not-observing": ("controller-not-running",),
    "instance-id": ("controller-not-running",),
    "promote-lost": ("controller-not-running",),
    "template-cycle": ("controller-not-running",),
    "old-run-decides": ("analysis-failed",),
    "stable-is-as-bad": ("analysis-failed",),
    "several-apps": ("analysis-failed",),
    "chance": ("analysis-failed",),
    "label-missing": ("no-data",),
    "not-scraped": ("no-data",),
    "nothing-to-count": ("no-data",),
    "too-little-traffic": ("no-data",),
    "window-too-short": ("no-data",),
    "service-pinned": ("", "aborted-by-a-person"),
    "service-selects-nothing": ("", "aborted-by-a-person"),
    "abort-dropped": ("",),
    "no-previous-version": ("",),
    "undo-is-a-canary": ("",),
    "scaled-to-zero": ("",),
    "superseded": ("",),
    "gitops-reverted": ("",),
    "spec-on-aborted-version": ("aborted-by-a-person",),
}


def on_screen(folder: Folder) -> str:
    """The cause that a screen has by itself at that moment, empty for none."""
    meta = folder.rollout["metadata"]
    cluster = Cluster(folder, meta.get("namespace", "default"))
    found = seen(cluster.with_words(cluster.snapshot(meta["name"]), folder.now), folder.now).why
    return found.cause if found else ""


@pytest.mark.parametrize("folder", FOUND, ids=names(FOUND))
def test_a_screen_says_by_itself_what_why_says_or_less(folder: Folder) -> None:
    why, _ = folder.diagnosis()
    asked = "" if why.fine else why.cause
    assert on_screen(folder) in (asked, *LESS.get(asked, ())), why


def squeezed(text: str) -> str:
    """Without blanks: a row may end at any of them."""
    return "".join(text.split())


@pytest.mark.parametrize("tag", ["errors1", "bad1"])
def test_a_deploy_that_fails_ends_with_what_why_says_then(tag: str, tmp_path: Path) -> None:
    from tests.commands.conftest import installed
    from tests.diagnosis.acted import STEPS

    world: World = installed(tmp_path, STEPS)
    told = world.canary("deploy", tag, "--timeout", "90s", "-o", "json").json["data"]["why"]
    said = world.canary("why", "-o", "json").json["data"]
    assert {k: said[k] for k in ("cause", "fine", "sentence", "evidence", "next")} == told
    assert world.canary("get", "-o", "json").json["data"]["why"]["cause"] == told["cause"]
