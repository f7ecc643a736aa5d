"""Makes docs/reference.md, docs/lint.md and the generated part of README.md from the program itself.

`make docs` writes them; `tests/test_docs.py` fails when they are not what would be written.
"""

import io
import re
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from rich.console import Console

from companyos_canary import cli
from companyos_canary.diagnosis.table import CAUSES
from companyos_canary.errors import MEANING
from companyos_canary.lint.rules import RULES
from companyos_canary.model.place import Place
from companyos_canary.runtime import Clock, Runtime
from companyos_canary.sandbox.scenarios import shipped
from companyos_canary.view.lines import Facts
from companyos_canary.view.panels import Desk
from tests import routing
from tests.builders import NOW
from tests.causes import MEANINGS
from tests.lint import samples
from tests.view import scenes
from tests.view.scenes import screen

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference.md"
CAUSES_PAGE = ROOT / "docs" / "causes.md"
README = ROOT / "README.md"
SCREEN = ROOT / "docs" / "screen.svg"
SANDBOX = ROOT / "docs" / "sandbox.md"
LINT = ROOT / "docs" / "lint.md"
ROUTING = ROOT / "docs" / "routing.md"
BEGIN, END = "<!-- exit codes: begin -->", "<!-- exit codes: end -->"
SCENARIOS = "<!-- scenarios: begin -->", "<!-- scenarios: end -->"


def reference() -> str:
    """The whole of docs/reference.md."""
    parts = [
        "# Reference\n",
        "Made by `make docs` from the program; do not edit.\n",
        "## Exit codes\n",
        exit_codes(),
        "## Options that every verb has\n",
        f"`-o` has the forms that fit the verb.\n\n```text\n{_help('status')[1]}\n```\n",
    ]
    for group, verbs in cli.GROUPS.items():
        parts.append(f"## {group}\n")
        parts += [_verb(name, line) for name, line in verbs.items()]
    return "\n".join(parts)


def causes() -> str:
    """The whole of docs/causes.md."""
    parts = [
        "# Causes\n",
        "Made by `make docs` from the program; do not edit. `canary why` gives the first of these causes that fits;",
        "`-o json` has its id.\n",
    ]
    for cause in CAUSES:
        text = MEANINGS[cause.id]
        parts.append(f"## {cause.id}\n\n{text.means}\n\n- To confirm: {text.confirm}\n- To fix: {text.fix}\n")
    return "\n".join(parts)


def exit_codes() -> str:
    rows = "\n".join(f"| {int(code)} | {text} |" for code, text in MEANING.items())
    return f"| code | meaning |\n|---|---|\n{rows}\n"


def readme(text: str) -> str:
    """README.md with its exit codes as they are in the code."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{exit_codes()}{END}{tail}"


def sandbox(text: str) -> str:
    """docs/sandbox.md with the table of the scenarios that ship."""
    head, _, rest = text.partition(SCENARIOS[0])
    _, _, tail = rest.partition(SCENARIOS[1])
    rows = "\n".join(f"| `{s.name}` | {s.description} | {s.promise} |" for s in shipped())
    table = f"| scenario | what happens | promise |\n|---|---|---|\n{rows}\n"
    return f"{head}{SCENARIOS[0]}\n{table}{SCENARIOS[1]}{tail}"


def lint() -> str:
    """The whole of docs/lint.md."""
    rows = "\n".join(f"| [`{r.id}`](#{r.id}) | {r.severity} | {r.title} |" for r in RULES)
    parts = [
        "# What `canary lint` finds\n",
        "Made by `make docs` from the rules; do not edit.\n",
        _LINT,
        f"| rule | severity | what is wrong |\n|---|---|---|\n{rows}\n",
    ]
    for r in RULES:
        why = f"{r.why}\n\n" if r.why else ""
        parts.append(f"## {r.id}\n\n{r.severity}: {r.title}.\n\n{why}```diff\n{samples.difference(r.id)}\n```\n")
    return "\n".join(parts)


_LINT = """\
An **error** is refused by the controller, breaks a release, or makes an analysis judge nothing; the exit code is 3. A
**warning** is wrong in a situation that comes sooner or later. A **note** is something to know.

All files are looked at together: a Rollout with the templates and Services that it names. What is not in them is not
checked. A metric's query and conditions are parsed, and its conditions are run on the answers that the query can give.

A comment leaves a finding out; the reason is for the next reader:

```yaml
    successCondition: result[0] < 0.05  # canary-lint: ignore=empty-answer this series always exists
```

At the end of a line it is about the field of that line and everything below it, on a line of its own about the next
field, and above the first field of a document about the whole document. Several rules are separated by commas.

In each sample, `-` is what the rule finds and `+` is what it is silent about.
"""


def picture() -> str:
    """docs/screen.svg: what `canary deploy` draws in the second step, by the program itself."""
    facts = Facts(width=80, height=30)
    console = Console(
        record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="standard", _environ={}
    )
    console.print(
        screen(
            scenes.failing(),
            NOW,
            facts,
            place=Place("prod-eu", "ana"),
            desk=Desk(),
            live=scenes.prometheus(share=0.26, decisions=2138),
        )
    )
    svg = console.export_svg(title="canary deploy v1.1.0", unique_id="screen")
    # rich names a font on another host; the picture shall load nothing
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _verb(name: str, line: str) -> str:
    module = import_module(f"companyos_canary.commands.{name}")
    return f"### {name}\n\n{line[0].upper()}{line[1:]}.\n\n```text\n{_help(name)[0]}\n```\n" + (
        f"\nExit codes: {', '.join(str(int(code)) for code in module.EXITS)}\n"
    )


def _help(name: str) -> tuple[str, str]:
    """`canary NAME --help`: what is the verb's own, and the common options."""
    out = io.StringIO()
    clock = Clock(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), sleep=lambda _: None)
    runtime = Runtime(stdout=out, stderr=out, stdin=out, environ={}, cwd=ROOT, clock=clock)
    with redirect_stdout(out):
        cli.run([name, "--help"], runtime)
    text, _, _ = out.getvalue().partition("Exit codes:")
    own, _, common = text.partition("\nCommon options:\n")
    return own.rstrip(), common.rstrip()


def main() -> None:
    REFERENCE.write_text(reference())
    CAUSES_PAGE.write_text(causes())
    README.write_text(readme(README.read_text()))
    SCREEN.write_text(picture())
    SANDBOX.write_text(sandbox(SANDBOX.read_text()))
    LINT.write_text(lint())
    ROUTING.write_text(routing.page(ROUTING.read_text()))
    for path in (REFERENCE, CAUSES_PAGE, README, SCREEN, SANDBOX, LINT, ROUTING):
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
