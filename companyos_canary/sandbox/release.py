"""The releases of Argo Rollouts that the sandbox's controller can behave as, and what is different
between them (recorded with both; the rest is the same)."""

from dataclasses import dataclass

from companyos_canary.errors import UsageError


@dataclass(frozen=True, slots=True)
class Release:
    """`ends_passes`: a pass ends behind a new ReplicaSet and behind conditions that it writes
    first, which it only does for an observed spec; otherwise it goes on with what it has read.
    `keeps_runs`: the status names the runs of an aborted update. `has_duration`: there is a
    status.duration. `judges_new_pauses`: conditions follow the pauses that are about to be written,
    not those that were read. `aborts_at_once`: the pass that sees the progress deadline go by says
    so in its abort, and there is none for a promoted version. `names_conditions`: an error in a
    condition of a metric says in which one. `knows_basic_auth`: metrics may have one.
    `calls_it_fast`: going back to the stable version has a reason of its own."""

    name: str
    ends_passes: bool
    keeps_runs: bool
    has_duration: bool
    judges_new_pauses: bool
    aborts_at_once: bool
    names_conditions: bool
    knows_basic_auth: bool
    calls_it_fast: bool


V1_9 = Release(
    "1.9",
    ends_passes=False,
    keeps_runs=True,
    has_duration=False,
    judges_new_pauses=False,
    aborts_at_once=False,
    names_conditions=False,
    knows_basic_auth=False,
    calls_it_fast=False,
)
HEAD = Release(
    "head",
    ends_passes=True,
    keeps_runs=False,
    has_duration=True,
    judges_new_pauses=True,
    aborts_at_once=True,
    names_conditions=True,
    knows_basic_auth=True,
    calls_it_fast=True,
)
RELEASES = (V1_9, HEAD)


def release_named(name: str) -> Release:
    """Raises UsageError for a name that is none."""
    found = next((r for r in RELEASES if r.name == name), None)
    if found is None:
        raise UsageError(
            f"the sandbox cannot behave as a controller `{name}`",
            hint="`--controller` takes " + " or ".join(f"`{r.name}`" for r in RELEASES),
        )
    return found
