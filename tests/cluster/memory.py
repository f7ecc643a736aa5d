"""The sandbox's API as a transport that remembers what it was asked."""

import copy
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from companyos_canary.cluster.feed import Feed
from companyos_canary.model.http import Request, Response
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.kinds import ANALYSISRUN, DEPLOYMENT, EVENT, NAMESPACE, POD, REPLICASET, ROLLOUT, Kind
from companyos_canary.sandbox.store import Store
from tests import builders

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NS = builders.NAMESPACE
SOON = 60.0  # until what hangs is given up


class Recording:
    """A Transport over `handle`; `asked` are the requests so far."""

    def __init__(self, handle: Callable[[Request], Response]) -> None:
        self.handle = handle
        self.asked: list[Request] = []

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        return self.handle(request)

    def stream(self, request: Request) -> Response:
        return self.send(request)

    def close(self) -> None:
        pass


class World:
    """A store with the story of `builders`: one Rollout, two ReplicaSets, a few pods, a run, an
    event; and next to it strangers with the same labels."""

    def __init__(self, **rollout: Any) -> None:
        self.store = Store(lambda: NOW)
        self.create(NAMESPACE, {"metadata": {"name": NS}})
        self.rollout = self.create(ROLLOUT, builders.rollout_object(**rollout))
        for hash_, revision in ((builders.STABLE, 7), (builders.CANARY, 8)):
            obj = builders.replicaset_object(hash=hash_, revision=revision)
            owner = self.owned(REPLICASET, obj, self.rollout)
            for n in range(2):
                self.owned(POD, builders.pod_object(f"p{n}", hash=hash_), owner)
        run = builders.run_object()
        run["metadata"]["labels"]["app"] = builders.NAME
        self.owned(ANALYSISRUN, run, self.rollout)
        self.event("RolloutUpdated", self.rollout["metadata"]["uid"])
        stranger = builders.replicaset_object(hash="stranger")
        self.create(POD, builders.pod_object("s", hash="stranger"))
        self.create(REPLICASET, stranger)

    def create(self, kind: Kind, obj: dict[str, Any]) -> dict[str, Any]:
        return self.store.create(kind, obj)

    def owned(self, kind: Kind, obj: dict[str, Any], owner: dict[str, Any]) -> dict[str, Any]:
        obj = copy.deepcopy(obj)
        meta = owner["metadata"]
        obj["metadata"]["ownerReferences"] = [
            {"kind": owner["kind"], "name": meta["name"], "uid": meta["uid"], "controller": True}
        ]
        return self.create(kind, obj)

    def event(self, reason: str, uid: str, kind: str = "Rollout", name: str = builders.NAME) -> None:
        about = {"kind": kind, "name": name, "namespace": NS, "uid": uid}
        meta = {"name": f"{name}.{reason}.{len(reason)}", "namespace": NS}
        self.create(
            EVENT, {"metadata": meta, "involvedObject": about, "reason": reason, "type": "Normal", "message": reason}
        )

    def deployment(self, name: str) -> dict[str, Any]:
        template = builders.rollout_object()["spec"]
        spec = {k: template[k] for k in ("selector", "template")}
        return self.create(DEPLOYMENT, {"metadata": {"name": name, "namespace": NS}, "spec": spec})

    def change(self, **status: Any) -> None:
        """Writes into the Rollout's status."""
        obj = copy.deepcopy(self.store.read(ROLLOUT, NS, builders.NAME))
        obj["status"].update(status)
        self.store.update(ROLLOUT, obj, status_only=True)

    def transport(self, **options: Any) -> Recording:
        return Recording(Api(self.store, **options).handle)


def until(feed: Feed, true: Callable[[Snapshot], object]) -> Snapshot:
    """Waits for a Snapshot of which something is true."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        found = feed.snapshot()
        if found and true(found):
            return found
        feed.wait(end - time.monotonic())
    raise AssertionError(f"never came: {feed.snapshot()}")


def whole(snapshot: Snapshot) -> bool:
    return bool(snapshot.pods and snapshot.events and snapshot.runs)
