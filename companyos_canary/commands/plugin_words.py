"""What a command line in the words of `kubectl argo rollouts` means here. Only a mistake asks for it."""

import re
import shlex
from collections.abc import Callable, Sequence

from companyos_canary.commands.aliases import taken_apart, verb_first

_TYPES = {"ro", "rollout", "rollouts", "rollouts.argoproj.io", "rollout.argoproj.io"}
_CREDENTIALS = {"--as-uid", "--server", "-s"}
_CREDENTIALS |= {"--certificate-authority", "--client-certificate", "--client-key", "--tls-server-name"}
_CREDENTIALS |= {"--insecure-skip-tls-verify", "--disable-compression", "--username", "--password", "--proxy-url"}
_VERSION = r"v?\d|.*[:@]"
_KEPT = ("-n", "--namespace", "--context", "--kubeconfig", "--as", "--as-group", "--user", "--cluster")


class _Line:
    """A command line. `words` are those behind a type, as `rollout`. `kept` are the options that say where."""

    def __init__(self, verb: str, rest: Sequence[str]) -> None:
        line = taken_apart(verb, rest)
        self.verb, self.unsure, self.options = verb, line.unsure, dict(line.options)
        self.has_type = bool(line.words) and line.words[0] in _TYPES
        self.words = [re.sub(r"^[a-z.]+/(?=[^/:@]+$)", "", w) for w in line.words[self.has_type :]]
        self.kept = [part for option in line.options if option[0] in _KEPT for part in option if part is not None]

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""

    def has(self, *options: str) -> bool:
        return any(o in self.options for o in options)

    def ours(self, verb: str, *words: str) -> str:
        return shlex.join([w for w in ("canary", verb, *words, *self.kept) if w])


def meant(arguments: Sequence[str]) -> str:
    """A hint with the command of ours; empty if the words are not the plugin's, or are put in ours (`aliases`)."""
    verb, *rest = verb_first(arguments) or [""]
    line = _Line(verb, rest)
    if found := next((o for o in (verb.partition("=")[0], *line.options) if o in _CREDENTIALS), ""):
        return (
            f"{found} is not an option here: write it into the kubeconfig, and choose with --context and --kubeconfig"
        )
    known = _VERBS.get(line.verb)
    return known(line) if known else ""


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
        return _said(line.ours("get", line.options["--name"] or ""))
    if line.has("-w", "--watch"):
        return "a list does not follow: `canary watch NAME` follows one Rollout"
    return _said(line.ours("list", "-A" if line.has("-A", "--all-namespaces") else "")) if line.has_type else ""


def _create(line: _Line) -> str:
    return "create does not follow: `canary watch NAME` does" if line.has("-w", "--watch") else ""


def _watch(line: _Line) -> str:
    return _said(line.ours("watch", line.name)) if line.has("-w", "--watch") or line.has_type else ""


def _pause(line: _Line) -> str:
    if line.has("--for", "--duration"):
        return (
            "a pause by hand has no end of its own: `canary resume` ends it; a pause that ends by itself is a step, "
            "`pause: 5m`"
        )
    return _plain(line)


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
    "pause": _pause,
    "abort": _plain,
    "history": _plain,
    "describe": _get,
    "rollout": _elsewhere("the verb comes first: `canary status NAME`, `canary undo NAME`"),
    "create": _create,
    "dashboard": _elsewhere("there is no dashboard here: `canary watch` follows, `canary links` names pages"),
    "scale": _elsewhere("for that use `kubectl scale rollout NAME --replicas=N`"),
    "delete": _elsewhere("for that use `kubectl delete rollout NAME`"),
}
