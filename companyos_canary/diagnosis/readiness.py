"""Whether a release could go through: one check for each thing that can stop it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from companyos_canary.argo.replicas import limits, target
from companyos_canary.argo.rights import STOPS_A_RELEASE, Right
from companyos_canary.argo.validation import MANAGED_BY
from companyos_canary.diagnosis.case import at, condition, labels_lacking, service_of_stable, short, strategy_services
from companyos_canary.model.http import Fields
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.quantity import amount, plural
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.units import duration as span

Mark = Literal["ok", "warning", "fault", "unknown"]
_YOUNG = timedelta(minutes=2)
_SCRAPES = 4  # a rate over fewer says little


class Check(Struct, frozen=True):
    """One line of `canary doctor`. `id` is stable. A `fault` would make a release fail, a `warning` may; `unknown`:
    it could not be seen. `fix` is what to do about it, empty if it is ok."""

    id: str
    mark: Mark
    sentence: str
    fix: str = ""


def rights(refused: Mapping[Right, Sequence[str]]) -> Iterator[Check]:
    """`refused`: each right that the user lacks, with the verbs that need it."""
    for right, verbs in refused.items():
        stops = STOPS_A_RELEASE.intersection(verbs)
        named = f"{', '.join(verbs[:-1])} and {verbs[-1]}" if len(verbs) > 1 else verbs[0]
        role = "operator" if tuple(verbs) == ("apply",) else "deployer"
        text = f"{right.sentence}: {named} would be refused"
        yield Check(
            "rights", "fault" if stops else "warning", text, f"ask for the role that `canary rbac {role}` prints"
        )


def buckets(messages: Iterable[str]) -> Iterator[Check]:
    """`messages`: what is said of limits that are between two boundaries of the histogram."""
    for text in messages:
        fix = "set the limit to a boundary, or name one with `metrics.latency-p95.boundary`"
        yield Check("buckets", "warning", text, fix)


def alone(others: Sequence[str], problem: str, fix: str) -> Iterator[Check]:
    """`others`: the other services whose requests the metrics count."""
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        text = f"the metrics also count the requests of {', '.join(others[:3])}{more}"
        yield Check("scope", "warning", text, fix)
    elif problem:
        yield Check("scope", "unknown", f"whether the metrics count this service alone is not known: {problem}")


def templates(rollout: Rollout, found: Mapping[tuple[str, str], bool | None]) -> Iterator[Check]:
    """`found`: whether each AnalysisTemplate that the Rollout names exists; None if that could not be seen."""
    missing = [f"{kind} {name}" for (kind, name), there in found.items() if there is False]
    if missing:
        text = f"{rollout.name} refers to {', '.join(missing)}, which {_do_not(missing)} exist"
        yield Check("templates", "fault", text, "canary apply")
    elif None in found.values():
        yield Check("templates", "unknown", "the AnalysisTemplates could not be read", "ask for the right to get them")
    elif found:
        count = len(found)
        yield Check("templates", "ok", f"{count} AnalysisTemplate{'s exist' if count > 1 else ' exists'}")


def services(snapshot: Snapshot, found: Mapping[str, Fields | None]) -> Iterator[Check]:
    """The Services of the strategy, by name; None for one that does not exist."""
    rollout = snapshot.rollout
    good = []
    for name, service in found.items():
        fix = f"kubectl -n {rollout.namespace} edit service {name}"
        if service is None:
            text = f"Service {name}, which {rollout.name} names, does not exist"
            yield Check("services", "fault", text, "create it, or run `canary apply`")
            continue
        hash_ = str(at(service, "spec", "selector", HASH_LABEL) or "")
        if wrong := [f"{k}={v}" for k, v in labels_lacking(rollout, service)]:
            text = f"Service {name} selects {', '.join(wrong)}, which the pods of {rollout.name} do not have"
            yield Check("services", "fault", text, fix)
        elif why := _wrong_version(snapshot, name, hash_):
            yield Check("services", "fault", f"Service {name} {why}", fix)
        else:
            good.append(name)
    if good and len(good) == len(found):
        what = f"Service{'s' if len(good) > 1 else ''} {' and '.join(good)}"
        yield Check("services", "ok", f"{what} select{'' if len(good) > 1 else 's'} the pods of {rollout.name}")


def _wrong_version(snapshot: Snapshot, name: str, hash_: str) -> str:
    """What is wrong with the hash in the selector of a Service of the strategy; empty if nothing is. The controller
    moves it while a release progresses."""
    rollout = snapshot.rollout
    settled = rollout.observed and rollout.status_phase == "Healthy"
    if not hash_ or not settled or snapshot.denied("replicasets"):
        return ""
    if snapshot.replicaset(hash_) is None:
        return f"selects pods of {hash_}, and no ReplicaSet has this hash"
    if name == service_of_stable(rollout) and hash_ != rollout.stable_hash:
        return f"selects the pods of {hash_}, and the stable ReplicaSet is {rollout.stable_hash}"
    return ""


def orphaned_services(snapshot: Snapshot, found: Iterable[Fields]) -> Iterator[Check]:
    """`found`: the Services of the namespace. One with a hash of this Rollout that it does not name loses its pods with
    the next release. Where the Rollout has managed it, the controller takes the hash out (upstream service/service.go).
    """
    rollout, ours = snapshot.rollout, {r.hash for r in snapshot.replicasets}
    named = {*strategy_services(rollout), *_ping_pong(rollout)}
    for service in found:
        name, hash_ = str(at(service, "metadata", "name")), at(service, "spec", "selector", HASH_LABEL)
        if hash_ not in ours or name in named or at(service, "metadata", "annotations", MANAGED_BY):
            continue
        serves = snapshot.replicaset(str(hash_))
        if serves is None or not (serves.desired or serves.replicas):
            text = f"Service {name} selects the pods of {hash_} alone, of which there are none"
        else:
            text = f"Service {name} selects the pods of {hash_} alone, and would have none after the next release"
        why = f"{rollout.name} does not name it, so no controller moves it"
        patch = f'{{"spec":{{"selector":{{"{HASH_LABEL}":null}}}}}}'
        yield Check(
            "services", "fault", f"{text}: {why}", f"kubectl -n {rollout.namespace} patch service {name} -p '{patch}'"
        )


def _ping_pong(rollout: Rollout) -> Iterator[str]:
    pair = at(rollout.raw, "spec", "strategy", "canary", "pingPong") or {}
    yield from (str(name) for name in pair.values())


def rollback(rollout: Rollout, stable: str, missing: Iterable[tuple[str, str]]) -> Iterator[Check]:
    """`stable`: the stable version, empty if there is none; `missing`: the ConfigMaps and Secrets that its pods
    refer to and that do not exist."""
    gone = [f"{kind} {name}" for kind, name in missing]
    if not stable and rollout.stable_hash:
        text = f"the ReplicaSet of the stable version ({rollout.stable_hash}) does not exist: nothing to roll back to"
        yield Check("rollback", "fault", text, "deploy a version that works, and wait until it is stable")
    elif not stable:
        text = f"no version of {rollout.name} is stable yet, so there is nothing to roll back to"
        yield Check("rollback", "warning", text, "wait until the first version is stable")
    elif gone:
        text = f"a rollback to {stable} could not start pods: {', '.join(gone)} {_do_not(gone)} exist"
        yield Check("rollback", "fault", text, "create what is missing before you deploy")
    else:
        yield Check("rollback", "ok", f"a rollback returns to {stable}")
    if at(rollout.raw, "spec", "revisionHistoryLimit") == 0:
        text = "`revisionHistoryLimit` is 0: after a release, `canary undo` has no version to go back to"
        yield Check("history-limit", "warning", text, "set it to 3 or more")


def hand_paused(rollout: Rollout) -> Iterator[Check]:
    """Whether someone has paused it: a version that is set is not started then."""
    if rollout.paused:
        text = f"{rollout.name} is paused by hand, so no release progresses until someone resumes it"
        yield Check("paused", "fault", text, "canary resume")


def surge(rollout: Rollout) -> Iterator[Check]:
    """Whether a canary pod fits: both maxSurge and maxUnavailable may round to 0."""
    canary = at(rollout.raw, "spec", "strategy", "canary")
    if not isinstance(canary, dict) or canary.get("trafficRouting"):
        return
    if not rollout.replicas:
        fix = f"kubectl -n {rollout.namespace} scale rollout {rollout.name} --replicas=N"
        yield Check("replicas", "warning", f"{rollout.name} is scaled to 0: every step passes without a request", fix)
        return
    weights = [s.get("setWeight") for s in canary.get("steps") or [] if isinstance(s, dict) and s.get("setWeight")]
    first = next((w for w in weights if isinstance(w, int)), None)
    if not first or first >= 100:
        return
    most = limits(rollout.replicas, canary.get("maxSurge"), canary.get("maxUnavailable")).surge
    pods = target(rollout.replicas, first, most)
    total = pods.canary + pods.stable
    share = round(100 * pods.canary / total)
    if not pods.canary:
        text = f"{first} % of {rollout.replicas} pods is no pod, so the canary of this step gets no request"
        yield Check("weights", "warning", text, "allow maxSurge, use more replicas, or a traffic router")
    elif share > 1.5 * first:
        got = "one pod" if pods.canary == 1 else f"{pods.canary} pods"
        text = f"{first} % of {rollout.replicas} pods is {got} of {total}, which gets {share} % of the traffic"
        yield Check("weights", "warning", text, "use more replicas, or a traffic router")


def extra_pods(rollout: Rollout) -> int:
    """How many pods more than wanted a release has at the most."""
    blue_green, canary = (at(rollout.raw, "spec", "strategy", kind) or {} for kind in ("blueGreen", "canary"))
    if blue_green or (rollout.is_routed and not canary.get("dynamicStableScale")):
        return rollout.replicas
    return limits(rollout.replicas, canary.get("maxSurge"), canary.get("maxUnavailable")).surge


def _may_shrink(rollout: Rollout) -> bool:
    """Whether a pod of the stable version may make room for one of the canary."""
    canary = at(rollout.raw, "spec", "strategy", "canary")
    if not isinstance(canary, dict) or rollout.is_routed:
        return False
    return limits(rollout.replicas, canary.get("maxSurge"), canary.get("maxUnavailable")).unavailable > 0


def room(rollout: Rollout, quotas: Iterable[Fields]) -> Iterator[Check]:
    """`quotas`: the ResourceQuotas of the namespace. Whether they leave room for the pods that a release adds."""
    extra, gives_way = extra_pods(rollout), _may_shrink(rollout)
    for quota in quotas:
        hard, used = at(quota, "status", "hard") or at(quota, "spec", "hard") or {}, at(quota, "status", "used") or {}
        for resource, most in hard.items():
            has, may, each = amount(used.get(resource)), amount(most), _each(rollout, resource)
            if has is None or may is None or not each or has + extra * each <= may:
                continue
            pods, left = plural(extra, "pod"), max(0, int((may - has) / each + 1e-9))
            name = at(quota, "metadata", "name")
            text = f"a release adds up to {pods}, and ResourceQuota {name} ({resource}) leaves room for {left}"
            fix = f"kubectl -n {rollout.namespace} describe resourcequota {name}"
            yield Check("room", "warning" if left or gives_way else "fault", text, fix)


def _each(rollout: Rollout, resource: str) -> float:
    """How much of a quota's resource one pod takes; 0 for what pods do not count in."""
    if resource in ("pods", "count/pods"):
        return 1
    kind, _, name = resource.rpartition(".")
    containers = at(rollout.template or at(rollout.raw, "spec", "template"), "spec", "containers") or []
    known = [amount(at(c, "resources", kind or "requests", name)) for c in containers]
    return sum(a for a in known if a)


def autoscaling(rollout: Rollout, found: Iterable[Fields], owns_replicas: bool) -> Iterator[Check]:
    """`found`: the HorizontalPodAutoscalers of the namespace. `owns_replicas`: canary.yaml sets the replicas, too."""
    ref = rollout.workload_ref or {}
    for scaler in found:
        target = at(scaler, "spec", "scaleTargetRef") or {}
        aims = (target.get("kind"), target.get("name"))
        name = _scaler_name(scaler)
        if aims == (ref.get("kind"), ref.get("name")) and ref:
            text = f"{name} scales {aims[0]} {aims[1]}, which {rollout.name} only takes its pod template from"
            yield Check("autoscaling", "warning", text, f"let its target be Rollout {rollout.name}")
        if aims != ("Rollout", rollout.name):
            continue
        if owns_replicas:
            text = f"{name} scales {rollout.name}, and canary.yaml sets `replicas` as well"
            yield Check("autoscaling", "warning", text, "set `replicas: null` in canary.yaml")
        stopped = condition(scaler, "ScalingActive")
        if stopped and stopped[1].get("status") == "False" and rollout.replicas:
            text = f"{name} cannot scale {rollout.name}: {short(str(stopped[1].get('message') or ''))}"
            fix = f"kubectl -n {rollout.namespace} describe hpa {at(scaler, 'metadata', 'name')}"
            yield Check("autoscaling", "warning", text, fix)
        elif not owns_replicas:
            least, most = at(scaler, "spec", "minReplicas") or 1, at(scaler, "spec", "maxReplicas")
            yield Check("autoscaling", "ok", f"{name} scales {rollout.name} between {least} and {most} pods")


def _scaler_name(scaler: Fields) -> str:
    """That of the ScaledObject from which KEDA makes it, or its own."""
    owners = at(scaler, "metadata", "ownerReferences") or []
    owner = next((str(o.get("name")) for o in owners if o.get("kind") == "ScaledObject"), "")
    owner = owner or str(at(scaler, "metadata", "labels", "scaledobject.keda.sh/name") or "")
    return f"ScaledObject {owner} of KEDA" if owner else f"HorizontalPodAutoscaler {at(scaler, 'metadata', 'name')}"


def before(version: str, outcome: str, *, now: bool) -> Check:
    """`outcome`: how the version ended if it was aborted before, else empty; `now`: it is the newest one, still."""
    if outcome:
        text = f"{version} was shipped before and {outcome}"
        return Check("version", "fault", text, f"deploy a fixed version{', or `canary retry`' if now else ''}")
    return Check("version", "ok", f"{version} is not known to have failed")


def just_started(pods: Iterable[datetime | None], now: datetime) -> bool:
    """Whether the oldest of the stable pods has not run for two usual scrapes and a rule's evaluation."""
    known = [at for at in pods if at]
    return bool(known) and now - min(known) < _YOUNG


def metric(name: str, problem: str, stable: bool | None, *, young: bool = False) -> Iterator[Check]:
    """`stable`: whether the query gives data for the stable pods; None if it cannot be asked about them alone. `young`:
    these pods have not run for as long as data take."""
    if problem:
        yield Check("metrics", "warning", f"{name} cannot be checked: {problem}", f"canary metrics --query {name}")
    elif stable is False and young:
        yield Check(
            "metrics", "warning", f"{name} has no data yet: the stable pods have just started", "try again soon"
        )
    elif stable is False:
        text = f"{name} has no data for the stable pods, so it would have none for a canary"
        yield Check("metrics", "fault", text, f"check its labels: canary metrics --query {name}")


def scraping(metric_name: str, window: timedelta, scrapes: float | None) -> Iterator[Check]:
    """`scrapes`: how many samples of a series there are in the window; None without data."""
    if scrapes is not None and scrapes < _SCRAPES:
        text = f"{metric_name} is scraped {scrapes:g} times in the query's window of {span(window)}"
        yield Check("scrapes", "warning", text, "set a longer `analysis.window`, or scrape more often")


def label(values: Iterable[str], metric_name: str) -> Iterator[Check]:
    """`values`: those of the label `canary` on the series of this service."""
    found = set(values)
    if not found - {""}:
        text = f"the series of {metric_name} have no label `canary`, so canary and stable cannot be told apart"
        yield Check("label", "fault", text, "relabel it from the pods' label `canary` in the scrape configuration")


def enough_traffic(rate: float, weight: int, duration: timedelta, needed: float, longest: timedelta) -> Iterator[Check]:
    """`rate`: requests per second of the service now. The first analysis, at `weight` percent, lasts `duration` and
    waits for `needed` requests up to `longest`."""
    share = rate * weight / 100
    if not rate:
        yield Check("traffic", "warning", "the service gets no requests, so no metric can be judged", "send it traffic")
        return
    time = needed / share
    seen = f"{share:.3g} requests/s reach the canary at {weight} %"
    if time > longest.total_seconds():
        text = f"{seen}: too few for a verdict within {span(longest)}, so a person would have to decide"
        yield Check("traffic", "warning", text, "set a longer `analysis.max`, or fewer `min_requests`")
    elif time > duration.total_seconds():
        waits = span(timedelta(seconds=int(time)))
        text = f"{seen}: the first step waits about {waits} for the {needed:.0f} requests of a verdict"
        yield Check("traffic", "ok", text)
    else:
        yield Check("traffic", "ok", f"{seen}, enough for a verdict")


def _do_not(names: Sequence[Any]) -> str:
    return "do not" if len(names) > 1 else "does not"
