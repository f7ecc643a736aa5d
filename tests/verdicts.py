"""How often each form of the rule is wrong about two identical versions.

    python -m tests.verdicts [RELEASES] [SEED] [--write]

prints a line a cell, `form rps errors% rolled_back% held%`: the share of good releases that the default
canary.yaml, in that form, would roll back or hold for a person; and how many of them each metric rolled back,
`metric=count`. The templates are those that are rendered, their queries are evaluated by our PromQL over drawn
counters, and our judge judges the answers. `--write` puts them into docs/verdicts.md, too, as `make soak` does with
more releases, and with the power of the rule.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from companyos_canary.config import load
from companyos_canary.render.objects import objects
from companyos_canary.render.plan import planned_rule
from companyos_canary.trials import Behaviour, Load, PlayedRelease, PlayedStep, release

FORMS = ("literal", "safe", "evidence")
RATES = (2, 10, 20, 50, 200)
ERRORS = (0.001, 0.005, 0.01, 0.02)
PAGE = Path(__file__).parents[1] / "docs" / "verdicts.md"
RELEASES, SEED = 200, 1
_FILE = "schema: canary/v1\nrollout: api\nnamespace: shop\nimage: api\nanalysis: {{form: {form}{more}}}\n"


@cache
def steps(form: str, more: str = "") -> tuple[PlayedStep, ...]:
    """The steps of the default canary.yaml in that form; `more` are further fields of `analysis`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "canary.yaml"
        path.write_text(_FILE.format(form=form, more=more))
        settings = load(path, shown="canary.yaml")
    return planned_rule(objects(settings), replicas=None).played()


def played(form: str, rate: float, errors: float, seed: str, times: float = 1.0, clumps: int = 1) -> PlayedRelease:
    """One release of a version that fails `times` as many requests as the stable one."""
    load = Load(rate, Behaviour(errors, clumps=clumps), Behaviour(errors * times, clumps=clumps))
    return release(steps(form), load, seed)


def line(cell: tuple[str, float, float, int, int]) -> str:
    """One cell as it is printed."""
    form, rate, errors, releases, seed = cell
    found = [played(form, rate, errors, f"{seed} {rate} {errors} {n}") for n in range(releases)]
    kinds = [one.kind for one in found]
    rolled_back, held = (100 * kinds.count(kind) / releases for kind in ("rolled-back", "held"))
    by = Counter(one.metric for one in found if one.kind == "rolled-back")
    told = "".join(f" {metric}={count}" for metric, count in sorted(by.items()))
    return f"{form} {rate:g} {100 * errors:g} {rolled_back:.1f} {held:.1f}{told}"


def grid(releases: int, seed: int, forms: Sequence[str] = FORMS) -> Iterator[str]:
    """Every cell, over all processors; the same seed gives the same lines."""
    cells = [(form, rate, errors, releases, seed) for form in forms for rate in RATES for errors in ERRORS]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(line, cells)


def table(lines: Sequence[str], releases: int, seed: int) -> str:
    """The lines of a whole grid as a table in Markdown, the forms in parallel; and what `evidence` comes to."""
    found = {tuple(cell[:3]): cell[3:5] for cell in (each.split() for each in lines)}
    rows = []
    for rate, errors in ((f"{r:g}", f"{100 * e:g}") for r in RATES for e in ERRORS):
        cells = (" / ".join(found[form, rate, errors]) for form in FORMS)
        rows.append(f"| {rate} | {errors} % | {' | '.join(cells)} |")
    head = f"| requests/s | errors | {' | '.join(FORMS)} |\n|--:|--:|{'--:|' * len(FORMS)}"
    own = [each.split() for each in lines if each.startswith("evidence ")]
    wrong = sum(float(cell[3]) for cell in own) * releases / 100
    by: Counter[str] = Counter()
    for metric, _, count in (pair.partition("=") for cell in own for pair in cell[5:]):
        by[metric] += int(count)
    causes = " and ".join(f"{count} by `{metric}`" for metric, count in by.most_common())
    told = f"Of {len(rows) * releases:,} releases `evidence` rolled {wrong:.0f} back, {causes}."
    return f"{releases} releases in each cell, seed {seed}:\n\n{head}\n" + "\n".join(rows) + f"\n\n{told}"


def stopped(cell: tuple[float, float, float, int]) -> float:
    """The share of versions with `times` the errors that the default rule rolls back."""
    rate, errors, times, releases = cell
    found = [played("evidence", rate, errors, f"power {n}", times) for n in range(releases)]
    return sum(o.kind == "rolled-back" for o in found) / releases


def power(cells: Sequence[tuple[float, float, float]], releases: int) -> Iterator[float]:
    """The same of each cell, over all processors."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(stopped, [(*cell, releases) for cell in cells])


def power_table(found: Mapping[tuple[float, float, float], float], releases: int) -> str:
    """By requests, errors and times, as a table in Markdown."""
    times = sorted({t for *_, t in found})
    said = "".join(f" {t:g} times{' as many' * (t == times[0])} |" for t in times)
    head = f"| requests/s | errors |{said}\n|--:|--:|{'--:|' * len(times)}"
    rows = [
        f"| {rate:g} | {100 * errors:g} % |{''.join(f' {_share(found[rate, errors, t])} % |' for t in times)}"
        for rate, errors in dict.fromkeys((r, e) for r, e, _ in found)
    ]
    return f"{releases} releases in each cell:\n\n{head}\n" + "\n".join(rows)


def _share(share: float) -> str:
    """In percent; with a digit more where it would look like all."""
    return f"{100 * share:.1f}" if 0.99 < share < 1 else f"{100 * share:.0f}"


def write(name: str, text: str) -> None:
    """Into docs/verdicts.md, between the marks of that name."""
    before, mark, rest = PAGE.read_text().partition(f"<!-- {name} -->\n")
    PAGE.write_text(f"{before}{mark}{text}\n<!-- /{name} -->{rest.partition(f'<!-- /{name} -->')[2]}")


if __name__ == "__main__":
    given = [text for text in sys.argv[1:] if text != "--write"]
    releases, seed = (int(text) for text in (*given, *map(str, (RELEASES, SEED)[len(given) :])))
    print(f"# form rps errors% rolled_back% held% metric=count; {releases} releases a cell, seed {seed}", flush=True)
    lines = []
    for found in grid(releases, seed):
        lines.append(found)
        print(found, flush=True)
    if "--write" in sys.argv:
        write("verdicts", table(lines, releases, seed))
