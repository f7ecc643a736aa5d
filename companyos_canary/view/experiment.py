"""What a step does besides the weight: header and mirror routes, an Experiment with its versions, a plugin."""

from companyos_canary.argo.limits import measured_number, number_text
from companyos_canary.argo.picture import Picture
from companyos_canary.argo.routes import Route
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import ExperimentAnalysis, ExperimentTemplate
from companyos_canary.view.format import left, shorten
from companyos_canary.view.lines import Facts, Line, Tone

_SHOWN = ("other", "held", "inconclusive", "degraded", "aborting")
_BAD = ("Failed", "Error", "Degraded")


def doing(picture: Picture) -> str:
    """The current step of a kind that has no activity of its own: `experiment`, `plugin NAME`."""
    rollout = picture.snapshot.rollout
    step = rollout.current_step
    if picture.progress.activity != "other" or step is None:
        return ""
    if step.kind == "plugin":
        return f"plugin {(step.raw['plugin'] or {}).get('name', '')}".rstrip()
    return {"setHeaderRoute": "header route", "setMirrorRoute": "mirror route"}.get(step.kind, step.kind)


def route_text(route: Route) -> str:
    """`requests with role: qa go to the canary as well (header route qa)`."""
    which = f"requests with {', '.join(route.match)}" if route.match else "requests"
    if route.kind == "mirror":
        return f"{route.percentage} % of the {which} are mirrored to the canary (mirror route {route.name})"
    return f"all {which} go to the canary (header route {route.name})"


def step_lines(picture: Picture, facts: Facts) -> list[Line]:
    """Of an experiment its phase, the time left, its versions and its analyses; of a plugin what it says."""
    rollout = picture.snapshot.rollout
    if picture.progress.activity not in _SHOWN:
        return []
    if rollout.step_plugin:
        said = [rollout.step_plugin.get(key) or "" for key in ("phase", "message")]
        text = f"plugin {rollout.step_plugin.get('name', '')}: {', '.join(filter(None, said))}"
        return [("  ", (shorten(text, facts.width - 2, facts.symbols), _role(said[0])))]
    return _experiment(picture, facts) if picture.snapshot.experiment or rollout.experiment else []


def _experiment(picture: Picture, facts: Facts) -> list[Line]:
    experiment, progress = picture.snapshot.experiment, picture.progress
    if experiment is None:
        return [(f"  experiment {picture.snapshot.rollout.experiment}",)]
    remaining = left(progress.remaining, progress.overdue) if progress.remaining is not None else ""
    head = ", ".join(w for w in (experiment.phase or "Pending", remaining, experiment.message) if w)
    lines: list[Line] = [
        (
            "  ",
            shorten(f"experiment {experiment.name}", facts.width // 2, facts.symbols),
            "  ",
            (head, _role(experiment.phase)),
        )
    ]
    runs = {r.name: r for r in picture.snapshot.experiment_runs}
    rows = [_version(t) for t in experiment.templates]
    rows += [_analysis(r, runs.get(r.run)) for r in experiment.analyses]
    room = max((len(name) for name, *_ in rows), default=0)
    for name, text, role in rows:
        lines.append((f"    {name:<{room}}  ", (shorten(text, facts.width - room - 6, facts.symbols), role)))
    return lines


def _version(template: ExperimentTemplate) -> tuple[str, str, Tone]:
    state = template.status if template.status not in ("", "Running") else ""
    text = f"{template.available} of {template.desired} {'pod' if template.desired == 1 else 'pods'} available"
    return template.name, ", ".join(w for w in (text, state, template.message) if w), _role(template.status)


def _analysis(one: ExperimentAnalysis, run: AnalysisRun | None) -> tuple[str, str, Tone]:
    results = run.results if run else ()
    values = [f"{r.name} {number_text(measured_number(r.measurements[-1].value))}" for r in results if r.measurements]
    return (
        one.name,
        ", ".join(w for w in (f"analysis {one.phase or 'Pending'}", *values, one.message) if w),
        _role(one.phase),
    )


def _role(phase: str) -> Tone:
    return "failure" if phase in _BAD else ""
