"""The definitions of Argo's kinds: there from the start, and what it means when they are not."""

from companyos_canary.sandbox.kinds import ROLLOUT
from tests.sandbox.api.client import ARGO, ROLLOUTS, Client, rollout

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_the_kinds_of_argo_rollouts_are_defined(client: Client) -> None:
    found = {item["metadata"]["name"]: item for item in client.get(CRDS)["items"]}
    assert {name for name in found if name.endswith(".argoproj.io")} == {
        "analysisruns.argoproj.io",
        "analysistemplates.argoproj.io",
        "clusteranalysistemplates.argoproj.io",
        "experiments.argoproj.io",
        "rollouts.argoproj.io",
    }
    version = found["rollouts.argoproj.io"]["spec"]["versions"][0]
    assert [c["name"] for c in version["additionalPrinterColumns"]] == [
        "Desired",
        "Current",
        "Up-to-date",
        "Available",
        "Age",
    ]
    assert set(version["subresources"]) == {"status", "scale"}


def test_the_kinds_of_traffic_routers_are_defined_with_all_their_versions(client: Client) -> None:
    found = {item["metadata"]["name"]: item for item in client.get(CRDS)["items"]}
    service = found["virtualservices.networking.istio.io"]["spec"]
    assert [(v["name"], v["storage"]) for v in service["versions"]] == [
        ("v1", True),
        ("v1beta1", False),
        ("v1alpha3", False),
    ]
    assert {"httproutes.gateway.networking.k8s.io", "traefikservices.traefik.io"} <= found.keys()
    for version in ("v1", "v1beta1", "v1alpha3"):
        assert client.get(f"/apis/networking.istio.io/{version}/virtualservices")["items"] == []


def test_without_its_definition_a_kind_is_not_there(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    assert client.delete(f"{CRDS}/rollouts.argoproj.io").status == 200
    assert client.store.items(ROLLOUT) == []
    answer = client.send("GET", f"{ROLLOUTS}/demo")
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert "rollouts" not in [r["name"] for r in client.get(ARGO)["resources"]]


def test_a_cluster_without_argo_rollouts_has_no_such_group(client: Client) -> None:
    client.delete(CRDS)
    assert "argoproj.io" not in [group["name"] for group in client.get("/apis")["groups"]]
    assert client.send("GET", ARGO).status == 404


def test_other_definitions_are_refused(client: Client) -> None:
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.org"},
        "spec": {"group": "example.org"},
    }
    answer = client.post(CRDS, body)
    assert answer.status == 422
    assert "serves the kinds of Argo Rollouts and of its traffic routers only" in answer.json()["message"]


def test_what_needs_a_container_is_refused(client: Client) -> None:
    answer = client.send("POST", "/api/v1/namespaces/default/pods/a/exec", command="sh")
    assert answer.status == 405
    assert answer.json()["message"] == "the sandbox has no containers: `exec` is not emulated"


def test_a_controller_of_your_own_finds_what_it_asks_for(client: Client) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader"},
        "spec": {"holderIdentity": "me"},
    }
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    assert client.post(leases, lease).status == 201
    assert client.get("/apis/networking.k8s.io/v1/ingresses")["kind"] == "IngressList"
    assert client.get("/apis/batch/v1/jobs")["items"] == []


def test_a_job_is_refused_because_nobody_would_run_it(client: Client) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {}}
    answer = client.post("/apis/batch/v1/namespaces/default/jobs", job)
    assert (answer.status, answer.json()["message"]) == (
        422,
        'Job.batch "j" is invalid: spec: Forbidden: the sandbox runs no Jobs',
    )
