"""An API server of one kind in memory: its log, and an answer to every request."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from companyos_canary.model.http import Request, Response

Change = tuple[int, Literal["ADDED", "MODIFIED", "DELETED"], dict[str, Any]]


def line(kind: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def failure(code: int, reason: str = "", **headers: str) -> Response:
    return Response(code, headers, json.dumps(status(code, reason)).encode())


def status(code: int, reason: str = "") -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": f"fault {code}"}


@dataclass
class FakeApi:
    """`objects` by name; `log` since `compacted`."""

    version: int = 10
    compacted: int = 0
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def put(self, name: str, **fields: Any) -> None:
        self.version += 1
        born = self.objects[name]["metadata"]["uid"] if name in self.objects else f"u{self.version}"
        meta = {"name": name, "uid": born, "resourceVersion": str(self.version)}
        kind: Literal["ADDED", "MODIFIED"] = "MODIFIED" if name in self.objects else "ADDED"
        self.objects[name] = {"metadata": meta, **fields}
        self.log.append((self.version, kind, self.objects[name]))

    def delete(self, name: str) -> None:
        if old := self.objects.pop(name, None):
            self.version += 1
            meta = {**old["metadata"], "resourceVersion": str(self.version)}
            self.log.append((self.version, "DELETED", {**old, "metadata": meta}))

    def forget(self) -> None:
        """Compacts the log: watches from before are Gone."""
        self.compacted = self.version

    def list(self) -> Response:
        meta = {"resourceVersion": str(self.version)}
        body = {"metadata": meta, "items": list(self.objects.values())}
        return Response(200, {}, json.dumps(body).encode())

    def since(self, version: int) -> bytes:
        """What a watch sends at first."""
        if version < self.compacted:
            return line("ERROR", status(410, "Expired"))
        return b"".join(line(kind, obj) for v, kind, obj in self.log if v > version)

    def bookmark(self) -> bytes:
        return line("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})
