"""The real kubectl over the socket; skipped where it is not installed."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.credentials import make_identity, write_kubeconfig
from companyos_canary.sandbox.defaults import namespace
from companyos_canary.sandbox.kinds import EVENT, NAMESPACE, POD
from companyos_canary.sandbox.server import Server
from companyos_canary.sandbox.store import Store
from tests.sandbox.api.client import deployment, on_a_node, pod, rollout

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
TOKEN = "a-token"


class Sandbox:
    """A served store; `run` is kubectl in a namespace of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(lambda: datetime.now(UTC))
        identity = make_identity()
        self.server = Server(Api(self.store).handle, tls=identity.context, token=TOKEN).start()
        self.folder = folder
        write_kubeconfig(folder / "kubeconfig", server=self.server.url, token=TOKEN, ca=identity.ca)

    def start(self, space: str, *words: str, stdin: Any = None) -> "subprocess.Popen[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "KUBECACHEDIR": str(self.folder / "cache"),
            "GOGC": "off",  # it ends before there is much to collect
            "GOMAXPROCS": "1",  # and before a second thread could help
        }
        command = ["kubectl", "--cache-dir", str(self.folder / "cache"), "-n", space, *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


Result = tuple[int, str, str]
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("kubectl"))
    yield sandbox
    sandbox.server.close()


@pytest.fixture
def space(sandbox: Sandbox, request: pytest.FixtureRequest) -> str:
    name = request.node.name.removeprefix("test_").replace("_", "-")[:60].strip("-")
    sandbox.store.create(NAMESPACE, namespace(name))
    return name


@pytest.fixture
def kubectl(sandbox: Sandbox, space: str) -> Run:
    """Runs kubectl to its end: exit code, stdout, stderr. `send` is what `-f -` reads."""

    def run(*words: str, send: Any = None) -> Result:
        process = sandbox.start(space, *words)
        out, err = process.communicate(None if send is None else json.dumps(send), timeout=120)
        return process.returncode, out, err

    return run


@pytest.fixture
def demo(kubectl: Run) -> Run:
    assert kubectl("create", "-f", "-", send=rollout())[0] == 0
    return kubectl


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_it_reads_version_and_resources(kubectl: Run) -> None:
    assert "Server Version: v1.32.0" in kubectl("version")[1]
    assert "rollouts ro argoproj.io/v1alpha1 true Rollout" in squeezed(kubectl("api-resources")[1])
    assert "argoproj.io/v1alpha1" in kubectl("api-versions")[1].split()
    assert kubectl("get", "--raw", "/readyz")[1] == "ok"


def test_it_prints_tables(demo: Run) -> None:
    lines = squeezed(demo("get", "rollout", "demo")[1])
    assert lines[0] == "NAME DESIRED CURRENT UP-TO-DATE AVAILABLE AGE"
    assert lines[1].startswith("demo 3 ")
    assert demo("get", "ro", "-o", "name")[1] == "rollout.argoproj.io/demo\n"
    assert demo("get", "ro", "-l", "app in (demo,x)", "-o", "name")[1] != ""
    assert "No resources found" in demo("get", "ro", "-l", "app!=demo")[2]
    assert json.loads(demo("get", "ro", "demo", "-o", "json")[1])["kind"] == "Rollout"
    assert "setWeight: 20" in demo("get", "ro", "demo", "-o", "yaml")[1]
    assert demo("get", "ro", "--chunk-size=1", "-o", "jsonpath={.items[*].spec.replicas}")[1] == "3"


def test_it_prints_pods_wide_and_by_field(kubectl: Run, sandbox: Sandbox, space: str) -> None:
    status = {"phase": "Running", "podIP": "10.0.0.1"}
    made = pod("a", status=status)
    made["metadata"]["namespace"] = space
    sandbox.store.create(POD, made)
    lines = squeezed(kubectl("get", "pods", "-o", "wide")[1])
    assert lines[0] == "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
    assert lines[1].startswith("a 0/1 Running 0 ")
    assert lines[1].endswith(" 10.0.0.1 <none> <none> <none>")
    by_phase = kubectl("get", "pods", "--field-selector", "status.phase=Pending", "-o", "name")
    assert by_phase[1] == ""


def test_it_watches(demo: Run, sandbox: Sandbox, space: str) -> None:
    watching = sandbox.start(space, "get", "ro", "-w", "--output-watch-events")
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith("EVENT")
    assert watching.stdout.readline().startswith("ADDED")
    demo("patch", "ro", "demo", "--type", "merge", "-p", '{"spec":{"replicas":8}}')
    assert squeezed(watching.stdout.readline())[0].startswith("MODIFIED demo 8")
    demo("delete", "ro", "demo")
    assert squeezed(watching.stdout.readline())[0].startswith("DELETED demo 8")
    watching.terminate()
    watching.communicate(timeout=120)


def test_it_describes_and_explains(demo: Run) -> None:
    described = demo("describe", "ro", "demo")[1]
    assert "Set Weight:  20" in described
    assert squeezed(described)[-1] == "Events: <none>"
    assert "replicas\t<integer>" in demo("explain", "rollout.spec")[1]
    assert "duration" in demo("explain", "ro.spec.strategy.canary.steps.pause")[1]


def test_it_applies_from_the_client_side(kubectl: Run) -> None:
    assert "created" in kubectl("apply", "-f", "-", send=rollout())[1]
    assert "unchanged" in kubectl("apply", "-f", "-", send=rollout())[1]
    changed = rollout(replicas=5)
    code, out, _ = kubectl("diff", "-f", "-", send=changed)
    assert code == 1
    assert "+  replicas: 5" in out
    assert "configured" in kubectl("apply", "-f", "-", send=changed)[1]
    assert kubectl("diff", "-f", "-", send=changed)[0] == 0
    shown = kubectl("apply", "--dry-run=server", "-f", "-", send=rollout(replicas=9))[1]
    assert "(server dry run)" in shown
    assert kubectl("get", "ro", "demo", "-o", "jsonpath={.spec.replicas}")[1] == "5"


def test_it_refuses_fields_that_do_not_exist(kubectl: Run) -> None:
    code, _, err = kubectl("apply", "-f", "-", send=rollout(replica=5))
    assert (code, 'unknown field "spec.replica"' in err) == (1, True)
    code, _, err = kubectl("apply", "--validate=warn", "-f", "-", send=rollout(replica=5))
    assert (code, 'Warning: unknown field "spec.replica"' in err) == (0, True)
    _, _, err = kubectl("create", "-f", "-", send=rollout("other", replicas="x"))
    assert 'The Rollout "other" is invalid: spec.replicas: Invalid value: "string"' in err


def test_it_applies_from_the_server_side(kubectl: Run) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, "--field-manager=ci", send=rollout())[0] == 0
    kubectl("scale", "ro", "demo", "--replicas=9")
    code, _, err = kubectl(*apply, "--field-manager=ci", send=rollout())
    assert code == 1
    assert err.startswith(
        'error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" '
        "using argoproj.io/v1alpha1: .spec.replicas"
    )
    forced = kubectl(*apply, "--field-manager=ci", "--force-conflicts", send=rollout())
    assert "serverside-applied" in forced[1]
    assert kubectl("get", "ro", "demo", "-o", "jsonpath={.spec.replicas}")[1] == "3"


def test_it_goes_from_client_side_to_server_side_apply(kubectl: Run) -> None:
    kubectl("apply", "-f", "-", send=deployment())
    code, _, err = kubectl("apply", "--server-side", "-f", "-", send=deployment(replicas=4))
    assert (code, err) == (0, "")
    fields = "jsonpath={.metadata.managedFields[*].manager}"
    managers = kubectl("get", "deploy", "web", "--show-managed-fields", "-o", fields)[1].split()
    assert sorted(managers) == ["kubectl", "kubectl-last-applied"]


def test_it_patches_in_three_ways(demo: Run) -> None:
    read = ("get", "ro", "demo", "-o", "jsonpath={.spec.paused} {.status.abort}")
    demo("patch", "ro", "demo", "--type", "merge", "-p", '{"spec":{"paused":true}}')
    status = '{"status":{"abort":true},"spec":{"paused":false}}'
    demo("patch", "ro", "demo", "--subresource=status", "--type", "merge", "-p", status)
    assert demo(*read)[1] == "true true"
    failing = '[{"op":"test","path":"/status/abort","value":false}]'
    code, _, err = demo("patch", "ro", "demo", "--type", "json", "-p", failing)
    assert (code, "the server rejected our request due to an error in our request" in err) == (1, True)
    code, _, err = demo("patch", "ro", "demo", "--type", "strategic", "-p", "{}")
    assert (code, "is not supported by argoproj.io/v1alpha1" in err) == (1, True)
    demo("create", "-f", "-", send=deployment())
    demo("patch", "deploy", "web", "-p", '{"spec":{"minReadySeconds":3}}')
    assert demo("set", "image", "deploy/web", "app=app:v9")[0] == 0
    path = "jsonpath={.spec.minReadySeconds} {.spec.template.spec.containers[*].image}"
    assert demo("get", "deploy", "web", "-o", path)[1] == "3 app:v9 side:v1"


def test_it_replaces_with_an_optimistic_lock(demo: Run) -> None:
    read = json.loads(demo("get", "ro", "demo", "-o", "json")[1])
    assert demo("label", "ro", "demo", "team=a")[0] == 0
    code, _, err = demo("replace", "-f", "-", send=read)
    assert (code, "the object has been modified" in err) == (1, True)
    read = json.loads(demo("get", "ro", "demo", "-o", "json")[1])
    assert demo("replace", "-f", "-", send=read)[0] == 0
    code, _, err = demo("create", "-f", "-", send=rollout())
    assert (code, '"demo" already exists' in err) == (1, True)


def test_it_labels_annotates_scales_and_deletes(demo: Run) -> None:
    demo("label", "ro", "demo", "team=a")
    demo("annotate", "ro", "demo", "note=b")
    assert demo("scale", "ro/demo", "--replicas=6", "--current-replicas=3")[0] == 0
    path = "jsonpath={.metadata.labels.team} {.metadata.annotations.note} {.spec.replicas}"
    assert demo("get", "ro", "demo", "-o", path)[1] == "a b 6"
    assert "server dry run" in demo("delete", "ro", "demo", "--dry-run=server")[1]
    assert demo("delete", "ro", "--all")[0] == 0
    assert demo("get", "ro", "demo")[2] == ('Error from server (NotFound): rollouts.argoproj.io "demo" not found\n')


def test_it_waits(demo: Run) -> None:
    assert demo("wait", "ro/demo", "--for=jsonpath={.spec.replicas}=3", "--timeout=60s")[0] == 0
    patch = '{"status":{"conditions":[{"type":"Healthy","status":"True"}]}}'
    demo("patch", "ro", "demo", "--subresource=status", "--type", "merge", "-p", patch)
    assert demo("wait", "ro/demo", "--for=condition=Healthy", "--timeout=60s")[0] == 0
    demo("delete", "ro", "demo")
    assert demo("wait", "ro/demo", "--for=delete", "--timeout=60s")[0] == 0


def test_it_reads_logs_and_events(kubectl: Run, sandbox: Sandbox, space: str) -> None:
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    made = on_a_node(pod("a", status={"containerStatuses": [{"name": "app", "state": state}]}))
    made["metadata"]["namespace"] = space
    uid = sandbox.store.create(POD, made)["metadata"]["uid"]
    assert kubectl("logs", "a", "--tail=2")[1].count("\n") == 2
    about = {"kind": "Pod", "name": "a", "namespace": space, "apiVersion": "v1", "uid": uid}
    sandbox.store.create(
        EVENT,
        {
            "metadata": {"name": "e", "namespace": space},
            "involvedObject": about,
            "type": "Warning",
            "reason": "BackOff",
            "message": "no image",
            "count": 3,
            "source": {"component": "kubelet"},
            "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": "2026-01-01T00:00:00Z",
        },
    )
    assert "BackOff pod/a no image" in squeezed(kubectl("get", "events")[1])[1]
    assert "BackOff" in kubectl("events", "--for", "pod/a")[1]
    assert "BackOff" in kubectl("describe", "pod", "a")[1]


def test_it_asks_what_it_may_do(kubectl: Run) -> None:
    assert kubectl("auth", "can-i", "patch", "rollouts", "--subresource=status")[1] == "yes\n"
    assert "*.*" in kubectl("auth", "can-i", "--list")[1]
    assert "sandbox" in kubectl("auth", "whoami")[1]


def test_it_makes_what_it_sends_as_protobuf(kubectl: Run) -> None:
    assert kubectl("create", "ns", "made-by-kubectl")[0] == 0
    assert kubectl("create", "configmap", "c", "--from-literal=a=b")[0] == 0
    assert kubectl("get", "cm", "c", "-o", "jsonpath={.data.a}")[1] == "b"
    assert kubectl("delete", "ns", "made-by-kubectl")[0] == 0
    assert kubectl("create", "deployment", "d", "--image=x:v1", "--port=8080")[0] == 0
    assert kubectl("get", "deploy", "d", "-o", "jsonpath={..containerPort}")[1] == "8080"
    code, _, err = kubectl("create", "job", "j", "--image=x")
    assert (code, "the sandbox runs no Jobs" in err) == (1, True)


def test_it_is_told_that_a_namespace_is_missing(sandbox: Sandbox) -> None:
    process = sandbox.start("nowhere", "create", "-f", "-")
    _, err = process.communicate(json.dumps(rollout()), timeout=120)
    assert 'namespaces "nowhere" not found' in err
