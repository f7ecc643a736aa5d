"""What may abort a release while it is followed."""

from datetime import timedelta

from msgspec import Struct

OF_PODS = {
    "crashloop": ("CrashLoopBackOff",),
    "image-pull": ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
}


class AbortOn(Struct, frozen=True):
    """`words` are conditions about pods, `stuck` how long nothing may move; None: as long as it takes."""

    words: tuple[str, ...] = ()
    stuck: timedelta | None = None


NEVER = AbortOn()
