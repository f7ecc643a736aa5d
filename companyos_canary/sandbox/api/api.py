"""The API server as a function: `Api.handle` answers a Request from the store, or hands it to the
function that represents a Service (`services/NAME:PORT/proxy/PATH`)."""

import time
from collections.abc import Callable, Mapping

from companyos_canary.model.http import READS, Request, Response
from companyos_canary.sandbox.api import access, discovery, logs, openapi, read
from companyos_canary.sandbox.api.answer import failure, ok, page_not_found
from companyos_canary.sandbox.api.call import Call, Handle, read_call
from companyos_canary.sandbox.api.impersonation import acting
from companyos_canary.sandbox.api.logs import proxied
from companyos_canary.sandbox.api.selectors import selected_name
from companyos_canary.sandbox.api.write import Refuse, Writer
from companyos_canary.sandbox.kinds import POD, SERVICE
from companyos_canary.sandbox.objects import ApiStatus, forbidden, method_not_allowed
from companyos_canary.sandbox.store import Store

_OF_CONTAINERS = ("attach", "ephemeralcontainers", "exec", "portforward", "proxy")


def _refuses_nothing(_: object) -> None:
    return None


class Api:
    """A Kubernetes API over a store, with the CRDs of Argo Rollouts and of traffic routers installed
    (delete them from the store, and the kinds are not served).

    `proxies`: what answers behind `services/NAME:PORT/proxy`, by `NAMESPACE/NAME:PORT`.
    `refuse`: why an object is not taken (None: it is), for what the sandbox does not emulate.
    `allowed`: the RBAC of the user who has the token, `rules` tells it by namespace.
    `log_line`: what a pod logs at a second (None: nothing).
    `elapsed`: a monotonic clock in seconds for watches.
    """

    def __init__(
        self,
        store: Store,
        *,
        proxies: Mapping[str, Handle] | None = None,
        refuse: Refuse = _refuses_nothing,
        allowed: access.Policy = access.everything,
        rules: access.Listed = access.all_rules,
        log_line: logs.LogLine = logs.access_line,
        elapsed: Callable[[], float] = time.monotonic,
        user: str = "sandbox",
    ) -> None:
        self.store = store
        discovery.install_definitions(store)
        self.proxies: dict[str, Handle] = dict(proxies or {})
        self._writer = Writer(store, refuse, self._may_create)
        self._owner = access.Asker(user, allowed=allowed, rules=rules)
        self._elapsed = elapsed
        self._log_line = log_line

    def handle(self, request: Request) -> Response:
        """Answers anything; failures are answers, too (`Status`)."""
        try:
            return self._answer(request)
        except ApiStatus as error:
            return failure(error)

    def _answer(self, request: Request) -> Response:
        path = request.path.rstrip("/") or "/"
        if path in ("/healthz", "/livez", "/readyz"):
            return Response(200, {"Content-Type": "text/plain; charset=utf-8"}, b"ok")
        asker = self._asker(request)
        if path == "/version":
            return ok(discovery.VERSION)
        if path == "/openapi/v2":
            return openapi.older(request)
        if path.startswith("/openapi/v3"):
            return openapi.answer(path) or page_not_found()
        if review := access.review(request, asker):
            return review
        if request.method in READS:
            found = discovery.document(request, self.store)
            if found:
                return ok(found[0], headers={"Content-Type": found[1]})
        call = read_call(request)
        if call is None or not discovery.is_served(self.store, call.kind):
            return page_not_found()
        if call.subresource and not _serves(call):
            return _not_emulated(call)
        _check_access(call, asker)
        return self._dispatch(call)

    def _asker(self, request: Request) -> access.Asker:
        return acting(request, self._owner, self.store)

    def _may_create(self, call: Call) -> bool:
        return self._asker(call.request).allowed(
            access.Attributes("create", call.kind.group, call.kind.plural, "", call.namespace, call.name)
        )

    def _dispatch(self, call: Call) -> Response:
        if call.subresource == "proxy":
            return proxied(self.store, call, self.proxies)
        if call.subresource == "log":
            return logs.answer(self.store, call, self._log_line)
        method = call.request.method
        if call.subresource == "eviction":
            if method == "POST":
                return self._writer.evict(call)
            raise method_not_allowed()
        if method in READS:
            return self._read(call)
        if method == "POST":
            return self._writer.create(call)
        if method == "DELETE" and not call.subresource:
            return self._writer.delete(call) if call.name else self._writer.delete_collection(call)
        if method in ("PUT", "PATCH") and call.name:
            return self._writer.replace(call) if method == "PUT" else self._writer.patch(call)
        raise method_not_allowed()

    def _read(self, call: Call) -> Response:
        if call.subresource == "scale":
            return read.get_scale(self.store, call)
        if call.verb == "watch":
            return read.watch(self.store, call, self._elapsed)
        return read.get(self.store, call) if call.name else read.list_(self.store, call)


def _check_access(call: Call, asker: access.Asker) -> None:
    attributes = access.Attributes(
        call.verb,
        call.kind.group,
        call.kind.plural,
        call.subresource,
        call.namespace,
        call.name or selected_name(call.request.parameter("fieldSelector")),
    )
    if not asker.allowed(attributes):
        raise forbidden(
            asker.user, call.verb, call.kind, namespace=call.namespace, name=call.name, subresource=call.subresource
        )


def _not_emulated(call: Call) -> Response:
    if call.kind is POD and call.subresource in _OF_CONTAINERS:
        raise ApiStatus(405, "MethodNotAllowed", f"the sandbox has no containers: `{call.subresource}` is not emulated")
    return page_not_found()


def _serves(call: Call) -> bool:
    if call.subresource in ("log", "eviction"):
        return call.kind is POD
    if call.subresource == "proxy":
        return call.kind is SERVICE
    if call.subresource == "finalize":
        return call.kind.plural == "namespaces"
    return call.subresource in call.kind.subresources
