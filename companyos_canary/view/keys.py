"""The last lines of a live screen: what a key has done, what is asked, and which keys there are."""

from companyos_canary.view.cells import columns_of, cut
from companyos_canary.view.desk import Desk, Panel
from companyos_canary.view.lines import Line, Part, wrapped
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import Facts

PANELS: dict[str, Panel] = {"m": "metrics", "e": "events", "l": "logs", "?": "help"}
_STANDS = ("waiting", "inconclusive", "pausing", "held")


def foot_lines(picture: Picture, facts: Facts, desk: Desk) -> list[Line]:
    """What became of the last key, or its question; then the keys, the needed ones first."""
    if desk.question:
        first, *rest = wrapped(desk.question.text, facts.width - 4, more=facts.symbols.more)
        lines: list[Line] = [(("  ? " + first, "warning"),)]
        lines += [((f"    {line}", "warning"),) for line in rest]
        return [*lines, ("    ", ("y", "hint"), " yes, do it   ", ("any other key", "hint"), " no")]
    said: list[Line] = []
    if desk.notice:
        folded = wrapped(desk.notice.text, facts.width - 2, more=facts.symbols.more)
        said = [((f"  {line}", desk.notice.role),) for line in folded]
    elif desk.busy:
        said = [((f"  {facts.symbols.running} {desk.busy} is on its way", "hint"),)]
    return [*said, _keys(picture, facts, desk)]


def _keys(picture: Picture, facts: Facts, desk: Desk) -> Line:
    """As many as there is room for; `q` and `?` always."""
    close = [(9, "esc", "back")] if desk.panel else []
    always = [(10, "q", "leave"), (9, "?", "keys")]
    pieces = [*close, *_changing(picture, desk), *_looking(desk), *always]
    dot = f" {facts.symbols.dot} "
    while len(pieces) > 2 and _length(pieces, dot) > facts.width - 2:
        pieces.remove(min(reversed(pieces), key=lambda p: p[0]))
    line: list[Part] = ["  "]
    for n, (_, key, word) in enumerate(pieces):
        line += [dot if n else "", (key, "hint"), f" {word}"]
    return tuple(line)


def _length(pieces: list[tuple[int, str, str]], dot: str) -> int:
    return sum(columns_of(f"{k} {w}{dot}") for _, k, w in pieces) - columns_of(dot)


def _changing(picture: Picture, desk: Desk) -> list[tuple[int, str, str]]:
    """The keys that would do something now."""
    if desk.read_only:
        return []
    doing = picture.progress.activity
    if doing == "aborted":
        return [(8, "r", "retry")]
    if doing in ("healthy", "unobserved", "aborting"):
        return []
    promote = [(8, "p", "go on")] if doing in _STANDS else []
    hold = (6, "space", "resume" if doing == "held" else "pause")
    return [*promote, (8, "a", "abort"), hold]


def _looking(desk: Desk) -> list[tuple[int, str, str]]:
    words = ((5, "m", "metrics"), (4, "e", "events"), (3, "l", "logs"))
    return [w for w in words if w[2] != desk.panel]


def help_lines(facts: Facts, desk: Desk) -> list[Line]:
    """All keys, for the panel."""
    off = f" (off: {desk.read_only})" if desk.read_only else ""
    told = (
        ("p", f"promote: go on at a pause{off}"),
        ("a", f"abort: traffic back to the stable version{off}"),
        ("r", f"retry: an aborted version again, from the first step{off}"),
        ("space", f"pause by hand, and resume{off}"),
        ("m", "metrics big, with every measurement"),
        ("e", "all events"),
        ("l", "log of the worst canary pod"),
        ("esc", "back to the whole picture"),
        ("q", "leave; the rollout goes on"),
    )
    room = facts.width - 11
    lines: list[Line] = [("  ", (f"{key:<7}", "hint"), cut(text, room, facts.symbols.more)) for key, text in told]
    asks = "what changes something asks once, and refuses where the command does"
    return [*lines, (), (f"  {cut(asks, facts.width - 2, facts.symbols.more)}",)]


def question_text(verb: str, picture: Picture, note: str = "") -> str:
    """What the one question before a change says: what will be, and what else is to be known."""
    name, version = picture.name, picture.version or picture.name
    stable = picture.stable or "the stable version"
    asked = {
        "promote": f"promote {version}: go on from {picture.progress.weight} %",
        "abort": f"abort {version} at {picture.progress.weight} %: all traffic back to {stable}",
        "retry": f"retry {version} from the first step",
        "pause": f"pause {name} by hand at {picture.progress.weight} %",
        "resume": f"resume {name}",
    }[verb]
    return f"{asked}? ({note})" if note else f"{asked}?"
