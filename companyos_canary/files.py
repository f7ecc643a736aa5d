"""What a file that a person names holds, and how deep its YAML goes.

A pipe is read to its end, as other programs do: `--kubeconfig <(…)`, `-f /dev/stdin`, a FIFO. That is right for what is
read once: a kubeconfig, canary.yaml, objects. What a pipe held is kept, because a command may ask for it twice. One in
which no one writes is not waited for without an end, and one without an end is not read to it. What is read again and
again while a command runs, a token and the certificates of a connection, must be a regular file: the second look at a
pipe finds nothing, or never returns. A canary.yaml that is found, not named, must be one, too.
"""

import errno
import os
import stat
from pathlib import Path

LONGEST_FILE = 16 * 1024 * 1024
"""Bytes of a file that are read."""
WRITTEN_WITHIN = 30.0
"""Seconds in which something has to come out of a pipe."""
DEEPEST = 100
"""Values inside one another in a YAML text of people."""
_PIECE = 1024 * 1024
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_KEPT: dict[tuple[str, int, int], bytes] = {}


def content(path: Path | str, *, patience: float = WRITTEN_WITHIN) -> bytes:
    """All of it, but at most a byte more than LONGEST_FILE. Raises OSError; its `strerror` says what it is instead of
    a file."""
    handle = _opened(path)
    try:
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode):
            return _rest(handle)
        if stat.S_ISDIR(found.st_mode) or stat.S_ISBLK(found.st_mode) or os.isatty(handle):
            what = "a terminal" if os.isatty(handle) else _kind(found.st_mode)
            raise OSError(errno.EINVAL, f"it is {what}", str(path))
        key = str(path), found.st_dev, found.st_ino
        if key not in _KEPT:
            _KEPT[key] = _piped(handle, str(path), patience)
        return _KEPT[key]
    finally:
        os.close(handle)


def bounded(path: Path | str) -> bytes:
    """As `content`, but OSError for what is longer than LONGEST_FILE."""
    found = content(path)
    if len(found) > LONGEST_FILE:
        raise OSError(errno.EFBIG, f"it is longer than {LONGEST_FILE // 1024 // 1024} MiB", str(path))
    return found


def lasting(path: Path | str) -> bytes:
    """What a regular file holds that is read again and again. Raises OSError."""
    handle = _opened(path)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(
                errno.EINVAL, f"it is {_kind(mode)}, and has to be a file: it is read more than once", str(path)
            )
        return _rest(handle)
    finally:
        os.close(handle)


def _opened(path: Path | str) -> int:
    """Opened without waiting for someone who writes."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, "it is not the name of a file", str(path)) from error
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "it is a socket", str(path)) from error
        raise


def _kind(mode: int) -> str:
    return next((words for holds, words in _KINDS if holds(mode)), "no file")


def _rest(handle: int) -> bytes:
    found = bytearray()
    while len(found) <= LONGEST_FILE and (piece := os.read(handle, min(_PIECE, LONGEST_FILE + 1 - len(found)))):
        found += piece
    return bytes(found)


def _piped(handle: int, path: str, patience: float) -> bytes:
    """A FIFO into which no one has written yet is not at its end: poll tells it from one that was closed."""
    from select import POLLIN, poll  # noqa: PLC0415 - few read a pipe

    waiting, found = poll(), bytearray()
    waiting.register(handle, POLLIN)
    while len(found) <= LONGEST_FILE:
        if not waiting.poll(patience * 1000):
            raise OSError(errno.ETIMEDOUT, f"it is a pipe into which no one wrote for {patience:g} s", path)
        piece = os.read(handle, min(_PIECE, LONGEST_FILE + 1 - len(found)))
        if not piece:
            break
        found += piece
    return bytes(found)


def too_deep(text: str) -> int:
    """The line at which YAML has more than DEEPEST values inside one another; 0 where it has not. Read event by event:
    what makes values of it calls itself for each level. Raises YAMLError."""
    import yaml  # noqa: PLC0415 - 20 ms
    from yaml import events  # noqa: PLC0415

    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, events.MappingStartEvent | events.SequenceStartEvent):
            depth += 1
            if depth > DEEPEST:
                return text.count("\n", 0, event.start_mark.index) + 1 if event.start_mark else 1
        elif isinstance(event, events.MappingEndEvent | events.SequenceEndEvent):
            depth -= 1
    return 0
