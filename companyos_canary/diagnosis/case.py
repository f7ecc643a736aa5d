"""What a diagnosis reads, and what it says: objects as they are, and fields quoted from them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, wraps
from typing import Any, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from companyos_canary.argo.cause import aborted_by_analysis
from companyos_canary.argo.patches.record import action_of, record_of
from companyos_canary.model.http import Fields
from companyos_canary.model.image import HASH_LABEL, image_of, version
from companyos_canary.model.outcome import Evidence
from companyos_canary.model.place import Place
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot

_LONGEST = 160  # characters of a message in a sentence
_PLAIN = r"[A-Za-z_][\w-]*"


_Found = TypeVar("_Found")


class Explanation(Struct, frozen=True):
    """One answer. `sentence` has no full stop; `next` is a command line. `because` is the part of the sentence that
    says why, empty where all of it does."""

    sentence: str
    evidence: tuple[Evidence, ...] = ()
    next: str = ""
    because: str = ""


class Did(Struct, frozen=True):
    """What the person did last."""

    verb: str
    at: datetime | None = None


class MeasuredMetric(Struct, frozen=True):
    """What Prometheus said to one query: values (NaN included) with the labels of each, or the `problem` in one
    sentence."""

    values: tuple[float, ...] = ()
    problem: str = ""
    labels: tuple[Mapping[str, str], ...] = ()


class Case(Struct, frozen=True, dict=True):
    """Everything known at `now`. `objects` are by kind, as the API server sent them. `wanted` is the version that is
    asked about, empty for the newest. `logs` are the last lines by pod. `answers` are Prometheus's by query, and
    `prometheus` says why there are none."""

    now: datetime
    snapshot: Snapshot
    objects: Mapping[str, Sequence[Fields]] = field(default_factory=dict)
    wanted: str = ""
    did: Did | None = None
    logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: Mapping[str, MeasuredMetric] = field(default_factory=dict)
    prometheus: str = ""
    place: Place = field(default_factory=Place)

    @property
    def container(self) -> str | None:
        return self.place.container

    @property
    def rollout(self) -> Rollout:
        return self.snapshot.rollout

    @cached_property
    def version(self) -> str:
        """The newest version, as people name it."""
        current = self.snapshot.current
        image = image_of(self.rollout.containers, self.container)
        return version(image or image_of(current.containers if current else (), self.container)) or self.rollout.name

    @property
    def stable_version(self) -> str:
        stable = self.snapshot.stable
        return version(image_of(stable.containers if stable else (), self.container))

    def of(self, kind: str) -> Sequence[Fields]:
        return self.objects.get(kind, ())

    def named(self, kind: str, name: str) -> Fields | None:
        return next((o for o in self.of(kind) if o["metadata"]["name"] == name), None)

    def pods(self, hash_: str) -> Iterator[Fields]:
        """The pods of one ReplicaSet of this Rollout that are not going away."""
        known = {p.name for p in self.snapshot.pods if p.hash == hash_ and not p.deleting}
        return (o for o in self.of("Pod") if o["metadata"]["name"] in known)

    def experiment_pods(self) -> Iterator[Fields]:
        """The pods of the Experiment of the current step that run the newest template."""
        experiment = self.snapshot.experiment
        if experiment is None or experiment.is_finished:
            return
        sets = {f"{experiment.name}-{template.name}" for template in experiment.templates}
        images = {c.image for c in self.rollout.containers}
        for pod in self.of("Pod"):
            held = {c.get("image") for c in at(pod, "spec", "containers") or []}
            if at(pod, "metadata", "ownerReferences", 0, "name") in sets and images & held:
                yield pod

    def events(self, kind: str, name: str) -> Iterator[Fields]:
        """The events about one object, newest first."""
        found = self.rollout.raw if kind == "Rollout" and name == self.rollout.name else self.named(kind, name)
        uid = at(found, "metadata", "uid")
        about = (
            e
            for e in self.of("Event")
            if (e.get("involvedObject") or {}).get("kind") == kind and e["involvedObject"].get("name") == name
            if at(e, "involvedObject", "uid") in (None, "", uid) or not uid  # else of an earlier object of that name
        )
        return iter(sorted(about, key=event_time, reverse=True))

    def field(self, *path: str | int) -> tuple[Evidence, ...]:
        """A field of the Rollout as evidence."""
        return quote("Rollout", self.rollout.raw, *path)

    def status(self, *names: str) -> tuple[Evidence, ...]:
        """These fields of the Rollout's status, in this order."""
        return tuple(e for name in names for e in self.field("status", name))

    def field_of(self, kind: str, name: str, *path: str | int) -> tuple[Evidence, ...]:
        """A field of another object that was read."""
        return quote(kind, self.named(kind, name), *path)

    def command(self, verb: str, argument: str = "") -> str:
        """A command line of ours that can be copied."""
        return self.place.command(verb, argument)

    def kubectl(self, words: str) -> str:
        """A command line of kubectl's, for what is not ours to change."""
        return f"kubectl -n {self.rollout.namespace} {words}"

    def age(self, moment: Any) -> timedelta | None:
        """How long ago a moment was (a time, or the text of one); None if it is not known."""
        at = moment if isinstance(moment, datetime) else parse_time(moment)
        return max(self.now - at, timedelta()) if at else None

    @cached_property
    def ended_by_analysis(self) -> bool:
        """Whether the update was aborted by an analysis of it."""
        return aborted_by_analysis(self.snapshot)

    @property
    def since_progress(self) -> timedelta | None:
        """How long ago the controller last saw progress."""
        return self.age(self.rollout.progressed_at)

    def with_more(self, kind: str, found: Sequence[Fields]) -> "Case":
        """The same with objects that were read later."""
        return replace(self, objects={**self.objects, kind: [*self.of(kind), *found]})


def once(find: Callable[[Case], _Found]) -> Callable[[Case], _Found]:
    """Found once in each Case, however many causes ask for it."""

    @wraps(find)
    def found(case: Case) -> _Found:
        known, name = vars(case), find.__qualname__
        if name not in known:
            known[name] = find(case)
        answer: _Found = known[name]
        return answer

    return found


def recorded(rollout: Rollout) -> Did | None:
    """What `canary` itself wrote down of the last change."""
    action, record = action_of(rollout.annotations), record_of(rollout.annotations)
    did = [Did(action.get("verb", ""), parse_time(action.get("at")))] if action else []
    if record:
        did.append(Did("undo" if record.get("undo_to") else "deploy", parse_time(record.get("at"))))
    known = [d for d in did if d.at]
    return max(known, key=lambda d: d.at.timestamp() if d.at else 0.0) if known else None


def quote(kind: str, obj: Fields | None, *path: str | int) -> tuple[Evidence, ...]:
    """A field of an object as evidence; nothing where the object does not have it."""
    value = at(obj, *path)
    if obj is None or value is None or isinstance(value, (dict, list)):
        return ()
    return (Evidence(f"{kind}/{obj['metadata']['name']}", path_text(path), value),)


def at(obj: Any, *path: str | int) -> Any:
    """The value at a path; None if there is none."""
    for key in path:
        if isinstance(key, str) and isinstance(obj, Mapping):
            obj = obj.get(key)
        elif isinstance(key, int) and isinstance(obj, list) and key < len(obj):
            obj = obj[key]
        else:
            return None
    return obj


def path_text(path: Sequence[str | int]) -> str:
    """`status.conditions[0].reason`, `metadata.annotations['a.b/c']`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif re.fullmatch(_PLAIN, key):
            text += f".{key}" if text else key
        else:
            text += f"['{key}']"
    return text


def short(message: str) -> str:
    """One line of a message, cut where it is long."""
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def strategy_services(rollout: Rollout) -> tuple[str, ...]:
    """The Services that the strategy names, that of the stable version first."""
    strategy = at(rollout.raw, "spec", "strategy") or {}
    keys = {"canary": ("stableService", "canaryService"), "blueGreen": ("activeService", "previewService")}
    named = (at(strategy, kind, key) for kind, both in keys.items() for key in both)
    return tuple(dict.fromkeys(str(name) for name in named if name))


def service_of_stable(rollout: Rollout) -> str:
    """The Service of the stable version, or the active one; empty if the strategy names none."""
    strategy = at(rollout.raw, "spec", "strategy") or {}
    return str(at(strategy, "canary", "stableService") or at(strategy, "blueGreen", "activeService") or "")


def labels_lacking(rollout: Rollout, service: Fields | None) -> tuple[tuple[str, str], ...]:
    """What the Service requires of a pod and those of the Rollout do not have."""
    labels = at(rollout.template or rollout.raw, "metadata", "labels") or {}
    selector = at(service, "spec", "selector") or {}
    return tuple((k, v) for k, v in selector.items() if k != HASH_LABEL and labels.get(k) != v)


WEIGHT_SET = ("status", "canary", "weights", "canary", "weight")
"""Where a Rollout has the weight that the controller has set."""

UsedTemplate = tuple[str, str]
"""Kind and name of an AnalysisTemplate or a ClusterAnalysisTemplate."""


def named_templates(spec: object) -> list[UsedTemplate]:
    """Those that an analysis, or the spec of another template, names, in their order."""
    kinds = {True: "ClusterAnalysisTemplate", False: "AnalysisTemplate"}
    named = at(spec, "templates") or []
    return [(kinds[bool(at(ref, "clusterScope"))], str(at(ref, "templateName") or "")) for ref in named]


def templates_used(rollout: Fields) -> tuple[UsedTemplate, ...]:
    """Each that a Rollout names: in its steps, in the background and around a blue-green switch."""
    canary, switch = (at(rollout, "spec", "strategy", name) or {} for name in ("canary", "blueGreen"))
    analyses = [at(step, "analysis") for step in canary.get("steps") or []]
    analyses += [canary.get("analysis"), switch.get("prePromotionAnalysis"), switch.get("postPromotionAnalysis")]
    named = (template for analysis in analyses for template in named_templates(analysis) if template[1])
    return tuple(dict.fromkeys(named))


def condition(obj: Fields | None, type_: str) -> tuple[int, Fields] | None:
    """The place and the content of a status condition."""
    for index, found in enumerate(at(obj, "status", "conditions") or []):
        if found.get("type") == type_:
            return index, found
    return None


def is_true(obj: Fields | None, type_: str) -> bool:
    """Whether a status condition is True."""
    found = condition(obj, type_)
    return found is not None and found[1].get("status") == "True"


def event_time(event: Fields) -> str:
    """When an event was last seen, as written: those of a series say it there (events.k8s.io), others in two places."""
    last = at(event, "series", "lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(last or event.get("firstTimestamp") or event["metadata"].get("creationTimestamp") or "")
