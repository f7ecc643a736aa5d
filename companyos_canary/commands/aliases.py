"""Command lines of `kubectl argo rollouts`, put in our words where ours do the same. What they cannot do is left as it
is, and ends as a mistake with a hint (`plugin_words`)."""

import re
from collections.abc import Callable, Iterable, Sequence

from companyos_canary.model.quantity import parse_duration

ROLLOUTS = frozenset(("ro", "rollout", "rollouts"))
EXPERIMENTS = frozenset(("exp", "experiment", "experiments"))
_WHO = ("--as", "--as-group", "--user", "--cluster", "--token")
_BEFORE = ("-n", "--namespace", "--context", "--kubeconfig", *_WHO, "--request-timeout", "--loglevel", "--kloglevel")
_DROPPED = ("--loglevel", "--kloglevel", "--cache-dir")  # of logs and caches that are not here
_VALUED = {*_BEFORE, *_DROPPED, "-o", "--output", "-e", "--env", "--field", "-f", "--file", "--filename", "-l"}
_VALUED |= {"--selector", "--timeout", "-t", "--timeout-seconds", "--to-revision", "--to", "-i", "--in", "--reason"}
_VALUED |= {"--rollout", "--container", "--from", "--from-file", "--name", "--generate-name", "--instance-id"}
_VALUED |= {"--argument", "--config-map", "--secret", "--recipient", "--rollout-file", "--older", "--scrape-interval"}
_VALUED |= {"--to-weight", "--if-step", "--if-revision", "--heartbeat", "--ci", "--summary"}
_SHORT = ("-n", "-o", "-a", "-f", "-l", "-t", "-i")
_LEVELLED = {"get", "list", "set", "status", "promote", "abort", "pause", "retry", "restart", "undo", "terminate"}


class PluginLine:
    """A command line behind its verb. An option is a name and its value, None for one without. `unsure`: one of the
    words stands behind an option that is not known to take no value, and may be that."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.options: list[tuple[str, str | None]] = []
        self.unsure = False

    def taken(self, *names: str) -> list[str | None]:
        """The values of these options, which are left out from now on."""
        found = [value for name, value in self.options if name in names]
        self.options = [(name, value) for name, value in self.options if name not in names]
        return found

    def has(self, *names: str) -> bool:
        return any(name in names for name, _ in self.options)

    def put(self, verb: str, *words: str) -> list[str]:
        options = (part for option in self.options for part in option if part is not None)
        return [*verb.split(), *words, *options]


def translated(arguments: Sequence[str]) -> Sequence[str]:
    """Ours for a command line of the plugin; the same one for any other."""
    line = verb_first(arguments)
    if not line or line[0].startswith("-"):
        return arguments
    verb, rest = line[0], _common(line[0], line[1:])
    of = LINES.get(verb)
    found = of(taken_apart(verb, rest)) if of else None
    return found or [verb, *rest]


def verb_first(arguments: Sequence[str]) -> list[str]:
    """kubectl takes the options that say where before the verb, too."""
    before: list[str] = []
    rest = list(arguments)
    while rest and rest[0].partition("=")[0] in _BEFORE and len(rest) > 1:
        take = 1 if "=" in rest[0] else 2
        before, rest = [*before, *rest[:take]], rest[take:]
    return [rest[0], *before, *rest[1:]] if rest else []


def _common(verb: str, rest: Iterable[str]) -> list[str]:
    """Without the options that mean nothing here, with a time for requests in seconds, and a short option apart from
    its value, which may be behind a `=` there."""
    kept: list[str] = []
    words = iter(rest)
    for word in words:
        name, equals, value = word.partition("=")
        if name in _DROPPED:
            if not equals:
                next(words, None)
        elif verb in _LEVELLED and name == "-v" and value.isdecimal():  # the level of a log
            continue
        elif verb in _LEVELLED and word.isdecimal() and kept[-1:] == ["-v"]:
            kept.pop()
        elif equals and re.fullmatch("-[a-z]", name) and name in _SHORT:
            kept += [name, value]
        elif name == "--request-timeout" and equals:
            kept.append(f"{name}={_seconds(value)}")
        elif kept and kept[-1] == "--request-timeout":
            kept.append(_seconds(word))
        else:
            kept.append(word)
    return kept


def _seconds(text: str) -> str:
    if not re.search(r"[a-z]", text):
        return text
    try:
        return f"{parse_duration(text).total_seconds():g}"
    except ValueError:
        return text


def taken_apart(verb: str, rest: Iterable[str]) -> PluginLine:
    line, may_be_a_value = PluginLine(), False
    words = iter(rest)
    for word in words:
        if not word.startswith("-") or word == "-":
            line.words.append(word)
            line.unsure, may_be_a_value = line.unsure or may_be_a_value, False
            continue
        name, equals, value = word.partition("=")
        valued = takes_value(verb, name)
        line.options.append((name, value if equals else next(words, None) if valued else None))
        may_be_a_value = not equals and not valued
    return line


def takes_value(verb: str, option: str) -> bool:
    """Whether the next word is the option's, and not one of its own."""
    return option in _VALUED or (option == "-a" and verb in ("create", "verify"))


def _name(word: str) -> str:
    return re.sub(r"^(ro|rollouts?(\.argoproj\.io)?)/", "", word)


def _get(line: PluginLine) -> list[str] | None:
    kind = line.words[0] if len(line.words) > 1 else ""
    if kind in EXPERIMENTS:
        waits = [v for v in line.taken("-w", "--watch") if v != "false"]
        return line.put("experiment get", *line.words[1:], *(["--wait"] if waits else []))
    if kind not in ROLLOUTS and not line.has("-w", "--watch", "--timeout-seconds"):
        return None
    names = line.words[1:] if kind in ROLLOUTS else line.words
    watching = [v for v in line.taken("-w", "--watch") if v != "false"]
    limits = line.taken("--timeout-seconds")  # of watching
    if not watching:
        return line.put("get", *names)
    return line.put("watch", *names, *(part for limit in limits for part in ("--timeout", f"{limit}s")))


def _list(line: PluginLine) -> list[str] | None:
    if not line.has("-w", "--watch"):
        line.taken("--timestamps")  # of what is watched
    if line.words[:1] and line.words[0] in EXPERIMENTS:
        return line.put("experiment list", *line.words[1:])
    return line.put("list", *line.words[1:]) if line.words[:1] and line.words[0] in ROLLOUTS else None


def _set(line: PluginLine) -> list[str] | None:
    """It returns once it is sent, as the plugin's does."""
    if line.has("-h", "--help"):
        return ["deploy", "--help"]
    if len(line.words) != 3 or line.words[0] != "image":
        return None
    container, equals, image = line.words[2].partition("=")
    if not equals or not container or not image:
        return None
    where = () if container == "*" else ("--container", container)
    return line.put("deploy", image, "--rollout", _name(line.words[1]), *where, "--no-wait")


def _undo(line: PluginLine) -> list[str] | None:
    if not line.has("--to-revision"):
        return None
    revisions = line.taken("--to-revision")
    wanted = [("--to", r) for r in revisions if r not in (None, "", "0")]
    return line.put("undo", *line.words, *(part for pair in wanted for part in pair if part))


def _promote(line: PluginLine) -> list[str] | None:
    skips = line.taken("-c", "--skip-current-step")
    return line.put("promote", *line.words, "--skip-step") if skips else None


def _status(line: PluginLine) -> list[str] | None:
    """The plugin's bare `status` waits, ours does not: only what is written out is put in our words."""
    if not line.has("-t", "-w", "--watch"):
        return None
    times, watching = line.taken("-t"), line.taken("-w", "--watch")
    limit = [part for t in times if t for part in ("--timeout", t)]
    waits = any(v != "false" for v in watching) or (limit and "false" not in watching)
    return line.put("status", *line.words, *(["--wait", *limit] if waits else []))


def _restart(line: PluginLine) -> list[str] | None:
    later = [part for d in line.taken("-i") if d for part in ("--in", d)]
    return line.put("restart", *line.words, *later) if later else None


def _retry(line: PluginLine) -> list[str] | None:
    of_experiments = len(line.words) > 1 and line.words[0] in EXPERIMENTS
    return line.put("experiment retry", *line.words[1:]) if of_experiments else None


def _files(verb: str) -> Callable[[PluginLine], list[str] | None]:
    def of(line: PluginLine) -> list[str] | None:
        names = line.taken("-f", "--filename", "--file")
        return line.put(verb, *line.words, *(n for n in names if n)) if names else None

    return of


def _notifications(line: PluginLine) -> list[str] | None:
    """Only sending needs a Secret."""
    if line.words[:2] != ["template", "notify"]:
        line.taken("--secret")
    if line.words[1:2] in (["run"], ["notify"]) and re.search(r"/.*\.|\.(ya?ml|json)$", line.words[-1]):
        line.options.append(("--rollout-file", line.words.pop()))
    line.options = [(n, v) for n, v in line.options if (n, v) not in (("-o", "wide"), ("--output", "wide"))]
    return line.put("notifications", *line.words)


def _version(line: PluginLine) -> list[str] | None:
    return line.put("version", *line.words, "--client") if line.taken("--short") else None


LINES: dict[str, Callable[[PluginLine], list[str] | None]] = {
    "get": _get,
    "list": _list,
    "set": _set,
    "undo": _undo,
    "promote": _promote,
    "status": _status,
    "restart": _restart,
    "retry": _retry,
    "create": _files("create"),
    "lint": _files("lint"),
    "notifications": _notifications,
    "version": _version,
}
