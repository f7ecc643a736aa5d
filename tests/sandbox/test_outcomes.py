"""Metrics that no one answers here: their outcome is that of the version, as the scenario says."""

import pytest

from tests.sandbox.stage import Stage

JOB = {"job": {"spec": {"template": {"spec": {"containers": [{"name": "j", "image": "busybox"}]}}}}}
WEB = {"web": {"url": "http://example.test", "jsonPath": "{$.ok}"}}


@pytest.mark.parametrize("provider", [JOB, WEB], ids=["job", "web"])
@pytest.mark.parametrize(("tag", "phase"), [("v1.1.0", "Successful"), ("v1.2.0", "Failed")])
def test_a_job_or_a_web_metric_judges_as_the_scenario_says(provider: object, tag: str, phase: str) -> None:
    stage = Stage([{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "smoke"}]}}])
    stage.template("smoke", provider=provider, successCondition=None)
    stage.run(5)
    stage.set_image(tag)
    stage.run(30)
    assert stage.runs() == {"2-1": phase}
