"""The answers of a server on a bad day, in its words."""

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.answer import forbidden
from companyos_canary.sandbox.faults.effects import Answer, Html, call_of
from companyos_canary.sandbox.objects import ApiStatus

ANSWERS = {
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "the object has been modified; please apply your changes to the latest "
          "version and try again"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    422: ("Invalid", "the server rejected our request due to an error in our request"),
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try "
          "again later"),
    500: ("InternalError", "Internal error occurred: the sandbox was told to fail"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}  # fmt: skip
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"


def status(answer: Answer, request: Request) -> ApiStatus:
    """An Answer as the API server would put it for this request."""
    reason, message = ANSWERS.get(answer.code, ("Unknown", "an error on the server"))
    call = call_of(request)
    if answer.code == 403 and call and not answer.message:
        return forbidden(
            "sandbox", call.verb, call.kind, namespace=call.namespace, name=call.name,
            subresource=call.subresource,
        )  # fmt: skip
    if answer.code == 409 and call:
        message = f'Operation cannot be fulfilled on {call.kind.resource} "{call.name}": {message}'
    details = {} if answer.retry_after is None else {"retryAfterSeconds": answer.retry_after}
    return ApiStatus(answer.code, reason, answer.message or message, details)


def page(html: Html) -> Response:
    return Response(html.code, {"Content-Type": "text/html; charset=utf-8"}, _PAGE)
