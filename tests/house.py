"""`make house`: how large the code is, and how much of it a newcomer has to hold in mind at once.

Everything is counted, nothing is timed, so that two runs say the same; `make house DIR=path` counts
another checkout with the same code. tests/test_house.py holds bounds on some of these numbers.

- product: `companyos_canary` without `sandbox`, `analysis` and `promql`
- a function's length: from its `def` to its last line
- imports: every `import` statement but those under `TYPE_CHECKING`, and the packages in which the
  imported module lies; loading takes only those that run when a module is loaded, the rest also
  those inside functions. In a chain a circle counts as one module
- a name with several meanings: a function, class or constant at the top of a module of the product,
  with no leading underscore, that a second module defines as well. What every room of a package has
  under one name is an interface (`INTERFACES`) and means one thing; and the function of a verb bears
  its verb's name, but nothing imports it
- a repeated run: six or more lines that are somewhere else in the package, too; blank lines,
  comments, docstrings and imports are left out. The signatures of verbs are counted apart
- calls of a frame: calls of the package's functions while the screen is drawn once; comprehensions
  and methods that are made for a class are left out. A part is derived again where a function of
  `argo` or `analysis` is called in the same frame with the same arguments
"""

import ast
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from importlib.machinery import SourceFileLoader
from inspect import CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

PACKAGE = "companyos_canary"
HERE = Path(__file__).parents[1]
APART = ("sandbox", "analysis", "promql")
LONG, RUN = 35, 6
#: What each module of a package has for those who go through all of them: what a verb's file says of itself, the rules
#: of a part of lint, what a room of `view` says to a terminal and to a pipe.
INTERFACES = {
    "commands": frozenset({"COMPLETIONS", "EXAMPLES", "EXITS", "OUTPUT", "command"}),
    "lint.rules": frozenset({"RULES"}),
    "view": frozenset({"plain", "screen"}),
}
SIZES = ((100, 40), (100, 20))
#: Where the rules of an AnalysisRun were before they had a package of their own.
_ANALYSIS = (
    "condition",
    "judge",
    "assessment",
    "schedule",
    "metric_rules",
    "measurement",
    "prometheus_answer",
    "arguments",
    "run_shape",
    "analysis_spec",
    "analysis_args",
)
Graph = Mapping[str, set[str]]


class Module(Struct, frozen=True, dict=True):
    """One file of Python; `name` has the dots of an import, without `__init__`."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


class House(Struct, frozen=True, dict=True):
    """A checkout: its package and its tests."""

    root: Path

    @cached_property
    def package(self) -> dict[str, Module]:
        return dict(_read(self.root, PACKAGE))

    @cached_property
    def tests(self) -> dict[str, Module]:
        return dict(_read(self.root, "tests"))

    def inside(self, *packages: str) -> dict[str, Module]:
        """The modules of these packages below the package."""
        roots = [f"{PACKAGE}.{name}" for name in packages]
        if "analysis" in packages and not (self.root / PACKAGE / "analysis").is_dir():
            roots += [f"{PACKAGE}.argo.{name}" for name in _ANALYSIS]
        return {
            name: module
            for name, module in self.package.items()
            if any(name == root or name.startswith(f"{root}.") for root in roots)
        }

    @cached_property
    def product(self) -> dict[str, Module]:
        apart = self.inside(*APART)
        return {name: module for name, module in self.package.items() if name not in apart}

    def imports(self, *, inside_functions: bool = True) -> dict[str, set[str]]:
        """Which modules of the package each one imports."""
        return {
            name: set(_imported(module, self.package, inside_functions)) - {name}
            for name, module in self.package.items()
        }


def _read(root: Path, package: str) -> Iterator[tuple[str, Module]]:
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, Module(name, path.read_text())


# Imports


def _imported(module: Module, known: Mapping[str, Module], inside: bool) -> Iterator[str]:
    for statement in _import_statements(module.tree, inside):
        for name in _targets(statement):
            found = name if name in known else name.rpartition(".")[0]
            if found in known:
                yield found
                yield from _packages_to_load(found, module.name)


def _targets(statement: ast.Import | ast.ImportFrom) -> list[str]:
    """What is imported, with dots: a module, or something in one."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    assert not statement.level, "relative imports are not counted"
    return [f"{statement.module}.{alias.name}" for alias in statement.names]


def _packages_to_load(name: str, importer: str) -> Iterator[str]:
    """The packages around a module that are not around its importer, too: they are loaded first."""
    while name := name.rpartition(".")[0]:
        if f"{importer}.".startswith(f"{name}."):
            return
        yield name


def _import_statements(node: ast.AST, inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # no statement is in one
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not inside:
            continue
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _import_statements(ast.Module([other], []), inside)
        else:
            yield from _import_statements(child, inside)


def circles(graph: Graph) -> set[frozenset[str]]:
    """Modules that reach one another, one set a knot."""
    reached = {name: _reached(graph, name) for name in graph}
    knots = {frozenset({name, *(other for other in reached[name] if name in reached[other])}) for name in graph}
    return {knot for knot in knots if len(knot) > 1}


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for name in graph[ahead.pop()] - seen:
            seen.add(name)
            ahead.append(name)
    return seen


def longest_chain(graph: Graph) -> list[str]:
    """The modules of the longest chain of imports, the importer first. Of a circle it names one."""
    knot_of = {name: frozenset({name}) for name in graph}
    knot_of |= {name: knot for knot in circles(graph) for name in knot}
    longest: dict[frozenset[str], list[str]] = {}

    def below(knot: frozenset[str]) -> list[str]:
        if knot not in longest:
            ahead = {knot_of[name] for member in knot for name in graph[member]} - {knot}
            longest[knot] = [min(knot), *max(map(below, ahead), key=_length, default=[])]
        return longest[knot]

    return max(map(below, set(knot_of.values())), key=_length)


def _length(chain: list[str]) -> tuple[int, list[str]]:
    return len(chain), chain


# Names and repetitions


def shared_names(modules: Mapping[str, Module]) -> dict[str, list[str]]:
    """Public names that more than one module defines at its top, and where."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, module in modules.items():
        for defined in set(_defined(module.tree)):
            if not defined.startswith("_") and name != f"{PACKAGE}.commands.{defined}":
                found[defined].append(name)
    several = {defined: {_interface(defined, name) for name in where} for defined, where in found.items()}
    return {defined: sorted(where) for defined, where in several.items() if len(where) > 1}


def _interface(defined: str, module: str) -> str:
    """The package whose modules all have this name, else the module itself."""
    inside = (p for p, names in INTERFACES.items() if defined in names and f"{module}.".startswith(f"{PACKAGE}.{p}."))
    return next(inside, module)


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (t.id for t in targets if isinstance(t, ast.Name))


def long_functions(modules: Mapping[str, Module]) -> list[str]:
    return [
        f"{name}:{function.lineno} {function.name}"
        for name, module in modules.items()
        for function in module.functions
        if (function.end_lineno or 0) - function.lineno >= LONG
    ]


class Repeated(Struct, frozen=True):
    """Runs of lines that are in two places, each place counted: signatures of verbs, and others."""

    code: list[str]
    signatures: list[str]


def repeated_runs(modules: Mapping[str, Module]) -> Repeated:
    listed = {name: _code_lines(module) for name, module in modules.items()}
    places = Counter(window for lines in listed.values() for window in _windows(lines))
    found = Repeated([], [])
    for name, lines in listed.items():
        signature = _signature_lines(modules[name]) if ".commands." in name else set()
        before = False
        for start, window in enumerate(_windows(lines)):
            again = places[window] > 1
            if again and not before:
                within = {number for number, _ in lines[start : start + RUN]} <= signature
                (found.signatures if within else found.code).append(f"{name}:{lines[start][0]}")
            before = again
    return found


def _windows(lines: list[tuple[int, str]]) -> Iterator[tuple[str, ...]]:
    for start in range(len(lines) - RUN + 1):
        yield tuple(text for _, text in lines[start : start + RUN])


def _code_lines(module: Module) -> list[tuple[int, str]]:
    """Number and text of the lines that count, without their indentation."""
    out: set[int] = set()
    for node in ast.walk(module.tree):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if docstring or isinstance(node, ast.Import | ast.ImportFrom):
            out |= _span(node)
    numbered = ((n, line.strip()) for n, line in enumerate(module.lines, 1) if n not in out)
    return [(n, line) for n, line in numbered if line and not line.startswith("#")]


def _signature_lines(module: Module) -> set[int]:
    return {n for f in module.functions for n in range(f.lineno, f.body[0].lineno)}


def _span(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def skips(modules: Mapping[str, Module]) -> int:
    """Places that the formatter is told to leave alone."""
    return sum("# fmt: skip" in line for module in modules.values() for line in module.lines)


# One frame


class Calls:
    """Counts while it is entered. Arguments are kept, so that no two of them have one `id`."""

    def __init__(self) -> None:
        self.functions: Counter[CodeType] = Counter()
        self.again: Counter[str] = Counter()
        self._seen: set[object] = set()
        self._kept: list[object] = []
        self._resumed: set[FrameType] = set()

    def __enter__(self) -> "Calls":
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        place = code.co_filename.rpartition(f"{os.sep}{PACKAGE}{os.sep}")[2]
        if event != "call" or place == code.co_filename or _is_comprehension(code):
            return
        if code.co_flags & CO_GENERATOR:
            if frame in self._resumed:
                return
            self._resumed.add(frame)
        self.functions[code] += 1
        if place.startswith(("argo", "analysis")):
            arguments = [frame.f_locals.get(name) for name in _parameters(code)]
            self._kept.append(arguments)
            call = (code, *map(_identity, arguments))
            if call in self._seen:
                self.again[code.co_qualname] += 1
            self._seen.add(call)


def _is_comprehension(code: CodeType) -> bool:
    return code.co_name.startswith("<") and code.co_name != "<lambda>"


def _parameters(code: CodeType) -> tuple[str, ...]:
    more = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + more]


def _identity(value: object) -> object:
    """Equal for what is the same to a function: equal values, or one object that has no hash."""
    if isinstance(value, tuple | list):
        return tuple(map(_identity, value))
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


class Frame(Struct, frozen=True):
    """What one frame costs: how often each function is called, how many files they are in, and how
    often a function of `argo` or `analysis` derives again what it has derived in this frame."""

    functions: dict[str, int]
    files: int
    again: dict[str, int]

    @property
    def calls(self) -> int:
        return sum(self.functions.values())

    @property
    def derived_again(self) -> int:
        return sum(self.again.values())


def drawing(width: int, height: int) -> Callable[[bool], object]:
    """Draws the live screen of a canary in its second analysis: two ReplicaSets, ten pods, two runs
    of five metrics, Prometheus next to them. The argument chooses one of two such moments."""
    from companyos_canary.model.place import Place
    from companyos_canary.view.lines import Facts
    from companyos_canary.view.panels import Desk
    from tests.builders import NOW
    from tests.view.scenes import analysing, failing, prometheus, screen

    moments = {True: analysing(), False: failing()}
    live, place, facts, desk = prometheus(), Place("prod-eu", "ana"), Facts(width, height), Desk()
    return lambda good: screen(moments[good], NOW, facts, place=place, live=live, desk=desk)


def count_frame(width: int, height: int) -> Frame:
    """The second frame of a process: what is kept for the whole process is there by then."""
    draw = drawing(width, height)
    draw(False)
    with Calls() as calls:
        draw(True)
    files = {code.co_filename for code in calls.functions}
    functions: Counter[str] = Counter()
    for code, times in calls.functions.items():
        functions[code.co_qualname] += times
    return Frame(dict(functions), len(files), dict(calls.again))


def count_changes(width: int, height: int) -> dict[str, int]:
    """Calls of a frame where nothing is kept (`whole`), of the next where only time went by (`idle`), and of one where
    one metric of five has another value (`value`)."""
    from companyos_canary.model.place import Place
    from companyos_canary.view.lines import Facts
    from companyos_canary.view.panels import Desk
    from tests.builders import NOW
    from tests.view.scenes import analysing, prometheus, screen

    snapshot, live, place, facts = analysing(), prometheus(), Place("prod-eu", "ana"), Facts(width, height)
    first, *others = live.metrics
    other = replace(live, metrics=(replace(first, canary=(first.canary or 0) + 0.01), *others))
    found = {}
    for name, seconds, seen in (("whole", 0, live), ("idle", 1, live), ("value", 1, other)):
        with Calls() as calls:
            screen(snapshot, NOW + timedelta(seconds=seconds), facts, place=place, live=seen, desk=Desk())
        found[name] = sum(calls.functions.values())
    return found


def frames_that_change(root: Path) -> dict[str, int]:
    """`count_changes` of a checkout, in a process of its own: nothing is kept there yet."""
    found: dict[str, int] = _apart(root, "changes")
    return found


def frames(root: Path) -> dict[tuple[int, int], Frame]:
    """A frame of each size, drawn by the checkout that lies there, in a process of its own."""
    counted = (Frame(**frame) for frame in _apart(root, "frames"))
    return dict(zip(SIZES, counted, strict=True))


# Loading


def cannot_be_imported(root: Path) -> dict[str, str]:
    """The modules of the package that fail where they are the first to be imported, and why."""
    found: dict[str, str] = _apart(root, "imports")
    return found


def _import_each(root: Path) -> dict[str, str]:
    """In one process, of which each import is the first of ours. What is not ours stays loaded, and our code is read
    once, as that is what takes time."""
    read = SourceFileLoader.get_code
    codes: dict[str, CodeType | None] = {}

    def code_of(loader: SourceFileLoader, name: str) -> CodeType | None:
        if name not in codes:
            codes[name] = read(loader, name)
        return codes[name]

    SourceFileLoader.get_code = code_of  # type: ignore[method-assign]
    gc.disable()
    tried = {name: _import_first(name) for name, _ in _read(root, PACKAGE)}
    return {name: why for name, why in tried.items() if why}


def _import_first(name: str) -> str:
    """What went wrong; empty if nothing did."""
    for loaded in [known for known in sys.modules if known.partition(".")[0] == PACKAGE]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException as error:
        return repr(error)
    return ""


def _apart(root: Path, what: str) -> Any:
    """The answer of this file in a process in which the checkout's own modules are found first."""
    command = [sys.executable, "-P", __file__, str(root), what]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ran = subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(ran.stdout)


# The table

#: What this file counted on commit 928c097, before the rooms were merged.
BEFORE: dict[str, float] = {
    "package: files": 354,
    "package: lines": 35_770,
    "package: median lines": 93,
    "package: functions over 35 lines": 19,
    "package: `# fmt: skip`": 278,
    "product: files": 227,
    "product: lines": 21_945,
    "product: median lines": 89,
    "product: functions over 35 lines": 17,
    "product: `# fmt: skip`": 156,
    "sandbox: files": 85,
    "sandbox: lines": 9_526,
    "sandbox: median lines": 106,
    "sandbox: functions over 35 lines": 1,
    "sandbox: `# fmt: skip`": 110,
    "tests: files": 232,
    "tests: lines": 29_849,
    "tests: median lines": 105,
    "tests: functions over 35 lines": 7,
    "tests: `# fmt: skip`": 327,
    "package: repeated runs of lines": 8,
    "package: repeated signatures of verbs": 2,
    "product: names with several meanings": 105,
    "longest import chain": 26,
    "longest chain of loading": 18,
    "import circles": 1,
    "calls in a frame of 100×40": 4_183,
    "derived again in a frame of 100×40": 126,
    "files in a frame of 100×40": 34,
    "calls in a frame of 100×20": 24_963,
    "derived again in a frame of 100×20": 689,
    "files in a frame of 100×20": 34,
}
AIMS: dict[str, float] = {
    "product: files": 140,
    "product: lines": 18_500,
    "sandbox: files": 70,
    "longest import chain": 15,
    "import circles": 0,
    "calls in a frame of 100×40": 2500,
    "derived again in a frame of 100×40": 0,
    "package: `# fmt: skip`": 0,
}


def table(house: House) -> dict[str, float]:
    """What is counted, by the words that it is printed with."""
    parts = {
        "package": house.package,
        "product": house.product,
        "sandbox": house.inside("sandbox"),
        "tests": house.tests,
    }
    rows: dict[str, float] = {}
    for part, modules in parts.items():
        lengths = [len(module.lines) for module in modules.values()]
        rows[f"{part}: files"] = len(lengths)
        rows[f"{part}: lines"] = sum(lengths)
        rows[f"{part}: median lines"] = statistics.median(lengths)
        rows[f"{part}: functions over {LONG} lines"] = len(long_functions(modules))
        rows[f"{part}: `# fmt: skip`"] = skips(modules)
    repeated = repeated_runs(house.package)
    rows["package: repeated runs of lines"] = len(repeated.code)
    rows["package: repeated signatures of verbs"] = len(repeated.signatures)
    rows["product: names with several meanings"] = len(shared_names(house.product))
    rows["longest import chain"] = len(longest_chain(house.imports()))
    rows["longest chain of loading"] = len(longest_chain(house.imports(inside_functions=False)))
    rows["import circles"] = len(circles(house.imports()))
    for (width, height), frame in frames(house.root).items():
        rows[f"calls in a frame of {width}×{height}"] = frame.calls
        rows[f"derived again in a frame of {width}×{height}"] = frame.derived_again
        rows[f"files in a frame of {width}×{height}"] = frame.files
    return rows


def report(rows: Mapping[str, float]) -> Iterator[str]:
    yield f"{'':<40}{'now':>9}{'928c097':>9}{'aim':>9}"
    for name, number in rows.items():
        known = [f"{c[name]:>9,g}" if name in c else f"{'':>9}" for c in (BEFORE, AIMS)]
        yield f"{name:<40}{number:>9,g}{''.join(known)}".rstrip()


def main(arguments: list[str]) -> None:
    root = Path(arguments[0]).resolve() if arguments else HERE
    match arguments[1:]:
        case ["frames"]:
            print(json.dumps([asdict(count_frame(*size)) for size in SIZES]))
        case ["changes"]:
            print(json.dumps(count_changes(*SIZES[0])))
        case ["imports"]:
            print(json.dumps(_import_each(root)))
        case _:
            print(*report(table(House(root))), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
