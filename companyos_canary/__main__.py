"""`python -m companyos_canary` is `canary`; Ctrl-C also counts while the program is loaded."""

import atexit
import gc
import os
import sys

TYPE_CHECKING = False  # `typing` is loaded where Ctrl-C is awaited already
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> None:
    gc.set_threshold(200_000)  # a short verb collects nothing: what it has loaded is kept
    try:
        from companyos_canary.cli import start  # noqa: PLC0415 - it takes the longest

        code = start()
    except KeyboardInterrupt:
        code = 130
    _leave(code)


def _leave(code: int) -> "NoReturn":
    """Ends the process as Python does, but does not take all modules and values apart one by one: that is a quarter of
    the time of a short verb."""
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)


if __name__ == "__main__":
    main()
