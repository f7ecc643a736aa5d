"""What a key on a live screen means: another panel, one question, or the order that it confirms.

A key that changes something decides as its verb does, on what is shown; pure.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo import effects
from companyos_canary.argo.effects import Seen
from companyos_canary.argo.patches.act import abort, pause, resume, retry
from companyos_canary.argo.patches.decision import Change, Decision, Refusal
from companyos_canary.argo.patches.promote import only_if, promote
from companyos_canary.argo.picture import Picture
from companyos_canary.argo.steps import step_number
from companyos_canary.model.rollout import Rollout
from companyos_canary.view.panels import PANELS, Confirmation, Desk, Notice, question_text

LEAVE = ("q", "Q")
CLOSE = "\x1b"
YES = ("y", "Y")
_VERBS = {"p": "promote", "a": "abort", "r": "retry", " ": "pause"}

KEY_VERBS: dict[str, tuple[Callable[[Rollout], Decision], Seen]] = {
    "promote": (lambda live: promote(live, skip_step=False), effects.promoted),
    "abort": (abort, effects.aborted),
    "retry": (retry, effects.retried),
    "pause": (pause, effects.paused),
    "resume": (resume, effects.resumed),
}


class Order(Struct, frozen=True):
    """A verb that was confirmed for what was seen then."""

    verb: str
    revision: int
    step: int | None

    def decide(self, live: Rollout) -> Decision:
        """As the verb does, unless it is another revision or step by now."""
        return self.moved(live) or KEY_VERBS[self.verb][0](live)

    def moved(self, live: Rollout) -> Refusal | None:
        """Why what was confirmed is not there any more."""
        step = None if live.blue_green or self.verb == "abort" else self.step
        return only_if(live, step=step, revision=self.revision)


def press(desk: Desk, key: str, picture: Picture) -> tuple[Desk, Order | None]:
    """The desk after a key, and what is to be done."""
    if desk.question:
        asked, desk = desk.question, replace(desk, question=None)
        if key in YES:
            return replace(desk, busy=asked.verb), Order(asked.verb, asked.revision, asked.step)
        return replace(desk, notice=Notice("not confirmed: nothing was sent")), None
    desk = replace(desk, notice=None)
    if key == CLOSE:
        return replace(desk, panel=""), None
    if panel := PANELS.get(key.lower()):
        return replace(desk, panel="" if desk.panel == panel else panel), None
    verb = _VERBS.get(key.lower())
    return (_wanted(desk, verb, picture) if verb else desk), None


def _wanted(desk: Desk, verb: str, picture: Picture) -> Desk:
    """The question, or why there is none."""
    rollout = picture.snapshot.rollout
    if verb == "pause" and rollout.paused:
        verb = "resume"
    if desk.read_only:
        return replace(desk, notice=Notice(f"the keys are read-only: {desk.read_only}"))
    if desk.busy:
        return replace(desk, notice=Notice(f"{desk.busy} is still running"))
    if picture.snapshot.stale_since:
        return replace(desk, notice=Notice("no connection: this picture is out of date", "warning"))
    decision = KEY_VERBS[verb][0](rollout)
    if isinstance(decision, Change):
        text = question_text(verb, picture, decision.note)
        return replace(desk, question=Confirmation(verb, text, rollout.revision, step_number(rollout)))
    if isinstance(decision, Refusal):
        told = "; ".join([decision.message, *_hints(decision.hint, picture.place.command(verb))])
        return replace(desk, notice=Notice(told, "warning"))
    return replace(desk, notice=Notice(decision.message))


def _hints(hint: str, command: str) -> list[str]:
    """A hint of the verb as it fits here: it is followed already, and options need their command."""
    fitting = (h for h in hint.split("; ") if h and "canary watch" not in h)
    return [f"`{command} {h.partition(' ')[0]}` {h.partition(' ')[2]}" if h.startswith("--") else h for h in fitting]
