"""One line of a container's log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """`at` is the server's stamp, RFC 3339 with nanoseconds; `role` canary, stable or old."""

    at: str
    pod: str
    role: str
    container: str
    text: str
