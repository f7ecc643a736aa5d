"""The steps as a line, with the current one and the time it has left; and what a step does besides the weight: header
and mirror routes, an Experiment with its versions, a plugin."""

from datetime import timedelta

from companyos_canary.argo.limits import decided_of, number_text
from companyos_canary.argo.picture import Picture
from companyos_canary.argo.routes import Route
from companyos_canary.argo.steps import WeightStep
from companyos_canary.model.analysisrun import AnalysisRun, Measurement, Metric
from companyos_canary.model.experiment import ExperimentAnalysis, ExperimentTemplate
from companyos_canary.model.quantity import plural
from companyos_canary.view.format import about, duration, is_far, left, shorten
from companyos_canary.view.lines import Facts, Line, Part, Tone, columns_of, width

_SHORTEST_BAR = 6
_LONGEST_BAR = 20
_MEASURED_OVER = timedelta(minutes=1)


def steps_lines(picture: Picture, facts: Facts) -> list[Line]:
    """Weights with bars between them and a note under each; one bar where there are too many."""
    steps = picture.progress.steps
    progress = picture.progress
    nowhere = progress.activity in ("aborted", "unobserved") and progress.failed_step is None
    if nowhere or not progress.stepped:
        return []
    labels = [f"{s.percent} %" for s in steps]
    room = facts.width - 2 - sum(map(len, labels)) - len("100 %") - 4 * len(steps)
    bar = min(_LONGEST_BAR, room // len(steps))
    if bar < _SHORTEST_BAR:
        return _compact(picture, facts)
    line: list[Part] = ["  "]
    notes: list[Line] = []
    columns: list[int] = []
    for step, label in zip(steps, labels, strict=True):
        columns.append(width(line))
        line += [label, "  ", *_step_bar(picture, facts, step, bar), "  "]
        notes.append(())
    line.append("100 %")
    ends = [*columns[1:], facts.width + 1]
    for n, step in enumerate(steps):
        notes[n] = _fitting(_notes(picture, facts, step), ends[n] - columns[n] - 1)
    return [tuple(line), _under(columns, notes)]


def _compact(picture: Picture, facts: Facts) -> list[Line]:
    progress = picture.progress
    steps, step = progress.steps, progress.step or progress.failed_step
    done = sum(_share(picture, s) for s in steps) / len(steps)
    number = f"step {step.number}/{len(steps)}  " if step else f"{len(steps)} steps  "
    weight = f"{step.percent} %  " if step else ""
    tail = f"  next {progress.next_percent} %" if progress.step else ""
    room = facts.width - 2 - len(number) - len(weight) - len(tail)
    bad = progress.activity in ("aborted", "degraded")
    role: Tone = "failure" if bad else "success" if done >= 1 else "hint"
    bar = _bar(facts, done, max(3, min(_LONGEST_BAR, room)), role)
    note = _fitting(_notes(picture, facts, step), facts.width - 2) if step else ()
    return [("  ", number, weight, *bar, tail), *([("  ", *note)] if note else [])]


def _share(picture: Picture, step: WeightStep) -> float:
    """How much of a step is done, from 0 to 1."""
    progress = picture.progress
    at = progress.step or progress.failed_step
    if progress.activity == "finishing":
        return 1.0
    if at is None or step.number > at.number:
        return 0.0
    if step.number < at.number:
        return 1.0
    if progress.failed_step and progress.activity in ("aborted", "degraded"):
        return progress.failed_share
    if progress.remaining is None or not progress.length:
        return 0.5 if progress.activity in ("analysing", "waiting", "inconclusive") else 0.0
    return 1.0 - progress.remaining / progress.length


def _step_bar(picture: Picture, facts: Facts, step: WeightStep, length: int) -> list[Part]:
    """Green where the step has passed, red up to where it failed, empty if it is not to come."""
    progress, share = picture.progress, _share(picture, step)
    if progress.activity not in ("aborted", "degraded"):
        return _bar(facts, share, length, "success" if share >= 1 else "hint")
    at = progress.step or progress.failed_step
    if at and step.number < at.number:
        return _bar(facts, share, length, "success")
    if at is None or step.number > at.number:
        return [" " * length]
    done = min(length - 1, round(share * length))
    return [(facts.symbols.bar_done * done + facts.symbols.failed, "failure"), " " * (length - done - 1)]


def _bar(facts: Facts, share: float, length: int, role: Tone) -> list[Part]:
    symbols = facts.symbols
    full = min(length, int(share * length))
    tip = symbols.bar_tip if 0 < share < 1 and full < length else ""
    return [(symbols.bar_done * full + tip, role), symbols.bar_open * (length - full - len(tip))]


def _notes(picture: Picture, facts: Facts, step: WeightStep) -> list[tuple[str, Tone]]:
    """What to say under a step, the longest form first."""
    progress, symbols = picture.progress, facts.symbols
    at = progress.step or progress.failed_step
    if progress.activity == "finishing" or (at and step.number < at.number):
        return _behind(picture, facts, step)
    if at and step.number == at.number:
        if progress.activity in ("aborted", "degraded"):
            after = progress.failed_after
            said = "stopped here" if after is None else f"failed after {duration(after)}"
            return [(f"{symbols.failed} {said}", "failure"), (symbols.failed, "failure")]
        return _now(picture, facts)
    ahead = _ahead(picture, step) if progress.step else ""
    return [(ahead, ""), ("", "")]


def _behind(picture: Picture, facts: Facts, step: WeightStep) -> list[tuple[str, Tone]]:
    """The outcome of a step that was left: only an analysis can be passed."""
    from companyos_canary.argo.timeline import step_end  # noqa: PLC0415 - a line of `status` has no steps

    symbols, end = facts.symbols, step_end(picture.snapshot, step)
    match end.word:
        case "passed":
            took = "" if (lasted := end.judged_for) is None else f" in {duration(lasted)}"
            return [
                (f"{symbols.ok} passed{took}", "success"),
                (f"{symbols.ok} passed", "success"),
                (symbols.ok, "success"),
            ]
        case "skipped":
            mark = symbols.unknown
            return [(f"{mark} skipped, no verdict", "warning"), (f"{mark} skipped", "warning"), (mark, "warning")]
    return [(f"{symbols.dot} {end.word}", ""), (symbols.dot, "")]


def _now(picture: Picture, facts: Facts) -> list[tuple[str, Tone]]:
    progress, symbols = picture.progress, facts.symbols
    time = left(picture)
    tail = f", {time}" if time else ""
    match progress.activity:
        case "analysing":
            forms = [f"analysing{tail}", time or "analysing"]
        case "pausing":
            forms = [f"pause{tail}", time or "pause"]
        case "waiting":
            return [(f"{symbols.paused} waits for a person", "warning"), (f"{symbols.paused} waits", "warning")]
        case "held":
            return [(f"{symbols.paused} paused by hand", "warning"), (f"{symbols.paused} held", "warning")]
        case "aborting":
            return [(f"{symbols.failed} aborting", "warning")]
        case "inconclusive":
            return [(f"{symbols.unknown} no verdict", "warning")]
        case "scaling":
            forms = [_scaling(picture), "scaling"]
        case _:
            what = doing(picture) or progress.activity
            forms = [f"{what}{tail}", time or what]
    return [(f"{symbols.running} {form}", "hint") for form in forms]


def _scaling(picture: Picture) -> str:
    current = picture.snapshot.current
    if current is None or current.desired == 0:
        return "scaling"
    return f"scaling, {current.available} of {current.desired} ready"


def _ahead(picture: Picture, step: WeightStep) -> str:
    """What a step that is still to come will take: `then 3m`, `then a person`."""
    steps = picture.snapshot.rollout.steps
    if any(steps[i].waits_for_a_person for i in range(step.first, step.end)):
        return "then a person"
    lengths = picture.progress.lengths[step.first : step.end]
    known = [x for x in lengths if x is not None]
    if len(known) < len(lengths) or not any(known):
        return ""
    return f"then {about(sum(known[1:], known[0]))}"


def _fitting(forms: list[tuple[str, Tone]], room: int) -> Line:
    for text, role in forms:
        if columns_of(text) <= room:
            return ((text, role),)
    return ()


def _under(columns: list[int], notes: list[Line]) -> Line:
    line: list[Part] = []
    for column, note in zip(columns, notes, strict=True):
        line += [" " * (column - width(line)), *note]
    return tuple(line)


def traffic_lines(picture: Picture, facts: Facts) -> list[Line]:
    """The canary's share, and what reaches it besides its weight."""
    share = _traffic(picture, facts)
    room = facts.width - 2
    beside: list[Line] = [("  ", (shorten(route_text(r), room, facts.symbols), "warning")) for r in picture.routes]
    return [*([share] if share else []), *beside]


def _traffic(picture: Picture, facts: Facts) -> Line:
    """The canary's share: what is asked for, what the pods make of it, and what was measured."""
    rollout, progress = picture.snapshot.rollout, picture.progress
    have = picture.pods
    if rollout.strategy != "canary":
        return ()
    settled_back = progress.activity == "aborted" and not picture.canary_pods and not rollout.is_routed
    if progress.activity in ("healthy", "unobserved") or settled_back:
        on = picture.stable or (picture.version if progress.activity == "healthy" else "")
        if not on:
            return ()
        return (f"  traffic  100 % on {on}  ({have} of {rollout.replicas} pods)",)
    if not have:
        return (f"  traffic  asked {progress.percent} %   no pod is ready",)
    pods = picture.canary_pods * 100 // have
    routed = f"   routed {picture.actual_percent} %" if rollout.is_routed else ""
    if routed and rollout.weights_verified is False:
        routed += ", not verified"
    due = picture.actual_percent if routed else pods
    settled = progress.activity not in ("scaling", "aborting") and not routed
    asked, measured = f"  traffic  asked {progress.percent} %   ", _measured(picture, due)
    share = _share_text(f"pods {pods} %", pods, progress.percent if settled else None)
    counted = f" ({picture.canary_pods} of {have})"
    full: Line = (asked, share, counted, routed, *measured)
    short: Line = (asked, share, routed, *measured)
    return next((x for x in (full, short) if width(x) <= facts.width), (asked, share, routed))


def _measured(picture: Picture, due: float) -> Line:
    """What Prometheus saw of it: `   measured 26 %`, over what as long as that began before the weight did. Its window
    says nothing of now while all traffic goes back."""
    share = picture.live.share if picture.live else None
    if share is None or picture.progress.activity in ("aborting", "aborted"):
        return ()
    percent = round(share * 100)
    steady = picture.weight_lasts >= _MEASURED_OVER
    over = "" if steady or not picture.live or not picture.live.over else f" over {picture.live.over}"
    return ("   ", _share_text(f"measured {percent} %{over}", percent, due if steady else None))


def _share_text(text: str, percent: int, due: float | None) -> Part:
    """With a word where it is not what it should be."""
    return (f"{text}, differs", "warning") if due is not None and is_far(due, percent) else text


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
    experiment = picture.snapshot.experiment
    if experiment is None:
        return [(f"  experiment {picture.snapshot.rollout.experiment}",)]
    head = ", ".join(w for w in (experiment.phase or "Pending", left(picture), experiment.message) if w)
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
    text = f"{template.available} of {plural(template.desired, 'pod')} available"
    return template.name, ", ".join(w for w in (text, state, template.message) if w), _role(template.status)


def _analysis(one: ExperimentAnalysis, run: AnalysisRun | None) -> tuple[str, str, Tone]:
    asked = {m.name: m for m in run.metrics} if run else {}
    newest = [(r.name, r.newest) for r in (run.results if run else ()) if r.newest]
    found = "; ".join(
        filter(None, (", ".join(_newest_value(asked.get(name), name, m) for name, m in newest), one.message))
    )
    return one.name, f"analysis {one.phase or 'Pending'}{f': {found}' if found else ''}", _role(one.phase)


def _newest_value(metric: Metric | None, name: str, newest: Measurement) -> str:
    """`errors 0.031`, `errors no data`."""
    from companyos_canary.argo.metric_rows import answer_text  # noqa: PLC0415 - `status` shows no runs

    value = number_text(decided_of(metric, newest.value).number) or answer_text(newest, metric)
    return f"{name} {value or 'no data'}"


def _role(phase: str) -> Tone:
    return "failure" if phase in _BAD else ""
