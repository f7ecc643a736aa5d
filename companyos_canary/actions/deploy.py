"""Shipping a version: which image it is, what is sent, and how long it may take."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.actions.wait import Time
from companyos_canary.argo.durations import analysis_templates_of, default_timeout
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.endings import Until, impossible
from companyos_canary.argo.patches.decision import Change, Decision, Refusal, not_changeable
from companyos_canary.argo.patches.record import Record, ends_with, stable_hashes
from companyos_canary.argo.patches.template import set_image
from companyos_canary.argo.rights import missing, of_deploy
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import ANALYSISTEMPLATE
from companyos_canary.config.settings import image_reference
from companyos_canary.errors import CanaryError, Forbidden
from companyos_canary.model.image import repository
from companyos_canary.model.rollout import Rollout

_HEALTHY = Until()


class Deploy(Struct, frozen=True):
    """What a user asked for. `repository` and `container` come from canary.yaml; where there is
    none they are those of the live Rollout."""

    version: str
    repository: str | None
    container: str | None
    supersede: bool
    by: str
    reason: str
    release_hold: bool = False
    force: bool = False
    until: Until = _HEALTHY


def container_of(rollout: Rollout, wanted: str | None) -> str:
    """The container that a version is about: the one named, else the only one, else the one that
    is called as the Rollout."""
    if wanted:
        return wanted
    names = [c.name for c in rollout.containers]
    return names[0] if len(names) == 1 else rollout.name


def running_container(rollout: Rollout, wanted: str | None) -> str:
    """The same as far as it runs with the pod: for an init container the first with its image."""
    named = container_of(rollout, wanted)
    if named not in {c.name for c in rollout.init_containers}:
        return named
    image = rollout.image(named)
    return next((c.name for c in rollout.containers if c.image == image), named)


def check_rights(cluster: Cluster, rollout: Rollout, *, follows: bool, aborts: bool) -> None:
    """Raises Forbidden if a right is missing without which the deploy would end half-way. One question, before
    anything is sent; none where nothing can be missing, and where the server does not say it continues."""
    needed = of_deploy(rollout, follows=follows, aborts=aborts)
    rules = cluster.rules() if needed else None
    lacking = missing(needed, rules, rollout.name) if rules is not None else ()
    if lacking:
        raise Forbidden(
            f"{lacking[0].sentence} in namespace `{cluster.namespace}`, which it needs half-way: nothing was sent",
            hint="`canary rbac deployer` prints the role that allows it",
        )


def send_deploy(
    cluster: Cluster,
    name: str,
    deploy: Deploy,
    *,
    time: Time,
    dry_run: bool,
    wait: bool,
    check: Callable[[Rollout], None] = lambda _: None,
) -> Changed:
    """Sets the image, pinned to what was read. `Nothing` where it is there already. With `wait`, where
    the answer to it is lost, until the image is seen in the pod template. `check` is called before the
    first write."""
    now, checked = time.now(), False

    def decide(rollout: Rollout) -> Decision:
        nonlocal checked
        decision = _decided(rollout, deploy, now)
        if isinstance(decision, Change) and not checked and not dry_run:
            check(rollout)
            checked = True
        return decision

    verb = Verb("deploy", decide, partial(_written, deploy), of_template=True, reason=deploy.reason)
    return change(cluster, name, verb, time=time, dry_run=dry_run, wait=wait)


def _decided(rollout: Rollout, deploy: Deploy, now: datetime) -> Decision:
    if problem := impossible(rollout, deploy.until):
        return Refusal(problem, "--until healthy or --until paused")
    container, image = container_of(rollout, deploy.container), _image_in(rollout, deploy)
    known = stable_hashes(rollout.annotations)
    record = Record(deploy.by, now, deploy.reason, image, rollout.stable_hash, known, ends_with(rollout))
    if not rollout.containers and not not_changeable(rollout):
        return Refusal(f"Rollout `{rollout.name}` has no containers", "see `canary render`")
    return set_image(
        rollout,
        container,
        image,
        record=record,
        supersede=deploy.supersede,
        release=deploy.release_hold,
        force=deploy.force,
    )


def _written(deploy: Deploy, before: Rollout, after: Rollout) -> Effect:
    container = container_of(after, deploy.container)
    if after.image(container) == _image_in(before, deploy):
        return Effect.SEEN
    return Effect.PENDING if after.template == before.template else Effect.OTHER


def _image_in(rollout: Rollout, deploy: Deploy) -> str:
    """The image that the version is, in the repository of canary.yaml or of the container that is there."""
    live = rollout.image(container_of(rollout, deploy.container))
    return image_reference(deploy.repository or repository(live), deploy.version)


def timeout_of(cluster: Cluster, rollout: Rollout) -> timedelta:
    """Twice what the live steps take, and the progress deadline. Templates that may not be read
    count as nothing."""
    templates = {}
    for name in analysis_templates_of(rollout):
        try:
            found = cluster.object(ANALYSISTEMPLATE, name)
        except CanaryError:
            continue
        if found:
            templates[name] = found
    return default_timeout(rollout, templates)
