"""The last line in a pipe: how it ended, for grep and awk."""

from companyos_canary.argo.weight_steps import weight_step_at, weight_steps
from companyos_canary.model.outcome import Ending
from companyos_canary.view.format import version
from companyos_canary.view.keyed import failure, quoted
from companyos_canary.view.progress import progress


def verdict_line(ending: Ending) -> str:
    """The last line in a pipe: `verdict=rolled-back version=v1.1.0 stable=v1.0.0 step=2/3
    metric=error-rate value=0.112 limit=0.05 exit=3`."""
    values = {
        "verdict": ending.kind,
        "version": version(ending.image) if ending.image else "",
        "stable": version(ending.stable_image) if ending.stable_image else "",
        "step": step_of(ending),
        "weight": _weight(ending),
        **_reason(ending),
        "exit": str(int(ending.exit_code)),
    }
    return " ".join(f"{k}={quoted(v)}" for k, v in values.items() if v)


def _reason(ending: Ending) -> dict[str, str]:
    if ending.cause is None:
        return {}
    if ending.cause.metrics:
        return failure(ending.cause.metrics)
    if ending.cause.pods:
        worst = ending.cause.pods[0]
        return {"pod": worst.pod, "reason": worst.reason}
    return {}


def _weight(ending: Ending) -> str:
    """Of what ended before it was followed: that of the step where it stopped."""
    if ending.weight is not None:
        return str(ending.weight)
    stopped = progress(ending.snapshot, ending.at).failed_step
    return str(stopped.weight) if stopped else ""


def step_of(ending: Ending) -> str:
    """`2/3`: where it had come to, as people count; empty where there are no steps."""
    steps = weight_steps(ending.snapshot.rollout.steps)
    stopped = progress(ending.snapshot, ending.at).failed_step
    if ending.step is None and stopped:
        return f"{stopped.number}/{len(steps)}"
    if ending.step is None or not steps:
        return ""
    at = weight_step_at(steps, ending.step)
    return f"{at.number if at else len(steps)}/{len(steps)}"
