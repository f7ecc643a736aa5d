"""`canary doctor`: whether a release could go through, before there is one."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated

import typer
from msgspec import Struct

from companyos_canary.actions import apply as action
from companyos_canary.actions import routes
from companyos_canary.argo.history import revision_of, was_aborted
from companyos_canary.argo.patches.template import template_of
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import (
    ANALYSISTEMPLATE,
    AUTOSCALER,
    CLUSTERANALYSISTEMPLATE,
    CONFIGMAP,
    SECRET,
    SERVICE,
    Kind,
    Selection,
    known,
)
from companyos_canary.commands import base, prerequisites, signals
from companyos_canary.commands.diff import references
from companyos_canary.config import Settings, TrafficSettings, image_reference
from companyos_canary.diagnosis import installation, readiness
from companyos_canary.diagnosis.case import strategy_services, templates_used
from companyos_canary.diagnosis.readiness import Check
from companyos_canary.errors import CanaryError, CrdMissing, ExitCode, Forbidden, Invalid, NotFound
from companyos_canary.model.http import Fields, Json
from companyos_canary.model.image import image_of, version
from companyos_canary.model.row import Output
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.render.objects import objects
from companyos_canary.render.traffic import ROUTE_KINDS_OF, backend_names
from companyos_canary.view import why as view


class Checks(Struct, frozen=True):
    """`ready`: nothing was found that would make a release fail."""

    rollout: str
    namespace: str
    ready: bool
    checks: tuple[Check, ...]


EXAMPLES = (
    "canary doctor                        the Rollout of canary.yaml",
    "canary doctor --before v1.2.3        and whether this version may be shipped",
    "canary doctor companyos-api -n companyos",
    "canary doctor -o json | jq '.data.checks[] | select(.mark != \"ok\")'",
)
OUTPUT = Output((Checks,))
EXITS = (ExitCode.OK, ExitCode.USAGE, ExitCode.DEGRADED)


def doctor(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    before: Annotated[
        str, typer.Option("--before", metavar="VERSION", help="also check this version before it is shipped")
    ] = "",
) -> base.Answer:
    """Check everything that a release needs: cluster, controller, rights, canary.yaml, Services, Prometheus, rollback.

    Each line is a check, with its fix if it is not ✔. It changes nothing. The exit code is 3 if something would make
    a release fail; warnings do not change it.
    """
    if before:
        image_reference("--before", before)
    checks = tuple(_checks(session, before))
    code = ExitCode.DEGRADED if any(c.mark == "fault" for c in checks) else ExitCode.OK
    facts = session.runtime.facts
    place = session.resolved
    return base.Answer(
        code=code,
        data=Checks(place.rollout or "", place.namespace or "", ready=code is ExitCode.OK, checks=checks),
        lines=view.checks_lines(checks, facts),
    )


_TO_BE_MADE = "create it with `canary apply VERSION`, or name another: `canary list` shows those of the namespace"


def _checks(session: base.Session, before: str) -> Iterator[Check]:
    config = _config(session)
    yield config
    settings = session.resolved.file if config.mark == "ok" else None
    try:
        cluster = session.cluster
        server = cluster.version()
    except CanaryError as error:
        yield Check("api-server", "fault", error.message, error.hint)
        return
    yield from _connection(cluster, server, session.runtime.clock.now())
    yield from _seen("crds", lambda: list(prerequisites.crd_checks(cluster, settings)))
    found: list[Json] = []
    yield from _seen("controller", lambda: [prerequisites.controller_check(session, found)])
    try:
        live = cluster.rollout(session.rollout)
        snapshot = cluster.snapshot(live)
    except CanaryError as error:
        fix = error.hint or (_TO_BE_MADE if isinstance(error, NotFound) else "")
        yield Check("rollout", "fault", error.message, fix)
        return
    deployment = next(iter(found), None)
    if deployment:
        yield from installation.looks_here(live, deployment)
    yield from prerequisites.rights_checks(cluster, snapshot)
    yield from _of_rollout(session, snapshot, settings, deployment)
    if before:
        image = snapshot.rollout.image(session.container)
        now = snapshot.rollout.aborted and version(before) in (version(image), image)
        yield readiness.before(before, _outcome(session, snapshot, before), now=now)


def _connection(cluster: Cluster, server: Json, now: datetime) -> Iterator[Check]:
    """What is known of a server that has answered: its version, when the credentials end, and its clock."""
    where = f" (context {cluster.context})" if cluster.context else ""
    yield Check("api-server", "ok", f"the API server answers: Kubernetes {server.get('gitVersion') or '?'}{where}")
    if expires := getattr(cluster.transport, "expires", None):
        yield installation.credentials(expires, now)
    if cluster.server_time:
        yield installation.clock_skew(now - cluster.server_time)


def _config(session: base.Session) -> Check:
    """Whether canary.yaml can be rendered: queries and files that it names are read only then."""
    settings, problem = session.resolved.file, session.resolved.problem
    if problem:
        return Check("config", "fault", problem.message, problem.hint)
    if settings is None:
        return Check("config", "warning", "there is no canary.yaml here or in a folder above", "canary init")
    try:
        objects(settings, None)
    except CanaryError as error:
        return Check("config", "fault", error.message, error.hint)
    return Check("config", "ok", f"{settings.path.name if settings.path else 'canary.yaml'} is valid")


def _of_rollout(
    session: base.Session, snapshot: Snapshot, settings: Settings | None, deployment: Json | None
) -> Iterator[Check]:
    cluster, live = session.cluster, snapshot.rollout
    own = settings if settings and settings.rollout == live.name else None
    if own:
        yield from _seen("live", lambda: [_as_rendered(cluster, own)])
    yield from _seen("templates", lambda: list(readiness.templates(live, _templates(cluster, snapshot))))
    yield from _seen("services", lambda: list(readiness.services(snapshot, _named_services(cluster, snapshot))))
    yield from _seen("services", lambda: _orphaned(cluster, snapshot))
    yield from prerequisites.plugin_checks(cluster, snapshot)
    yield from prerequisites.route_rights_checks(cluster, live, deployment)
    if own and own.traffic:
        traffic = own.traffic
        yield from _seen("route", lambda: [_route(cluster, own, traffic)])
    yield from readiness.hand_paused(live)
    yield from readiness.surge(live)
    yield from _seen("room", lambda: list(readiness.room(live, _quotas(cluster))))
    if installation.abort_may_hang(live):
        yield from _seen("abort", lambda: list(installation.abort_hangs(prerequisites.running_version(cluster))))
    yield from _seen("autoscaling", lambda: list(_autoscaling(cluster, snapshot, own)))
    yield from _seen("rollback", lambda: list(_rollback(cluster, snapshot, session)))
    yield from signals.metric_checks(session, snapshot, own)


def _seen(id_: str, look: Callable[[], list[Check]]) -> Iterator[Check]:
    """The checks, or why they could not be made."""
    try:
        yield from look()
    except CanaryError as error:
        yield Check(id_, "unknown", f"not checked: {error.message}", error.hint)


def _as_rendered(cluster: Cluster, settings: Settings) -> Check:
    try:
        planned = action.planned_changes(cluster, settings, None, force=True)
    except Invalid as error:
        return Check("live", "fault", f"`canary apply` would be refused: {error.message}", error.hint)
    differing = [
        f"{obj['kind']} {obj['metadata']['name']}"
        for obj, word in zip(planned.wanted, planned.words, strict=True)
        if word != "unchanged"
    ]
    if differing:
        return Check("live", "warning", f"canary.yaml would change {', '.join(differing)}", "canary diff")
    return Check("live", "ok", "the cluster has what canary.yaml renders")


def _templates(cluster: Cluster, snapshot: Snapshot) -> dict[tuple[str, str], bool | None]:
    found: dict[tuple[str, str], bool | None] = {}
    for kind, name in templates_used(snapshot.rollout.raw):
        of = CLUSTERANALYSISTEMPLATE if kind == CLUSTERANALYSISTEMPLATE.kind else ANALYSISTEMPLATE
        try:
            found[kind, name] = cluster.object(of, name) is not None
        except Forbidden:
            found[kind, name] = None
    return found


def _route(cluster: Cluster, settings: Settings, traffic: TrafficSettings) -> Check:
    """The object that splits the traffic: it exists, and names what it has to."""
    api, kind = ROUTE_KINDS_OF[traffic.router]
    name, known_kind = f"{kind} {traffic.route}", known(api, kind)
    found = cluster.object(known_kind, traffic.route) if known_kind else None
    if found is None:
        fix = "create it" if traffic.existing else "canary apply"
        return Check("route", "fault", f"{name} does not exist: nothing splits the traffic", fix)
    if lacking := routes.not_named(settings, found):
        names = " and ".join(lacking)
        return Check("route", "fault", f"{name} does not name {names}", f"add {names} to its backends")
    return Check("route", "ok", f"{name} names {' and '.join(backend_names(settings))}")


def _quotas(cluster: Cluster) -> list[Json]:
    try:
        return cluster.items(Selection(Kind("v1", "ResourceQuota", "resourcequotas"), cluster.namespace))
    except CrdMissing:  # a server that has no quotas
        return []


def _named_services(cluster: Cluster, snapshot: Snapshot) -> dict[str, Fields | None]:
    return {name: cluster.object(SERVICE, name) for name in strategy_services(snapshot.rollout)}


def _orphaned(cluster: Cluster, snapshot: Snapshot) -> list[Check]:
    return list(readiness.orphaned_services(snapshot, cluster.items(Selection(SERVICE, cluster.namespace))))


def _autoscaling(cluster: Cluster, snapshot: Snapshot, settings: Settings | None) -> Iterator[Check]:
    found = cluster.items(Selection(AUTOSCALER, cluster.namespace))
    yield from readiness.autoscaling(snapshot.rollout, found, bool(settings and settings.replicas is not None))


def _rollback(cluster: Cluster, snapshot: Snapshot, session: base.Session) -> Iterator[Check]:
    stable = snapshot.stable
    if stable is None:
        yield from readiness.rollback(snapshot.rollout, "", ())
        return
    missing = [
        (kind, name)
        for kind, name in sorted(references(template_of(snapshot.rollout, stable)))
        if cluster.object(CONFIGMAP if kind == CONFIGMAP.kind else SECRET, name) is None
    ]
    image = image_of(stable.containers, session.container)
    yield from readiness.rollback(snapshot.rollout, version(image) or f"revision {stable.revision}", missing)


def _outcome(session: base.Session, snapshot: Snapshot, wanted: str) -> str:
    """How a version ended that was aborted before; empty if it was not."""
    from companyos_canary.view.history import aborted_sentence

    now = session.runtime.clock.now()
    for replicaset in sorted(snapshot.replicasets, key=lambda r: -r.revision):
        image = image_of(replicaset.containers, session.container)
        if version(wanted) in (version(image), image) and was_aborted(snapshot, replicaset):
            return f"was {aborted_sentence(revision_of(snapshot, replicaset, now), now)}"
    return ""


command = base.verb(doctor, forms=("human", "json"))
