"""What a verb says where the metrics count the requests of other services, too."""

from companyos_canary.actions.traffic import Crowd, crowd, crowd_sentence
from companyos_canary.analysis.evidence import REQUESTS
from companyos_canary.commands.session import Session
from companyos_canary.config import Settings
from companyos_canary.errors import CanaryError, Refused
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.render.questions import questions


def of_settings(session: Session, settings: Settings) -> Crowd:
    """Of what canary.yaml asks; nothing where all queries are the user's own."""
    if all(m.query is not None for m in settings.metrics):
        return Crowd()
    selector = f"{REQUESTS}{{{settings.scope}}}"
    return _asked(session, settings, settings.prometheus.url, selector, settings.rollout)


def of_snapshot(session: Session, snapshot: Snapshot) -> Crowd:
    """Of what the runs have asked."""
    found = questions(snapshot, None)
    if not found.everybody:
        return Crowd()
    return _asked(session, session.resolved.settings, found.address, found.everybody, snapshot.rollout.name)


def _asked(session: Session, settings: Settings | None, address: str, selector: str, rollout: str) -> Crowd:
    try:
        prometheus = session.runtime.prometheus(session.cluster, settings, address)
    except CanaryError as error:
        return Crowd(problem=error.message)
    return crowd(prometheus, selector, rollout, session.cluster.namespace)


def note(session: Session, found: Crowd, rollout: str) -> str:
    """Said at once, on stderr, where there is something to say."""
    said = crowd_sentence(found, rollout, session.cluster.namespace)
    if said:
        session.note(said)
    return said


def refuse(session: Session, settings: Settings, *, force: bool) -> None:
    """Refused if the templates would judge by other services, unless that is wanted; said where no one knows."""
    found = of_settings(session, settings)
    said = crowd_sentence(found, settings.rollout, session.cluster.namespace)
    if found.others and not force:
        what, _, remedy = said.partition(": ")
        raise Refused(what, hint=f"{remedy}; --force applies it as it is")
    if said:
        session.note(said)
