"""How long a rollout of these settings takes when nothing stops it."""

from datetime import timedelta

from companyos_canary.config import Settings
from companyos_canary.render.steps import step_timing


def planned_duration(settings: Settings) -> timedelta:
    """The sum of all analyses and timed pauses. A pause that waits for a person counts nothing, and
    neither does the time pods take to start."""
    total = timedelta()
    for step in settings.steps:
        timing = step_timing(settings, step)
        total += timing.duration if timing else timedelta()
        total += step.pause if isinstance(step.pause, timedelta) else timedelta()
    return total
