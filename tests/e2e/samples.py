"""The samples of docs/ci.md and action.yml as shell scripts, as each CI system would run them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct, field

from tests.docs import ROOT

PAGE = ROOT / "docs" / "ci.md"
ACTION = ROOT / "action.yml"
_FENCE = re.compile(r"^```(sh|bash|yaml|groovy)([^\n]*)\n(.*?)^```", re.S | re.M)
_EXPRESSION = re.compile(r"\$\{\{ ([a-z0-9_.-]+) \}\}")
_OTHERS = ("actions/checkout@v4",)


class Sample(Struct, frozen=True):
    """A block of the page. `words` behind the language say how it is run: `gate` (canary.yaml has
    a manual pause), `judged` (an analysis), `cancelled` (it is ended by a signal), `exit=N`."""

    number: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def code(self) -> int:
        return next((int(w.removeprefix("exit=")) for w in self.words if w.startswith("exit=")), 0)


class Step(Struct, frozen=True):
    """One script. `env` and the script's own text may have expressions in them. `cancelled`: run
    only where the job was. `inputs`: it is a step of action.yml, called with them."""

    script: str
    env: Mapping[str, str] = field(default_factory=dict)
    cancelled: bool = False
    id: str = ""
    job: str = ""
    inputs: Mapping[str, str] | None = None


def samples() -> list[Sample]:
    found = _FENCE.findall(PAGE.read_text())
    return [Sample(n, lang, tuple(w.split()), text) for n, (lang, w, text) in enumerate(found)]


def steps(sample: Sample) -> list[Step]:
    """In the order in which they run."""
    if sample.language in ("sh", "bash"):
        return [Step(sample.text)]
    if sample.language == "groovy":
        lines = sample.text.splitlines()
        return [
            Step(m[1], cancelled="aborted {" in line) for line in lines if (m := re.search(r"\bsh '([^']*)'", line))
        ]
    document = yaml.safe_load(sample.text)
    if isinstance(document, list):
        return list(_of_github(document, ""))
    if "jobs" in document:
        return [s for name, job in document["jobs"].items() for s in _of_github(job["steps"], name)]
    return [s for name in document["stages"] for s in _of_gitlab(document, name)]


def expanded(text: str, values: Mapping[str, str]) -> str:
    """With what its expressions represent; an unknown one is a KeyError."""
    return _EXPRESSION.sub(lambda m: values[m[1]], text)


def outputs_of_jobs(sample: Sample, values: Mapping[str, str]) -> dict[str, str]:
    """What `needs.JOB.outputs.NAME` is, once the steps of the job have run."""
    document = yaml.safe_load(sample.text)
    jobs = document["jobs"] if isinstance(document, dict) and "jobs" in document else {}
    return {
        f"needs.{job}.outputs.{name}": expanded(text, values)
        for job, body in jobs.items()
        for name, text in body.get("outputs", {}).items()
    }


def action_steps(inputs: Mapping[str, str], id: str) -> list[Step]:  # noqa: A002 - GitHub's word
    document = yaml.safe_load(ACTION.read_text())
    known = document["inputs"]
    assert inputs.keys() <= known.keys()
    given = {name: inputs.get(name, body.get("default", "")) for name, body in known.items()}
    return [Step(s["run"], s["env"], id=id if "id" in s else "", inputs=given) for s in document["runs"]["steps"]]


def _of_github(found: list[dict[str, Any]], job: str) -> Iterator[Step]:
    for step in found:
        if "run" in step:
            cancelled = step.get("if") == "cancelled()"
            yield Step(step["run"], step.get("env", {}), cancelled, step.get("id", ""), job)
        elif step["uses"].startswith("companyos/canary@"):
            yield from action_steps(step["with"], step["id"])
        else:
            assert step["uses"] in _OTHERS


def _of_gitlab(document: dict[str, Any], name: str) -> Iterator[Step]:
    job, default = document[name], document["default"]
    env = job.get("variables", {})
    yield Step("\n".join([*default["before_script"], *job["script"]]), env)
    after = "\n".join(default["after_script"])
    yield Step(after, {**env, "CI_JOB_STATUS": "success"})
    yield Step(after, {**env, "CI_JOB_STATUS": "canceled"}, cancelled=True)
