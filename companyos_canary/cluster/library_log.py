"""What the kubernetes library logs as errors and then goes on without."""

import logging
import threading
from types import TracebackType


class LibraryErrors(logging.Handler):
    """Collects what the library logs as errors on this thread, where it goes on without
    credentials. While it is there, `logging` does not set up an output of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.messages.append(record.getMessage())

    def __enter__(self) -> "LibraryErrors":
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        logging.getLogger().removeHandler(self)
