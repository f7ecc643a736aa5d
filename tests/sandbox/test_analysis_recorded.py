"""Job metrics, and arguments from Secrets, as the real controller carries them out."""

import base64
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.webmetric import web_fault
from companyos_canary.sandbox.analysis import AnalysisController
from companyos_canary.sandbox.kinds import ANALYSISRUN, SECRET
from companyos_canary.sandbox.objects import Object, copied
from companyos_canary.sandbox.store import Store
from tests.provider import FunctionProvider
from tests.world import START

RECORDED: dict[str, Any] = yaml.load((Path(__file__).parent / "analysis_recorded.yaml").read_text(), yaml.CSafeLoader)
_TIMES = ("startedAt", "finishedAt", "completedAt")
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def essence(status: Any) -> Any:
    """Without its times, the unique name of the run, and counters that are empty."""
    if isinstance(status, dict):
        found = {k: essence(v) for k, v in status.items() if k not in _TIMES}
        return {k: v for k, v in found.items() if v != {}}
    if isinstance(status, list):
        return [essence(v) for v in status]
    return _ID.sub("UID", status) if isinstance(status, str) else status


def seen(store: Store, controller: AnalysisController, name: str) -> list[Any]:
    """The statuses of the run, each once, over some seconds; one that is ended by hand is ended after a second."""
    found: list[Any] = []
    for n in range(24):
        run = store.read(ANALYSISRUN, "default", name)
        if name == "job-terminate" and n == 2:
            store.update(ANALYSISRUN, ended(run))
        controller.step(START + timedelta(seconds=n / 2))
        status = essence(store.read(ANALYSISRUN, "default", name).get("status"))
        if status and status not in found:
            found.append(status)
    return found


def ended(run: Object) -> Object:
    changed = copied(run)
    changed["spec"]["terminate"] = True
    return changed


@pytest.mark.parametrize("name", RECORDED["runs"])
def test_a_run_is_what_the_real_controller_made_of_it(name: str) -> None:
    recorded, good = RECORDED["runs"][name], "fail" not in name
    store = Store(lambda: START)
    provider = FunctionProvider(lambda *_: pytest.fail("nothing is asked"), lambda: START)
    controller = AnalysisController(store, provider, lambda *_: None, is_good=lambda _: good)
    secret = {"k": base64.b64encode(b"s3cret").decode()}
    store.create(SECRET, {"metadata": {"name": "sec", "namespace": "default"}, "data": secret})
    store.create(ANALYSISRUN, {"metadata": {"name": name, "namespace": "default"}, "spec": recorded["spec"]})
    statuses = seen(store, controller, name)
    assert statuses[-1] == essence(recorded["statuses"][-1])
    for status in recorded["statuses"]:
        assert essence(status) in statuses, json.dumps(essence(status))


@pytest.mark.parametrize("case", RECORDED["webs"], ids=lambda c: c["message"])
def test_a_web_metric_that_cannot_be_asked_says_what_the_real_one_says(case: dict[str, Any]) -> None:
    assert web_fault(case["web"]) == case["message"]


@pytest.mark.parametrize(("path", "message"), RECORDED["jsonPaths"].items())
def test_a_path_that_cannot_be_parsed_says_what_the_real_one_says(path: str, message: str) -> None:
    assert web_fault({"url": "http://a", "jsonPath": path}) == message


@pytest.mark.parametrize("case", RECORDED["fine"], ids=str)
def test_a_web_metric_that_the_real_controller_asks_has_no_fault(case: Any) -> None:
    assert web_fault({"url": "http://a", "jsonPath": case} if isinstance(case, str) else case) == ""


@given(st.text(st.sampled_from("{}[]'.$\"?@ab01:,*\n ")), st.text(st.sampled_from("ht:p/@[]% x1.")))
def test_any_web_metric_has_a_fault_or_none(path: str, url: str) -> None:
    assert isinstance(web_fault({"url": url, "jsonPath": path}), str)
