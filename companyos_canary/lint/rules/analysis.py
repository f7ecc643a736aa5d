"""What the controller does not notice in an analysis before its step is reached."""

import re
from collections.abc import Iterator

from companyos_canary.analysis.arguments import FieldError, TemplateError, rollout_argument
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.rules import SpecFault, rules_by_metric, validate
from companyos_canary.analysis.spec import check
from companyos_canary.errors import near
from companyos_canary.lint.finding import Found, Path, rule
from companyos_canary.lint.metric import TemplateMetric, compiled_or_fault, templates_of
from companyos_canary.lint.objects import Manifest, RuleCase, analyses_of, holders
from companyos_canary.model.http import Fields
from companyos_canary.promql.parse import parse
from companyos_canary.promql.values import PromqlError

TEMPLATES = ("AnalysisTemplate", "ClusterAnalysisTemplate")
_FIELDS = {
    "consecutiveSuccessLimit": "consecutiveSuccessLimit",
    "failureLimit": "failureLimit",
    "inconclusiveLimit": "inconclusiveLimit",
    "consecutiveErrorLimit": "consecutiveErrorLimit",
    "interval": "interval",
    "startDelay": "initialDelay",
    "provider": "provider",
    "count": "count",
}
_NUMBERS = ("count", "failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit")
_TIMES = ("interval", "initialDelay")


@rule("template-cycle", "error", *TEMPLATES)
def template_cycle(case: RuleCase) -> Iterator[Found]:
    """AnalysisTemplates that name each other in a circle.

    A Rollout that uses one of them crashes the controller, for every Rollout in the cluster, and again after each
    restart as long as the two objects exist. Nothing is written to any status.
    """
    circle = _circle(case, case.object, ())
    if circle:
        yield Found(("spec", "templates"), f"the templates name each other in a circle: {' → '.join(circle)}")


def _circle(case: RuleCase, at: Manifest, above: tuple[Manifest, ...]) -> list[str]:
    if at in above:
        return [o.name for o in above] + [at.name] if at is case.object else []
    for ref in at.spec.get("templates") or ():
        inner = _template(case, ref, at)
        if inner is not None and (found := _circle(case, inner, (*above, at))):
            return found
    return []


@rule("empty-analysis", "error", "Rollout")
def empty_analysis(case: RuleCase) -> Iterator[Found]:
    """An analysis step without templates.

    The Rollout is accepted, and its next update hangs at this step: no AnalysisRun is made, there is no event, and the
    progress deadline does not count while an analysis step is current.
    """
    for path, analysis, background in analyses_of(case.object):
        if not analysis.get("templates") and not background:
            yield Found((*path, "templates"), "the analysis has no templates, so an update never leaves this step")


@rule("field-nowhere", "error", "Rollout")
def field_nowhere(case: RuleCase) -> Iterator[Found]:
    """An argument takes its value from a field that the Rollout does not have.

    The Rollout is accepted, and its next update hangs where the analysis starts; only the controller's log names the
    cause. Fields that the API server or the controller fills in later (`status`) are not checked.
    """
    for path, analysis, background in analyses_of(case.object):
        for index, arg in enumerate(analysis.get("args") or ()):
            field = ((arg.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") or ""
            checked = field.startswith("metadata") and not background  # by invalid-rollout
            if not field or field.startswith("status") or checked:
                continue
            try:
                rollout_argument(arg, {"metadata": {}, **case.object.data}, "latest", "stable")
            except FieldError:
                where: Path = (*path, "args", index, "valueFrom", "fieldRef", "fieldPath")
                yield Found(where, f"the Rollout has no field `{field}` with one value, so an update hangs here")


@rule("invalid-analysis", "error", "Rollout")
def invalid_analysis(case: RuleCase) -> Iterator[Found]:
    """An analysis that makes the Rollout an InvalidSpec.

    Two metrics with one name, an argument without a value, an analysis step that never ends: the controller checks
    these when it sees the Rollout, and does nothing more until they are fixed. They can only be told here if all the
    templates are in the files.
    """
    for path, analysis, background in analyses_of(case.object):
        if _missing(case, analysis):
            continue
        try:
            check(
                analysis,
                {"metadata": {}, **case.object.data},
                lambda name, cluster: _data(case.world.template(name, cluster, case.object)),
                background=background,
            )
        except TemplateError as error:
            if any(text in error.message for text in _TOLD_ELSEWHERE):
                continue
            templates = templates_of(analysis, case.object, case.world)
            if "same name" in error.message and any(_repeated(t.spec) for t in templates):
                continue
            yield Found((*path, "templates"), _sentence(error.message))


_TOLD_ELSEWHERE = ("failed to resolve", "names itself", "both Value and ValueFrom")
"""By undeclared-argument, template-cycle and two-values, in the template."""


def _repeated(spec: Fields) -> list[int]:
    """The indexes of metrics that have the name of one above them."""
    names = [metric.get("name") or "" for metric in spec.get("metrics") or ()]
    return [index for index, name in enumerate(names) if name in names[:index]]


def _data(template: Manifest | None) -> Fields | None:
    return None if template is None else {"metadata": {"name": template.name}, "spec": template.spec}


def _sentence(message: str) -> str:
    if found := re.fullmatch(r"args\.(.+) was not resolved", message):
        return f"the argument `{found[1]}` has no value: neither the Rollout nor the template gives one"
    return message


@rule("missing-template", "warning", "Rollout", *TEMPLATES)
def missing_template(case: RuleCase) -> Iterator[Found]:
    """A template that is not in the files, although others of its kind are.

    A template that does not exist in the cluster either makes the Rollout an InvalidSpec. If it is applied from
    somewhere else, lint it together with the Rollout.
    """
    for path, ref in ((path, ref) for path, analysis in holders(case) for ref in _missing(case, analysis)):
        name, kind = ref.get("templateName") or "", _kind(ref)
        known = case.world.names_beside(kind, case.object)
        if known:
            yield Found((*path, "templates"), f"the {kind} `{name}` is not in these files", near(name, known))


def _missing(case: RuleCase, analysis: Fields) -> list[Fields]:
    """References to templates that are not in the files."""
    known = templates_of(analysis, case.object, case.world)
    refs = [*(analysis.get("templates") or ()), *(r for t in known for r in t.spec.get("templates") or ())]
    return [ref for ref in refs if _template(case, ref, case.object) is None]


def _template(case: RuleCase, ref: Fields, beside: Manifest) -> Manifest | None:
    return case.world.template(ref.get("templateName") or "", bool(ref.get("clusterScope")), beside)


def _kind(ref: Fields) -> str:
    return "ClusterAnalysisTemplate" if ref.get("clusterScope") else "AnalysisTemplate"


@rule("no-metrics", "error", *TEMPLATES)
def no_metrics(case: RuleCase) -> Iterator[Found]:
    """A template without metrics.

    It is accepted, and the next update is aborted when the analysis starts: "no metrics specified".
    """
    if not case.object.spec.get("metrics") and not case.object.spec.get("templates"):
        yield Found(("spec", "metrics"), "the template has no metrics, so an update that runs it is aborted")


@rule("duplicate-metric", "error", *TEMPLATES)
def duplicate_metric(case: RuleCase) -> Iterator[Found]:
    """Two metrics of a template have the same name.

    A Rollout that uses the template is an InvalidSpec.
    """
    for index in _repeated(case.object.spec):
        name = case.object.spec["metrics"][index].get("name") or ""
        yield Found(("spec", "metrics", index, "name"), f"there are two metrics with the name `{name}`")


@rule("invalid-metric", "error")
def invalid_metric(metric: TemplateMetric) -> Iterator[Found]:
    """A metric that the controller cannot run.

    A count without an interval, a time that is no duration, a limit that does not fit the count, no provider or two:
    the template and the Rollout are accepted, and the next update is aborted when the analysis starts.
    """
    known = {**metric.raw, **{name: metric.number(name) for name in (*_NUMBERS, *_TIMES)}}
    known = {name: value for name, value in known.items() if value is not None}
    try:
        validate([known])
    except SpecFault as fault:
        text = str(fault).removeprefix("metrics[0]: ")
        field = next((f for word, f in _FIELDS.items() if word in text), "")
        yield Found((*metric.path, field) if field else metric.path, f"metric `{metric.name}`: {text}")


@rule("invalid-condition", "error")
def invalid_condition(metric: TemplateMetric) -> Iterator[Found]:
    """A condition that is not valid.

    The template and the Rollout are accepted. Every measurement is an Error, and after five of them the update is
    aborted.
    """
    for field in ("successCondition", "failureCondition"):
        try:
            compiled_or_fault(metric, field)
        except ConditionError as error:
            if "supported here" not in str(error):
                yield Found((*metric.path, field), f"the {field} is not valid: {' '.join(str(error).split())}")


@rule("invalid-query", "error")
def invalid_query(metric: TemplateMetric) -> Iterator[Found]:
    """A query that is not valid PromQL, or none at all.

    The template and the Rollout are accepted. Prometheus answers every measurement with 400, and after five of them
    the update is aborted.
    """
    if metric.provider != "prometheus":
        return
    if not metric.query_text.strip():
        yield Found(metric.query_path, f"metric `{metric.name}` has no query")
    elif metric.query is None and not metric.guesses:
        try:
            parse(metric.query_text)
        except PromqlError as error:
            text = " ".join(error.message.removeprefix("parse error: ").split())
            if "unknown function" not in text:
                yield Found(metric.query_path, f"the query is not valid PromQL: {text}")


@rule("no-such-metric", "error", "Rollout", *TEMPLATES)
def no_such_metric(case: RuleCase) -> Iterator[Found]:
    """A rule of dryRun or measurementRetention that matches no metric.

    The next update is aborted when the analysis starts. A rule is a regular expression: `*` alone is not one and
    matches nothing; `.*` matches every metric.
    """
    for path, analysis in holders(case):
        if _missing(case, analysis):
            continue
        templates = templates_of(analysis, case.object, case.world)
        own = analysis.get("metrics") or ()
        metrics = [*own, *(m for t in templates for m in t.spec.get("metrics") or ())]
        for field in ("dryRun", "measurementRetention"):
            for index, entry in enumerate(analysis.get(field) or ()):
                try:
                    rules_by_metric(field, [entry], metrics)
                except SpecFault:
                    name = entry.get("metricName") or ""
                    hint = "write `.*` for all metrics" if name == "*" else near(name, [m["name"] for m in metrics])
                    yield Found((*path, field, index, "metricName"), f"`{name}` matches no metric", hint)


RULES = (
    template_cycle,
    empty_analysis,
    field_nowhere,
    invalid_analysis,
    missing_template,
    no_metrics,
    duplicate_metric,
    invalid_metric,
    invalid_condition,
    invalid_query,
    no_such_metric,
)
