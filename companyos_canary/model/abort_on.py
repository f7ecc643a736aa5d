"""What may abort a release while it is followed."""

from dataclasses import dataclass
from datetime import timedelta

OF_PODS = {
    "crashloop": ("CrashLoopBackOff",),
    "image-pull": ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
}


@dataclass(frozen=True, slots=True)
class AbortOn:
    """`words` are conditions about pods, `stuck` how long nothing may move; None: as long as it takes."""

    words: tuple[str, ...] = ()
    stuck: timedelta | None = None


NEVER = AbortOn()
