"""Prometheus' HTTP API over the sandbox's samples; JSON and errors as version 2.42 gives them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from companyos_canary.model.http import Request, Response
from companyos_canary.promql import PromqlError, evaluate, evaluate_range
from companyos_canary.sandbox.metrics_form import Form, invalid
from companyos_canary.sandbox.metrics_json import result, target_entry
from companyos_canary.sandbox.tsdb import Target, Tsdb

MAX_POINTS = 11_000
_STATUS = {"bad_data": 400, "execution": 422}
_LABEL_VALUES = re.compile(r"/api/v1/label/([^/]*)/values")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_READ = ("GET", "OPTIONS")
_FORM = ("GET", "OPTIONS", "POST")
_PAGE = ("GET", "HEAD", "OPTIONS")
_EVER = (float("-inf"), float("inf"))


class MetricsApi:
    """`now` is the time of a query that names none; `targets` is what is scraped."""

    def __init__(
        self,
        tsdb: Tsdb,
        now: Callable[[], datetime],
        targets: Callable[[], Iterable[Target]] = tuple,
    ) -> None:
        self._tsdb = tsdb
        self._now = now
        self._targets = targets
        self._routes: dict[str, tuple[tuple[str, ...], Callable[[Form], Any]]] = {
            "/api/v1/query": (_FORM, self._query),
            "/api/v1/query_range": (_FORM, self._query_range),
            "/api/v1/labels": (_FORM, self._label_names),
            "/api/v1/series": (_FORM, self._series),
            "/api/v1/targets": (_READ, self._target_list),
            "/api/v1/status/buildinfo": (_READ, _buildinfo),
        }

    def handle(self, request: Request) -> Response:
        """Answers any request; never raises."""
        if request.path in ("/-/ready", "/-/healthy"):
            return _page(request)
        methods, answer = self._route(request.path)
        if answer is None:
            return _text(404, "404 page not found\n")
        if request.method not in methods:
            return _not_allowed(methods)
        if request.method == "OPTIONS":
            return Response(204)
        try:
            return _json(200, {"status": "success", "data": answer(Form(request))})
        except PromqlError as error:
            return _json(
                _STATUS[error.kind],
                {"status": "error", "errorType": error.kind, "error": error.message},
            )

    def _route(self, path: str) -> tuple[tuple[str, ...], Callable[[Form], Any] | None]:
        found = _LABEL_VALUES.fullmatch(path)
        if found:
            return _READ, lambda form: self._label_values(form, found[1])
        return self._routes.get(path, ((), None))

    def _query(self, form: Form) -> Any:
        at = form.time("time", self._now())
        form.timeout()
        text = form.query()
        return result(evaluate(text, at, self._tsdb.select), at)

    def _query_range(self, form: Form) -> Any:
        start, end = form.time("start"), form.time("end")
        if end < start:
            raise invalid("end", "end timestamp must not be before start time")
        step = form.duration("step")
        if step <= 0:
            raise invalid(
                "step",
                "zero or negative query resolution step widths are not accepted. "
                "Try a positive integer",
            )
        if (end - start) / step > MAX_POINTS:
            raise PromqlError(
                "bad_data",
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)",
            )
        form.timeout()
        return result(evaluate_range(form.query(), start, end, step, self._tsdb.select), end)

    def _label_names(self, form: Form) -> list[str]:
        return sorted({name for labels in self._selected(form) for name in labels})

    def _label_values(self, form: Form, name: str) -> list[str]:
        if not _LABEL_NAME.fullmatch(name):
            raise PromqlError("bad_data", f'invalid label name: "{name}"')
        return sorted({labels[name] for labels in self._selected(form) if name in labels})

    def _series(self, form: Form) -> list[Mapping[str, str]]:
        if not form.matches():
            raise PromqlError("bad_data", "no match[] parameter provided")
        return self._selected(form)

    def _selected(self, form: Form) -> list[Mapping[str, str]]:
        start, end = form.time("start", _EVER[0]), form.time("end", _EVER[1])
        found = {
            tuple(sorted(labels.items())): labels
            for matchers in form.matches() or [()]
            for labels in self._tsdb.series(matchers, start, end)
        }
        return [found[identity] for identity in sorted(found)]

    def _target_list(self, form: Form) -> Any:
        active = (
            [] if form.first("state") == "dropped" else [target_entry(t) for t in self._targets()]
        )
        return {"activeTargets": active, "droppedTargets": []}


def _buildinfo(_: Form) -> dict[str, str]:
    return {
        "version": "2.42.0",
        "revision": "sandbox",
        "branch": "sandbox",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }


def _page(request: Request) -> Response:
    if request.method not in _PAGE:
        return _not_allowed(_PAGE)
    word = "Ready" if request.path == "/-/ready" else "Healthy"
    return _text(200, f"Prometheus Server is {word}.\n")


def _not_allowed(methods: tuple[str, ...]) -> Response:
    return _text(405, "Method Not Allowed\n", {"Allow": ", ".join(methods)})


def _json(status: int, body: Any) -> Response:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(status, {"Content-Type": "application/json"}, text.encode())


def _text(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    shared = {"Content-Type": "text/plain; charset=utf-8"}
    return Response(status, {**shared, **(headers or {})}, text.encode())
