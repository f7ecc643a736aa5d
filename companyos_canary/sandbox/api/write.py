"""Writes: create, replace, patch, scale, delete. Rules come first, then one write to the store."""

import json
import random
from collections.abc import Callable

from msgspec import Struct

from companyos_canary.model.http import Json, Response
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.api.admission import admitted, check_identity, check_name, new_object
from companyos_canary.sandbox.api.answer import Form, ok, success
from companyos_canary.sandbox.api.apply import applied, check_typed, read_configuration
from companyos_canary.sandbox.api.call import Call, media_type, read_object, twice_named
from companyos_canary.sandbox.api.discovery import forget_objects
from companyos_canary.sandbox.api.managed_fields import Manager, updated
from companyos_canary.sandbox.api.patch import APPLY, patched
from companyos_canary.sandbox.api.read import scale_of, scaled
from companyos_canary.sandbox.api.selectors import selected
from companyos_canary.sandbox.api.validation import check_change, check_same, check_shape
from companyos_canary.sandbox.kinds import CRD, NAMESPACE
from companyos_canary.sandbox.objects import (
    ApiStatus,
    Object,
    bad_request,
    forbidden_without_a_reason,
    method_not_allowed,
    not_found,
)
from companyos_canary.sandbox.store import Propagation, Store

Refuse = Callable[[Object], str | None]
_ATTEMPTS = 5


class Writer(Struct, frozen=True):
    """`refuse` says of an object why the sandbox will not take it (None: it will), `may_create` whether the user may
    create what an apply would."""

    store: Store
    refuse: Refuse
    may_create: Callable[[Call], bool]

    def create(self, call: Call) -> Response:
        if call.name and not (call.kind is NAMESPACE and call.subresource == "finalize"):
            raise method_not_allowed()
        twice = _refuse_twice(call)
        obj = new_object(call, read_object(call.request), random)
        return self._create(call, obj, self._manager(call, "Update"), twice)

    def _create(self, call: Call, obj: Object, manager: Manager, told: tuple[str, ...] = ()) -> Response:
        namespace = obj["metadata"].get("namespace", "")
        if namespace and self.store.get(NAMESPACE, "", namespace) is None:
            raise not_found(NAMESPACE, namespace)
        obj, warnings = admitted(call, obj, self.refuse)
        if manager.operation == "Update":
            obj = updated(call.kind, None, obj, manager)
        created = self.store.create(call.kind, obj, dry_run=call.dry_run)
        return self._answer(call, created, 201, (*told, *warnings))

    def replace(self, call: Call) -> Response:
        twice = _refuse_twice(call)
        body = read_object(call.request)
        old = self.store.read(call.kind, call.namespace, call.name)
        if call.subresource == "scale":
            body = scaled(call.kind, old, body)
        check_identity(call, body)
        expect = body["metadata"].get("resourceVersion", "")
        if not expect and call.kind.group.endswith("argoproj.io"):
            raise ApiStatus(
                422,
                "Invalid",
                f'{call.kind.resource} "{call.name}" is invalid: metadata.resourceVersion: '
                "Invalid value: 0x0: must be specified for an update",
            )
        return self._update(call, old, body, self._manager(call, "Update"), expect, told=twice)

    def patch(self, call: Call) -> Response:
        """Reads, patches and writes, again where someone wrote in between and the patch itself
        does not insist on a resourceVersion."""
        for attempt in range(_ATTEMPTS):
            old = self.store.get(call.kind, call.namespace, call.name)
            if media_type(call.request) == APPLY:
                return self._apply(call, old)
            if old is None:
                raise not_found(call.kind, call.name)
            base = scale_of(old) if call.subresource == "scale" else old
            new = patched(call, base)
            if call.subresource == "scale":
                new = scaled(call.kind, old, new)
            check_identity(call, new)
            check_same(call.kind, old, new)
            expect = new["metadata"].get("resourceVersion", "")
            own = expect not in ("", old["metadata"]["resourceVersion"])
            try:
                return self._update(call, old, new, self._manager(call, "Update"), expect)
            except ApiStatus as error:
                if error.code != 409 or own or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def _apply(self, call: Call, old: Object | None) -> Response:
        manager = self._manager(call, "Apply")
        configuration = read_configuration(call)
        if old is None and call.subresource:
            raise not_found(call.kind, call.name)
        check_typed(call.kind, configuration)
        new = applied(call.kind, old, configuration, manager, force=call.flag("force"))
        if old is None:
            check_name(call.kind, call.name)
            if not self.may_create(call):
                raise forbidden_without_a_reason(call.kind, call.name)
            return self._create(call, new, manager)
        return self._update(call, old, new, manager, new["metadata"].get("resourceVersion", ""))

    def _update(
        self, call: Call, old: Object, new: Object, manager: Manager, expect: str, *, told: tuple[str, ...] = ()
    ) -> Response:
        warnings: tuple[str, ...] = ()
        if call.subresource == "status":
            new, warnings = check_shape(call.kind, new, call.field_validation, "status", patched=call.is_patch)
        else:
            check_change(call.kind, old, new)
            new, warnings = admitted(call, new, self.refuse)
        if manager.operation == "Update":
            new = updated(call.kind, old, new, manager)
        written = self.store.update(
            call.kind, new, status_only=call.subresource == "status", expect=expect, dry_run=call.dry_run
        )
        return self._answer(call, written, 200, (*told, *warnings))

    def delete(self, call: Call) -> Response:
        options = read_object(call.request)
        preconditions = options.get("preconditions") or {}
        dry_run = call.dry_run or options.get("dryRun") == ["All"]
        gone = self.store.delete(
            call.kind,
            call.namespace,
            call.name,
            propagation=_propagation(call, options),
            uid=preconditions.get("uid") or "",
            expect=preconditions.get("resourceVersion") or "",
            dry_run=dry_run,
        )
        if not dry_run and self.store.get(call.kind, call.namespace, call.name):
            return ok(gone)
        if call.kind is CRD and not dry_run:
            forget_objects(self.store, call.name)
        return ok(success(call.kind, call.name, gone["metadata"]["uid"]))

    def evict(self, call: Call) -> Response:
        """Deletes a pod as its Eviction asks; there are no disruption budgets here."""
        body = read_object(call.request)
        options = body.get("deleteOptions") or {}
        preconditions = options.get("preconditions") or {}
        dry_run = call.dry_run or options.get("dryRun") == ["All"]
        self.store.delete(
            call.kind,
            call.namespace,
            call.name,
            uid=preconditions.get("uid") or "",
            expect=preconditions.get("resourceVersion") or "",
            dry_run=dry_run,
        )
        return ok({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)

    def delete_collection(self, call: Call) -> Response:
        options, test = read_object(call.request), selected(call)
        gone = [obj for obj in self.store.items(call.kind, call.namespace) if test(obj)]
        for obj in gone:
            meta = obj["metadata"]
            if self.store.get(call.kind, meta.get("namespace", ""), meta["name"]):
                self.store.delete(
                    call.kind,
                    meta.get("namespace", ""),
                    meta["name"],
                    propagation=_propagation(call, options),
                    dry_run=call.dry_run,
                )
        meta = {"resourceVersion": str(self.store.version)}
        return ok(Form("object").many(call.kind, gone, "", meta))

    def _manager(self, call: Call, operation: str) -> Manager:
        now = format_time(self.store.now())
        return Manager(call.manager, operation, call.kind.api_version, call.subresource, now)

    def _answer(self, call: Call, obj: Object, status: int, warnings: tuple[str, ...]) -> Response:
        if call.subresource == "scale":
            return ok(scale_of(obj), status)
        form = Form.of(call.request)
        told = ", ".join(f"299 - {json.dumps(warning)}" for warning in warnings)
        headers = {"Warning": told} if told else {}
        shown = form.one(call.kind, obj, format_time(self.store.now()))
        return ok(shown, status, headers)


def _refuse_twice(call: Call) -> tuple[str, ...]:
    """400 under Strict for fields that the body names twice, else warnings about them."""
    validation, kind = call.field_validation, call.kind
    told = tuple(f'duplicate field "{path}"' for path in twice_named(call.request.body))
    if told and validation == "Strict":
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"strict decoding error: {', '.join(told)}"
        )
    return () if validation == "Ignore" else told


def _propagation(call: Call, options: Json) -> Propagation:
    value = call.request.parameter("propagationPolicy") or options.get("propagationPolicy")
    if options.get("orphanDependents"):
        return "Orphan"
    for known in ("Background", "Foreground", "Orphan"):
        if value == known:
            return known
    if not value:
        return "Background"
    raise bad_request(f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: "{value}"')
