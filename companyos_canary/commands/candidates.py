"""What may come next on the command line, with a word about each: one request (two
for `undo --to`), and nothing where it cannot be known at once."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from companyos_canary.commands.options import identity_of, names_of
from companyos_canary.config import FILE, Flags, Resolved, find, load, resolve
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import Rollout
from companyos_canary.runtime import Runtime

if TYPE_CHECKING:
    from companyos_canary.cluster.client import Cluster
    from companyos_canary.cluster.kinds import Kind
    from companyos_canary.model.workload import ReplicaSet


_T = TypeVar("_T")
_PATIENCE = 0.15  # seconds for the request, and for what comes before it: the look-up of a name


class CommandLine:
    """What the line says so far (`given`: values by the names of the parameters), and the cluster
    that it means. A credential plugin is not run: it may be slow, or open a browser. A pipe is not
    read: it may be slow, and what it holds is for the command."""

    def __init__(self, runtime: Runtime, given: Mapping[str, Any]) -> None:
        self.runtime = runtime
        self.given = given

    @cached_property
    def file(self) -> Path | None:
        """The canary.yaml that is meant."""
        named = self.given.get("file") or self.runtime.environ.get("CANARY_FILE")
        return self.runtime.cwd / named if named else find(self.runtime.cwd)

    @cached_property
    def unread(self) -> bool:
        return self.file is not None and not self.file.is_file()

    @cached_property
    def resolved(self) -> Resolved:
        names = ("namespace", "context", "kubeconfig", "env", "file")
        rollouts = names_of(self.given.get("rollout"))
        where = {name: self.given.get(name) for name in names}
        flags = Flags(rollout=next(iter(rollouts), None), identity=identity_of(self.given), **where)
        environ, cwd = self.runtime.environ, self.runtime.cwd
        return resolve(flags, environ, cwd, needs_settings=False, reads=not self.unread)

    def ask(self, question: Callable[["Cluster"], _T]) -> list[_T]:
        """The answer, if it comes in time: a look-up of a server's name knows no deadline, so it
        is left behind on a thread."""
        from companyos_canary.cluster.credentials import at_hand

        resolved, environ = self.resolved, self.runtime.environ
        where = resolved.namespace and (resolved.context or "env" not in resolved.origins)
        if self.unread and not where:  # only the file knows
            return []
        if not at_hand(resolved.kubeconfig, resolved.context, environ, resolved.identity):
            return []
        cluster = self.runtime.connect(resolved, environ, _PATIENCE)
        answers: list[_T] = []

        def work() -> None:
            with contextlib.suppress(Exception):
                answers.append(question(cluster))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(2 * _PATIENCE)
        return answers

    def rollout(self) -> list[Rollout]:
        """The Rollout that is named, else the only one of the namespace; none in doubt."""
        name = self.resolved.rollout
        if name:
            return self.ask(lambda cluster: cluster.rollout(name))
        everyone = [r for found in self.ask(lambda cluster: cluster.rollouts()) for r in found]
        return everyone if len(everyone) == 1 else []

    def owned(self, kind: "Kind") -> list[dict[str, Any]]:
        """The objects of a kind that belong to that Rollout, known by the names of their owners:
        the Rollout itself would be a second request."""
        from companyos_canary.cluster.kinds import Selection

        lists = self.ask(lambda c: c.items(Selection(kind, c.namespace, HASH_LABEL)))
        items = [item for found in lists for item in found]
        owners = {_owner(item) for item in items}
        wanted = self.resolved.rollout or (owners.pop() if len(owners) == 1 else "")
        return [item for item in items if _owner(item) == wanted]


def _owner(item: Mapping[str, Any]) -> str:
    """The Rollout's name; a ReplicaSet is called after its Rollout and its hash."""
    meta = item["metadata"]
    reference: dict[str, str] = next(iter(meta.get("ownerReferences") or []), {})
    name, label = reference.get("name", ""), (meta.get("labels") or {}).get(HASH_LABEL, "")
    return name.removesuffix(f"-{label}") if reference.get("kind") == "ReplicaSet" else name


_Found = Iterable[tuple[str, str]]


def rollouts(line: CommandLine) -> _Found:
    from companyos_canary.argo.phase import shown_phase

    named = names_of(line.given.get("rollout"))
    for found in line.ask(lambda cluster: cluster.rollouts()):
        yield from ((r.name, shown_phase(r).word) for r in found if r.name not in named)


def namespaces(line: CommandLine) -> _Found:
    from companyos_canary.cluster.kinds import Selection, known

    if kind := known("v1", "Namespace"):
        for items in line.ask(lambda cluster: cluster.items(Selection(kind, ""))):
            yield from ((item["metadata"]["name"], "") for item in items)


def _named_in_the_kubeconfig(kind: str) -> Callable[[CommandLine], _Found]:
    """The contexts, clusters or users."""

    def names(line: CommandLine) -> _Found:
        from companyos_canary.cluster.kubeconfig import kubeconfig_files, names_in

        environ = line.runtime.environ
        kubeconfig = line.given.get("kubeconfig") or environ.get("CANARY_KUBECONFIG")
        return [(name, "") for name in names_in(kubeconfig_files(kubeconfig, environ), kind)]

    return names


def environments(line: CommandLine) -> _Found:
    found = load(line.file).environments if line.file and not line.unread else ()
    return [(name, f"environment of {FILE}") for name in found]


def _links(line: CommandLine) -> _Found:
    settings = line.resolved.settings
    return settings.links.items() if settings else ()


def _metrics(line: CommandLine) -> _Found:
    settings = line.resolved.settings
    return [(metric.name, "") for metric in settings.metrics] if settings else []


def states(line: CommandLine) -> _Found:
    """What --until takes."""
    yield "healthy", "the version is stable"
    yield "paused", "it waits for a person"
    for found in map(_steps, line.rollout()):
        yield from ((f"step={number}", f"{weight} %") for number, weight in found)
        yield from ((f"weight={weight}", f"step {number}") for number, weight in found)


def facts(_: CommandLine) -> _Found:
    """What --abort-on takes; more than one is separated by commas."""
    yield "crashloop", "a container crashes again and again"
    yield "image-pull", "an image cannot be pulled"
    yield "stuck=10m", "pods are missing and nothing moves for so long"
    yield "none", "do not abort, whatever canary.yaml says"


def weights(line: CommandLine) -> _Found:
    for found in map(_steps, line.rollout()):
        yield from ((str(weight), f"step {number}") for number, weight in found)


def verbs(line: CommandLine) -> _Found:
    from companyos_canary.commands.contract import DOCUMENTED

    return [(verb, "") for verb in DOCUMENTED]


def ci_systems(line: CommandLine) -> _Found:
    return [(word, "") for word in ("auto", "github", "gitlab", "none")]


def _steps(rollout: Rollout) -> list[tuple[int, float]]:
    from companyos_canary.argo.steps import steps_of

    return [(step.number, step.percent) for step in steps_of(rollout)]


def step_now(line: CommandLine) -> _Found:
    from companyos_canary.argo.steps import place_of, step_number

    return [(str(step_number(r)), place_of(r)) for r in line.rollout() if step_number(r)]


def revision_now(line: CommandLine) -> _Found:
    from companyos_canary.argo.phase import shown_phase

    return [(str(r.revision), shown_phase(r).word) for r in line.rollout()]


def containers(line: CommandLine) -> _Found:
    return [(c.name, c.image) for r in line.rollout() for c in r.containers]


def versions(line: CommandLine) -> _Found:
    """Of the history, newest first."""
    for replicaset, version, told in _history(line):
        yield version, f"revision {replicaset.revision}{told}"


def targets(line: CommandLine) -> _Found:
    """Versions and revisions of the history."""
    yield from _targets(list(_history(line)))


def undo_targets(line: CommandLine) -> _Found:
    """The same; whether the newest one was aborted is only in the Rollout, a second request."""
    found = list(_history(line))
    aborted = {r.current_hash for r in line.rollout() if r.aborted} if found else set()
    yield from _targets(
        (r, version, f", aborted{told.removeprefix(', was stable')}" if r.hash in aborted else told)
        for r, version, told in found
    )


def _targets(rows: Iterable[tuple["ReplicaSet", str, str]]) -> _Found:
    found = list(rows)
    yield from ((version, f"revision {r.revision}{told}") for r, version, told in found)
    yield from ((str(r.revision), f"{version}{told}") for r, version, told in found)


def _history(line: CommandLine) -> Iterable[tuple["ReplicaSet", str, str]]:
    """ReplicaSets, newest first, with their version and what the deploy records tell of them."""
    from companyos_canary.argo.patches.record import believed, ends_of, newest_ends, stable_hashes
    from companyos_canary.cluster.kinds import REPLICASET
    from companyos_canary.model.image import version
    from companyos_canary.model.workload import ReplicaSet

    settings, zone = line.resolved.settings, line.runtime.clock.now().tzinfo
    container = line.given.get("container") or (settings.container if settings else None)
    found = list(map(ReplicaSet.from_object, line.owned(REPLICASET)))
    records = {r.hash: record for r in found if (record := believed(r))}
    stable = {h for r in found if r.hash in records for h in stable_hashes(r.annotations)}
    newest = sorted(found, key=lambda r: r.revision, reverse=True)
    ends = newest_ends(end for r in newest for end in ends_of(r.annotations))
    left = {(e.hash, e.revision): e for e in ends}
    for r in newest:
        end = left.get((r.hash, r.revision))
        by, reason = (records.get(r.hash, {}).get(key, "") for key in ("by", "reason"))
        ended = "was stable" if r.hash in stable else ""
        if end and (end.undone or end.result == "aborted"):
            ended = "aborted" if end.result == "aborted" else "undone"
        told = (
            ended,
            f"{r.created_at.astimezone(zone):%d %b %H:%M}" if r.created_at else "",
            f"by {by}" if by else "",
            reason,
        )
        images = [c.image for c in r.containers if container in (None, c.name)]
        yield r, version(next(iter(images), "")), "".join(f", {t}" for t in told if t)


def pods(line: CommandLine) -> _Found:
    from companyos_canary.argo.pods import pod_status
    from companyos_canary.cluster.kinds import POD
    from companyos_canary.model.workload import Pod

    return [(p.name, pod_status(p)) for p in map(Pod.from_object, line.owned(POD))]


def runs(line: CommandLine) -> _Found:
    from companyos_canary.cluster.kinds import ANALYSISRUN
    from companyos_canary.model.analysisrun import AnalysisRun

    found = map(AnalysisRun.from_object, line.owned(ANALYSISRUN))
    newest = sorted(found, key=lambda r: (r.revision, r.name), reverse=True)
    return [(r.name, f"{r.phase}, revision {r.revision}") for r in newest]


def running(line: CommandLine, kind: "Kind") -> list[tuple[str, str]]:
    """The objects of the namespace that have not ended, AnalysisRuns or Experiments."""
    return [(name, phase) for name, phase in _with_phases(line, kind) if phase in ("Pending", "Running")]


def experiments(line: CommandLine) -> list[tuple[str, str]]:
    """The Experiments of the namespace."""
    from companyos_canary.cluster.kinds import EXPERIMENT

    return _with_phases(line, EXPERIMENT)


def known_templates(line: CommandLine) -> list[tuple[str, str]]:
    """The AnalysisTemplates of the namespace."""
    from companyos_canary.cluster.kinds import ANALYSISTEMPLATE

    return [(name, "") for name, _ in _with_phases(line, ANALYSISTEMPLATE)]


def _with_phases(line: CommandLine, kind: "Kind") -> list[tuple[str, str]]:
    """The objects of a kind in the namespace, each with the phase that it shows."""
    from companyos_canary.cluster.kinds import Selection

    found = [o for objects in line.ask(lambda c: c.items(Selection(kind, c.namespace))) for o in objects]
    return [(str(o["metadata"]["name"]), str((o.get("status") or {}).get("phase") or "Pending")) for o in found]


# By the name of the parameter, which means the same wherever a verb has it.
SOURCES: Mapping[str, Callable[[CommandLine], _Found]] = {
    "rollout": rollouts,
    "live": rollouts,
    "namespace": namespaces,
    "context": _named_in_the_kubeconfig("context"),
    "kube_user": _named_in_the_kubeconfig("user"),
    "kube_cluster": _named_in_the_kubeconfig("cluster"),
    "env": environments,
    "link": _links,
    "until": states,
    "abort_on": facts,
    "to_weight": weights,
    "if_step": step_now,
    "if_revision": revision_now,
    "container": containers,
    "version": versions,
    "to": undo_targets,
    "diff": targets,
    "pod": pods,
    "run": runs,
    "ci": ci_systems,
    "query": _metrics,
    "verb": verbs,
}
FILES = ("file", "files", "from_file", "kubeconfig", "write", "role", "summary")
