"""What the controller refuses in a Rollout."""

import re
from collections.abc import Iterator
from typing import Any

from companyos_canary.argo.fault import Fault
from companyos_canary.argo.spec_faults import own_faults
from companyos_canary.argo.validation import service_faults
from companyos_canary.lint import fields
from companyos_canary.lint.finding import Found, rule
from companyos_canary.lint.objects import Case, Object, named_services
from companyos_canary.lint.paths import Path, below

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@rule("invalid-rollout", "error", "Rollout")
def invalid_rollout(case: Case) -> Iterator[Found]:
    """What makes a Rollout an InvalidSpec.

    The controller writes the sentence into the Rollout's status and does nothing more: no new ReplicaSet is made, and
    an update that is in progress stays where it is. These are the verdicts of `kubectl argo rollouts lint`, for
    the Rollout and the Services in the same files.
    """
    misspelled = {f.path[:-1] for f in fields.faults("Rollout", case.object.data) if isinstance(f, fields.Unknown)}
    for fault in _faults(case):
        path = _path(fault.field, case.object)
        if path in misspelled:  # what is missing there has another name
            continue
        told = f"{fault.problem}: {fault.detail}" if fault.detail else fault.problem
        yield Found(path, told[0].lower() + told[1:])


def _faults(case: Case) -> Iterator[Fault]:
    rollout: dict[str, Any] = dict(case.object.data)
    referring = bool(case.object.spec.get("workloadRef"))
    if referring and (case.object.spec.get("template") or {}).get("spec"):
        yield Fault("spec.template", "Internal error", "template must be empty for workload reference rollout")
        return
    if referring:
        rollout["spec"] = {**case.object.spec, **_WORKLOAD}
    yield from own_faults(rollout)
    for path, name in named_services(case.object):
        service = case.world.find("Service", name, case.object)
        if service and not referring:
            yield from service_faults(".".join(map(str, path)), rollout, name, service.data)


_WORKLOAD = {
    "selector": {"matchLabels": {"of": "workload"}},
    "template": {"metadata": {"labels": {"of": "workload"}}, "spec": {"containers": [{}]}},
}
"""What a workloadRef brings along."""


def _path(field: str, rollout: Object) -> Path:
    """The path of a field that the controller names: it leaves out `.canary` and `.blueGreen`."""
    path = tuple(name or int(index) for name, index in _PART.findall(field))
    named = [k for k in ("canary", "blueGreen") if below(rollout.spec, "strategy", k) is not None]
    if path[:2] != ("spec", "strategy") or path[2] in ("canary", "blueGreen", "strategy"):
        return path[:2] if path[2:] == ("strategy",) else path
    return (*path[:2], *named[:1], *path[2:])


RULES = (invalid_rollout,)
