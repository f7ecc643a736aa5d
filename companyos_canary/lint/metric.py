"""A metric of a template as rules look at it: with what is known of its arguments put in, and what the controller
would make of an answer: its conditions, run on values that matter."""

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, Literal, cast

import promql_parser
from msgspec import Struct
from msgspec.structs import astuple, replace

from companyos_canary.analysis.expr import tree
from companyos_canary.analysis.expr.language import Condition
from companyos_canary.analysis.expr.language import compile as compiled
from companyos_canary.analysis.expr.tree import ConditionError, Node
from companyos_canary.lint.finding import Path, below
from companyos_canary.lint.objects import Manifest, RuleCase, World, analyses_of
from companyos_canary.lint.query import Possible
from companyos_canary.lint.query import answer as answer_of
from companyos_canary.model.http import Fields
from companyos_canary.promql.parse import parse
from companyos_canary.promql.values import PromqlError

_TAG = re.compile(r"\{\{(.*?)\}\}", re.S)
CANARY, _STABLE = "canary-hash", "stable-hash"


class Use(Struct, frozen=True):
    """An analysis of a Rollout that runs a template, itself or through another one."""

    rollout: Manifest
    path: Path
    analysis: Fields
    background: bool


class TemplateMetric(Struct, frozen=True, eq=False, dict=True):
    """The metric at `path` of an AnalysisTemplate or ClusterAnalysisTemplate."""

    template: RuleCase
    path: Path
    raw: Fields
    values: Mapping[str, str]
    uses: tuple[Use, ...]

    @property
    def name(self) -> str:
        return str(self.raw.get("name") or "")

    @property
    def provider(self) -> str:
        """The name of its provider; empty unless it has exactly one."""
        found = [name for name, value in (self.raw.get("provider") or {}).items() if value is not None]
        return found[0] if len(found) == 1 else ""

    @property
    def success(self) -> str:
        return self.raw.get("successCondition") or ""

    @property
    def failure(self) -> str:
        return self.raw.get("failureCondition") or ""

    @property
    def prometheus(self) -> Fields:
        return below(self.raw, "provider", "prometheus") or {}

    @property
    def query_path(self) -> Path:
        return (*self.path, "provider", "prometheus", "query")

    @cached_property
    def query_text(self) -> str:
        """The PromQL query with its arguments; those that are not known have a placeholder."""
        return _filled(self.prometheus.get("query") or "", self.values)

    @cached_property
    def query(self) -> promql_parser.Expr | None:
        """The tree of the query; None if there is none, or if it cannot be parsed."""
        if not self.query_text.strip():
            return None
        try:
            return parse(self.query_text)
        except PromqlError:
            return None

    @cached_property
    def answer(self) -> Possible | None:
        """What its query can answer, None if that is not known."""
        if self.query is None:
            return None
        found = answer_of(self.query)
        if self.prometheus.get("rangeQuery") is not None:
            return replace(found, kind="matrix")
        return found

    @property
    def guesses(self) -> bool:
        """Whether a placeholder that may not fit is in the query."""
        return any(n not in self.values for n in tags(self.prometheus.get("query") or ""))

    @cached_property
    def conditions(self) -> Mapping[str, Condition]:
        """The conditions that can be parsed, by the name of their field."""
        found = {}
        for field in ("successCondition", "failureCondition"):
            with contextlib.suppress(ConditionError):
                if condition := compiled_or_fault(self, field):
                    found[field] = condition
        return found

    def number(self, field: str) -> Any:
        """A count or limit with its arguments; None if it is absent or not known."""
        value = self.raw.get(field)
        if isinstance(value, str) and _TAG.search(value):
            names = tags(value)
            value = _filled(value, self.values) if all(n in self.values for n in names) else None
        return value


def compiled_or_fault(metric: TemplateMetric, field: str) -> Condition | None:
    """A condition of the metric, None if it has none. Raises ConditionError."""
    text = metric.raw.get(field) or ""
    try:
        return compiled(_filled(text, metric.values)) if text else None
    except RecursionError:
        raise ConditionError("the condition is nested too deeply") from None


def metrics_of(template: RuleCase) -> Iterator[TemplateMetric]:
    uses = uses_of(template)
    values = values_of(template.object, uses)
    for index, raw in enumerate(template.object.spec.get("metrics") or ()):
        yield TemplateMetric(template, ("spec", "metrics", index), raw, values, uses)


def uses_of(template: RuleCase) -> tuple[Use, ...]:
    """The analyses of Rollouts that take a template."""
    return tuple(_all_uses(template.world).get(template.object, ()))


@lru_cache(maxsize=1)
def _all_uses(world: World) -> Mapping[Manifest, list[Use]]:
    """Each Rollout is looked at once, not once for each template."""
    found: dict[Manifest, list[Use]] = {}
    for rollout in world.of("Rollout"):
        for path, analysis, background in analyses_of(rollout):
            use = Use(rollout, path, analysis, background)
            for template in templates_of(analysis, rollout, world):
                found.setdefault(template, []).append(use)
    return found


def templates_of(analysis: Fields, beside: Manifest, world: World) -> list[Manifest]:
    """The templates of an analysis that are in the files, with those that they name in turn; each once."""
    found: list[Manifest] = []
    waiting = list(analysis.get("templates") or ())
    while waiting:
        ref = waiting.pop(0) or {}
        template = world.template(ref.get("templateName") or "", bool(ref.get("clusterScope")), beside)
        if template is not None and template not in found:
            found.append(template)
            waiting += template.spec.get("templates") or ()
    return found


def values_of(template: Manifest, uses: tuple[Use, ...]) -> dict[str, str]:
    """The values of the arguments that are known: what the first Rollout gives, else the default."""
    given = {a["name"]: a for use in reversed(uses) for a in use.analysis.get("args") or () if a.get("name")}
    found: dict[str, str] = {}
    for declared in template.spec.get("args") or ():
        name = declared.get("name") or ""
        value = _known(given.get(name)) if name in given else _known(declared)
        if value is not None:
            found[name] = value
    return found


def _known(arg: Fields | None) -> str | None:
    source = (arg or {}).get("valueFrom") or {}
    if source.get("podTemplateHashValue"):
        return _STABLE if source["podTemplateHashValue"] == "Stable" else CANARY
    value = (arg or {}).get("value")
    return str(value) if value is not None and not source else None


def tags(text: str) -> list[str]:
    """The names in `{{args.name}}`; whatever else is in such braces with its braces."""
    return [_name(found) for found in _TAG.finditer(text)]


def _name(found: re.Match[str]) -> str:
    tag = found[1].strip(" ")
    return tag.removeprefix("args.") if tag.startswith("args.") else found[0]


def _filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its arguments; what is not known becomes something that can stand in its place."""
    parts: list[str] = []
    at = 0
    for found in _TAG.finditer(text):
        before = "".join((*parts, text[at : found.start()]))
        name = _name(found)
        value = values[name] if name in values else _placeholder(name, before, text[found.end() :])
        parts += [text[at : found.start()], value]
        at = found.end()
    return "".join((*parts, text[at:]))


def _placeholder(name: str, before: str, after: str) -> str:
    """What may be here: in quotes the argument's name, after `[` a duration, next to a letter a letter, else a
    number."""
    if _in_quotes(before):
        return f"args.{name}"
    if re.search(r"(\[|\boffset|\[[^\]]*:)\s*$", before):
        return "5" if re.match(r"\s*[smhd]", after) else "5m"
    if re.search(r"[A-Za-z_:]$", before) or re.match(r"\s*[A-Za-z_:{\[(]", after):
        return "x"
    return "1"


def _in_quotes(text: str) -> bool:
    quote = ""
    skip = False
    for char in text:
        if skip:
            skip = False
        elif quote and char == "\\" and quote != "`":
            skip = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'`":
            quote = char
    return bool(quote)


_Phase = Literal["Successful", "Failed", "Inconclusive", "Error"]
ConditionResult = float | Sequence[float]


def phase(metric: TemplateMetric, result: ConditionResult) -> _Phase | None:
    """The phase of one measurement; None if a condition is not understood. (analysis.measurement has the same table
    for an answer of Prometheus.)"""
    success, failure = (metric.conditions.get(f) for f in ("successCondition", "failureCondition"))
    if (metric.success and not success) or (metric.failure and not failure):
        return None
    try:
        good = success.evaluate(result) if success else None
        bad = failure.evaluate(result) if failure else None
    except ConditionError as error:
        return None if "supported here" in str(error) else "Error"
    if bad or (good is False and failure is None):
        return "Failed"
    return "Inconclusive" if good is False else "Successful"


def condition_holds(condition: Condition, result: ConditionResult) -> bool | None:
    """Whether a condition holds; None if it cannot be evaluated."""
    try:
        return condition.evaluate(result)
    except ConditionError:
        return None


def as_result(answer: Possible, value: float) -> ConditionResult:
    """One value as the conditions see it."""
    return value if answer.kind == "scalar" else [value]


def values(answer: Possible, conditions: Sequence[Condition]) -> list[float]:
    """Values that an answer can have, on both sides of every number in the conditions, without NaN and infinities."""
    numbers = sorted({float(n) for c in conditions for n in numbers_in(c.tree)} | {0.0, 1.0})
    found = set(numbers)
    for number in numbers:
        step = max(abs(number), 1.0) * 1e-6
        found |= {number - step, number + step}
    found |= {(a + b) / 2 for a, b in pairwise(numbers)}
    found |= {numbers[0] * 2 - 1000, numbers[-1] * 2 + 1000}
    found |= {end for end in (answer.low, answer.high) if math.isfinite(end)}
    inside = (v for v in found if answer.low <= v <= answer.high)
    return sorted(v for v in inside if v or not answer.nonzero)


def inner(node: Node) -> Iterator[Node]:
    """A tree and everything below it."""
    yield node
    for each in _parts(node):
        yield from inner(each)


def _parts(node: Node) -> Iterator[Node]:
    """The nodes right below one."""
    for part in astuple(node):
        nodes = part if isinstance(part, tuple) else (part,)
        yield from (cast(Node, each) for each in nodes if isinstance(each, Struct))


def numbers_in(node: Node) -> Iterator[float]:
    """The numbers of a condition, signs included, but for those that are an index."""
    match node:
        case tree.Literal(value) if isinstance(value, int | float) and not isinstance(value, bool):
            yield value
        case tree.Unary("-", tree.Literal(value)) if isinstance(value, int | float):
            yield -value
        case tree.Member(base, _):
            yield from numbers_in(base)
        case _:
            for each in _parts(node):
                yield from numbers_in(each)


def asks(node: Node) -> bool:
    """Whether a condition looks at the result."""
    looks = ("isNil", "default")
    return any(
        (isinstance(n, tree.Name) and n.name == "result") or (isinstance(n, tree.Call) and n.callee == tree.Name(look))
        for n in inner(node)
        for look in looks
    )


def only_counts(conditions: Sequence[Condition]) -> bool:
    """Whether conditions only ask how many elements there are, not what they are: `len(result) == 0`."""
    result = tree.Name("result")
    nodes = [n for c in conditions for n in inner(c.tree)]
    counted = sum(isinstance(n, tree.Builtin) and n.name == "len" and n.arguments == (result,) for n in nodes)
    return counted == sum(n == result for n in nodes)


def guards_emptiness(conditions: Sequence[Condition]) -> bool:
    """Whether a condition says what an empty answer means: by `len(result)`, or by a default (`??`)."""
    return any(
        (isinstance(n, tree.Builtin) and n.name == "len") or (isinstance(n, tree.Binary) and n.operator == "??")
        for c in conditions
        for n in inner(c.tree)
    )


def guards_nan(conditions: Sequence[Condition]) -> bool:
    """Whether a condition says what NaN means."""
    return any(isinstance(n, tree.Call) and n.callee == tree.Name("isNaN") for c in conditions for n in inner(c.tree))
