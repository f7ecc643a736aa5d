"""What may not be read is said to be that, not to be missing."""

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.api.access import Attributes
from tests.world import World


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(("logs",), "pods"), (("events",), "events"), (("analysis",), "analysisruns"), (("history",), "replicasets")],
)
def test_a_list_that_may_not_be_read_is_4_and_names_the_right(
    running: World, arguments: tuple[str, ...], kind: str
) -> None:
    def others(asked: Attributes) -> bool:
        return asked.verb != "list" or asked.resource not in (kind, "replicasets")

    running.allowed = others
    ran = running.canary(*arguments)
    assert ran.code == ExitCode.DENIED
    assert f"not permitted to `list` `{kind}" in ran.err
    assert ran.out == ""
