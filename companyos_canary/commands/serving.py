"""What `canary sandbox` is asked for: controllers, faults, Roles, the list of scenarios."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from companyos_canary.commands import base
from companyos_canary.errors import UsageError

if TYPE_CHECKING:
    from companyos_canary.sandbox.api.access import Roles
    from companyos_canary.sandbox.faults import Fault, Freeze

#: `rollouts` acts on Rollouts and AnalysisRuns, `replicasets` on ReplicaSets and Deployments.
CONTROLLERS = ("rollouts", "replicasets")


def scenarios_listed() -> base.Answer:
    from companyos_canary.sandbox.scenarios import shipped

    found = shipped()
    width = max(len(scenario.name) for scenario in found)
    lines = tuple(
        line
        for scenario in found
        for line in (f"{scenario.name:<{width}}  {scenario.description}", f"{'':<{width}}  {scenario.promise}")
    )
    data = [{"name": s.name, "description": s.description, "promise": asdict(s.promise)} for s in found if s.promise]
    return base.Answer(lines=lines, data={"scenarios": data})


def controllers_named(text: str) -> tuple[str, ...]:
    """The controllers that a list names; empty for none."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in CONTROLLERS:
            raise UsageError(
                f"the sandbox has no controller `{name}`",
                hint="`--controllers` takes " + ", ".join(f"`{c}`" for c in CONTROLLERS) + ", with commas between them",
            )
    return names


def faults_written(texts: list[str], acting: tuple[str, ...]) -> "list[Fault | Freeze]":
    from companyos_canary.sandbox.faults import Freeze, parse_fault

    found = [parse_fault(text) for text in texts]
    if "rollouts" not in acting and any(isinstance(fault, Freeze) for fault in found):
        from companyos_canary.sandbox.cluster import nothing_to_freeze

        raise nothing_to_freeze()
    return found


def roles_read(file: str, namespace: str) -> "Roles":
    from companyos_canary.sandbox.api.access import read_roles

    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`{file}` cannot be read: {error}") from error
    return read_roles(text, namespace, file)
