"""Arguments of an analysis: given, declared and used."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache

from companyos_canary.errors import near
from companyos_canary.lint.finding import Found, rule
from companyos_canary.lint.metric import TemplateMetric, tags, templates_of
from companyos_canary.lint.objects import Manifest, RuleCase, World, analyses_of, holders
from companyos_canary.lint.rules.analysis import TEMPLATES
from companyos_canary.model.http import Fields


@rule("undeclared-argument", "error")
def undeclared_argument(metric: TemplateMetric) -> Iterator[Found]:
    """A metric uses an argument that its template does not declare.

    The value that a Rollout gives is dropped, because the template has no argument of that name: a Rollout that uses
    the template is an InvalidSpec, or its analysis ends in an Error. Everything in double braces is an
    argument, so a query cannot have them for something else.
    """
    declared = _declared(metric.template.object)
    for field, value in metric.raw.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name in dict.fromkeys(tags(text)):
            if name not in declared:
                path = metric.query_path if field == "provider" and metric.prometheus else (*metric.path, field)
                ours = not name.startswith("{{")
                shown = f"{{{{args.{name}}}}}" if ours else name
                hint = near(name, declared, f"declare it in `spec.args`, as `- name: {name}`" if ours else "")
                yield Found(path, f"`{shown}` is not an argument of this template", hint)


@rule("unused-argument", "warning", *TEMPLATES)
def unused_argument(case: RuleCase) -> Iterator[Found]:
    """A template declares an argument that nothing in it uses.

    Every Rollout must still give it a value. Often the name in the query is misspelled, or fixed.
    """
    inner = templates_of(case.object.spec, case.object, case.world)
    if len(inner) < len(case.object.spec.get("templates") or ()):
        return
    used = {name for t in (case.object, *inner) for name in tags(json.dumps(t.spec.get("metrics"), ensure_ascii=False))}
    for index, arg in enumerate(case.object.spec.get("args") or ()):
        name = arg.get("name") or ""
        if name not in used and not _in_outer(case, name):
            yield Found(("spec", "args", index), f"no metric uses the argument `{name}`", near(name, used))


def _in_outer(case: RuleCase, name: str) -> bool:
    """Whether the argument is used by a template that includes this one."""
    outer = _outer(case.world).get(case.object, ())
    return any(name in tags(json.dumps(o.spec.get("metrics"), ensure_ascii=False)) for o in outer)


@lru_cache(maxsize=1)
def _outer(world: World) -> Mapping[Manifest, list[Manifest]]:
    """The templates that include one."""
    found: dict[Manifest, list[Manifest]] = {}
    for outer in world.of(*TEMPLATES):
        for inner in templates_of(outer.spec, outer, world):
            found.setdefault(inner, []).append(outer)
    return found


@rule("unknown-argument", "warning", "Rollout")
def unknown_argument(case: RuleCase) -> Iterator[Found]:
    """A Rollout gives an argument that none of its templates declares.

    It is dropped without a word.
    """
    for path, analysis, _ in analyses_of(case.object):
        templates = templates_of(analysis, case.object, case.world)
        if not templates or len(templates) < len(analysis.get("templates") or ()):
            continue
        declared = {name for t in templates for name in _declared(t)}
        for index, arg in enumerate(analysis.get("args") or ()):
            name = arg.get("name") or ""
            if name not in declared:
                text = f"no template of this analysis has an argument `{name}`, so it is dropped"
                yield Found((*path, "args", index), text, near(name, declared))


@rule("duplicate-argument", "warning", "Rollout", *TEMPLATES)
def duplicate_argument(case: RuleCase) -> Iterator[Found]:
    """An argument is given twice.

    Only the last value counts.
    """
    for path, holder in holders(case):
        args = holder.get("args") or ()
        for name, count in Counter(a.get("name") or "" for a in args).items():
            if count > 1:
                last = max(i for i, a in enumerate(args) if a.get("name") == name)
                yield Found((*path, "args", last), f"the argument `{name}` is given {count} times")


@rule("empty-argument", "warning", "Rollout")
def empty_argument(case: RuleCase) -> Iterator[Found]:
    """A Rollout gives an argument without a value.

    It becomes an empty text, over a default that the template may have: a matcher `namespace=""` then selects series
    without the label, and a condition ends in the middle.
    """
    for path, analysis, _ in analyses_of(case.object):
        for index, arg in enumerate(analysis.get("args") or ()):
            if not arg.get("value") and not _source(arg):
                text = f"the argument `{arg.get('name') or ''}` is given an empty value"
                yield Found((*path, "args", index), text, "leave it out, so that the template's default counts")


@rule("two-values", "error", *TEMPLATES)
def two_values(case: RuleCase) -> Iterator[Found]:
    """An argument has both a value and a valueFrom.

    A Rollout that uses the template is an InvalidSpec.
    """
    for index, arg in enumerate(case.object.spec.get("args") or ()):
        if arg.get("value") is not None and arg.get("valueFrom") is not None:
            yield Found(("spec", "args", index), f"the argument `{arg.get('name')}` has both a value and a valueFrom")


@rule("secret-in-query", "error")
def secret_in_query(metric: TemplateMetric) -> Iterator[Found]:
    """A Secret is part of a query.

    The query with all arguments is written into the AnalysisRun's status (`ResolvedPrometheusQuery`), where everyone
    who may read AnalysisRuns reads the Secret in plain text. Only messages are masked.
    """
    args = metric.template.object.spec.get("args") or ()
    secret = {a.get("name") for a in args if ((a.get("valueFrom") or {}).get("secretKeyRef"))}
    for name in tags(metric.prometheus.get("query") or ""):
        if name in secret:
            text = f"the Secret of `{name}` is written in plain text into the status of every AnalysisRun"
            yield Found(metric.query_path, text, "use it in `headers` or `authentication`, not in the query")


@rule("password-in-template", "error")
def password_in_template(metric: TemplateMetric) -> Iterator[Found]:
    """A password or token is written into the template.

    Everyone who may read the template, or the repository it is in, can use it. An argument with a secretKeyRef takes it
    from a Secret.
    """
    for path, value in _credentials(metric.prometheus):
        if value and not tags(value):
            hint = "take it from an argument with `valueFrom.secretKeyRef`"
            yield Found((*metric.path, "provider", "prometheus", *path), "a credential is in plain text here", hint)


def _credentials(prometheus: Fields) -> Iterator[tuple[tuple[str | int, ...], str]]:
    authentication = prometheus.get("authentication") or {}
    for name, field in (("basicAuth", "password"), ("oauth2", "clientSecret")):
        yield ("authentication", name, field), (authentication.get(name) or {}).get(field) or ""
    for index, header in enumerate(prometheus.get("headers") or ()):
        if (header.get("key") or "").lower() in ("authorization", "x-api-key", "cookie"):
            yield ("headers", index, "value"), header.get("value") or ""
    address = prometheus.get("address") or ""
    if "@" in address.partition("://")[2].partition("/")[0]:
        yield ("address",), address


def _declared(template: Manifest) -> list[str]:
    return [a.get("name") or "" for a in template.spec.get("args") or ()]


def _source(arg: Fields) -> bool:
    return any((arg.get("valueFrom") or {}).values())


RULES = (
    undeclared_argument,
    unused_argument,
    unknown_argument,
    duplicate_argument,
    empty_argument,
    two_values,
    secret_in_query,
    password_in_template,
)
