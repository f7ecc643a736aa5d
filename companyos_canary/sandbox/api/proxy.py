"""`services/NAME:PORT/proxy/PATH`: hands a request to the function that stands for the service."""

from collections.abc import Mapping
from dataclasses import replace

from companyos_canary.model.http import Response
from companyos_canary.sandbox.api.call import Call, Handle
from companyos_canary.sandbox.objects import ApiStatus, not_found

_HOP = ("authorization", "connection", "host", "transfer-encoding")


def proxied(call: Call, proxies: Mapping[str, Handle]) -> Response:
    """The answer of the service. `NAME:PORT` may be written `http:NAME:PORT`; 503 where the
    sandbox has nothing behind it."""
    parts = call.name.split(":")
    target = ":".join(parts[1:] if len(parts) == 3 else parts)
    handle = proxies.get(f"{call.namespace}/{target}")
    if handle is None:
        known = [key for key in proxies if key.startswith(f"{call.namespace}/")]
        if not known:
            raise not_found(call.kind, target.partition(":")[0])
        raise ApiStatus(503, "ServiceUnavailable", f'no endpoints available for service "{target}"')
    headers = {k: v for k, v in call.request.headers.items() if k.lower() not in _HOP}
    return handle(replace(call.request, path=f"/{call.rest}", headers=headers))
