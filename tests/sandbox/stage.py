"""One Rollout in a fresh cluster on a clock that jumps; verbs as the plugin sends them."""

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from companyos_canary.argo.phase import shown_phase
from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import REVISION
from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.behaviour import PROMPT, V1_9, Pace, Release
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.controller.passes import Ask
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, EVENT, POD, REPLICASET, ROLLOUT, Kind
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.store import Store
from tests.clock import Clock
from tests.provider import FunctionProvider

NS = "default"
NAME = "companyos-api"
LABELS = {"app": NAME}
Json = dict[str, Any]


class Stage:
    """`answers` are the values of queries, one for ever (None: no series); they may be changed while
    it runs. `asked` are the questions."""

    def __init__(
        self,
        steps: list[Json] | None = None,
        replicas: int | None = 5,
        release: Release = V1_9,
        pace: Pace = PROMPT,
        ask_plugin: Ask | None = None,
        **more: Any,
    ):
        self.clock = Clock()
        self.store = Store(self.clock)
        self.answers: dict[str, float | None] = {}
        self.asked: list[Request] = []
        provider = FunctionProvider(self._answer, self.clock)
        self.cluster = Cluster(
            self.store, provider=provider, traffic=provider, release=release, pace=pace, ask_plugin=ask_plugin
        )
        canary = {"steps": steps, **more.pop("canary", {})} if steps else more.pop("canary", {})
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": template("v1"),
            "strategy": {"canary": canary},
            **more,
        }
        self.store.create(ROLLOUT, {"metadata": {"name": NAME, "namespace": NS}, "spec": spec})

    # time

    def run(self, seconds: float = 5) -> None:
        end = self.clock() + timedelta(seconds=seconds)
        while (wake := self.cluster.settle(self.clock())) is not None and wake <= end:
            self.clock.to(wake)
        self.clock.to(end)
        self.cluster.settle(end)

    def act(self) -> None:
        """Only what happens at once."""
        self.cluster.settle(self.clock())

    # reading

    @property
    def rollout(self) -> Rollout:
        return Rollout.from_object(self.object)

    @property
    def object(self) -> Object:
        return self.store.read(ROLLOUT, NS, NAME)

    @property
    def phase(self) -> str:
        shown = shown_phase(self.rollout)
        return f"{shown.word} - {shown.message}" if shown.message else shown.word

    def sets(self) -> list[Object]:
        """By number of creation, of this Rollout."""
        found = self.store.items(REPLICASET, NS)
        return sorted(found, key=lambda s: self.born[s["metadata"]["uid"]])

    @property
    def born(self) -> dict[str, int]:
        return {c.object["metadata"]["uid"]: c.version for c in self.store.changes(100) if c.type == "ADDED"}

    def sizes(self) -> list[int]:
        return [s["spec"]["replicas"] for s in self.sets()]

    def images(self) -> list[str]:
        return [s["spec"]["template"]["spec"]["containers"][0]["image"] for s in self.sets()]

    def revisions(self) -> list[str]:
        return [s["metadata"]["annotations"][REVISION] for s in self.sets()]

    def runs(self) -> dict[str, str]:
        """Phase by name, without the Rollout's name and the hash."""
        return {
            r["metadata"]["name"].removeprefix(NAME).split("-", 2)[2]: (r.get("status") or {}).get("phase", "")
            for r in self.store.items(ANALYSISRUN, NS)
        }

    def pods(self, replicaset: Object) -> list[Object]:
        uid = replicaset["metadata"]["uid"]
        return [p for p in self.store.items(POD, NS) if p["metadata"]["ownerReferences"][0]["uid"] == uid]

    def events(self, reason: str) -> list[str]:
        return [
            c.object["message"]
            for c in self.store.changes(100)
            if c.kind is EVENT and c.object["reason"] == reason and c.type != "DELETED"
        ]

    def history(self, read: Callable[[Rollout], Any]) -> list[Any]:
        """What something of the Rollout has been, neighbours once."""
        seen: list[Any] = []
        for change in self.store.changes(100):
            if change.kind is ROLLOUT:
                value = read(Rollout.from_object(change.object))
                if not seen or seen[-1] != value:
                    seen.append(value)
        return seen

    # writing

    def template(self, name: str, **metric: Any) -> None:
        spec = {
            "metrics": [
                {
                    "name": name,
                    "interval": "1s",
                    "count": 3,
                    "successCondition": "result[0] > 0.9",
                    "provider": {"prometheus": {"address": "http://prometheus:9090", "query": name}},
                    **metric,
                }
            ]
        }
        self.create(ANALYSISTEMPLATE, name, {"spec": spec})

    def create(self, kind: Kind, name: str, obj: Json) -> None:
        self.store.create(kind, {"metadata": {"name": name, "namespace": NS}, **obj})

    def edit(self, change: Callable[[Object], None]) -> None:
        new = copy.deepcopy(self.object)
        change(new)
        self.store.update(ROLLOUT, new)

    def status(self, **fields: Any) -> None:
        """A merge patch of the status: None removes."""
        status = {**self.object["status"], **fields}
        status = {k: v for k, v in status.items() if v is not None}
        self.store.update(ROLLOUT, {**self.object, "status": status}, status_only=True)

    def set_image(self, tag: str) -> None:
        self.edit(lambda r: r["spec"].update(template=template(tag)))

    def set_paused(self, paused: bool) -> None:
        self.edit(lambda r: r["spec"].update(paused=paused))

    def promote(self) -> None:
        if self.rollout.pause_conditions:
            self.status(pauseConditions=None)
        else:
            index, count = self.rollout.step_index or 0, len(self.rollout.steps)
            self.status(currentStepIndex=min(index + 1, count))

    def abort(self) -> None:
        self.status(abort=True)

    def retry(self) -> None:
        self.status(abort=False)

    def restart(self) -> None:
        self.edit(lambda r: r["spec"].update(restartAt=format_time(self.clock())))

    def _answer(self, request: Request, address: str) -> Response:
        self.asked.append(request)
        value = self.answers[parse_qs(request.body.decode())["query"][0]]
        sample = {"metric": {}, "value": [self.clock().timestamp(), str(value)]}
        data = {"resultType": "vector", "result": [] if value is None else [sample]}
        return Response(200, {}, json.dumps({"status": "success", "data": data}).encode())


def template(tag: str, **labels: str) -> Json:
    return {
        "metadata": {"labels": {**LABELS, **labels}},
        "spec": {"containers": [{"name": NAME, "image": f"{NAME}:{tag}"}]},
    }
