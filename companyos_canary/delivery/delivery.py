"""A message to one recipient: the exchange with its service, retries, and what the service said."""

from collections.abc import Callable

from msgspec import Struct

from companyos_canary.delivery.hiding import Hidden
from companyos_canary.delivery.message import Destination, Parcel, Retrying, Sending
from companyos_canary.delivery.services import SERVICES
from companyos_canary.errors import CanaryError, Unauthenticated, Uncertain, Unreachable
from companyos_canary.model.http import Response

_DENIED = ("account_inactive", "invalid_auth", "missing_scope", "not_authed", "token_expired", "token_revoked")


class Delivered(Struct, frozen=True):
    """Who answered, with which status (HTTP's, or SMTP's), and the words of the answer on one line, nothing secret in
    them."""

    recipient: str
    service: str
    server: str
    status: int
    answer: str


class Ways(Struct, frozen=True):
    """How a parcel goes over the network, and how to wait; `timeout` is in seconds for one request."""

    carry_out: Callable[[Parcel, float], Response]
    sleep: Callable[[float], None]
    timeout: float


def deliver(kind: str, sending: Sending, hidden: Hidden, ways: Ways) -> Delivered:
    """Sends it. Raises Unauthenticated, Unreachable, Uncertain (it may have arrived), or CanaryError with what the
    service said."""
    exchange = SERVICES[kind](sending)
    parcel = next(exchange)
    while True:
        known = hidden.and_headers(parcel.headers)
        answer = _answered(parcel, sending, known, ways)
        said = known.line(answer.body.decode("utf-8", "replace"))
        server = known.line(parcel.place)
        try:
            parcel = exchange.send(answer)
        except StopIteration:
            return Delivered(str(sending.to), kind, server, answer.status, said)


def _answered(parcel: Parcel, sending: Sending, hidden: Hidden, ways: Ways) -> Response:
    """The answer that lets it continue."""
    server, to = hidden.line(parcel.place), sending.to
    limit = min(ways.timeout, parcel.timeout or ways.timeout)
    tries = 0
    while True:
        tries += 1
        try:
            answer = ways.carry_out(parcel, limit)
        except Unreachable as error:
            if parcel.has_next:
                return Response(0)
            if error.sent:
                raise Uncertain(
                    f"`{to}`: {server} {error.message}: the message may have arrived",
                    hint="look there before you send it again",
                ) from None
            if (pause := _pause(parcel.retrying, tries)) is None:
                raise Unreachable(
                    f"`{to}` was not sent: {server} {error.message}{_times(tries)}", hint=_check(to.service)
                ) from None
        else:
            if parcel.has_next or parcel.accepts(answer):
                return answer
            again = answer.status == 429 or (answer.status >= 500 and answer.status != 501)
            if not again or (pause := _pause(parcel.retrying, tries)) is None:
                raise _refused(parcel, answer, hidden, to, tries)
        ways.sleep(pause)


def _pause(retrying: Retrying | None, tries: int) -> float | None:
    """Seconds before the next request; None if there is none."""
    if retrying is None or tries > retrying.most:
        return None
    return min(retrying.shortest * 2.0 ** (tries - 1), retrying.longest)


def _refused(parcel: Parcel, answer: Response, hidden: Hidden, to: Destination, tries: int) -> CanaryError:
    server = hidden.line(parcel.place)
    said = hidden.line(answer.body.decode("utf-8", "replace"))
    denied = answer.status in parcel.denied or any(f'"{word}"' in said for word in _DENIED)
    kind = Unauthenticated if denied else CanaryError
    shown = f"{answer.status}{_times(tries)}{f': {said}' if said else ''}"
    return kind(f"`{to}` was not sent: {server} answered {shown}", hint=_check(to.service))


def _times(tries: int) -> str:
    return f" ({tries} requests)" if tries > 1 else ""


def _check(service: str) -> str:
    return f"check service `{service}` in the ConfigMap, the values of the Secret, and the recipient"
