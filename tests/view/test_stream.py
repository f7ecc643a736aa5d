"""What `watch -o json` tells of two snapshots, one after the other."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from companyos_canary.model.snapshot import Snapshot
from tests.builders import NOW, event, result_object, run, snapshot
from tests.schema import happened
from tests.view.scenes import ALL

MINUTE = timedelta(minutes=1)


def told(before: Snapshot | None, after: Snapshot, event: str) -> list[Mapping[str, Any]]:
    return [data for name, data in happened(before, after, NOW) if name == event]


def judging(*values: str) -> Snapshot:
    return snapshot(runs=[run([result_object("error-rate", [*values])])])


def test_the_first_is_the_whole_picture_with_what_was_measured_so_far() -> None:
    found = happened(None, judging("[0.01]", "[NaN]"), NOW)
    assert [name for name, _ in found] == ["snapshot", "measurement", "measurement"]
    first, second = (data for _, data in found[1:])
    assert (first["value"], first["raw"], first["verdict"]) == (0.01, "[0.01]", "ok")
    assert (first["operator"], first["limit"]) == ("<", 0.05)
    assert second["verdict"] == "no data"


def test_time_alone_tells_nothing() -> None:
    for scene in ALL.values():
        assert happened(scene(), scene(), NOW + MINUTE) == []


def test_pods_and_events_alone_make_no_new_snapshot() -> None:
    before = ALL["analysing"]()
    fewer = replace(before, pods=before.pods[1:], events=(*before.events, event("Some", "more")))
    assert fewer != before
    assert happened(before, fewer, NOW) == []


def test_transitions_come_in_the_order_in_which_they_matter() -> None:
    before, after = ALL["scaling"](), ALL["waiting"]()
    changed = [(t["what"], t["from"], t["to"]) for t in told(before, after, "transition")]
    assert changed[:2] == [("phase", "Progressing", "Paused"), ("activity", "scaling", "waiting")]
    order = ["connection", "revision", "phase", "activity", "step", "weight", "canary_ready"]
    places = [order.index(what) for what, _, _ in changed if what != "stable_ready"]
    assert places == sorted(places)
    assert len(told(before, after, "snapshot")) == 1


def test_a_lost_connection_and_its_return_are_transitions() -> None:
    there = ALL["analysing"]()
    away = replace(there, stale_since=NOW)
    lost = {"what": "connection", "from": "connected", "to": "lost", "message": ""}
    assert told(there, away, "transition") == [lost]
    assert told(away, there, "transition") == [{**lost, "from": "lost", "to": "connected"}]
    assert happened(away, away, NOW + MINUTE) == []


def test_a_measurement_is_told_once_although_the_controller_forgets_the_oldest() -> None:
    values = [f"[0.0{n}]" for n in range(1, 4)]
    before, after = judging(*values), judging(*values, "[0.09]")
    (result,) = after.runs[0].results
    kept = replace(result, measurements=result.measurements[1:])
    trimmed = replace(after, runs=(replace(after.runs[0], results=(kept,)),))
    assert [m["raw"] for m in told(before, trimmed, "measurement")] == ["[0.09]"]


def test_measurements_of_one_second_are_told_each() -> None:
    (result,) = judging("[0.01]").runs[0].results
    one = result.measurements[0]
    moment = judging("[0.01]")

    def with_(*measurements: Any) -> Snapshot:
        found = replace(result, measurements=measurements)
        return replace(moment, runs=(replace(moment.runs[0], results=(found,)),))

    assert len(told(with_(one), with_(one, one, one), "measurement")) == 2


def test_a_measurement_that_is_under_way_is_told_when_it_is_made() -> None:
    (result,) = judging("[0.01]").runs[0].results
    moment, one = judging("[0.01]"), result.measurements[0]
    asked = replace(one, phase="Running", value="", finished_at=None)
    running = replace(moment, runs=(replace(moment.runs[0], results=(replace(result, measurements=(asked,)),)),))
    assert told(None, running, "measurement") == []
    assert [m["raw"] for m in told(running, moment, "measurement")] == ["[0.01]"]
