"""Files and standard input as a command line names them: their bytes, and the objects in them."""

from collections.abc import Iterator, Sequence
from typing import Any

from companyos_canary.commands.base import Session
from companyos_canary.errors import UsageError, printable
from companyos_canary.files import LONGEST_FILE, content
from companyos_canary.lint.documents import Unreadable, read

STDIN = "-"


def file_content(session: Session, name: str) -> bytes:
    """At most a byte more than may be read. Raises OSError."""
    if name == STDIN:
        stdin = session.runtime.stdin
        binary = getattr(stdin, "buffer", None)
        found: bytes = binary.read(LONGEST_FILE + 1) if binary else stdin.read().encode()
        return found
    return content(session.runtime.cwd / name)


def why_unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or directory"
    return (
        "it cannot be read: permission denied"
        if isinstance(error, PermissionError)
        else f"it cannot be read: {error.strerror}"
    )


def read_objects(session: Session, names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The objects of all files in their order, each with its place (`file:line`); the members of a List one by one.
    Raises UsageError for the first thing that is not an object."""
    return [found for name in names for found in _objects_of(session, name)]


def _objects_of(session: Session, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    shown = "stdin" if name == STDIN else name
    try:
        documents = read(shown, file_content(session, name))
    except OSError as error:
        raise UsageError(
            printable(f"{shown}: {why_unreadable(error)}"), hint="name a file, or - for standard input"
        ) from None
    except Unreadable as error:
        raise UsageError(printable(f"{shown}:{error.line}: {error.message}"), hint=error.hint) from None
    if not documents:
        raise UsageError(printable(f"{shown}: there is no object in it"), hint="write YAML or JSON of Kubernetes")
    for document in documents:
        for path, line, first in document.twice:
            key = ".".join(map(str, path))
            raise UsageError(
                printable(f"{shown}:{line}: `{key}` is already in line {first}"), hint="leave out one of them"
            )
        data, place = document.root.data, f"{shown}:{document.root.line}"
        items = data.get("items") if isinstance(data, dict) and data.get("kind") == "List" else [data]
        for item in items if isinstance(items, list) else [items]:
            if not isinstance(item, dict) or not item.get("apiVersion") or not item.get("kind"):
                why = "it has no `apiVersion` and `kind`" if isinstance(item, dict) else "it is not a mapping"
                raise UsageError(
                    printable(f"{place}: this is not an object of Kubernetes: {why}"), hint="see `canary lint FILE`"
                )
            yield place, item
