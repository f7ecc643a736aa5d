"""Every sample of docs/ci.md, and the action, as processes against a sandbox."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from companyos_canary import __version__
from tests.docs import ROOT
from tests.e2e.conftest import CANARY, PATIENCE, Shell, start, stop
from tests.e2e.samples import ACTION, PAGE, Sample, Step, action_steps, expanded, outputs_of_jobs, samples, steps
from tests.world import CONFIG

HEAD = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 4")
TAIL = "analysis: {window: 2s, min_requests: 10, by_hash: true}\n"
STEPS = {
    "gate": "{weight: 50, pause: manual}",
    "judged": "{weight: 50, analysis: 4s}",
    "shop": "{weight: 50, pause: 1s}",
}
RUN = [s for s in samples() if "cancelled" not in s.words]
(SIGNALLED,) = (s for s in samples() if "cancelled" in s.words)
MESSAGE = 'fixes "login" $(touch injected) `touch injected`; touch injected\n--dry-run'
# What replaces `python -m venv`: an environment whose pip only notes what it is asked for.
PYTHON = '#!/bin/sh -e\ntest "$1 $2" = "-m venv"\nmkdir -p "$3/bin"\ncp "$STUBS"/* "$3/bin"\n'
PIP = '#!/bin/sh\nprintf "%s\\n" "$*" >> "$PIP_LOG"\n'


@dataclass
class Runner:
    """A CI system's machine. `values` is what expressions represent."""

    shells: dict[str, Shell]
    stubs: Path
    values: dict[str, str] = field(default_factory=dict)

    def run(self, step: Step, folder: str, more: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        """One step to its end; its outputs are values from then on."""
        shell = self.shells[folder]
        inputs = {f"inputs.{name}": value for name, value in (step.inputs or {}).items()}
        known = {**self.values, "github.action_path": str(ROOT)}
        known |= {name: expanded(str(value), known) for name, value in inputs.items()}
        outputs = shell.folder / "outputs"
        outputs.write_text("")
        env = {k: expanded(str(v), known) for k, v in step.env.items()}
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.script],
            cwd=shell.folder,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env={
                **shell.environment,
                **more,
                **env,
                "GITHUB_OUTPUT": str(outputs),
                "PATH": f"{self.stubs}:{shell.environment['PATH']}",
                "STUBS": str(self.stubs),
                "PIP_LOG": str(shell.folder / "pip.log"),
                "RUNNER_TEMP": str(shell.folder),
            },
        )
        for line in outputs.read_text().splitlines():
            name, _, value = line.partition("=")
            self.values[f"steps.{step.id}.outputs.{name}"] = value
        return ran


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    top = tmp_path_factory.mktemp("ci")
    stubs = top / "stubs"
    stubs.mkdir()
    canary = f'#!/bin/sh\nexec {" ".join(CANARY)} "$@"\n'
    for name, text in (("canary", canary), ("pip", PIP), ("python3", PYTHON)):
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    sandbox = start(top)
    try:
        shells = {}
        for name, step in STEPS.items():
            (top / name).mkdir()
            config = f"{HEAD.replace('companyos-api', name)}steps: [{step}]\n{TAIL}"
            (top / name / "canary.yaml").write_text(config)
            shells[name] = Shell(top / name, sandbox.kubeconfig)
            shells[name].begin("apply", "v1.0.0")
        yield Runner(shells, stubs)
    finally:
        stop(sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("sample", RUN, ids=lambda s: f"{s.number}-{s.language}")
def test_every_sample_does_what_the_page_says(runner: Runner, sample: Sample) -> None:
    folder = next((name for name in STEPS if name in sample.words), "shop")
    version = f"v2.{sample.number}.0"
    more = {"VERSION": version, "CI_COMMIT_SHORT_SHA": version}
    more |= {"GITHUB_ACTIONS": "true"} if "uses:" in sample.text else {}
    runner.values = {"github.sha": version, "github.event.head_commit.message": MESSAGE}
    ends = []
    if folder == "gate":
        runner.shells[folder].inside("abort")
    for step in steps(sample):
        if step.cancelled:
            continue
        if step.job and step.job != "canary":
            runner.values |= outputs_of_jobs(sample, runner.values)
        if "CANARY_REVISION" in step.script:
            more |= dotenv(runner, folder)
        ran = runner.run(step, folder, more)
        ends.append((step.script, ran.returncode, ran.stdout, ran.stderr))
    assert [code for _, code, _, _ in ends] == [0] * (len(ends) - 1) + [sample.code], ends
    assert not list(runner.shells[folder].folder.glob("injected"))
    for number, step in enumerate(steps(sample)):
        if step.cancelled:
            cancel(runner, step, folder, f"{version}-{number}")


def cancel(runner: Runner, step: Step, folder: str, version: str) -> None:
    """What runs when a job is cancelled stops the version in progress."""
    shell = runner.shells[folder]
    shell.inside("abort")  # what the one before has left
    shell.begin("deploy", version, "--no-wait")
    ran = runner.run(step, folder, {})
    assert ran.returncode == 0, ran
    status = shell.inside("status")
    assert status.returncode == 3 or version not in status.stdout, "put back where it was not seen yet"


@pytest.mark.slow
def test_a_script_that_is_cancelled_stops_the_version_on_its_way(runner: Runner) -> None:
    shell = runner.shells["gate"]
    shell.inside("abort")
    shell.begin("deploy", "v2.99.0", "--no-wait")
    path = f"{runner.stubs}:{shell.environment['PATH']}"
    process = subprocess.Popen(
        ["bash", "-e", "-c", SIGNALLED.text],
        cwd=shell.folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**shell.environment, "PATH": path},
    )
    assert process.stdout is not None
    assert " watch gate " in process.stdout.readline()
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert shell.inside("status").returncode == 3


def dotenv(runner: Runner, folder: str) -> dict[str, str]:
    """What GitLab hands to a later job."""
    text = (runner.shells[folder].folder / "canary.env").read_text()
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.slow
def test_the_action_hands_every_input_over_as_it_is(runner: Runner) -> None:
    inputs = {
        "version": "v2.90.0",
        "config": "canary.yaml",
        "rollout": "shop",
        "namespace": "companyos",
        "until": "healthy",
        "timeout": "30m",
        "reason": MESSAGE,
        "args": "--no-wait  --dry-run\n-v",
    }
    install, deploy = action_steps(inputs, "canary")
    assert runner.run(install, "shop", {}).returncode == 0
    asked = (runner.shells["shop"].folder / "pip.log").read_text().splitlines()[-2:]
    assert asked[0].endswith(f"--no-deps --require-hashes -r {ROOT}/requirements.txt")
    assert asked[1].endswith(f"--no-deps --no-build-isolation {ROOT}")
    ran = runner.run(deploy, "shop", {"GITHUB_ACTIONS": "true"})
    assert ran.returncode == 0, ran
    assert "PATCH /apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/shop" in ran.stdout
    assert "touch injected" in ran.stdout
    refused = runner.run(action_steps({"version": "--help"}, "canary")[1], "shop", {})
    assert (refused.returncode, refused.stderr) == (2, ""), "a version is never read as a flag"


def test_no_expression_is_pasted_into_a_script() -> None:
    scripts = [s.script for sample in samples() for s in steps(sample)]
    scripts += [s.script for s in action_steps({}, "")]
    assert len(scripts) > 15
    assert not [s for s in scripts if "${{" in s]


def test_the_outputs_of_the_action_are_those_of_its_step() -> None:
    document = yaml.safe_load(ACTION.read_text())
    values = {name: body["value"] for name, body in document["outputs"].items()}
    assert values == {n: f"${{{{ steps.deploy.outputs.{n} }}}}" for n in ("phase", "revision", "image", "verdict")}
    every = [document, *document["inputs"].values(), *document["outputs"].values()]
    assert all(part["description"] for part in every)


def test_the_page_names_the_version_that_this_is() -> None:
    found = re.findall(r"companyos-canary==([\w.]+)|companyos/canary@v([\w.]+)", PAGE.read_text())
    assert {a or b for a, b in found} == {__version__}
