"""The Experiments controller of the sandbox: a ReplicaSet for each template, AnalysisRuns next to
them, and the status that says how both went.

Upstream experiments/experiment.go; recorded: the scenarios of experiments.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.analysis.spec import run_spec
from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.quantity import format_time, parse_duration, parse_time, whole_seconds
from companyos_canary.model.row import COMPLETED
from companyos_canary.sandbox.behaviour import Delay, Queue, prompt
from companyos_canary.sandbox.controller.conditions import put
from companyos_canary.sandbox.controller.delays import DEADLINE, deadline_of, has_deadline
from companyos_canary.sandbox.controller.passes import pods_of
from companyos_canary.sandbox.controller.template import template_hash, with_resources
from companyos_canary.sandbox.events import Emit
from companyos_canary.sandbox.kinds import (
    ANALYSISRUN,
    ANALYSISTEMPLATE,
    CLUSTERANALYSISTEMPLATE,
    EXPERIMENT,
    REPLICASET,
    ROLLOUT,
    SERVICE,
)
from companyos_canary.sandbox.objects import ApiStatus, Object, copied, is_owned, owner_reference
from companyos_canary.sandbox.store import Change, Store

_LOST = ("Failed", "Error", "Inconclusive")
_OF_EXPERIMENT, _OF_TEMPLATE = "experiment.argoproj.io/name", "experiment.argoproj.io/template-name"
_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
_DEADLINE_SECONDS, _DELAY_SECONDS = 600, 30
_WORST_OF_TEMPLATES = ("Successful", "Running", "Progressing", "Error", "Failed")
_WORST_OF_RUNS = ("Successful", "Running", "Pending", "Inconclusive", "Error", "Failed")
_REQUIRED = "Required AnalysisRuns completed"
_TEMPLATE_VALUE = re.compile(r"\{\{\s*templates\.([^.}\s]+)\.(podTemplateHash|replicaset\.name)\s*\}\}")


class ExperimentController:
    """Looks at an Experiment after a change of its own, of the counts of its ReplicaSets, when one of its AnalysisRuns
    has ended, and when its time is over: that a run has begun is only seen by the way. Owns no thread."""

    def __init__(self, store: Store, emit: Emit, delay: Delay = prompt) -> None:
        self._store = store
        self._emit = emit
        self._seen = 0
        self._due = Queue(delay)

    def step(self, now: datetime) -> datetime | None:
        self._notice(now)
        while (uid := self._due.take(now)) is not None:
            found = next((e for e in self._store.items(EXPERIMENT) if e["metadata"]["uid"] == uid), None)
            if found is None or found["metadata"].get("deletionTimestamp"):
                continue
            before = self._store.version
            try:
                wake = _Pass(self._store, self._emit, now, found).reconcile()
            except ApiStatus:  # someone else was faster: read again
                self._due.put(uid, now)
                return now
            if wake is not None:
                self._due.put(uid, wake)
            if self._store.version != before:
                self._notice(now)
                return now
        return self._due.next

    def _notice(self, now: datetime) -> None:
        """Queues every Experiment that something happened to since the last look."""
        try:
            changes = self._store.changes(self._seen)
        except ApiStatus:  # the log is shorter than the time away: look at all
            self._seen, changes = self._store.version, []
            for experiment in self._store.items(EXPERIMENT):
                self._due.changed(experiment["metadata"]["uid"], now)
        for change in changes:
            self._seen = change.version
            if (uid := _touched(change)) is not None:
                self._due.changed(uid, now)


def _touched(change: Change) -> str | None:
    """The uid of the Experiment that a change is about."""
    meta = change.object["metadata"]
    if change.kind is EXPERIMENT:
        return str(meta["uid"]) if change.type != "DELETED" else None
    owner = next((o for o in meta.get("ownerReferences") or [] if o.get("kind") == EXPERIMENT.kind), None)
    if owner is None:
        return None
    counted = change.kind is REPLICASET and (
        change.type == "DELETED" or change.before is None or _counts(change.before) != _counts(change.object)
    )
    ended = change.kind is ANALYSISRUN and (change.object.get("status") or {}).get("phase") in COMPLETED
    return str(owner["uid"]) if counted or ended else None


def _counts(replicaset: Object) -> tuple[Any, ...]:
    status = replicaset.get("status") or {}
    return replicaset["spec"].get("replicas"), *(status.get(c) for c in _COUNTS)


class _Pass:
    """One look at one Experiment; `status` is the one that will be written."""

    def __init__(self, store: Store, emit: Emit, now: datetime, experiment: Object) -> None:
        self.store, self.emit, self.now, self.experiment = store, emit, now, experiment
        self.status: Json = copied(experiment.get("status") or {})
        owned = [s for s in store.items(REPLICASET, self.namespace) if is_owned(s, self.uid)]
        self.sets = {(s["metadata"].get("annotations") or {}).get(_OF_TEMPLATE, ""): s for s in owned}
        self.wakes: list[datetime] = []

    def reconcile(self) -> datetime | None:
        ending = self._is_terminating()
        for template in self.spec.get("templates") or []:
            self._template(template, ending)
        for analysis in self.spec.get("analyses") or []:
            self._analysis(analysis, ending)
        self._conclude()
        self._conditions()
        self._write()
        if (end := self._ends()) is not None and not ending:
            self.wakes.append(end)
        return min((w + timedelta(milliseconds=1) for w in self.wakes if w >= self.now), default=None)

    @property
    def spec(self) -> Json:
        spec: Json = self.experiment["spec"]
        return spec

    @property
    def before(self) -> Json:
        status: Json = self.experiment.get("status") or {}
        return status

    @property
    def name(self) -> str:
        return str(self.experiment["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.experiment["metadata"].get("namespace") or "")

    @property
    def uid(self) -> str:
        return str(self.experiment["metadata"]["uid"])

    def tell(self, type_: str, reason: str, message: str) -> None:
        self.emit(self.experiment, type_, reason, message)

    # templates

    def _template(self, template: Json, ending: bool) -> None:
        old = _named(self.before.get("templateStatuses"), template["name"])
        new = copied(old) or {"name": template["name"]}
        wanted = self._wanted(template, old, ending)
        found = self.sets.get(template["name"])
        if found is None:
            found = self._create(template)
            new["lastTransitionTime"] = format_time(self.now)
        else:
            self._service(template, found, wanted, new)
            found = self._scaled(template, found, wanted, new)
        pods = found.get("status") or {}
        counts = (pods.get("replicas", 0), pods.get("replicas", 0), pods.get("readyReplicas", 0))
        now = dict(zip(_COUNTS, (*counts, pods.get("availableReplicas", 0)), strict=True))
        if any(now[c] != (old or {}).get(c, 0) for c in _COUNTS):
            new["lastTransitionTime"] = format_time(self.now)
        new |= now
        if new.get("status") not in ("Successful", "Failed", "Error"):
            self._judge(new, wanted, now["availableReplicas"], ending)
        before = (old or {}).get("status", "")
        if new["status"] != before:
            told = f"Template '{template['name']}' transitioned from {before} -> {new['status']}"
            told += f": {new['message']}" if new.get("message") else ""
            bad = new["status"] in ("Failed", "Error")
            self.tell("Warning" if bad else "Normal", f"Template{new['status']}", told)
        _put(self.status, "templateStatuses", new)

    def _wanted(self, template: Json, old: Json | None, ending: bool) -> int:
        if ending or (old or {}).get("status") in ("Successful", "Failed", "Error"):
            return 0
        return _replicas(template)

    def _judge(self, new: Json, wanted: int, available: int, ending: bool) -> None:
        end = self._ends()
        passed = end is not None and self.now > end
        seconds = self.spec.get("progressDeadlineSeconds")
        seconds = _DEADLINE_SECONDS if seconds is None else seconds
        since = parse_time(new.get("lastTransitionTime")) or self.now
        deadline = since + whole_seconds(seconds)
        if wanted == available:
            new["status"] = "Successful" if passed or ending else "Running"
        elif self.now > deadline:
            new["status"] = "Failed"
            new["message"] = f"Template '{new['name']}' exceeded its progressDeadlineSeconds ({seconds})"
        else:
            new["status"] = "Successful" if ending else "Progressing"
            self.wakes.append(deadline)

    def _create(self, template: Json) -> Object:
        pods = with_resources(template.get("template") or {})
        labels = {k: v for k, v in ((pods.get("metadata") or {}).get("labels") or {}).items() if k != HASH_LABEL}
        pods["metadata"] = {**(pods.get("metadata") or {}), "labels": labels}
        digest = template_hash({"template": pods})  # not that of the version, whose Service selects it
        labels = {**labels, HASH_LABEL: digest}
        pods["metadata"]["labels"] = labels
        selector = copied(template.get("selector") or {})
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
        spec: Json = {"replicas": 0, "selector": selector, "template": pods}
        if template.get("minReadySeconds"):
            spec["minReadySeconds"] = template["minReadySeconds"]
        meta = {
            "name": f"{self.name}-{template['name']}",
            "namespace": self.namespace,
            "labels": labels,
            "annotations": {_OF_EXPERIMENT: self.name, _OF_TEMPLATE: template["name"]},
            "ownerReferences": [owner_reference(self.experiment)],
        }
        head = {"apiVersion": REPLICASET.api_version, "kind": REPLICASET.kind}
        return self.store.create(REPLICASET, {**head, "metadata": meta, "spec": spec})

    def _scaled(self, template: Json, found: Object, wanted: int, new: Json) -> Object:
        """What goes keeps the pods of its template until its deadline."""
        if wanted == 0:
            found = self._with_deadline(found)
            end = deadline_of(found)
            if end is not None and end > self.now and pods_of(found).desired:
                self.wakes.append(end)
                wanted = _replicas(template)
        size = pods_of(found).desired
        if size == wanted:
            return found
        changed = copied(found)
        changed["spec"]["replicas"] = wanted
        new["lastTransitionTime"] = format_time(self.now)
        direction = "up" if size < wanted else "down"
        name = found["metadata"]["name"]
        written = self.store.update(REPLICASET, changed)
        self.tell("Normal", "ScalingReplicaSet", f"Scaled {direction} ReplicaSet {name} from {size} to {wanted}")
        return written

    def _with_deadline(self, found: Object) -> Object:
        seconds = self.spec.get("scaleDownDelaySeconds")
        delay = whole_seconds(_DELAY_SECONDS if seconds is None else seconds)
        if bool(delay) == has_deadline(found):
            return found
        changed = copied(found)
        annotations = changed["metadata"].setdefault("annotations", {})
        if delay:
            annotations[DEADLINE] = format_time(self.now + delay)
        else:
            annotations.pop(DEADLINE)
        return self.store.update(REPLICASET, changed)

    def _service(self, template: Json, found: Object, wanted: int, new: Json) -> None:
        """A Service of its own for a template that has one, as long as it has pods."""
        mine = next((o for o in self.store.items(SERVICE, self.namespace) if self._serves(o, template)), None)
        if template.get("service") is None or not wanted:
            if mine is not None and (template.get("service") is None or not pods_of(found).available):
                self.store.delete(SERVICE, self.namespace, mine["metadata"]["name"])
                new.pop("serviceName", None)
                new.pop("podTemplateHash", None)
            return
        ports = _ports(found)
        if not ports or (mine is not None and mine["metadata"]["name"] == found["metadata"]["name"]):
            return
        name = template["service"].get("name") or found["metadata"]["name"]
        taken = self.store.get(SERVICE, self.namespace, name)
        if taken is not None and not self._serves(taken, template):
            why = f"service {name} already exists and is not owned by experiment template {template['name']}"
            new["status"] = "Error"
            new["message"] = f"Failed to create Service {name} for template '{template['name']}': {why}"
            return
        if taken is None:
            meta = {
                "name": name,
                "namespace": self.namespace,
                "annotations": {_OF_EXPERIMENT: self.name, _OF_TEMPLATE: template["name"]},
                "ownerReferences": [owner_reference(self.experiment)],
            }
            spec = {"selector": dict(found["metadata"]["labels"]), "ports": ports}
            head = {"apiVersion": SERVICE.api_version, "kind": SERVICE.kind}
            self.store.create(SERVICE, {**head, "metadata": meta, "spec": spec})
        new["serviceName"], new["podTemplateHash"] = name, found["metadata"]["labels"][HASH_LABEL]

    def _serves(self, service: Object, template: Json) -> bool:
        """Whether a Service was made for this template of this Experiment."""
        said = service["metadata"].get("annotations") or {}
        named = (said.get(_OF_EXPERIMENT), said.get(_OF_TEMPLATE))
        return is_owned(service, self.uid) and named == (self.name, template["name"])

    # analyses

    def _analysis(self, analysis: Json, ending: bool) -> None:
        old = _named(self.before.get("analysisRuns"), analysis["name"])
        new: Json = {"name": analysis["name"], "phase": "", "analysisRun": "", **copied(old or {})}
        try:
            self._follow(analysis, new, ending)
        except (TemplateError, ApiStatus) as error:
            new["phase"], new["message"] = "Error", self._why(analysis, new, error)
        before = (old or {}).get("phase", "")
        if new["phase"] != before and new["phase"]:
            told = f"AnalysisRun '{analysis['name']}' transitioned from {before} -> {new['phase']}"
            told += f": {new['message']}" if new.get("message") else ""
            reason = f"AnalysisRun{new['phase']}"
            self.tell("Warning" if new["phase"] in _LOST else "Normal", reason, told)
            for owner in self.experiment["metadata"].get("ownerReferences") or []:
                rollout = self.store.get(ROLLOUT, self.namespace, owner["name"])
                if rollout is not None and owner.get("kind") == ROLLOUT.kind:
                    self.emit(rollout, "Warning", reason, told)
        _put(self.status, "analysisRuns", new)

    def _follow(self, analysis: Json, new: Json, ending: bool) -> None:
        if not self.before.get("availableAt"):
            self._read_template(analysis)
            return
        if not new.get("analysisRun"):
            if not ending:
                self._read_template(analysis)
                new["analysisRun"], new["phase"] = self._create_run(analysis), "Pending"
            return
        if new["phase"] in COMPLETED:
            return
        run = self.store.read(ANALYSISRUN, self.namespace, new["analysisRun"])
        phase = (run.get("status") or {}).get("phase", "")
        if not ending:
            new["phase"], message = phase, (run.get("status") or {}).get("message")
            new.pop("message", None)
            if message:
                new["message"] = message
        elif phase not in COMPLETED and not run["spec"].get("terminate"):
            told = f"Terminating {analysis['name']} ({new['analysisRun']})"
            self.tell("Normal", "AnalysisRunTerminating", told)
            self.store.update(ANALYSISRUN, {**copied(run), "spec": {**run["spec"], "terminate": True}})

    def _read_template(self, analysis: Json) -> None:
        """Raises an ApiStatus 404 where the template does not exist."""
        if analysis.get("clusterScope"):
            self.store.read(CLUSTERANALYSISTEMPLATE, "", analysis["templateName"])
        else:
            self.store.read(ANALYSISTEMPLATE, self.namespace, analysis["templateName"])

    def _why(self, analysis: Json, new: Json, error: Exception) -> str:
        message = getattr(error, "message", str(error))
        if new.get("analysisRun"):
            return message
        if self.before.get("availableAt"):
            return f"Failed to create AnalysisRun for analysis '{analysis['name']}': {message}"
        kind = CLUSTERANALYSISTEMPLATE if analysis.get("clusterScope") else ANALYSISTEMPLATE
        return f"{kind.kind} verification failed for analysis '{analysis['name']}': {message}"

    def _create_run(self, analysis: Json) -> str:
        """The name of a new run; an unfinished one of the same spec is taken over."""
        spec = self._run_spec(analysis)
        base = name = f"{self.name}-{analysis['name']}"
        number = 0
        while taken := self.store.get(ANALYSISRUN, self.namespace, name):
            if (taken.get("status") or {}).get("phase") not in COMPLETED and taken["spec"] == spec:
                return name
            number, name = number + 1, f"{base}.{number + 1}"
        extra = self.spec.get("analysisRunMetadata") or {}
        meta = {
            "name": name,
            "namespace": self.namespace,
            **{k: dict(extra[k]) for k in ("labels", "annotations") if extra.get(k)},
            "ownerReferences": [owner_reference(self.experiment)],
        }
        head = {"apiVersion": ANALYSISRUN.api_version, "kind": ANALYSISRUN.kind}
        self.store.create(ANALYSISRUN, {**head, "metadata": meta, "spec": spec})
        return name

    def _run_spec(self, analysis: Json) -> Json:
        rest: Json = {k: self.spec[k] for k in ("dryRun", "measurementRetention") if k in self.spec}
        asked: Json = {
            **rest,
            "templates": [{k: analysis[k] for k in ("templateName", "clusterScope") if k in analysis}],
            "args": [
                {**a, "value": self._resolved(a["value"])} if "value" in a else a for a in analysis.get("args") or []
            ],
        }
        return run_spec(asked, self.experiment, self._lookup, latest_hash="", stable_hash="")

    def _resolved(self, value: str) -> str:
        def found(match: re.Match[str]) -> str:
            replicaset = self.sets.get(match[1])
            if replicaset is None:
                return ""
            meta = replicaset["metadata"]
            return str(meta["labels"].get(HASH_LABEL, "") if match[2] == "podTemplateHash" else meta["name"])

        return _TEMPLATE_VALUE.sub(found, str(value))

    def _lookup(self, name: str, cluster: bool) -> Mapping[str, Any] | None:
        if cluster:
            return self.store.get(CLUSTERANALYSISTEMPLATE, "", name)
        return self.store.get(ANALYSISTEMPLATE, self.namespace, name)

    # the whole

    def _is_terminating(self) -> bool:
        status = self.before
        lost = [t for t in status.get("templateStatuses") or [] if t.get("status") in ("Failed", "Error")]
        lost += [r for r in status.get("analysisRuns") or [] if r.get("phase") in _LOST]
        finished = status.get("phase") in COMPLETED
        return bool(self.spec.get("terminate") or finished or lost or self._has_all_required(status))

    def _has_all_required(self, status: Json) -> bool:
        required = [a["name"] for a in self.spec.get("analyses") or [] if a.get("requiredForCompletion")]
        runs = [_named(status.get("analysisRuns"), name) for name in required]
        return bool(required) and all((run or {}).get("phase") == "Successful" for run in runs)

    def _ends(self) -> datetime | None:
        available = parse_time(self.before.get("availableAt") or self.status.get("availableAt"))
        if available is None or not self.spec.get("duration"):
            return None
        try:
            return available + parse_duration(str(self.spec["duration"]))
        except ValueError:
            return None

    def _conclude(self) -> None:
        phase = self.before.get("phase", "")
        if phase in COMPLETED:
            return
        if not phase:
            self.status["phase"] = "Pending"
            return
        template, why_template = self._worst_template()
        runs, why_runs = self._worst_run()
        if template == "Running" and not self.status.get("availableAt"):
            self.status["availableAt"] = format_time(self.now)
        required = any(a.get("requiredForCompletion") for a in self.spec.get("analyses") or [])
        if template in COMPLETED:
            by_runs = template == "Successful" and (runs in COMPLETED or required)
        else:
            by_runs = runs in _LOST or self._has_all_required(self.status)
        self.status["phase"], message = (runs, why_runs) if by_runs else (template, why_template)
        self.status.pop("message", None)
        if message:
            self.status["message"] = message

    def _worst_template(self) -> tuple[str, str]:
        worst, message = "Successful", ""
        for template in self.spec.get("templates") or []:
            found = _named(self.status.get("templateStatuses"), template["name"]) or {}
            status = found.get("status", "Progressing")
            if _WORST_OF_TEMPLATES.index(status) > _WORST_OF_TEMPLATES.index(worst):
                worst, message = status, found.get("message", "")
        return ("Pending" if worst == "Progressing" else worst), message

    def _worst_run(self) -> tuple[str, str]:
        """A run that has no phase yet is not worse than a successful one."""
        worst, message = "Successful", ""
        for analysis in self.spec.get("analyses") or []:
            found = _named(self.status.get("analysisRuns"), analysis["name"]) or {}
            phase = found.get("phase") or "Successful"
            if _WORST_OF_RUNS.index(phase) > _WORST_OF_RUNS.index(worst):
                worst, message = phase, found.get("message", "")
        if worst == "Successful" and self._has_all_required(self.status):
            return "Successful", _REQUIRED
        return ("Running" if worst == "Pending" else worst), message

    def _conditions(self) -> None:
        old, new = (s.get("templateStatuses") or [] for s in (self.before, self.status))
        moved = len(old) < len(new) or any(
            t.get(c, 0) != (_named(new, t["name"]) or t).get(c, 0) for t in old for c in _COUNTS
        )
        end = self._ends()
        said = f'Experiment "{self.name}"'
        if self.status.get("phase") == "Successful":
            told = f"{said} has successfully ran and completed."
            put(self.status, self.now, ("Progressing", "False", "ExperimentCompleted", told))
        elif moved:
            told = f"{said} is progressing."
            put(self.status, self.now, ("Progressing", "True", "ReplicaSetUpdated", told), refresh=True)
        elif self.before.get("availableAt") and not (end is not None and self.now > end):
            told = f"{said} is running."
            put(self.status, self.now, ("Progressing", "True", "NewReplicaSetAvailable", told))

    def _write(self) -> None:
        found = self.store.get(EXPERIMENT, self.namespace, self.name)
        if found is None or found["metadata"]["uid"] != self.uid or self.status == self.before:
            return
        version = self.experiment["metadata"]["resourceVersion"]
        self.store.update(EXPERIMENT, {**copied(found), "status": self.status}, expect=version)
        phase, before = self.status["phase"], self.before.get("phase", "")
        if phase != before:
            told = f"Experiment transitioned from {before} -> {phase}"
            self.tell("Warning" if phase in _LOST else "Normal", f"Experiment{phase}", told)


def _named(items: list[Json] | None, name: str) -> Json | None:
    return next((item for item in items or [] if item["name"] == name), None)


def _put(status: Json, key: str, new: Json) -> None:
    items = status.setdefault(key, [])
    kept = {k: v for k, v in new.items() if v not in ("", None) or k in ("name", "phase", "analysisRun")}
    at = next((i for i, item in enumerate(items) if item["name"] == new["name"]), None)
    if at is None:
        items.append(kept)
    else:
        items[at] = kept


def _replicas(template: Json) -> int:
    replicas = template.get("replicas")
    return 1 if replicas is None else int(replicas)


def _ports(replicaset: Object) -> list[Json]:
    """The ports of its containers, as those of a Service."""
    containers = replicaset["spec"]["template"].get("spec", {}).get("containers") or []
    return [
        {
            "port": p["containerPort"],
            "targetPort": p["containerPort"],
            **{k: p[k] for k in ("name", "protocol") if p.get(k)},
        }
        for c in containers
        for p in c.get("ports") or []
    ]
