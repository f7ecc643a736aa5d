"""Reads a scenario from YAML; whatever is wrong is said with file, line, field and what is allowed.

description: one sentence
promise: {exit: 3, verdict: rolled-back, metric: error-rate}    # and `deploy`, if not v1.1.0
traffic: 200                                                    # requests a second
buckets: [0.1, 0.25, 0.5, 1]                                    # of the latency histogram, in seconds
versions:
  v1.1.*: {errors: {0%: 1%, 25%: 12%}, latency: 1.5, opa: 99%, clumps: 5}
  bad*: {fails: ImagePullBackOff}
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NoReturn, get_args

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from companyos_canary.errors import ConfigError, guess
from companyos_canary.model.outcome import EndKind
from companyos_canary.model.quantity import parse_duration
from companyos_canary.sandbox.scenarios.scenario import (
    BOUNDS,
    RATE,
    VERSION,
    Axis,
    Behaviour,
    Course,
    Failure,
    Promise,
    Scenario,
    Shown,
)

_LARGEST = 100_000
_FASTEST = 0.01
_SMALLEST_BUCKET = 1e-6
_LARGEST_CLUMP = 1000


def read_scenario(text: str, name: str, where: str) -> Scenario:
    """The scenario that a YAML text describes; `where` names the file in errors (ConfigError)."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise ConfigError(f"{where}: too many values are inside one another") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}{line}: not YAML: {problem}") from None
    if root is None:
        raise ConfigError(f"{where} is empty", hint="`description:` and `versions:`")
    return _Reader(where).scenario(root, name)


class _Reader:
    """Every method answers a value, or raises a ConfigError that names the line."""

    def __init__(self, where: str) -> None:
        self.where = where

    def scenario(self, root: Node, name: str) -> Scenario:
        read = self.fields(root, "", ("description", "promise", "traffic", "buckets", "versions"))
        if "description" not in read:
            self.refuse(root, "field `description`: missing", "add one sentence")
        return Scenario(
            name=name,
            description=self.text(read["description"], "description"),
            promise=self.promise(read["promise"]) if "promise" in read else None,
            versions=self.versions(read["versions"]) if "versions" in read else (),
            traffic=self.number(read["traffic"], "traffic") if "traffic" in read else RATE,
            buckets=self.buckets(read["buckets"]) if "buckets" in read else BOUNDS,
        )

    def buckets(self, node: Node) -> tuple[float, ...]:
        given = node.value if isinstance(node, SequenceNode) else []
        found = tuple(self.number(item, "buckets", least=_SMALLEST_BUCKET) for item in given)
        if not found or any(a >= b for a, b in pairwise(found)):
            self.refuse(
                node, f"field `buckets`: found {_shown(node)}", "allowed: rising seconds such as `[0.1, 0.5, 1]`"
            )
        return found

    def promise(self, node: Node) -> Promise:
        read = self.fields(node, "promise", ("exit", "verdict", "metric", "deploy"))
        for needed in ("exit", "verdict"):
            if needed not in read:
                self.refuse(node, f"field `promise.{needed}`: missing", f"add `{needed}:`")
        return Promise(
            exit=int(self.number(read["exit"], "promise.exit", most=255)),
            verdict=self.one_of(read["verdict"], "promise.verdict", get_args(EndKind)),
            metric=self.text(read["metric"], "promise.metric") if "metric" in read else "",
            deploy=self.text(read["deploy"], "promise.deploy") if "deploy" in read else VERSION,
        )

    def versions(self, node: Node) -> tuple[tuple[str, Behaviour], ...]:
        entries = self.mapping(node, "versions", "tags such as `v1.1.*: {errors: 12%}`")
        return tuple((str(key.value), self.behaviour(value, f"versions.{key.value}")) for key, value in entries)

    def behaviour(self, node: Node, at: str) -> Behaviour:
        readers: Mapping[str, Callable[[Node, str], Any]] = {
            "errors": lambda n, a: self.course(n, a, most=1),
            "latency": lambda n, a: self.course(n, a, least=_FASTEST),
            "opa": lambda n, a: self.course(n, a, most=1),
            "starts_in": self.seconds,
            "fails": lambda n, a: self.one_of(n, a, get_args(Failure)),
            "metrics": lambda n, a: self.one_of(n, a, get_args(Shown)),
            "clumps": lambda n, a: int(self.number(n, a, least=1, most=_LARGEST_CLUMP)),
        }
        found = self.fields(node, at, tuple(readers))
        return Behaviour(**{k: readers[k](n, f"{at}.{k}") for k, n in found.items()})

    def course(self, node: Node, at: str, *, least: float = 0, most: float = _LARGEST) -> Course:
        """One value, or one for each point on the axis: `{0s: 1%, 30s: 5%}`, `{0%: 1, 50%: 3}`."""
        if isinstance(node, ScalarNode):
            return Course(((0.0, self.number(node, at, least=least, most=most)),))
        entries = self.mapping(node, at, "a number, or points such as `{0s: 1%, 30s: 5%}`")
        axes: set[Axis] = {"weight" if k.value.endswith("%") else "seconds" for k, _ in entries}
        if len(axes) != 1:
            self.refuse(node, f"field `{at}`: points need one axis", "all of them `30s` or `25%`")
        (axis,) = axes
        points = [
            (
                self.number(key, at) * 100 if axis == "weight" else self.seconds(key, at),
                self.number(value, at, least=least, most=most),
            )
            for key, value in entries
        ]
        return Course(tuple(sorted(points)), axis)

    def number(self, node: Node, at: str, *, least: float = 0, most: float = _LARGEST) -> float:
        """`0.12`, `12%`, `200`."""
        text = str(node.value) if isinstance(node, ScalarNode) else ""
        try:
            value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            value = -1.0
        if not least <= value <= most:
            share = "a share such as `0.12` or `12%`"
            allowed = share if most == 1 else f"a number from {least:g} to {most:g}"
            self.refuse(node, f"field `{at}`: found {_shown(node)}", f"allowed: {allowed}")
        return value

    def seconds(self, node: Node, at: str) -> float:
        try:
            value = parse_duration(str(node.value)).total_seconds()
        except ValueError:
            value = -1.0
        if value < 0:
            self.refuse(node, f"field `{at}`: found {_shown(node)}", "allowed: such as `2s`, `1m`")
        return value

    def text(self, node: Node, at: str) -> str:
        if not isinstance(node, ScalarNode) or not node.value.strip():
            self.refuse(node, f"field `{at}`: found {_shown(node)}", "allowed: a text")
        return " ".join(str(node.value).split())

    def one_of(self, node: Node, at: str, allowed: tuple[str, ...]) -> str:
        if not isinstance(node, ScalarNode) or node.value not in allowed:
            self.refuse(
                node,
                f"field `{at}`: found {_shown(node)}{guess(str(node.value), allowed)}",
                "allowed: " + ", ".join(f"`{word}`" for word in allowed),
            )
        return str(node.value)

    def fields(self, node: Node, at: str, known: tuple[str, ...]) -> dict[str, Node]:
        found: dict[str, Node] = {}
        allowed = ", ".join(f"`{name}`" for name in known)
        for key, value in self.mapping(node, at, f"a mapping of {allowed}"):
            name = str(key.value)
            place = f"{at}.{name}" if at else name
            if name not in known:
                self.refuse(key, f"field `{place}`: unknown{guess(name, known)}", f"allowed: {allowed}")
            if name in found:
                self.refuse(key, f"field `{place}`: found twice", "keep one of them")
            found[name] = value
        return found

    def mapping(self, node: Node, at: str, allowed: str) -> list[tuple[Node, Node]]:
        if not isinstance(node, MappingNode) or not node.value:
            field = f"field `{at}`: " if at else ""
            self.refuse(node, f"{field}found {_shown(node)}", f"allowed: {allowed}")
        return list(node.value)

    def refuse(self, node: Node, what: str, hint: str) -> NoReturn:
        raise ConfigError(f"{self.where}:{node.start_mark.line + 1}: {what}", hint=hint)


def _shown(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return f"`{node.value}`" if node.value else "nothing"
    return "a mapping" if isinstance(node, MappingNode) else "a list"
