"""docs/reliability.md: which exit codes each verb ends with under each fault."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tests.matrix.cells import LONGEST, Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = """\
# Reliability

Made by `make matrix`; do not edit. In the sandbox, every verb meets every fault at each request that it makes: once,
and from there on. {cells} cells were played. In none of them

- does a command raise an exception, end with a code outside of [the table](reference.md#exit-codes), or fail silently;
- is a change sent a second time after it was made, or may have been made;
- does exit 0 of a changing verb say something that is not true of the cluster at that moment;
- does a command say that nothing was sent when something was, or end with 1, 4, 5 or 7 after a change;
- does a reading verb leave something out without saying so;
- does a command take more than {minutes} minutes longer than without the fault.

The numbers are the exit codes that were seen. `0` under a fault means that the verb got over it.
"""


def page(found: Mapping[str, list[Outcome]]) -> str:
    """The whole of docs/reliability.md; `found` is by the name of a story."""
    lines = [HEAD.format(cells=sum(map(len, found.values())), minutes=LONGEST // timedelta(minutes=1))]
    for name, row in found.items():
        lines += [f"## `canary {name}`", "", "| fault | once | from there on |", "|---|---|---|"]
        for fault in dict.fromkeys(outcome.fault for outcome in row):
            once, on = (_codes(row, fault, lasts=lasts) for lasts in (False, True))
            lines.append(f"| {fault} | {once} | {on} |")
        lines.append("")
    return "\n".join(lines)


def _codes(row: list[Outcome], fault: str, *, lasts: bool) -> str:
    codes = {o.code for o in row if (o.fault, o.lasts) == (fault, lasts)}
    return ", ".join(map(str, sorted(codes)))
