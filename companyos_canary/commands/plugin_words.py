"""What a command line in the words of `kubectl argo rollouts` means here. Only a mistake asks for it."""

import re
import shlex
from collections.abc import Callable, Sequence

_TYPES = {"ro", "rollout", "rollouts", "rollouts.argoproj.io", "rollout.argoproj.io"}
_VALUED = {"-n", "--namespace", "--context", "--kubeconfig", "--to-revision", "-f", "--filename", "-i", "--in"}
_VALUED |= {"--timeout", "-l", "--selector", "--reason", "--name"}
_VALUED |= {"--as", "--as-group", "--token", "--user", "--cluster"}
_CREDENTIALS = {"--as-uid", "--server", "-s"}
_CREDENTIALS |= {"--certificate-authority", "--client-certificate", "--client-key", "--tls-server-name"}
_CREDENTIALS |= {"--insecure-skip-tls-verify", "--disable-compression", "--username", "--password", "--proxy-url"}
_VERSION = r"v?\d|.*[:@]"
_KEPT = ("-n", "--namespace", "--context", "--kubeconfig", "--as", "--as-group", "--user", "--cluster")


class _Line:
    """A command line, taken apart. `kept` are the options that say where. `unsure`: one of the words stands behind an
    option that may or may not take a value, and may be that."""

    def __init__(
        self, verb: str, words: list[str], options: dict[str, str], kept: list[str], *, has_type: bool, unsure: bool
    ) -> None:
        self.verb, self.words, self.options, self.kept = verb, words, options, kept
        self.has_type, self.unsure = has_type, unsure

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""

    def has(self, *options: str) -> bool:
        return any(o in self.options for o in options)

    def ours(self, verb: str, *words: str) -> str:
        return shlex.join([w for w in ("canary", verb, *words, *self.kept) if w])


def meant(arguments: Sequence[str]) -> str:
    """A hint with the command of ours; empty if the words are not the plugin's, or are put in ours (`aliases`)."""
    line = _taken_apart(arguments)
    if line is None:
        return ""
    if found := next((o for o in line.options if o in _CREDENTIALS), ""):
        return (
            f"{found} is not an option here: write it into the kubeconfig, and choose with --context and --kubeconfig"
        )
    known = _VERBS.get(line.verb)
    return known(line) if known else ""


def _taken_apart(arguments: Sequence[str]) -> _Line | None:
    rest = list(arguments)
    words: list[str] = []
    options: dict[str, str] = {}
    kept: list[str] = []
    open_option = unsure = False
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            unsure = unsure or open_option
            open_option = False
            continue
        name, equals, value = word.partition("=")
        if not equals and name in _VALUED and rest:
            value = rest.pop(0)
        open_option = not equals and name not in _VALUED
        options[name] = value
        if name in _KEPT:
            kept += [name, value]
    if not words:
        return None
    verb, *words = words
    has_type = bool(words) and words[0] in _TYPES
    named = words[1:] if has_type else words
    plain = [re.sub(r"^[a-z.]+/(?=[^/:@]+$)", "", w) for w in named]
    return _Line(verb, plain, options, kept, has_type=has_type, unsure=unsure)


def _said(command: str) -> str:
    return f"here that is `{command}`"


def _get(line: _Line) -> str:
    if not line.name:
        return _said(line.ours("list")) if line.has_type else ""
    return _said(line.ours("get", line.name)) if line.has_type else ""


def _set(line: _Line) -> str:
    """What is no alias: several pairs, or a word without `=`."""
    if line.name != "image" or len(line.words) < 2:
        return _said(line.ours("deploy", "VERSION", "--rollout", "NAME"))
    _, rollout, *images = line.words
    container, _, image = (images or [""])[0].partition("=")
    other = ("--container", container) if container not in ("", "*", rollout) and image else ()
    from companyos_canary.model.image import version

    return _said(line.ours("deploy", version(image) or "VERSION", "--rollout", rollout, *other))


def _undo(line: _Line) -> str:
    return _said(line.ours("undo", line.name)) if line.has_type else ""


def _promote(line: _Line) -> str:
    if line.has("--skip-all-steps", "-a"):
        return f"{_said(line.ours('promote', line.name, '--full'))}, with --reason; analyses are skipped too"
    return _said(line.ours("promote", line.name)) if line.has_type else ""


def _deploy(line: _Line) -> str:
    if len(line.words) != 2 or line.unsure:
        return ""
    name, version = line.words
    if re.match(_VERSION, name) and not re.match(_VERSION, version):
        name, version = version, name
    return _said(line.ours("deploy", version, "--rollout", name))


def _plain(line: _Line) -> str:
    return _said(line.ours(line.verb, line.name)) if line.has_type and line.name else ""


def _list(line: _Line) -> str:
    if line.has("--name"):
        return _said(line.ours("get", line.options["--name"]))
    if line.has("-w", "--watch"):
        return "a list does not follow: `canary watch NAME` follows one Rollout"
    return _said(line.ours("list", "-A" if line.has("-A", "--all-namespaces") else "")) if line.has_type else ""


def _create(line: _Line) -> str:
    return "create does not follow: `canary watch NAME` does" if line.has("-w", "--watch") else ""


def _watch(line: _Line) -> str:
    return _said(line.ours("watch", line.name)) if line.has("-w", "--watch") or line.has_type else ""


def _elsewhere(hint: str) -> Callable[[_Line], str]:
    return lambda _: hint


_VERBS: dict[str, Callable[[_Line], str]] = {
    "get": _get,
    "set": _set,
    "undo": _undo,
    "promote": _promote,
    "deploy": _deploy,
    "list": _list,
    "watch": _watch,
    "retry": _plain,
    "pause": _plain,
    "abort": _plain,
    "history": _plain,
    "describe": _get,
    "rollout": _elsewhere("the verb comes first: `canary status NAME`, `canary undo NAME`"),
    "create": _create,
    "dashboard": _elsewhere("there is no dashboard here: `canary watch` follows, `canary links` names pages"),
    "scale": _elsewhere("for that use `kubectl scale rollout NAME --replicas=N`"),
    "delete": _elsewhere("for that use `kubectl delete rollout NAME`"),
}
