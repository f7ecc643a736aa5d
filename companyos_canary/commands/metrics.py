"""`canary metrics`: what Prometheus says now, over time, and how it is asked."""

from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated

import typer
from msgspec.structs import replace

from companyos_canary.actions.change import interrupted
from companyos_canary.actions.measure import ask, courses
from companyos_canary.actions.traffic import between_buckets, crowd, share_sentence
from companyos_canary.argo.picture import look
from companyos_canary.commands import base, scope
from companyos_canary.commands.options import a_duration
from companyos_canary.commands.session import Answer, Session, permitted
from companyos_canary.errors import CanaryError, ExitCode, NotFound, UsageError, exits, near
from companyos_canary.model.outcome import Warned
from companyos_canary.model.row import Output, Placed
from companyos_canary.model.snapshot import Live
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.prometheus.transport import service_of
from companyos_canary.render.questions import Question, questions
from companyos_canary.view import course, prometheus
from companyos_canary.view.chart import bars_in
from companyos_canary.view.ink import ink
from companyos_canary.view.machine import Failure
from companyos_canary.view.prometheus import Now
from companyos_canary.view.redraw import LiveScreen as Drawn


class Since(Placed, frozen=True, kw_only=True):
    """`metrics --since`."""

    at: datetime
    metrics: tuple[course.CourseRow, ...]


class Query(Placed, frozen=True, kw_only=True):
    """`metrics --query`; `link` is empty if no address is known, `stable_query` where there is
    no such question."""

    metric: str
    query: str
    stable_query: str
    link: str


_SECOND = timedelta(seconds=1)
EXAMPLES = (
    "canary metrics                     canary and stable now, limit, verdict",
    "canary metrics -w --every 10s      repeat until Ctrl-C",
    "canary metrics --since 1h          a chart of each metric with its limit",
    "canary metrics --query error-rate  the PromQL, and a link to Prometheus",
)
OUTPUT = Output((prometheus.NowRow, Since, Query), {"metrics": prometheus.NowRow, "error": Failure}, partial=True)
EXITS = exits(ExitCode.INTERRUPTED)
_NONE = "it has no metrics: no AnalysisRun, and no canary.yaml for it here"
_OTHERS = "none of its metrics asks Prometheus; `canary analysis` shows what its AnalysisRuns measured"
_NO_CANARY = "no update is in progress, so there are no canary pods to measure"


class _Asking:
    """Looks at a Rollout and at its Prometheus, as often as wanted."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.again()

    def again(self) -> None:
        """Reads the Rollout again."""
        session, resolved = self.session, self.session.resolved
        self.snapshot = session.cluster.snapshot(session.rollout, events=False)
        self.questions = questions(self.snapshot, resolved.settings)
        if not self.questions.metrics:
            permitted(self.snapshot, "analysisruns")
            if resolved.problem:
                raise resolved.problem

    @cached_property
    def prometheus(self) -> Prometheus:
        """The one of the first look; it remembers which way it could be reached."""
        return self.session.prometheus(self.questions.address)

    def look(self) -> tuple[Now, CanaryError | None]:
        """What there is, and why Prometheus did not say more."""
        session, snapshot, now = self.session, self.snapshot, self.session.runtime.clock.now()
        picture = look(snapshot, now, session.view_place(snapshot.rollout))
        live, error = Live(now, ""), None
        if self.questions.metrics:
            try:
                live = ask(self.prometheus, self.questions, now)
            except CanaryError as problem:
                address = self.prometheus.address
                live, error = Live(now, address, problem=problem.message), problem
        return Now(replace(picture, live=live), self.questions, live), error

    def scope(self, found: Now) -> Now:
        """With what is wrong where other services answer too, or another share is measured than is asked for; that is
        also said."""
        rollout, everybody = self.snapshot.rollout, self.questions.everybody
        if not everybody or found.live.problem:
            return found
        told = scope.warned(
            self.session, crowd(self.prometheus, everybody, rollout.name, rollout.namespace), rollout.name
        )
        if not told and (share := share_sentence(found.picture, everybody)):
            told = (Warned("share", share),)
        for warning in told:
            self.session.note(warning.message)
        self._boundaries()
        return replace(found, warnings=told)

    def _boundaries(self) -> None:
        """Says where the limit of the p95 is between two buckets."""
        with suppress(CanaryError):
            for said in between_buckets(self.prometheus, self.questions):
                self.session.note(said)

    @property
    def why_none(self) -> str:
        """Why there is nothing to ask Prometheus."""
        return _OTHERS if any(run.metrics for run in self.snapshot.runs) else _NONE

    def notes(self) -> tuple[str, ...]:
        rollout = self.snapshot.rollout
        if not self.questions.metrics:
            return (*self.snapshot.notes, f"{rollout.name}: {self.why_none}")
        idle = rollout.is_fully_promoted and rollout.observed
        return (*self.snapshot.notes, _NO_CANARY) if idle else self.snapshot.notes


def _now(session: Session) -> Answer:
    """Where Prometheus gives no answer but runs have measured, those are shown, and the error."""
    asking = _Asking(session)
    found, error = asking.look()
    if error and not found.picture.metrics:
        raise error
    found = asking.scope(found)
    facts = session.runtime.facts
    return Answer(
        data=prometheus.now_row(found),
        picture=lambda: prometheus.screen(found, facts) if found.rows else (),
        lines=prometheus.plain(found) if found.rows else (),
        notes=asking.notes(),
        error=error,
    )


def _again(session: Session, every: timedelta) -> Answer:
    """Continues, also without Prometheus, until Ctrl-C (Interrupted) or until the Rollout is gone."""
    session.ends("--watch")
    runtime, asking = session.runtime, _Asking(session)
    with ExitStack() as stack:
        drawn = None
        if session.human and runtime.facts.terminal:
            clock = runtime.clock.now
            drawn = stack.enter_context(Drawn(runtime.stdout, lambda: clock().timestamp()))
        for note in asking.notes():
            session.note(note)
        asking.scope(asking.look()[0])
        try:
            while True:
                found, _ = asking.look()
                if drawn:
                    facts = runtime.facts
                    drawn.update(ink(prometheus.screen(found, facts), facts), facts)
                elif session.human:
                    for line in prometheus.plain(found):
                        runtime.say(line)
                else:
                    runtime.say_event("metrics", prometheus.now_row(found), found.live.at)
                runtime.clock.sleep(every.total_seconds())
                asking.again()
        except KeyboardInterrupt:
            raise interrupted("stopped watching; the rollout continues") from None


def _over_time(session: Session, back: timedelta) -> Answer:
    asking, facts, moment = _Asking(session), session.runtime.facts, session.runtime.clock.now()
    asked, most = asking.questions, bars_in(facts.width)
    pairs: tuple[course.Charted, ...] = ()
    if asked.metrics:
        found = courses(asking.prometheus, asked, moment, back, most)
        pairs = tuple(zip(asked.metrics, found, strict=True))
    return Answer(
        data=Since(**session.place_of(asking.snapshot.rollout), at=moment, metrics=course.course_rows(pairs)),
        picture=lambda: course.charts(pairs, moment, facts),
        lines=course.plain(pairs),
        notes=asking.notes(),
    )


def _how_it_is_asked(session: Session, name: str) -> Answer:
    """Asks nothing: Prometheus may be away. The lines are printed as they are, to be copied."""
    asking = _Asking(session)
    question, settings = _named(asking, name), session.resolved.settings
    ours = settings.prometheus.cli_url if settings else "auto"
    address = asking.questions.address if ours == "auto" else ours
    if session.human:
        for line in course.query_lines(question, address):
            session.runtime.say(line)
        session.answered = True
    s = service_of(address, session.cluster.namespace) if ours == "auto" else None
    forward = f"kubectl -n {s.namespace} port-forward svc/{s.name} {s.port}" if s else ""
    return Answer(
        data=Query(
            **session.place_of(asking.snapshot.rollout),
            metric=name,
            query=question.query,
            stable_query=question.stable,
            link=course.link(address, question) if address else "",
        ),
        notes=(f"an address that only the cluster knows: {forward}",) if forward else (),
    )


def _named(asking: _Asking, name: str) -> Question:
    known = {q.name: q for q in asking.questions.metrics}
    if name in known:
        return known[name]
    others = f"known: {', '.join(known)}" if known else asking.why_none
    raise NotFound(f"no metric `{name}` judges `{asking.snapshot.rollout.name}`", hint=near(name, known, others))


def metrics(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="repeat until Ctrl-C")] = False,
    every: Annotated[
        timedelta, typer.Option("--every", help="how often, with --watch"), a_duration("--every", least=_SECOND)
    ] = 5 * _SECOND,
    since: Annotated[
        timedelta | None,
        typer.Option("--since", help="draw a chart of the last, e.g. 1h"),
        a_duration("--since", least=_SECOND),
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", help="print the query of this metric", metavar="METRIC")
    ] = None,
) -> base.Answer:
    """Show what Prometheus says now about canary and stable, with the limits and what the newest AnalysisRun
    measured.

    The queries are those of the update's analysis, or those of canary.yaml before there is one. They go to
    Prometheus directly, or through the API server if it cannot be reached.
    """
    if watch + (since is not None) + (query is not None) > 1:
        raise UsageError("--watch, --since and --query exclude each other", hint="leave out all but one")
    if watch:
        return _again(session, every)
    if query is not None:
        return _how_it_is_asked(session, query)
    if since is not None:
        return _over_time(session, since)
    return _now(session)


command = base.verb(metrics, forms=("human", "json"))
