"""The options that verbs share, and what they may say: checked before a cluster is asked."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from companyos_canary.errors import UsageError, printable
from companyos_canary.model.quantity import format_duration, parse_duration

if TYPE_CHECKING:
    from companyos_canary.argo.endings import Until
    from companyos_canary.config import Settings
    from companyos_canary.model.abort_on import AbortOn
    from companyos_canary.model.place import Identity

FORMATS = ("human", "json", "yaml", "name")
_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_FORM = r"^(ro|rollouts?(\.(v1alpha1\.)?argoproj\.io)?)/"
_NAMESPACE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def either(words: tuple[str, ...]) -> str:
    """`human, json or name`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def check_options(verb: str, options: Mapping[str, Any], rollouts: Iterable[str], forms: tuple[str, ...]) -> None:
    """UsageError for a format, a field, a time or a name that cannot be. Names end up in the paths
    of requests, so that nothing else may be in them. `forms` are the formats of this verb."""
    output = options["output"]
    if output not in forms:
        raise UsageError(f"--output `{printable(output)}` is not a format here", hint="use " + either(forms))
    if options["field"]:
        _check_fields(verb, output, options["field"])
    if not 0 < options["request_timeout"] < float("inf"):
        raise UsageError(
            f"--request-timeout `{options['request_timeout']:g}` must be greater than 0",
            hint="give the seconds per request, e.g. 10",
        )
    for name in ("kubeconfig", "context", "file", "env"):
        if options[name] == "":
            raise UsageError(f"--{name} is empty", hint="leave it out, or give it a value")
    for rollout in rollouts:
        if not re.fullmatch(_NAME, rollout):
            form = "small letters, digits, `-` and `.`, as `kubectl get rollouts` shows it"
            raise UsageError(
                f"`{printable(rollout)}` cannot be the name of a Rollout",
                hint="give the name of a Rollout, not an image" if re.search("[:@]", rollout) else form,
            )
    namespace = options["namespace"]
    if namespace is not None and not re.fullmatch(_NAMESPACE, namespace):
        raise UsageError(
            f"`{printable(namespace)}` cannot be the name of a namespace",
            hint="small letters, digits and `-`, as `kubectl get namespaces` shows it",
        )


def not_a_name(name: str, kind: str) -> None:
    """Raises UsageError for what cannot be the name of an object."""
    if not re.fullmatch(_NAME, name):
        raise UsageError(
            f"`{printable(name)}` cannot be the name of an object of the kind {kind}",
            hint="small letters, digits, `-` and `.`",
        )


_TYPES = ("ro", "rollout", "rollouts")


def names_of(given: object) -> tuple[str, ...]:
    """The names of Rollouts as they were given, each once: `web`, or `ro/web` and the other forms that
    kubectl and `-o name` print."""
    found = given if isinstance(given, list | tuple) else (given,)
    if len(found) > 1 and found[0] in _TYPES:  # as the plugin has it: `retry rollout web`
        found = found[1:]
    return tuple(dict.fromkeys(re.sub(_FORM, "", name) for name in found if isinstance(name, str)))


def not_a_selector(selector: str) -> UsageError:
    return UsageError(
        f"--selector `{printable(selector)}` is not a label selector",
        hint="write key=value, key!=value, key, !key or `key in (a,b)`",
    )


def _check_fields(verb: str, output: str, fields: list[str]) -> None:
    if output != "human":
        raise UsageError(f"--field and --output {output} exclude each other", hint="leave out one of them")
    from companyos_canary.commands.fields import check_fields

    check_fields(verb, fields)


def span(text: str, option: str, *, least: timedelta = timedelta()) -> timedelta:
    """A duration as `90s`, `10m` or `1h30m`; UsageError for anything else, or for less."""
    try:
        found = parse_duration(text)
    except ValueError:
        found = least - timedelta(1)
    if found < least:
        shortest = f" of {format_duration(least)} or more" if least else ""
        raise UsageError(f"{option} `{printable(text)}` is not a duration{shortest}", hint="write 90s, 10m or 1h30m")
    return found


def time_limit(text: str, option: str) -> timedelta:
    """The same; 0 is for no end, which its hint says."""
    try:
        return span(text, option)
    except UsageError as error:
        raise UsageError(error.message, hint=f"{error.hint}; 0 for none") from None


def abort_on(text: str) -> "AbortOn":
    """`crashloop,image-pull,stuck=10m`, or `none`; UsageError for anything else, also for nothing."""
    from companyos_canary.model.abort_on import NEVER, OF_PODS, AbortOn

    if text.strip() == "none":
        return NEVER
    words, stuck = list[str](), None
    for word in (part.strip() for part in text.split(",")):
        name, equals, value = word.partition("=")
        if word in OF_PODS:
            words.append(word)
        elif name == "stuck" and equals:
            stuck = _stuck(value)
        else:
            raise UsageError(f"--abort-on `{printable(word)}` is not a condition", hint=_CONDITIONS)
    return AbortOn(tuple(dict.fromkeys(words)), stuck)


_CONDITIONS = "use crashloop, image-pull and stuck=DURATION, e.g. crashloop,stuck=10m; or none"


def _stuck(text: str) -> timedelta:
    try:
        found = parse_duration(text)
    except ValueError:
        found = timedelta()
    if found <= timedelta():
        raise UsageError(f"--abort-on `stuck={printable(text)}` is not a duration", hint=_CONDITIONS)
    return found


def guarded_by(settings: "Settings | None", flag: "AbortOn | None") -> "AbortOn":
    """What aborts a release that is followed: the flag, else canary.yaml; nothing by default."""
    from companyos_canary.model.abort_on import NEVER

    if flag is not None:
        return flag
    return settings.abort_on if settings else NEVER


def _until(text: str) -> "Until":
    from companyos_canary.argo.endings import Until

    return Until.parse(text)


class Parsed:
    """Beside an option in its annotation: a verb gets the value that `parse` makes of the text, which raises
    UsageError. `form` is the text of a default value, for the help."""

    def __init__(self, parse: Callable[[str], Any], form: Callable[[Any], str] = format_duration) -> None:
        self.parse, self.form = parse, form


def parsers(parameters: Iterable[Parameter]) -> dict[str, Parsed]:
    """Those of the parameters whose text is parsed, by name."""
    noted = ((p.name, note) for p in parameters for note in getattr(p.annotation, "__metadata__", ()))
    return {name: note for name, note in noted if isinstance(note, Parsed)}


def as_text(parameter: Parameter, parsed: Parsed | None) -> Parameter:
    """The parameter as the command line has it: a text, and its default one as well."""
    if parsed is None:
        return parameter
    option = next(note for note in parameter.annotation.__metadata__ if not isinstance(note, Parsed))
    usual = parameter.default
    return parameter.replace(
        annotation=Annotated[str | None, option], default=usual if usual is None else parsed.form(usual)
    )


def a_duration(option: str, *, least: timedelta = timedelta()) -> Parsed:
    return Parsed(partial(span, option=option, least=least))


NamespaceOption = Annotated[str | None, typer.Option("-n", "--namespace", help="namespace of the Rollout")]
ContextOption = Annotated[str | None, typer.Option("--context", help="kubeconfig context")]
KubeconfigOption = Annotated[str | None, typer.Option("--kubeconfig", help="kubeconfig file")]
AsOption = Annotated[str | None, typer.Option("--as", metavar="USER", help="act as this user")]
AsGroupOption = Annotated[
    list[str] | None, typer.Option("--as-group", metavar="GROUP", help="and as this group; can be repeated")
]
UserOption = Annotated[str | None, typer.Option("--user", metavar="NAME", help="kubeconfig user")]
ClusterOption = Annotated[str | None, typer.Option("--cluster", metavar="NAME", help="kubeconfig cluster")]
TokenOption = Annotated[
    str | None, typer.Option("--token", metavar="TOKEN", help="bearer token, in place of the user's credentials")
]
EnvOption = Annotated[str | None, typer.Option("-e", "--env", help="environment in canary.yaml")]
FileOption = Annotated[str | None, typer.Option("-f", "--file", help="canary.yaml to use")]
OutputOption = Annotated[str, typer.Option("-o", "--output", help="human, json, yaml or name")]
FieldOption = Annotated[
    list[str] | None, typer.Option("--field", metavar="a.b.0", help="print only this value of the JSON's data")
]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="show where each setting comes from")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="results only")]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="no colour, like NO_COLOR")]
RequestTimeoutOption = Annotated[float, typer.Option("--request-timeout", help="limit per request in seconds")]

COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("namespace", NamespaceOption, None),
    ("context", ContextOption, None),
    ("kubeconfig", KubeconfigOption, None),
    ("kube_user", UserOption, None),
    ("kube_cluster", ClusterOption, None),
    ("acts_as", AsOption, None),
    ("acts_as_groups", AsGroupOption, None),
    ("token", TokenOption, None),
    ("env", EnvOption, None),
    ("file", FileOption, None),
    ("output", OutputOption, "human"),
    ("field", FieldOption, None),
    ("verbose", VerboseOption, False),
    ("quiet", QuietOption, False),
    ("no_color", NoColorOption, False),
    ("request_timeout", RequestTimeoutOption, 10.0),
)

_OF_IDENTITY = ("kube_user", "kube_cluster", "acts_as", "acts_as_groups", "token")
OF_CLUSTER = ("namespace", "context", "kubeconfig", "env", "file", "request_timeout", *_OF_IDENTITY)


def flags_of(annotation: Any) -> frozenset[str]:
    """The words of an option, as `-n` and `--namespace`; empty for an argument."""
    notes = (note for note in getattr(annotation, "__metadata__", ()) if hasattr(note, "param_decls"))
    words = (word for note in notes for word in (note.default, *(note.param_decls or ())))
    return frozenset(word for word in words if isinstance(word, str) and word.startswith("-"))


def identity_of(options: Mapping[str, Any]) -> "Identity":
    """Whom requests come from; UsageError for what no header can carry. Its words may be secret."""
    groups = tuple(options.get("acts_as_groups") or ())
    said = {
        "--user": options.get("kube_user"),
        "--cluster": options.get("kube_cluster"),
        "--as": options.get("acts_as"),
        "--token": options.get("token"),
        **({"--as-group": min(groups)} if groups else {}),
    }
    for option, value in said.items():
        if value is not None and not value.strip():
            raise UsageError(f"{option} is empty", hint="leave it out, or give it a value")
    for option, value in (*said.items(), *(("--as-group", group) for group in groups)):
        if value is not None and not (value.isascii() and value.isprintable()):
            raise UsageError(f"{option} has a character that HTTP cannot carry", hint="check its value")
    from companyos_canary.model.place import Identity

    return Identity(
        user=said["--user"] or "",
        cluster=said["--cluster"] or "",
        token=(said["--token"] or "").strip(),
        acts_as=said["--as"] or "",
        groups=groups,
    )


RolloutArgument = Annotated[str | None, typer.Argument(help="name of the Rollout", metavar="NAME")]
RolloutsArgument = Annotated[list[str] | None, typer.Argument(help="names of Rollouts", metavar="NAME...")]
SelectorOption = Annotated[
    str | None, typer.Option("-l", "--selector", metavar="LABELS", help="all Rollouts with these labels, e.g. app=x")
]
AbortOnOption = Annotated[
    "AbortOn | None",
    typer.Option("--abort-on", metavar="LIST", help="abort if a fact shows: crashloop, image-pull, stuck=DURATION"),
    Parsed(abort_on),
]
UntilOption = Annotated[
    "Until",
    typer.Option("--until", help="healthy, paused, step=N or weight=N"),
    Parsed(_until, form=lambda until: str(until.kind)),
]
RolloutOption = Annotated[str | None, typer.Option("--rollout", help="name of the Rollout", metavar="NAME")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="print the request, send nothing")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="do not wait; exit once sent")]
ReasonOption = Annotated[str, typer.Option("--reason", help="reason, for the history")]
TEN_MINUTES = timedelta(minutes=10)
_TIME_LIMIT = Parsed(partial(time_limit, option="--timeout"))
TimeoutOption = Annotated[
    timedelta | None, typer.Option("--timeout", help="end after this, e.g. 10m; 0 = never"), _TIME_LIMIT
]
FollowTimeoutOption = Annotated[
    timedelta | None,
    typer.Option(
        "--timeout",
        help="end after this, e.g. 10m; 0 = never  [default: twice the time of the steps, without waits for a person]",
    ),
    _TIME_LIMIT,
]
