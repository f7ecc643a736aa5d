"""One cluster and namespace: Rollouts and what belongs to them, read and changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Unpack

from msgspec import Struct, field
from msgspec.structs import replace

from companyos_canary.argo.actions import Author, event
from companyos_canary.argo.pods import told_by_events, with_pod_events
from companyos_canary.cluster import kinds
from companyos_canary.cluster.errors import PAGE, raise_for
from companyos_canary.cluster.kinds import DEPLOYMENT, EVENT, POD, ROLLOUT, Kind, known, path_of
from companyos_canary.cluster.requests import (
    FIELD_MANAGER,
    PatchOptions,
    apply_request,
    create_request,
    delete_request,
    patch_request,
    review_request,
    rules_request,
)
from companyos_canary.errors import (
    CanaryError,
    CrdMissing,
    Forbidden,
    Invalid,
    NotAskedFor,
    NotFound,
    ServerError,
    Unauthenticated,
    Uncertain,
    Unreachable,
)
from companyos_canary.model.http import Json, Request, Response, Stream, Transport
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.shape import has_name, misfits, readable
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, ReplicaSet

_HASHES = 100  # in one selector: a proxy may refuse a longer address
_SHORTEST = 0.1  # seconds for a request, where the time is almost over
EVENT_TIMEOUT = 2.0  # seconds: what is said next to a change keeps no one waiting


class _List(Struct):
    """A list that another thread may ask for: what comes of it, or what it raised, is kept until it is read."""

    ask: Callable[[], list[Json]]
    _found: list[Json] = field(default_factory=list)
    _error: Exception | None = None

    def fetch(self) -> None:
        try:
            self._found = self.ask()
        except Exception as error:
            self._error = error

    def fetched(self) -> list[Json]:
        if self._error is not None:
            raise self._error
        return self._found


class Cluster:
    """Every method raises the CanaryErrors of `cluster.errors.check` and Unreachable; one that changes
    something also Uncertain. What is read is read again each time; `timeout` (seconds) is that of
    one request. `written` counts the changes that were accepted, or may have been; `left` says how
    many seconds the command may still take, `author` who runs it. `server_time` is what the newest
    answer said, by the server's own clock. `unread` names the fields that hold something else than
    they can. `together` does works in parallel: the lists of a Snapshot are asked for at the same time then, and read
    in their order all the same (docs/decisions/lists.md)."""

    def __init__(self, transport: Transport, namespace: str, context: str = "", *, timeout: float = 30.0) -> None:
        self.transport = transport
        self.namespace = namespace
        self.context = context
        self.timeout = timeout
        self.written = 0
        self.left: Callable[[], float] | None = None
        self.server_time: datetime | None = None
        self.author: Callable[[], Author] | None = None
        self.unread: dict[str, None] = {}
        self.together: Callable[[Sequence[Callable[[], None]]], None] | None = None

    def beside(self) -> "Cluster":
        """The same cluster for another command that runs at the same time: its own time and count of changes."""
        other = self.elsewhere(self.namespace)
        other.author, other.together = self.author, self.together
        return other

    def elsewhere(self, namespace: str) -> "Cluster":
        """The same cluster, another namespace."""
        return Cluster(self.transport, namespace, self.context, timeout=self.timeout)

    def rollout(self, name: str) -> Rollout:
        """One request. Raises NotFound, CrdMissing."""
        path = path_of(ROLLOUT.api_version, ROLLOUT.plural, self.namespace, name)
        return Rollout.from_object(self._asked_for(self._get(path), ROLLOUT.kind, name))

    def rollouts(self, *, all_namespaces: bool = False, labels: str = "") -> tuple[Rollout, ...]:
        """All Rollouts by namespace and name; one request. `labels` is a label selector."""
        place = "" if all_namespaces else self.namespace
        found = map(Rollout.from_object, self.items(kinds.Selection(ROLLOUT, place, labels)))
        return tuple(sorted(found, key=lambda r: (r.namespace, r.name)))

    def shown_replicasets(self, rollouts: Sequence[Rollout]) -> tuple[ReplicaSet, ...]:
        """Those whose hash these Rollouts, of one namespace or of several, show; a request for a hundred of them. None
        of those that cannot be read."""
        namespaces, found = {r.namespace for r in rollouts}, list[Json]()
        place = next(iter(namespaces)) if len(namespaces) == 1 else ""
        hashes = sorted({r.current_hash for r in rollouts})
        for start in range(0, len(hashes), _HASHES):
            some = f"{HASH_LABEL} in ({','.join(hashes[start : start + _HASHES])})"
            with suppress(CanaryError):
                found += self.items(kinds.Selection(kinds.REPLICASET, place, some))
        return tuple(map(ReplicaSet.from_object, found))

    def rollout_names(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.rollouts())

    def snapshot(self, rollout: Rollout | str, *, events: bool = True) -> Snapshot:
        """The Rollout (read first where a name is given) and what belongs to it: at most 6
        requests. What may not be listed becomes a note."""
        if isinstance(rollout, str):
            rollout = self.rollout(rollout)
        rollout = self.resolved(rollout)
        found: dict[Kind, list[Json]] = {}
        notes: list[str] = []
        forbidden: list[tuple[str, str]] = []
        parts = kinds.parts(rollout, events=events)
        for part, answer in zip(parts, self._lists(parts, rollout.resource_version), strict=True):
            try:
                found[part.kind] = answer()
            except (Forbidden, CrdMissing) as error:
                notes.append(error.message)
                if isinstance(error, Forbidden):
                    forbidden.append((part.kind.plural, error.message))
        return kinds.assemble(rollout, lambda kind: found.get(kind, []), notes=tuple(notes), forbidden=tuple(forbidden))

    def _lists(self, parts: Sequence[kinds.Selection], version: str) -> Sequence[Callable[[], list[Json]]]:
        """What gives the objects of each part, or raises. Nothing is asked for before its turn without `together`."""
        seen = ("0" if part.kind == kinds.EVENT else version for part in parts)
        lists = [_List(partial(self.items, part, seen=at)) for part, at in zip(parts, seen, strict=True)]
        if self.together is None:
            return [each.ask for each in lists]
        self.together([each.fetch for each in lists])
        return [each.fetched for each in lists]

    def with_words(self, snapshot: Snapshot, now: datetime) -> Snapshot:
        """With what events say of the pod of which they tell more than its status, if there is one: one request then.
        Nothing depends on it."""
        at = self.server_time or now
        pod = told_by_events(snapshot, at)
        if pod is None:
            return snapshot
        try:
            about = kinds.events_about(self.namespace, POD.kind, pod.name)
            return with_pod_events(snapshot, self.items(about), at)
        except CanaryError:
            return snapshot

    def resolved(self, rollout: Rollout) -> Rollout:
        """With a workloadRef: the Rollout with the containers and selector of its Deployment."""
        ref = rollout.workload_ref
        if not ref or not kinds.workload_of(rollout):
            return rollout
        try:
            deployment = self.object(DEPLOYMENT, ref["name"])
        except Forbidden:
            return rollout
        return kinds.with_workload(rollout, deployment)

    def events(self, kind: str, name: str) -> tuple[Event, ...]:
        """The events about one object of the namespace, as stored."""
        selection = kinds.events_about(self.namespace, kind, name)
        return tuple(map(Event.from_object, self.items(selection)))

    def object(self, kind: Kind, name: str) -> Json | None:
        """Any object as it is, from the namespace where its kind has one; None if there is none
        of that name."""
        path = path_of(kind.api_version, kind.plural, self.namespace if kind.namespaced else "", name)
        try:
            return self._asked_for(self._get(path), "", name)
        except CrdMissing:
            raise
        except NotFound:
            return None

    def items(self, selection: kinds.Selection, *, seen: str = "") -> list[Json]:
        """The objects of a selection as they are; the newest ones, or with `seen` those that the server has at hand,
        no older than that resourceVersion (`0`: of any age). A list of the newest ones makes etcd read every object of
        the kind in the namespace, whatever the selector."""
        at_hand = (("resourceVersion", seen), ("resourceVersionMatch", "NotOlderThan")) if seen else ()
        request = selection.request(*at_hand, timeout=self.timeout)
        try:
            answer = self.send(request)
        except ServerError as error:
            if not seen or "Too large resource version" not in error.message:
                raise
            return self.items(selection)  # what it has at hand is older: kinds may be kept apart, as Events are
        if answer.get("kind") != f"{selection.kind.kind}List":
            raise _another(request, answer)
        items = answer.get("items")
        listed = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        found = [self._readable(item, selection.kind.kind) for item in listed]
        return [item for item in found if has_name(item)]

    def patch(
        self, kind: Kind, name: str, body: Mapping[str, Any] | Sequence[Mapping[str, Any]], **how: Unpack[PatchOptions]
    ) -> Json:
        """Sends a patch once and returns the object after it. A failed `test` of a JSON patch is
        Stale, a resourceVersion that is no longer there Conflict."""
        return self._changed(patch_request(kind, self.namespace, name, body, **how), kind.kind, name)

    def apply(
        self, obj: Mapping[str, Any], *, dry_run: bool = False, force: bool = False, field_manager: str = FIELD_MANAGER
    ) -> Json:
        """Server-side apply; returns the object after it. Invalid for a kind that neither we nor
        the server know."""
        kind = known(obj.get("apiVersion", ""), obj.get("kind", "")) or self._discovered(obj)
        request = apply_request(obj, kind, self.namespace, dry_run=dry_run, force=force, field_manager=field_manager)
        return self._changed(request, kind.kind, (obj.get("metadata") or {}).get("name", ""))

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """Sends a new object once, with a name or a generateName, and returns it as it is then. Conflict if one of that
        name exists; fields that the server does not know are refused."""
        kind = known(obj.get("apiVersion", ""), obj.get("kind", "")) or self._discovered(obj)
        meta = obj.get("metadata") or {}
        request = create_request(obj, kind, meta.get("namespace") or self.namespace, dry_run=dry_run, strict=True)
        return self._changed(request, kind.kind, meta.get("name") or "")

    def delete(self, kind: Kind, name: str, uid: str) -> None:
        """Deletes the object of that name if it still is the one of that uid."""
        self.send(delete_request(kind, self.namespace, name, uid))

    def may(
        self, verb: str, plural: str, *, group: str = "", subresource: str = "", name: str = "", user: str = ""
    ) -> bool:
        """Whether the user is permitted to do this in the namespace (`kubectl auth can-i`), to the object of that
        name or to any; or another `user`."""
        wanted = {
            **({"name": name} if name else {}),
            "namespace": self.namespace,
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": subresource,
        }
        answer = self.send(review_request(wanted, user))
        return bool((answer.get("status") or {}).get("allowed"))

    def rules(self) -> list[Any] | None:
        """The rules that hold for the user in the namespace, in one request; None if the server does not tell all of
        them, or not now."""
        try:
            answer = self.send(rules_request(self.namespace))
        except CanaryError:
            return None
        status = answer.get("status")
        rules = status.get("resourceRules") if isinstance(status, dict) else None
        whole = isinstance(status, dict) and not status.get("incomplete") and not status.get("evaluationError")
        return rules if isinstance(rules, list) and whole else None

    def leave_event(self, rollout: Rollout, verb: str, reason: str, at: datetime) -> None:
        """Says on the Rollout who made a change that was accepted. Nothing depends on it: without the right to
        create events, or without an answer, it is left out."""
        if self.author is None:
            return
        request = create_request(event(rollout, self.author(), verb, reason, at), EVENT, self.namespace)
        with suppress(CanaryError):
            self.send(replace(request, timeout=EVENT_TIMEOUT))

    def log(self, pod: str, *options: tuple[str, str], silence: float = 3600.0) -> Stream:
        """The log of a pod as a stream; `options` as the API server names them (`container`,
        `follow`, `tailLines`, `sinceSeconds`, `previous`, `timestamps`). Only one that is followed
        may take longer than other answers."""
        path = path_of("v1", "pods", self.namespace, pod, "log")
        if ("follow", "true") not in options:
            request = self._in_time(Request("GET", path, options, timeout=self.timeout))
            return _Whole(_log_of(self.transport.send(request), request).body)
        request = Request("GET", path, options, timeout=silence)
        response = _log_of(self.transport.stream(request), request)
        return response.stream or _Whole(response.body)

    def version(self) -> Json:
        """The server's `/version`."""
        return self.send(self._get("/version"))

    def resources(self, api_version: str) -> tuple[str, ...]:
        """The plurals that the server knows of a group version; none if it does not know it."""
        return tuple(str(r.get("name")) for r in self._resources(api_version))

    def _resources(self, api_version: str) -> list[Json]:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            found = self.send(self._get(path)).get("resources") or []
        except NotFound:
            return []
        return [r for r in found if isinstance(r, dict)]

    def schemas(self, api_version: str) -> dict[str, Json]:
        """The OpenAPI schema of each kind of a group version, by kind; none where the server does not tell them."""
        try:
            answer = self.send(self._get(f"/openapi/v3/apis/{api_version}"))
        except CanaryError:
            return {}
        components = answer.get("components")
        found = components.get("schemas") if isinstance(components, dict) else None
        return {
            str(named["kind"]): schema
            for schema in (found.values() if isinstance(found, dict) else ())
            if isinstance(schema, dict)
            for named in schema.get("x-kubernetes-group-version-kind") or ()
            if isinstance(named, dict) and named.get("kind")
        }

    def send(self, request: Request) -> Json:
        """Any request; the answer as a JSON object."""
        request = self._in_time(request)
        try:
            response = raise_for(self.transport.send(request), request)
        except Unauthenticated as error:
            if nameless := getattr(self.transport, "nameless", ""):
                raise Unauthenticated(f"the API server needs credentials: {nameless}", hint=error.hint) from error
            raise
        self._hear(response)
        try:
            return response.json()
        except (ValueError, RecursionError):
            raise _another(request, {}) from None

    def _in_time(self, request: Request) -> Request:
        """The request, which may take no longer than the command has left."""
        if self.left is None:
            return request
        return replace(request, timeout=min(request.timeout, max(self.left(), _SHORTEST)))

    def _hear(self, response: Response) -> None:
        """Keeps what time it is for the server."""
        try:
            at = parsedate_to_datetime(response.header("Date"))
        except (ValueError, OverflowError):
            return
        if at.tzinfo is not None:  # else no one knows which hour it was
            self.server_time = at

    def _changed(self, request: Request, kind: str, name: str) -> Json:
        """The one place that knows whether a change was accepted, or may have been. It is sent once;
        where no answer says outcome, that is Uncertain."""
        if request.parameter("dryRun"):
            return self._asked_for(request, kind, name)
        try:
            answer = self._asked_for(request, kind, name)
        except (Unreachable, ServerError, NotAskedFor) as error:
            if not _may_be_made(error):
                raise
            self.written += 1
            raise Uncertain(
                f"the change of {kind} `{name}` was sent, but {error.message}: it may have taken effect",
                hint="look with `canary status` before you repeat it",
                cause=error.message,
            ) from error
        self.written += 1
        return answer

    def _asked_for(self, request: Request, kind: str, name: str) -> Json:
        """The answer, which must be the object of that kind and name (any for ""): a proxy or a
        cut connection also answers 200."""
        answer = self.send(request)
        found, meta = answer.get("kind"), answer.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        place = meta.get("namespace")
        here = not place or f"/namespaces/{place}/" in request.path
        if (
            not meta.get("name")
            or name not in ("", meta.get("name"))
            or not here
            or not found
            or kind not in ("", found)
        ):
            raise _another(request, answer)
        return self._readable(answer, str(found))

    def _readable(self, obj: Json, kind: str) -> Json:
        """Without the fields that hold something else than they can; which those are is kept."""
        found = readable(obj, kind)
        if found is not obj:
            meta = found.get("metadata") or {}
            name = meta.get("name", "without a name") if isinstance(meta, dict) else ""
            self.unread |= {f"{kind} `{name}`: {field}": None for field in misfits(obj, kind)}
        return found

    def close(self) -> None:
        self.transport.close()

    def _get(self, path: str) -> Request:
        return Request("GET", path, timeout=self.timeout)

    def _discovered(self, obj: Mapping[str, Any]) -> Kind:
        api_version, name = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
        for r in self._resources(api_version):
            if r.get("kind") == name and "/" not in r.get("name", "/"):
                return Kind(api_version, name, r["name"], bool(r.get("namespaced")))
        raise Invalid(f"the cluster does not know the kind `{name}` of `{api_version}`")


def _another(request: Request, answer: Json) -> NotAskedFor:
    """The error for an answer that is not what was asked for."""
    kind = answer.get("kind")
    what = f"a `{kind}`" if isinstance(kind, str) and kind else "not a Kubernetes object"
    return NotAskedFor(
        f"the answer to `{request.path}` is {what}, not what was asked for",
        hint="a proxy may have answered in place of the API server",
    )


def _may_be_made(error: CanaryError) -> bool:
    """Whether the change that ended so may have been made: a server or a proxy that gives up on it
    (5xx) may have passed it on before."""
    if isinstance(error, Unreachable):
        return error.sent
    return not isinstance(error, ServerError) or error.status >= 500


def _log_of(response: Response, request: Request) -> Response:
    """A log may be any text, but the API server never sends it as a page."""
    found = raise_for(response, request)
    if found.header("content-type").startswith("text/html"):
        if found.stream:
            found.stream.close()
        raise ServerError(PAGE)
    return found


class _Whole:
    """A body that came at once, as a stream."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._body] if self._body else [])

    def close(self) -> None:
        self._body = b""
