"""Discovery and OpenAPI: what clients read before they ask for objects."""

import json

from companyos_canary.sandbox.api.protobuf import read_wire
from companyos_canary.sandbox.kinds import KINDS
from tests.sandbox.api.client import ARGO, ROLLOUTS, Client

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def test_both_forms_of_discovery_tell_the_same(client: Client) -> None:
    new: set[tuple[str, str]] = set()
    for path in ("/api", "/apis"):
        answer = client.send("GET", path, accept=AGGREGATED)
        assert answer.header("Content-Type").endswith("as=APIGroupDiscoveryList")
        for group in answer.json()["items"]:
            for version in group["versions"]:
                name = group["metadata"].get("name", "")
                for resource in version["resources"]:
                    new.add((name, resource["resource"]))
                    for sub in resource.get("subresources", []):
                        new.add((name, f"{resource['resource']}/{sub['subresource']}"))
    old = {("", r["name"]) for r in client.get("/api/v1")["resources"]}
    for group in client.get("/apis")["groups"]:
        for version in group["versions"]:
            resources = client.get(f"/apis/{version['groupVersion']}")["resources"]
            old |= {(group["name"], r["name"]) for r in resources}
    assert new == old
    assert ("argoproj.io", "rollouts/status") in old
    assert {(k.group, k.plural) for k in KINDS} <= old


def test_subresources_have_no_short_names(client: Client) -> None:
    resources = {r["name"]: r for r in client.get(ARGO)["resources"]}
    assert resources["rollouts"]["shortNames"] == ["ro"]
    assert "shortNames" not in resources["rollouts/status"]
    assert resources["rollouts/scale"]["group"] == "autoscaling"


def test_openapi_has_a_document_for_each_group_version(client: Client) -> None:
    paths = client.get("/openapi/v3")["paths"]
    assert set(paths) >= {"api/v1", "apis/apps/v1", "apis/argoproj.io/v1alpha1"}
    for place in paths:
        assert client.get(f"/openapi/v3/{place}")["openapi"] == "3.0.0"
    assert client.send("GET", "/openapi/v3/apis/foo/v1").status == 404


def test_the_older_openapi_answers_in_both_forms_and_defines_nothing(client: Client) -> None:
    """kubectl refuses a whole file where it does not answer, for one kind that does not exist."""
    assert client.get("/openapi/v2")["swagger"] == "2.0"
    form = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    found = client.send("GET", "/openapi/v2", accept=form)
    assert (found.status, found.header("Content-Type")) == (200, form.replace("@", "."))
    assert list(read_wire(found.body)) == [(1, b"2.0")]


def test_openapi_leaves_validation_to_the_server(client: Client) -> None:
    document = client.get("/openapi/v3/apis/argoproj.io/v1alpha1")
    patch = document["paths"]["/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts/{name}"]["patch"]
    gvk = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
    assert patch["x-kubernetes-group-version-kind"] == gvk
    assert "fieldValidation" in [p["name"] for p in patch["parameters"]]
    schema = document["components"]["schemas"]["io.argoproj.v1alpha1.Rollout"]
    assert schema["properties"]["spec"]["properties"]["replicas"] == {"type": "integer"}
    assert schema["required"] == ["spec"]


def test_every_answer_is_json_or_text(client: Client) -> None:
    for path in ("/api", "/apis", "/version", "/openapi/v3", ROLLOUTS, f"{ROLLOUTS}/x"):
        json.loads(client.send("GET", path).body)
