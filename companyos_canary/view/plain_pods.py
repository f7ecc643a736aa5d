"""The line of a pipe about pods: said when all that are wanted are there, and once."""

from collections.abc import Iterable

from companyos_canary.argo.share import pod_share
from companyos_canary.view.format import is_far
from companyos_canary.view.keyed import keyed
from companyos_canary.view.picture import Picture

_READY = "pods ready "


def pods(before: Picture | None, after: Picture) -> list[str]:
    """Said when the pods that are wanted are there, not for each pod."""
    state = _settled(after)
    if state is None or (before and _settled(before) == state):
        return []
    canary, stable = after.snapshot.current, after.snapshot.stable
    counts = {"canary": canary, "stable": stable}
    share = pod_share(after.snapshot) if after.progress.step else None
    far = is_far(after.progress.weight, share)
    return [
        keyed("pods ready", **{k: str(r.available) for k, r in counts.items() if r}, share=str(share) if far else "")
    ]


def _settled(picture: Picture) -> int | None:
    """How many canary pods are wanted and there; none are, after an abort, once stable has all.
    None while pods come and go."""
    rollout, canary = picture.snapshot.rollout, picture.snapshot.current
    stable = picture.snapshot.stable
    if canary is None or stable is None or canary == stable:
        return None
    if canary.available != canary.desired or canary.replicas != canary.desired:
        return None
    if not rollout.aborted:
        return canary.desired or None
    return 0 if not canary.desired and stable.available == rollout.replicas else None


def unsaid(lines: Iterable[str], said: Iterable[str]) -> list[str]:
    """Without the pods' state where that was the last said of this version's: a pod may come and
    go."""
    last = next((line for line in reversed(list(said)) if _of_pods(line)), "")
    found = []
    for line in lines:
        if not line.startswith(_READY) or line != last:
            found.append(line)
        last = line if _of_pods(line) else last
    return found


def _of_pods(line: str) -> bool:
    """Whether it is about pods, or begins another version."""
    return line.startswith((_READY, "revision "))
