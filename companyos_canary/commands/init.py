"""`canary init`: write a canary.yaml to start from."""

import copy
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from msgspec import Struct

from companyos_canary.actions import change
from companyos_canary.actions.apply import applied_sentence, autoscalers
from companyos_canary.actions.traffic import exact, series
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import ANALYSISTEMPLATE, ROLLOUT, SERVICE
from companyos_canary.commands import base
from companyos_canary.config import FILE, Resolved, Settings, load
from companyos_canary.config.settings import PrometheusSettings, default_scope
from companyos_canary.config.source import without_nulls
from companyos_canary.errors import CanaryError, ExitCode, NotFound, Refused, UsageError, exits
from companyos_canary.model.quantity import format_duration, whole_seconds
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import LEFT_OUT, Output
from companyos_canary.render.analysis import analysis_templates
from companyos_canary.render.difference import changes, keep_live_image
from companyos_canary.render.objects import objects, rollout, service
from companyos_canary.render.starter import adopted, pod_of, rollout_patch, service_patch, starter, template_patch
from companyos_canary.render.templates import to_yaml


class Written(Struct, frozen=True, kw_only=True):
    """Paths; `files` with --from alone."""

    path: str
    files: tuple[str, ...] = LEFT_OUT


EXAMPLES = (
    "canary init                          a commented file for the guide's service",
    "canary init billing -n shop --image registry.example.com/billing",
    "canary init --from billing -n shop   adopt a live Rollout, without changing it",
)
_P95 = 0.3  # seconds: the limit of the guide
STARTER_NAMES = {"rollout": "companyos-api", "namespace": "companyos"}  # those of the starter file
OUTPUT = Output((Written,))
EXITS = exits(ExitCode.REFUSED)


def init(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    image: Annotated[
        str | None, typer.Option("--image", help="image without a tag [default: the Rollout's name]")
    ] = None,
    live: Annotated[str | None, typer.Option("--from", metavar="ROLLOUT", help="adopt a live Rollout")] = None,
) -> base.Answer:
    """Write a commented canary.yaml here. An existing one is never overwritten.

    On a sandbox its steps take seconds, elsewhere minutes.

    --from adopts a live Rollout: whatever canary.yaml cannot express goes into a merge file next to it, and
    the result is checked to render the live Rollout unchanged.
    """
    path = session.runtime.cwd / (session.flags.file or FILE)
    name = session.flags.rollout
    if live is not None:
        if name or image:
            raise UsageError("--from takes name and image from the live Rollout: leave them out")
        return _adopt(session, live, path)
    values: dict[str, Any] = {}
    if name:
        values |= {"rollout": name, "image": image or name}
    elif image:
        values["image"] = image
    if session.flags.namespace:
        values["namespace"] = session.flags.namespace
    _free(path)
    asked, note = _from_prometheus(session, {**STARTER_NAMES, **values})
    notes = [note]
    if sandbox := _is_a_sandbox(session):
        asked = {**asked, "steps": _SHORT, "analysis": {**asked.get("analysis", {}), "window": "10s"}}
        notes.append("this cluster is a sandbox: the steps take seconds, and those of a real service minutes")
    text = starter({**values, **asked})
    if sandbox:
        text = text.replace("\nanalysis:\n", _SHORT_WINDOW)
    _write(path.parent, {path.name: text})
    return base.Answer(
        data=Written(path=str(path)),
        lines=(f"wrote {_shown(path, session.runtime.cwd)}",),
        notes=(*notes, "next: canary render, then canary apply VERSION"),
        name=str(path),
    )


_SHORT = [{"weight": weight, "analysis": "10s"} for weight in (10, 25, 50)]
_SHORT_WINDOW = "\nanalysis:  # canary-lint: ignore=window-too-short a sandbox is scraped every second\n"


def _is_a_sandbox(session: base.Session) -> bool:
    """Its version says so; a cluster that does not answer is none."""
    try:
        return str(session.cluster.version().get("gitVersion", "")).endswith("+sandbox")
    except CanaryError:
        return False


def _from_prometheus(session: base.Session, values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Values for `starter` that the service's series tell, and a sentence about them."""
    rollout, namespace = values["rollout"], values["namespace"]
    flags = session.flags
    session.resolved = Resolved(
        namespace=namespace, context=flags.context, kubeconfig=flags.kubeconfig, identity=flags.identity
    )
    try:
        prometheus = session.prometheus(PrometheusSettings().url)
        found = series(prometheus, rollout, namespace)
    except CanaryError as error:
        return {}, f"Prometheus could not be asked which labels the series of `{rollout}` have: {error.message}"
    if found is None:
        return {}, f"Prometheus has no requests of `{rollout}` yet: by default those of pods named {rollout}-… count"
    matchers = exact(rollout, namespace) if found.shared else default_scope(rollout, namespace)
    asked: dict[str, Any] = {"analysis": {"scope": f"'{matchers}'", **({"by_hash": "true"} if found.hashed else {})}}
    above = [b for b in found.bounds if float(b) >= _P95]
    if above or found.bounds:
        asked["boundary"] = format_duration(timedelta(seconds=float((above or found.bounds[-1:])[0])))
    return asked, f"scope and boundary are those of the series that Prometheus has of `{rollout}`"


def _adopt(session: base.Session, name: str, path: Path) -> base.Answer:

    flags, environ = session.flags, session.runtime.environ
    session.resolved = Resolved(
        rollout=name,
        namespace=flags.namespace or environ.get("CANARY_NAMESPACE"),
        context=flags.context or environ.get("CANARY_CONTEXT"),
        kubeconfig=flags.kubeconfig or environ.get("CANARY_KUBECONFIG"),
        identity=flags.identity,
    )
    _free(path)
    adopted = adopt(session.cluster, name, path.name)
    _write(path.parent, adopted.files)
    shown = [_shown(path.parent / file, session.runtime.cwd) for file in adopted.files]
    return base.Answer(
        data=Written(path=str(path), files=tuple(str(path.parent / f) for f in adopted.files)),
        lines=tuple(f"wrote {file}" for file in shown),
        notes=(*adopted.notes, "next: canary apply --dry-run, which should show no change to the Rollout"),
        name=str(path),
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """All of them or none, and none over another."""
    written: list[Path] = []
    for name in files:
        _free(folder / name)
    try:
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                written.append(folder / name)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise UsageError(f"`{folder / name}` cannot be written: {error.strerror}") from error


def _free(path: Path) -> None:
    if path.exists():
        raise UsageError(
            f"`{path.name}` already exists and was not changed", hint="edit it, or write another one with --file NAME"
        )


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


command = base.verb(init, reads_config=False, forms=("human", "json", "name"))


HEADER = """\
# What the live {kind} has and canary would render in another way. Delete a line to take what
# canary renders; `canary apply --dry-run` shows what that changes.
"""


class Adopted(Struct, frozen=True):
    """Texts by file name, canary.yaml first; `notes` are for the person who adopts."""

    files: Mapping[str, str]
    notes: tuple[str, ...]


def adopt(cluster: Cluster, name: str, file: str) -> Adopted:
    """The files with which `apply` changes nothing of the live Rollout. `file` is the name of the
    canary.yaml. NotFound; Refused for what canary.yaml cannot say."""
    found = change.read_rollout(cluster, name)
    live = cluster.object(ROLLOUT, name)
    if live is None:
        raise NotFound(f"Rollout `{name}` not found in namespace `{cluster.namespace}`")
    _refuse(found)
    whole = copy.deepcopy(live)
    whole["spec"]["template"] = without_nulls(found.template)
    values = {**_values(found, whole), "links": None}
    if autoscalers(cluster, name):
        values["replicas"] = None
    base = _settings({file: starter(values)}, file)
    others = _others(cluster, base, whole)
    if others is None:
        values["manage"] = "rollout"
        base = _settings({file: starter(values)}, file)
    patch = rollout_patch(rollout(base), _without_replicas(live if found.workload_ref else whole, values))
    patches = (patch, *(others or ()))
    files = _files(file, values, base, whole, patches, with_pod=not found.workload_ref)
    settings = _settings(files, file)
    _prove(settings, live)
    return Adopted(files, tuple(_notes(found, settings, patch)))


def _others(cluster: Cluster, base: Settings, whole: Mapping[str, Any]) -> tuple[dict[str, Any], ...] | None:
    """What differs of the Service and the AnalysisTemplates; None where they are not all there: adopting makes none."""
    templates = [(t, _live_template(cluster, t)) for t in analysis_templates(base)]
    there = cluster.object(SERVICE, base.rollout)
    if base.blue_green or there is None or not templates or any(live is None for _, live in templates):
        return None
    return (service_patch(service(base), there, whole), *(template_patch(t, live) for t, live in templates))


def _without_replicas(live: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where an autoscaler decides, their number is no part of what is written."""
    if values["replicas"] is not None:
        return live
    return {**live, "spec": {k: v for k, v in live["spec"].items() if k != "replicas"}}


def _refuse(found: Rollout) -> None:
    name, container = found.name, found.containers[0].name if found.containers else ""
    if found.strategy == "none":
        raise Refused(
            f"`{name}` has neither a canary nor a blue-green strategy", hint="see `kubectl get rollout -o yaml`"
        )
    if not found.containers:
        raise Refused(
            f"the containers of `{name}` cannot be read",
            hint="canary can only read those of its own template or of a Deployment",
        )
    labels = (found.template.get("metadata") or {}).get("labels")
    if not found.workload_ref and not (found.selector and labels):
        what = "it has no selector" if labels else "its pod template has no labels"
        raise Refused(f"`{name}` is invalid: {what}", hint="repair the Rollout first, then adopt it")
    if container != name and any(c.name == name for c in found.containers):
        raise Refused(
            f"the container `{name}` of Rollout `{name}` is not its first: canary.yaml puts it "
            "there, which would start a canary",
            hint="first release it with that container in the first place, then adopt it",
        )


def _values(found: Rollout, whole: Mapping[str, Any]) -> dict[str, Any]:
    values = adopted(whole)
    labels = (found.template.get("metadata") or {}).get("labels") or {}
    values.pop("app", None)
    if labels.get("app", found.name) != found.name:
        values["app"] = labels["app"]
    seconds = whole["spec"].get("progressDeadlineSeconds")
    if seconds:
        values["progress_deadline"] = format_duration(whole_seconds(seconds))
    return values


def _files(
    file: str,
    values: Mapping[str, Any],
    base: Settings,
    whole: Mapping[str, Any],
    patches: Iterable[Mapping[str, Any]],
    *,
    with_pod: bool,
) -> dict[str, str]:
    stem = file.removesuffix(".yaml").removesuffix(".yml")
    merge = {_file_of(stem, patch): HEADER.format(kind=patch["kind"]) + to_yaml([patch]) for patch in patches if patch}
    more: dict[str, Any] = {"merge": list(merge)} if merge else {}
    template = whole["spec"]["template"]
    pod = pod_of(rollout(base)["spec"]["template"], template, base.container) if with_pod else {}
    if pod:
        more["pod"] = pod
    return {file: starter({**values, **more}), **merge}


def _file_of(stem: str, patch: Mapping[str, Any]) -> str:
    """`canary.rollout.yaml`; there may be several AnalysisTemplates."""
    kind = str(patch["kind"]).lower()
    name = f".{patch['metadata']['name']}" if kind == "analysistemplate" else ""
    return f"{stem}.{kind}{name}.yaml"


def _live_template(cluster: Cluster, rendered: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return cluster.object(ANALYSISTEMPLATE, rendered["metadata"]["name"])


def _settings(files: Mapping[str, str], file: str) -> Settings:
    """What the files say, read as they will be."""
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return load(Path(folder) / file, shown=file)


def _prove(settings: Settings, live: Mapping[str, Any]) -> None:
    """Refused if what is rendered is not what is there."""
    made = keep_live_image(objects(settings)[-1], live)
    live = live if settings.replicas is not None else _without_replicas(live, {"replicas": None})
    wanted, there = (
        without_nulls({k: v for k, v in o["spec"].items() if k not in ("paused", "restartAt")}) for o in (made, live)
    )
    if wanted == there:
        return
    found = changes(live, made)
    what = applied_sentence(found[0]) if found else "its lists have another order"
    raise Refused(
        f"`{settings.rollout}` cannot be written as a canary.yaml that renders it again: {what}",
        hint="`canary init NAME --image IMAGE` writes one to edit by hand",
    )


def nginx_ingress(found: Rollout) -> str:
    """The Ingress of the stable version, where nginx splits the traffic; empty for other routers."""
    canary = found.written_strategy("canary")
    nginx = (canary.get("trafficRouting") or {}).get("nginx") or {}
    return str(nginx.get("stableIngress") or next(iter(nginx.get("stableIngresses") or ()), ""))


def _notes(found: Rollout, settings: Settings, patch: Mapping[str, Any]) -> list[str]:
    notes = []
    canary = ((patch.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    if len(found.containers) > 1:
        notes.append(f"a VERSION is for the container `{settings.container}`")
    if settings.manage == "rollout":
        notes.append("`manage: rollout`: Services and AnalysisTemplates stay yours, and nothing is added to them")
    if ingress := nginx_ingress(found):
        notes.append(
            f"ingress-nginx, which splits its traffic by Ingress {ingress}, is retired: `traffic: gateway` in a "
            "canary.yaml of your own renders an HTTPRoute with the same weights"
        )
    if "steps" in canary:
        notes.append(
            "its steps stay as they are, in the merge file: those of canary.yaml count once they are deleted there"
        )
    if "canaryMetadata" in canary and canary["canaryMetadata"] is None:
        notes.append(
            "its pods have no label `canary`, by which the metrics tell canary from "
            "stable: delete canaryMetadata and stableMetadata from the merge file to add "
            "it"
        )
    return notes
