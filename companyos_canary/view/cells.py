"""How many columns a text takes on a terminal, and texts that are cut or filled to some columns.

Messages of the cluster and names of metrics may be in any script: wide characters take two.
"""


def columns_of(text: str) -> int:
    """The columns that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only where it is more than counting

    return cell_len(text)


def cut(text: str, room: int, more: str) -> str:
    """At most `room` columns, with a mark where the end was cut off."""
    if columns_of(text) <= room:
        return text
    return _start(text, room - columns_of(more)) + more if room > 0 else ""


def cut_start(text: str, room: int, more: str) -> str:
    """At most `room` columns of the end, where that is what tells one name from another."""
    if columns_of(text) <= room:
        return text
    return more + _start(text[::-1], room - columns_of(more))[::-1] if room > 0 else ""


def filled(text: str, room: int) -> str:
    """With blanks behind it, `room` columns wide."""
    return text + " " * (room - columns_of(text))


def _start(text: str, room: int) -> str:
    used = 0
    for n, character in enumerate(text):
        used += columns_of(character)
        if used > room:
            return text[:n]
    return text
