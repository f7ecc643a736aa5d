"""The service proxy: `services/NAME:PORT/proxy/PATH` is handed to the function that stands for the
Service, and where there is none, the answer says why a real server could not reach it either."""

from collections.abc import Mapping
from dataclasses import replace

from companyos_canary.model.http import Response
from companyos_canary.sandbox.api.call import Call, Handle
from companyos_canary.sandbox.kinds import ENDPOINTS, POD, SERVICE
from companyos_canary.sandbox.objects import ApiStatus, is_ready, labels_match, not_found
from companyos_canary.sandbox.store import Store

_HOP = ("authorization", "connection", "host", "transfer-encoding")


def proxied(store: Store, call: Call, proxies: Mapping[str, Handle]) -> Response:
    """The answer of the service. `NAME:PORT` may be written `http:NAME:PORT`; 503 where nothing is
    behind it."""
    parts = call.name.split(":")
    target = ":".join(parts[1:] if len(parts) == 3 else parts)
    handle = proxies.get(f"{call.namespace}/{target}")
    if handle is None:
        raise _unreachable(store, call, target)
    headers = {k: v for k, v in call.request.headers.items() if k.lower() not in _HOP}
    return handle(replace(call.request, path=f"/{call.rest}", headers=headers))


def _unreachable(store: Store, call: Call, target: str) -> ApiStatus:
    """Why a Service cannot be reached, in the words of the real server."""
    name, _, port = target.partition(":")
    service = store.get(SERVICE, call.namespace, name)
    if service is None:
        return not_found(SERVICE if port.isdecimal() else ENDPOINTS, name)
    ports = service["spec"].get("ports") or []
    if port.isdecimal() and int(port) not in [p.get("port") for p in ports]:
        return _unavailable(f'no service port {port} found for service "{name}"')
    selector = service["spec"].get("selector")
    if not selector:  # its endpoints are no pods, and only pods are gone to
        return _unavailable(f'no endpoints available for service "{name}"')
    pods = [
        p
        for p in store.items(POD, call.namespace)
        if labels_match({"matchLabels": selector}, p["metadata"].get("labels") or {})
    ]
    ready = next((p["status"]["podIP"] for p in pods if is_ready(p)), None)
    found = next((p for p in ports if port in ("", p.get("name"), str(p.get("port")))), None)
    if ready is None or found is None:
        return _unavailable(f'no endpoints available for service "{name if ready is None else target}"')
    where = f"{ready}:{found.get('targetPort', found.get('port'))}"
    return _unavailable(f"error trying to reach service: dial tcp {where}: connect: connection refused")


def _unavailable(why: str) -> ApiStatus:
    return ApiStatus(503, "ServiceUnavailable", why)
