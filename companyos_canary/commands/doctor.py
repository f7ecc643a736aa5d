"""`canary doctor`: whether a release could go through, before there is one."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import typer

from companyos_canary.actions import apply as action
from companyos_canary.actions import routes
from companyos_canary.actions.traffic import between_buckets, crowd, remedy
from companyos_canary.argo.history import revision_of, was_aborted
from companyos_canary.argo.patches.template import template_of
from companyos_canary.argo.rights import Right, missing, of_router, of_verbs
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import ARGO, AUTOSCALER, Kind, Selection, known
from companyos_canary.commands import base
from companyos_canary.commands.diff import references
from companyos_canary.commands.version import controllers, elsewhere
from companyos_canary.config import Settings, TrafficSettings, image_reference
from companyos_canary.diagnosis import installation, readiness
from companyos_canary.diagnosis.case import at, strategy_services
from companyos_canary.diagnosis.control import CONTROLLER, LEASE
from companyos_canary.diagnosis.readiness import Check
from companyos_canary.errors import CanaryError, CrdMissing, ExitCode, Forbidden, Invalid
from companyos_canary.model.http import Fields, Json
from companyos_canary.model.image import image_of, version
from companyos_canary.model.quantity import parse_duration
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.render import objects
from companyos_canary.render.questions import Question, Questions, of_stable, questions
from companyos_canary.render.steps import step_timing
from companyos_canary.render.traffic import ROUTE_KINDS_OF, backend_names
from companyos_canary.view import diagnosis as view


@dataclass(frozen=True, slots=True)
class Checks:
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

_ROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
_LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
_COUNTED = re.compile(r'([A-Za-z_:][\w:]*)(\{[^{}]*canary="true"[^{}]*\})\s*\[(\w+)\]')
_HASH = re.compile(r'rollouts_pod_template_hash\s*=~?\s*"[^"]*",?')


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
        lines=view.checks_lines(checks, facts.symbols),
    )


def _checks(session: base.Session, before: str) -> Iterator[Check]:
    settings = session.resolved.file
    if session.resolved.problem:
        problem = session.resolved.problem
        yield Check("config", "fault", problem.message, problem.hint)
    elif settings:
        check = _config(settings)
        yield check
        settings = settings if check.mark == "ok" else None
    else:
        yield Check("config", "warning", "there is no canary.yaml here or in a folder above", "canary init")
    try:
        cluster = session.cluster
        server = cluster.version()
    except CanaryError as error:
        yield Check("api-server", "fault", error.message, error.hint)
        return
    where = f" (context {cluster.context})" if cluster.context else ""
    yield Check("api-server", "ok", f"the API server answers: Kubernetes {server.get('gitVersion') or '?'}{where}")
    now = session.runtime.clock.now()
    if expires := getattr(cluster.transport, "expires", None):
        yield installation.credentials(expires, now)
    if cluster.server_time:
        yield installation.clock_skew(now - cluster.server_time)
    yield from _seen("crds", lambda: list(_installed(cluster, settings)))
    found: list[Json] = []
    yield from _seen("controller", lambda: [_controller(session, found)])
    try:
        live = cluster.rollout(session.rollout)
        snapshot = cluster.snapshot(live)
    except CanaryError as error:
        yield Check("rollout", "fault", error.message, error.hint)
        return
    deployment = next(iter(found), None)
    if deployment:
        yield from installation.looks_here(live, deployment)
    yield from _rights(cluster, snapshot)
    yield from _of_rollout(session, snapshot, settings, deployment)
    if before:
        yield readiness.before(before, _outcome(session, snapshot, before))


def _config(settings: Settings) -> Check:
    """Whether it can be rendered: queries and files that it names are read only then."""
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
    yield from _seen("services", lambda: list(readiness.services(snapshot, _objects(cluster, "services", snapshot))))
    yield from _seen("services", lambda: list(readiness.left_behind(snapshot, cluster.items(_services(cluster)))))
    yield from _router(cluster, snapshot)
    yield from _route_rights(cluster, live, deployment)
    if own and own.traffic:
        traffic = own.traffic
        yield from _seen("route", lambda: [_route(cluster, own, traffic)])
    yield from readiness.surge(live)
    yield from _seen("room", lambda: list(readiness.room(live, _quotas(cluster))))
    if installation.abort_may_hang(live):
        yield from _seen("abort", lambda: list(installation.abort_hangs(_version(cluster))))
    yield from _seen("autoscaling", lambda: list(_autoscaling(cluster, snapshot, own)))
    yield from _seen("rollback", lambda: list(_rollback(cluster, snapshot, session)))
    yield from _metrics(session, snapshot, own)


def _seen(id_: str, look: Callable[[], list[Check]]) -> Iterator[Check]:
    """The checks, or why they could not be made."""
    try:
        yield from look()
    except CanaryError as error:
        yield Check(id_, "unknown", f"not checked: {error.message}", error.hint)


def _installed(cluster: Cluster, settings: Settings | None) -> Iterator[Check]:
    """Whether the CRDs are there, and whether they have the fields that canary.yaml renders."""
    schemas = cluster.schemas(ARGO)
    yield from installation.installed(cluster.resources(ARGO), schemas)
    if settings:
        yield from installation.renders_unknown(objects(settings, None), schemas)


def _controller(session: base.Session, deployments: list[Json]) -> Check:
    """`deployments` is filled with what is found."""
    deployments += controllers(session.cluster)
    home = str(at(next(iter(deployments), None), "metadata", "namespace") or CONTROLLER)
    try:
        lease = elsewhere(session.cluster, home).object(_LEASE.api_version, _LEASE.plural, LEASE)
    except CanaryError:  # its version is worth saying without it
        lease = None
    return installation.controller(deployments, lease, session.runtime.clock.now())


def _version(cluster: Cluster) -> str:
    """Empty where no controller is seen."""
    return next((installation.controller_version(d) for d in controllers(cluster)), "")


def _rights(cluster: Cluster, snapshot: Snapshot) -> Iterator[Check]:
    """What may not be read of the Rollout's parts, and what each verb would be refused."""
    for text in snapshot.notes:
        yield Check("rights", "fault", text, "ask for a role that allows it")
    refused: dict[Right, list[str]] = {}
    allowed: dict[Right, bool] = {}
    try:
        for verb, needed in of_verbs(snapshot.rollout).items():
            for right in needed:
                if right not in allowed:
                    allowed[right] = _may(cluster, right, snapshot.rollout)
                if not allowed[right]:
                    refused.setdefault(right, []).append(verb)
    except CanaryError as error:
        yield Check("rights", "unknown", f"your rights could not be checked: {error.message}", error.hint)
        return
    yield from readiness.rights(refused)
    if not refused and not snapshot.notes:
        text = "you may read the Rollout and everything that belongs to it, and use every verb"
        yield Check("rights", "ok", text)


def _may(cluster: Cluster, right: Right, rollout: Rollout) -> bool:
    """A role may name the one Rollout, or its Deployment, that it is about."""
    plural, _, part = right.resource.partition("/")
    name = rollout.name if plural == "rollouts" and right.verb != "create" else ""
    if plural == "deployments":
        name = str((rollout.workload_ref or {}).get("name") or "")
    return cluster.may(right.verb, plural, group=right.group, subresource=part, name=name)


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
    for kind, name in readiness.template_names(snapshot.rollout):
        plural = "clusteranalysistemplates" if kind.startswith("Cluster") else "analysistemplates"
        try:
            found[kind, name] = cluster.object(ARGO, plural, name) is not None
        except Forbidden:
            found[kind, name] = None
    return found


def _objects(cluster: Cluster, plural: str, snapshot: Snapshot) -> dict[str, Fields | None]:
    return {name: cluster.object("v1", plural, name) for name in strategy_services(snapshot.rollout)}


def _router(cluster: Cluster, snapshot: Snapshot) -> Iterator[Check]:
    live, config, unseen = snapshot.rollout, None, ""
    if at(live.raw, "spec", "strategy", "canary", "trafficRouting", "plugins"):
        try:
            config = elsewhere(cluster, CONTROLLER).object("v1", "configmaps", "argo-rollouts-config")
        except CanaryError as error:
            unseen = error.message
    yield from installation.router(live, config, unseen)


def _route_rights(cluster: Cluster, live: Rollout, deployment: Json | None) -> Iterator[Check]:
    """Asked of the API server; where that is not permitted, read from the ClusterRole of the usual name, which need
    not be all that the controller has."""
    needed = of_router(live)
    if not needed:
        return
    user = installation.controller_user(deployment)
    try:
        lacking = [r for r in needed if not cluster.may(r.verb, r.resource, group=r.group, user=user)]
    except CanaryError as error:
        rules, unseen = None, error.message
        with suppress(CanaryError):
            role = cluster.object(_ROLE.api_version, _ROLE.plural, CONTROLLER)
            rules = (role or {}).get("rules")
        if isinstance(rules, list) and not missing(needed, rules, ""):
            yield from installation.route_rights([], f"the ClusterRole {CONTROLLER}")
        else:
            yield from installation.route_rights(None, "", unseen)
        return
    who = f"ServiceAccount {user.partition('serviceaccount:')[2].replace(':', '/')}"
    if lacking and deployment is None:  # another account may be the controller's
        yield from installation.route_rights(None, "", f"{who} may not, and no controller was found")
    else:
        yield from installation.route_rights(lacking, who)


def _route(cluster: Cluster, settings: Settings, traffic: TrafficSettings) -> Check:
    """The object that splits the traffic: it exists, and names what it has to."""
    api, kind = ROUTE_KINDS_OF[traffic.router]
    name, known_kind = f"{kind} {traffic.route}", known(api, kind)
    found = cluster.object(api, known_kind.plural, traffic.route) if known_kind else None
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


def _services(cluster: Cluster) -> Selection:
    return Selection(Kind("v1", "Service", "services"), cluster.namespace)


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
        if cluster.object("v1", "configmaps" if kind == "ConfigMap" else "secrets", name) is None
    ]
    settings = session.resolved.settings
    image = image_of(stable.containers, settings.container if settings else None)
    yield from readiness.rollback(snapshot.rollout, version(image) or f"revision {stable.revision}", missing)


def _metrics(session: base.Session, snapshot: Snapshot, settings: Settings | None) -> Iterator[Check]:
    """What Prometheus says of the stable pods: what has no data for them has none for a canary."""
    asked = questions(snapshot, settings)
    if not asked.metrics:
        yield Check("metrics", "warning", "no metric judges it", "canary init")
        return
    prometheus = session.runtime.prometheus(session.cluster, session.resolved.settings, asked.address)
    reading = prometheus.ask("vector(1)")
    if reading.problem:
        yield Check("prometheus", "unknown", reading.problem, "see `canary metrics`")
        return
    yield Check("prometheus", "ok", f"Prometheus answers ({prometheus.address})")
    stable = snapshot.pods_of(snapshot.stable) if snapshot.stable else ()
    young = readiness.just_started((p.created_at for p in stable), session.runtime.clock.now())
    checks = [c for question in asked.metrics for c in _metric(prometheus, question, young)]
    yield from checks
    if not checks:
        count = len(asked.metrics)
        yield Check("metrics", "ok", f"{count} metric{'s have' if count > 1 else ' has'} data for the stable pods")
    if not young:
        yield from _series(prometheus, asked, settings)
    yield from _counted(prometheus, asked, snapshot)


def _counted(prometheus: Prometheus, asked: Questions, snapshot: Snapshot) -> Iterator[Check]:
    """Whose requests are counted, and whether the limit of the p95 is one that the histogram can tell."""
    if not asked.everybody:
        return
    name, namespace = snapshot.rollout.name, snapshot.rollout.namespace
    found = crowd(prometheus, asked.everybody, name, namespace)
    yield from readiness.alone(found.others, found.problem, remedy(name, namespace))
    try:
        yield from readiness.buckets(between_buckets(prometheus, asked))
    except CanaryError as error:
        yield Check("buckets", "unknown", f"not checked: {error.message}", error.hint)


def _metric(prometheus: Prometheus, question: Question, young: bool) -> Iterator[Check]:
    """A comparison can only be asked whole: whether it is understood, not whether there is data."""
    problem, found = question.problem, None
    if not problem:
        reading = prometheus.ask(question.stable or question.query)
        problem, found = reading.problem, bool(reading.samples) if question.stable else None
    yield from readiness.metric(question.name, problem, found, young=young)


def _series(prometheus: Prometheus, asked: Questions, settings: Settings | None) -> Iterator[Check]:
    """The series behind the first query that counts requests: its label, its scrapes, its traffic."""
    counted = next((m for q in asked.metrics if (m := _COUNTED.search(q.query))), None)
    if counted is None:
        return
    name, matchers, window = counted.groups()
    everyone = _HASH.sub("", matchers).replace('canary="true"', "").replace(",,", ",").replace("{,", "{")
    everyone = re.sub(r'status=~"[^"]*",?|result="[^"]*",?', "", everyone)
    by_label = prometheus.ask(f"count by (canary) ({name}{everyone})")
    if not by_label.samples:
        return
    yield from readiness.label((s.labels.get("canary", "") for s in by_label.samples), name)
    try:
        lasts = parse_duration(window)
    except ValueError:
        return
    stable = of_stable(f"max(count_over_time({name}{matchers}[{window}]))")
    yield from readiness.scraping(name, lasts, prometheus.ask(stable).value)
    rate = prometheus.ask(f"sum(rate({name}{everyone}[{window}]))").value
    first = next((s for s in settings.steps if s.analysis), None) if settings else None
    needed = max((q.needed for q in asked.metrics if q.needed), default=None)
    timing = step_timing(settings, first) if settings and first else None
    if rate is not None and first and first.analysis and needed and timing and settings:
        longest = max(settings.analysis.longest_of(first.analysis), timing.duration)
        yield from readiness.enough_traffic(rate, first.weight, first.analysis, needed, longest)


def _outcome(session: base.Session, snapshot: Snapshot, wanted: str) -> str:
    """How a version ended that was aborted before; empty if it was not."""
    from companyos_canary.view.history import aborted_sentence

    settings, now = session.resolved.settings, session.runtime.clock.now()
    container = settings.container if settings else None
    for replicaset in sorted(snapshot.replicasets, key=lambda r: -r.revision):
        image = image_of(replicaset.containers, container)
        if version(wanted) in (version(image), image) and was_aborted(snapshot, replicaset):
            return f"was {aborted_sentence(revision_of(snapshot, replicaset, now), now)}"
    return ""


command = base.verb(doctor, forms=("human", "json"))
