"""The one error of the condition language."""


class ConditionError(Exception):
    """A condition cannot be read, does not fit its result or fails while it is evaluated. The text
    is the controller's where it was recorded; what is not emulated says so."""
