"""The samples of the rules: samples/ID.yaml is a manifest with a defect, and without it.

A line that ends in `# bad` is only in the one with the defect, a line that ends in `# good` only in
its twin. `# also ID` at the end names a rule that finds the same defect from another side.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "samples"
_MARK = re.compile(r"\s*# (bad|good)$")


def text_of(rule: str) -> str:
    return (FOLDER / f"{rule}.yaml").read_text()


def bad(rule: str) -> str:
    return _without(text_of(rule), "good")


def good(rule: str) -> str:
    return _without(text_of(rule), "bad")


def also(rule: str) -> set[str]:
    return set(re.findall(r"^# also (\S+)$", text_of(rule), re.M))


def difference(rule: str) -> str:
    """Both as one text, marked like a diff."""
    lines = []
    for line in text_of(rule).splitlines():
        mark = _MARK.search(line)
        sign = {"bad": "-", "good": "+"}[mark[1]] if mark else " "
        if not line.startswith("# also"):
            lines.append(f"{sign} {_MARK.sub('', line)}".rstrip())
    return "\n".join(lines)


def _without(text: str, word: str) -> str:
    kept = [line for line in text.splitlines() if not line.endswith(f"# {word}")]
    return "\n".join(_MARK.sub("", line) for line in kept) + "\n"
