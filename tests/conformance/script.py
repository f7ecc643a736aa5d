"""The Prometheus of a scenario: answers by query text, one after the other, the last for ever."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from companyos_canary.model.http import Request, Response
from tests.provider import Later

ADDRESS = "http://prometheus.test:9090"


class Script:
    """`note` is known about every question."""

    def __init__(self, now: Callable[[], datetime], note: Callable[[dict[str, Any]], None]) -> None:
        self._now = now
        self._note = note
        self._answers: dict[str, list[Any]] = {}
        self._asked: Counter[str] = Counter()

    def set(self, query: str, answers: Any) -> None:
        self._answers[query] = answers if isinstance(answers, list) else [answers]
        self._asked[query] = 0

    def __call__(self, request: Request, address: str) -> Response | Later:
        query = parse_qs(request.body.decode()).get("query") or [request.parameter("query")]
        text = query[0]
        answers = self._answers.get(text, [{"vector": []}])
        self._asked[text] += 1
        answer = answers[min(self._asked[text], len(answers)) - 1]
        self._note({"prometheus": text, "asked": self._asked[text], "answer": answer})
        wanted = answer if isinstance(answer, dict) else {"scalar": answer}
        if "hang" in wanted:
            return Later(timedelta(seconds=wanted["hang"]), self._success("vector", []))
        return self._response(wanted)

    def _response(self, answer: dict[str, Any]) -> Response:
        at = self._now().timestamp()
        if "http" in answer:
            text = answer.get("body", "internal server error")
            return Response(answer["http"], {"Content-Type": "text/plain"}, text.encode())
        if "error" in answer:
            body = {"status": "error", "errorType": "execution", "error": answer["error"]}
            return _json(422, body)
        if "matrix" in answer:
            return self._success(
                "matrix",
                [
                    {"metric": {"i": str(i)}, "values": [[at, str(v)] for v in values]}
                    for i, values in enumerate(answer["matrix"])
                ],
            )
        if "vector" in answer:
            return self._success(
                "vector", [{"metric": {"i": str(i)}, "value": [at, str(v)]} for i, v in enumerate(answer["vector"])]
            )
        return self._success("scalar", [at, str(answer["scalar"])])

    def _success(self, kind: str, result: Any) -> Response:
        return _json(200, {"status": "success", "data": {"resultType": kind, "result": result}})


def _json(status: int, body: Any) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(body).encode())
