"""What a verb says where the metrics count the requests of other services, too, or another share than is asked for."""

from datetime import timedelta

from msgspec.structs import replace

from companyos_canary.actions.measure import ask_share
from companyos_canary.actions.traffic import Crowd, crowd, crowd_sentence, share_sentence
from companyos_canary.analysis.evidence import REQUESTS
from companyos_canary.argo.picture import look
from companyos_canary.commands.session import Session
from companyos_canary.commands.shows.jobs import Repeated
from companyos_canary.config import Settings
from companyos_canary.errors import CanaryError, Refused
from companyos_canary.model.outcome import Ending, Warned
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.render.questions import Questions, questions


def of_settings(session: Session, settings: Settings) -> Crowd:
    """Of what canary.yaml asks; nothing where all queries are the user's own."""
    if all(m.query is not None for m in settings.metrics):
        return Crowd()
    selector = f"{REQUESTS}{{{settings.scope}}}"
    return _asked(session, settings.prometheus.url, selector, settings.rollout, settings)


def of_snapshot(session: Session, snapshot: Snapshot) -> Crowd:
    """Of what the runs have asked."""
    found = questions(snapshot, None)
    if not found.everybody:
        return Crowd()
    return _asked(session, found.address, found.everybody, snapshot.rollout.name)


def _asked(session: Session, address: str, selector: str, rollout: str, settings: Settings | None = None) -> Crowd:
    try:
        prometheus = session.prometheus(address, settings)
    except CanaryError as error:
        return Crowd(problem=error.message)
    return crowd(prometheus, selector, rollout, session.cluster.namespace)


def warned(session: Session, found: Crowd, rollout: str) -> tuple[Warned, ...]:
    """The warning, if others are counted, too. That no one could be asked is said on stderr."""
    said = crowd_sentence(found, rollout, session.cluster.namespace)
    if said and not found.others:
        session.note(said)
    return (Warned("scope", said),) if found.others else ()


def of_share(session: Session, prometheus: Prometheus, asked: Questions, snapshot: Snapshot) -> tuple[Warned, ...]:
    """The warning, if Prometheus counts another share at the canary than is asked for."""
    picture = look(snapshot, session.runtime.clock.now())
    if picture.could_measure_the_share and asked.share:
        live = ask_share(prometheus, asked, picture.now)
        if said := share_sentence(replace(picture, live=live), asked.everybody):
            return (Warned("share", said),)
    return ()


_EVERY = timedelta(seconds=15)


def _nobody() -> None:
    """Is woken: what is found can wait for the next change."""


class ScopeWatch:
    """What is wrong with the counting, as it is found while a version is followed: by canary.yaml, at the start or
    behind the first frame of a screen, later by what its runs ask and by the share that is measured. Each is warned
    of once; that no one could be asked is said at the end, where it was not before."""

    def __init__(self, session: Session, rollout: str) -> None:
        self._session, self._rollout = session, rollout
        self._settings = session.resolved.settings
        self._asked = False
        self._unsaid = ""
        self.warnings: tuple[Warned, ...] = ()
        runtime = session.runtime
        self._looks = Repeated(self._look, every=_EVERY, now=runtime.clock.now, start=runtime.start, wake=_nobody)

    def begin(self) -> None:
        """Asks now, and says where no one could be asked."""
        if self._settings:
            self._ask(self._settings)
            self._say()

    def __enter__(self) -> "ScopeWatch":
        return self

    def __exit__(self, *_: object) -> None:
        self._say()

    def noted(self, snapshot: Snapshot) -> Snapshot:
        """With what is known so far among its notes; looks again where that is due."""
        if snapshot.whole:
            self._looks.about(snapshot)
        return self._with_notes(snapshot)

    def ended(self, ending: Ending) -> Ending:
        """With all that was found; where no run was seen before, its questions are looked at now."""
        if not self._asked and self._settings:
            self._ask(self._settings)
        if not self._asked:
            self.warnings += warned(self._session, of_snapshot(self._session, ending.snapshot), self._rollout)
        return replace(ending, snapshot=self._with_notes(ending.snapshot), warnings=self.warnings)

    def _with_notes(self, snapshot: Snapshot) -> Snapshot:
        told = tuple(w.message for w in self.warnings)
        return replace(snapshot, notes=(*snapshot.notes, *told)) if told else snapshot

    def _ask(self, settings: Settings) -> None:
        found = of_settings(self._session, settings)
        said, self._asked = crowd_sentence(found, self._rollout, self._session.cluster.namespace), True
        self.warnings += (Warned("scope", said),) if found.others else ()
        self._unsaid = "" if found.others else said

    def _say(self) -> None:
        """Not while a screen is drawn."""
        said, self._unsaid = self._unsaid, ""
        if said:
            self._session.note(said)

    def _look(self, snapshot: Snapshot) -> None:
        if not self._asked and self._settings:
            self._ask(self._settings)
        if not self._asked and snapshot.attempt:
            found = of_snapshot(self._session, snapshot)
            self._asked = not found.problem
            self.warnings += warned(self._session, found, self._rollout) if self._asked else ()
        if self.warnings:  # a share that is another one has the same reason
            return
        asked = questions(snapshot, self._session.resolved.settings)
        if asked.share and asked.address:
            prometheus = self._session.prometheus(asked.address)
            self.warnings += of_share(self._session, prometheus, asked, snapshot)


def refuse(session: Session, settings: Settings, *, force: bool) -> None:
    """Refused if the templates would judge by other services, unless that is wanted; said where no one knows."""
    found = of_settings(session, settings)
    said = crowd_sentence(found, settings.rollout, session.cluster.namespace)
    if found.others and not force:
        what, _, remedy = said.partition(": ")
        raise Refused(what, hint=f"{remedy}; --force applies it as it is")
    if said:
        session.note(said)
