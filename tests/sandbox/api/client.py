"""A client without a network: requests as JSON to a handle, and objects to send."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.store import Store

LOG_SIZE = 500
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
ARGO = "/apis/argoproj.io/v1alpha1"
ROLLOUTS = f"{ARGO}/namespaces/default/rollouts"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Clock:
    """The cluster's clock and, as seconds, the one of watches."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def elapsed(self) -> float:
        return (self.now - NOW).total_seconds()


class Client:
    """`get("/path", key=value)` and so on; keyword arguments are the query."""

    def __init__(self, handle: Callable[[Request], Response], store: Store, clock: Clock) -> None:
        self.handle = handle
        self.store = store
        self.clock = clock

    def send(
        self, method: str, path: str, body: Any = None, media: str = "", accept: str = "", **query: str
    ) -> Response:
        headers = {"User-Agent": "canary/1.0"}
        if media:
            headers["Content-Type"] = media
        if accept:
            headers["Accept"] = accept
        if body is None:
            body = b""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.handle(Request(method, path, tuple(query.items()), headers, raw))

    def forget(self) -> None:
        """So many changes that the log has lost all that were before."""
        for number in range(LOG_SIZE):
            self.store.create(POD, pod(f"later-{number}"))

    def get(self, path: str, accept: str = "", **query: str) -> Any:
        return self.send("GET", path, accept=accept, **query).json()

    def post(self, path: str, body: Any, **query: str) -> Response:
        return self.send("POST", path, body, "application/json", **query)

    def put(self, path: str, body: Any, **query: str) -> Response:
        return self.send("PUT", path, body, "application/json", **query)

    def patch(self, path: str, body: Any, media: str = MERGE, **query: str) -> Response:
        return self.send("PATCH", path, body, media, **query)

    def apply(self, path: str, body: Any, manager: str = "canary", **query: str) -> Response:
        return self.send("PATCH", path, body, APPLY, fieldManager=manager, **query)

    def delete(self, path: str, body: Any = None, **query: str) -> Response:
        return self.send("DELETE", path, body, "application/json" if body else "", **query)

    def watch(self, path: str, accept: str = "", **query: str) -> Iterator[Any]:
        """The events of a watch, each when it is asked for."""
        response = self.send("GET", path, accept=accept, watch="true", **query)
        assert response.stream is not None, response.body
        return (json.loads(line) for line in response.stream)


def connect(**options: Any) -> Client:
    clock = Clock()
    store = Store(clock, log_size=LOG_SIZE)
    return Client(Api(store, elapsed=clock.elapsed, **options).handle, store, clock)


def rollout(name: str = "demo", **spec: Any) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "app:v1"}]},
            },
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
            **spec,
        },
    }


def deployment(name: str = "web", **spec: Any) -> Object:
    return {
        **rollout(name),
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "app:v1"}, {"name": "side", "image": "side:v1"}]},
            },
            **spec,
        },
    }


def on_a_node(made: Object) -> Object:
    return {**made, "spec": {**made["spec"], "nodeName": "sandbox"}}


def pod(name: str, labels: dict[str, str] | None = None, **more: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
        "spec": {"containers": [{"name": "app", "image": "app:v1"}]},
        **more,
    }
