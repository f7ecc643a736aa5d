"""Whatever is sent, the answer is an answer: never an exception, never a 5xx."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.model.http import Request
from tests.sandbox.api.client import (
    APPLY,
    ARGO,
    JSON_PATCH,
    MERGE,
    ROLLOUTS,
    STRATEGIC,
    TABLE,
    connect,
    deployment,
    pod,
    rollout,
)

NAMED = {
    f"{ROLLOUTS}/demo": rollout(),
    "/apis/apps/v1/namespaces/default/deployments/web": deployment(),
    "/api/v1/namespaces/default/pods/a": pod("a"),
    f"{ARGO}/namespaces/default/analysisruns/run": {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "run"},
        "spec": {"metrics": []},
    },
}
FIELDS = st.sampled_from(
    [
        "metadata",
        "spec",
        "status",
        "labels",
        "annotations",
        "name",
        "namespace",
        "finalizers",
        "ownerReferences",
        "managedFields",
        "replicas",
        "selector",
        "template",
        "containers",
        "image",
        "strategy",
        "canary",
        "steps",
        "setWeight",
        "pause",
        "uid",
        "resourceVersion",
        "kind",
        "matchLabels",
        "phase",
        "containerStatuses",
        "conditions",
        "$patch",
        "x",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["", "a", "app:v1"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=12
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "test", "move", "copy"]),
            "path": st.lists(FIELDS, max_size=3).map(lambda p: "".join(f"/{part}" for part in p)),
        },
        optional={"value": VALUES, "from": st.sampled_from(["/spec", "/metadata/labels"])},
    ),
    max_size=3,
)


@settings(deadline=None)
@given(st.data())
def test_nothing_that_is_sent_breaks_the_server(data: Any) -> None:
    client = connect()
    for path, body in NAMED.items():
        client.post(path.rpartition("/")[0], body)
    path = data.draw(st.sampled_from(list(NAMED)))
    sub = data.draw(st.sampled_from(["", "", "/status", "/scale", "/log"]))
    method, media = data.draw(
        st.sampled_from(
            [
                ("PATCH", MERGE),
                ("PATCH", STRATEGIC),
                ("PATCH", APPLY),
                ("PATCH", JSON_PATCH),
                ("PUT", "application/json"),
                ("POST", "application/json"),
                ("DELETE", "application/json"),
            ]
        )
    )
    body = data.draw(OPERATIONS if media == JSON_PATCH else VALUES)
    if isinstance(body, dict) and data.draw(st.booleans()):
        body = {**NAMED[path], **body}
    target = path.rpartition("/")[0] if method == "POST" else path + sub
    query = (("fieldManager", "fuzz"), ("force", "true"))
    raw = json.dumps(body).encode()
    answer = client.handle(Request(method, target, query, {"Content-Type": media}, raw))
    told = ("resourceVersion should not be set", "failed to create typed patch object")
    assert answer.status < 500 or any(words in str(answer.body) for words in told)
    for accept in (TABLE, "application/json"):
        assert client.send("GET", path.rpartition("/")[0], accept=accept).status == 200
    assert client.send("GET", f"{path}/scale").status in (200, 404)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "api",
                "apis",
                "v1",
                "argoproj.io",
                "v1alpha1",
                "namespaces",
                "x",
                "pods",
                "rollouts",
                "status",
                "proxy",
                "log",
                "openapi",
                "v3",
            ]
        ),
        max_size=7,
    ),
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    st.dictionaries(
        st.sampled_from(["watch", "limit", "labelSelector", "fieldSelector", "continue", "dryRun"]),
        st.text("a=!,() 1%", max_size=6),
        max_size=2,
    ),
)
def test_no_path_breaks_the_server(parts: list[str], method: str, query: dict[str, str]) -> None:
    answer = connect().send(method, "/" + "/".join(parts), **query)
    assert 200 <= answer.status < 500
