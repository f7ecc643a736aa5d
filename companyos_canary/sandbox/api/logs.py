"""Container logs: a few simulated lines."""

from collections.abc import Callable

from companyos_canary.model.http import Response
from companyos_canary.sandbox.api.call import Call
from companyos_canary.sandbox.store import Store


def answer(store: Store, call: Call, elapsed: Callable[[], float]) -> Response:
    store.read(call.kind, call.namespace, call.name)
    return Response(200, {"Content-Type": "text/plain"}, b"")
