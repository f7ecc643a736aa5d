"""An AnalysisRun that is made from a template, without a Rollout."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from companyos_canary.actions.runs import named_hint
from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.analysis.rules import effective_count
from companyos_canary.analysis.spec import collect, run_spec
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import ANALYSISRUN, ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE, Kind
from companyos_canary.diagnosis.control import INSTANCE
from companyos_canary.errors import NotFound, UsageError, near, printable
from companyos_canary.model.http import Json

_TYPES = {
    **dict.fromkeys(("analysistemplate", "analysistemplates", "at"), False),
    **dict.fromkeys(("clusteranalysistemplate", "clusteranalysistemplates", "cat"), True),
}


class TemplateName(Struct, frozen=True):
    """An AnalysisTemplate of the namespace, or one of the whole cluster."""

    name: str
    cluster: bool = False

    @property
    def kind(self) -> Kind:
        return CLUSTERANALYSISTEMPLATE if self.cluster else ANALYSISTEMPLATE

    def __str__(self) -> str:
        return f"{self.kind.kind} `{self.name}`"


def template_named(text: str, *, everywhere: bool) -> TemplateName:
    """`success-rate`, `analysistemplate/success-rate`, `clusteranalysistemplate/success-rate`; `everywhere`: of the
    cluster, also where that is not written. Raises UsageError for another kind."""
    kind, slash, name = text.rpartition("/")
    if not slash:
        return TemplateName(name, everywhere)
    word = kind.partition(".")[0]
    if word not in _TYPES:
        raise UsageError(
            f"`{printable(text)}` does not name a template",
            hint="write analysistemplate/NAME or clusteranalysistemplate/NAME",
        )
    return TemplateName(name, _TYPES[word] or everywhere)


def arguments_given(texts: list[str]) -> dict[str, str]:
    """`-a NAME=VALUE`, as often as it was given. Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"`{printable(text)}` is not an argument", hint="write -a NAME=VALUE")
        found[name] = value
    return found


def run_from(
    cluster: Cluster,
    template: TemplateName,
    given: Mapping[str, str],
    known: Mapping[TemplateName, Json | None] | None = None,
) -> Json:
    """An AnalysisRun without a name, with the metrics of the template and of those that it names in turn. `known` are
    templates that need not be read. Raises NotFound for a template, UsageError for an argument."""
    read = dict(known or {})

    def lookup(name: str, of_cluster: bool) -> Json | None:
        wanted = TemplateName(name, of_cluster)
        if wanted not in read:
            kind = wanted.kind
            read[wanted] = cluster.object(kind, name)
            if read[wanted] is None and wanted == template:
                raise NotFound(f"{template} not found{_place(cluster, kind)}", hint=named_hint(cluster, kind, name))
        return read[wanted]

    reference = [{"templateName": template.name, "clusterScope": template.cluster}]
    try:
        templates = collect(reference, lookup)
        _check_arguments(template, templates, given)
        arguments = [{"name": name, "value": value} for name, value in given.items()]
        spec = run_spec({"templates": reference, "args": arguments}, {}, lookup, latest_hash="", stable_hash="")
    except TemplateError as error:
        raise UsageError(f"{template} cannot be run: {error.message}", hint="see `canary lint`") from None
    # As they are written: a newer controller may know more fields than we do.
    spec["metrics"] = [metric for t in templates for metric in (t.get("spec") or {}).get("metrics") or []]
    labels = (templates[0].get("metadata") or {}).get("labels") or {}
    meta: Json = {"namespace": cluster.namespace}
    if INSTANCE in labels:
        meta["labels"] = {INSTANCE: labels[INSTANCE]}
    return {"apiVersion": ANALYSISRUN.api_version, "kind": ANALYSISRUN.kind, "metadata": meta, "spec": spec}


def _check_arguments(template: TemplateName, templates: list[Mapping[str, Any]], given: Mapping[str, str]) -> None:
    declared = [a for t in templates for a in (t.get("spec") or {}).get("args") or []]
    names = [str(a.get("name", "")) for a in declared]
    for name in given:
        if name not in names:
            known = "it takes " + ", ".join(f"`{n}`" for n in dict.fromkeys(names)) if names else "it takes none"
            raise UsageError(f"{template} has no argument `{printable(name)}`", hint=near(name, names, known))
    known_values = {str(a.get("name", "")) for a in declared if a.get("value") is not None or _of_secret(a)}
    missing = [n for n in dict.fromkeys(names) if n not in given and n not in known_values]
    if missing:
        raise UsageError(
            f"{template} needs a value for " + ", ".join(f"`{n}`" for n in missing),
            hint="give it: " + " ".join(f"-a {n}=VALUE" for n in missing),
        )


def _of_secret(argument: Mapping[str, Any]) -> bool:
    """The only source that does not need a Rollout."""
    return bool((argument.get("valueFrom") or {}).get("secretKeyRef"))


def _place(cluster: Cluster, kind: Kind) -> str:
    return f" in namespace `{cluster.namespace}`" if kind.namespaced else ""


def endless_metrics(run: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics that are measured until someone ends the run: they have an interval and no count."""
    metrics = (run.get("spec") or {}).get("metrics") or []
    given = {a.get("name"): a.get("value") for a in (run.get("spec") or {}).get("args") or []}
    return tuple(str(m.get("name", "")) for m in metrics if _is_endless(m, given))


def _is_endless(metric: Mapping[str, Any], given: Mapping[Any, Any]) -> bool:
    if str(metric.get("consecutiveSuccessLimit") or "0") != "0":
        return False
    count = metric.get("count")
    if isinstance(count, str) and count.startswith("{{"):
        count = given.get(count.strip("{} ").removeprefix("args."))
    return effective_count({**metric, "count": count}) is None
