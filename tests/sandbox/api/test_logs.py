"""Container logs, and services behind the proxy."""

from typing import Any

import pytest

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.kinds import POD, SERVICE
from tests.sandbox.api.client import Client, connect, on_a_node, pod

RUNNING = {"containerStatuses": [{"name": "app", "state": {"running": {"startedAt": "2026-05-04T03:02:01Z"}}}]}
LOG = "/api/v1/namespaces/default/pods/a/log"


def test_a_running_pod_writes_a_line_a_second() -> None:
    client = connect(log_line=lambda pod, at: f"{pod['metadata']['name']} {at:%S}")
    client.store.create(POD, on_a_node(pod("a", status=RUNNING)))
    client.clock.tick(4)
    assert client.send("GET", LOG).body == b"a 02\na 03\na 04\na 05\n"
    assert client.send("GET", LOG, tailLines="1").body == b"a 05\n"
    assert client.send("GET", LOG, tailLines="0").body == b""
    assert client.send("GET", LOG, sinceSeconds="2").body == b"a 04\na 05\n"
    stamped = client.send("GET", LOG, timestamps="true", tailLines="1").body
    assert stamped == b"2026-05-04T03:02:05Z a 05\n"


def test_the_same_second_always_has_the_same_line(client: Client) -> None:
    client.store.create(POD, on_a_node(pod("a", status=RUNNING)))
    client.clock.tick(3)
    first = client.send("GET", LOG).body
    client.clock.tick(3)
    assert client.send("GET", LOG).body.startswith(first)
    assert first.count(b"\n") == 3


def test_a_followed_log_ends_with_its_pod(client: Client) -> None:
    client.store.create(POD, on_a_node(pod("a", status=RUNNING)))
    client.clock.tick(2)
    stream = client.send("GET", LOG, follow="true").stream
    assert stream is not None
    lines = iter(stream)
    assert len([next(lines), next(lines)]) == 2
    client.clock.tick(1)
    assert b"03:02:04" in next(lines)
    client.store.delete(POD, "default", "a")
    assert list(lines) == []


TWO = {"spec": {"containers": [{"name": "app"}, {"name": "proxy"}]}}
PULLING = {"containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}


@pytest.mark.parametrize(
    ("more", "query", "message"),
    [
        ({}, {}, 'container "app" in pod "a" is waiting to start: ContainerCreating'),
        ({"status": PULLING}, {}, "is waiting to start: trying and failing to pull image"),
        ({}, {"container": "x"}, "container x is not valid for pod a"),
        (TWO, {}, "a container name must be specified for pod a, choose one of: [app proxy]"),
        ({"status": RUNNING}, {"previous": "true"}, "previous terminated container"),
        ({"status": RUNNING}, {"tailLines": "x"}, "invalid syntax"),
    ],
)
def test_a_log_that_is_not_there_says_why(client: Client, more: Any, query: dict[str, str], message: str) -> None:
    client.store.create(POD, on_a_node(pod("a", **more)))
    answer = client.send("GET", LOG, **query)
    assert (answer.status, message in answer.json()["message"]) == (400, True)


def test_a_service_answers_behind_the_proxy() -> None:
    met: list[Request] = []

    def prometheus(request: Request) -> Response:
        met.append(request)
        return Response(200, {"Content-Type": "application/json"}, b'{"status":"success"}')

    client = connect(proxies={"monitoring/prometheus:9090": prometheus})
    meta = {"name": "prometheus", "namespace": "monitoring"}
    client.store.create(SERVICE, {"metadata": meta, "spec": {"ports": [{"port": 9090}]}})
    base = "/api/v1/namespaces/monitoring/services"
    path = f"{base}/http:prometheus:9090/proxy/api/v1/query"
    answer = client.send("POST", path, b"query=up", "application/x-www-form-urlencoded", x="1")
    assert answer.json() == {"status": "success"}
    assert (met[0].path, met[0].method, met[0].body) == ("/api/v1/query", "POST", b"query=up")
    assert met[0].query == (("x", "1"),)
    assert client.send("GET", f"{base}/prometheus:9090/proxy/").status == 200
    other = client.send("GET", f"{base}/prometheus:80/proxy/x")
    assert (other.status, other.json()["reason"]) == (503, "ServiceUnavailable")
    nobody = client.send("GET", "/api/v1/namespaces/default/services/a:80/proxy/x")
    assert nobody.status == 404
