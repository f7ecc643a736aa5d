"""`--field`: single values of an answer, for shell scripts."""

from typing import TYPE_CHECKING

from companyos_canary.errors import ExitCode
from companyos_canary.view.fields import NoField, text

if TYPE_CHECKING:
    from companyos_canary.commands.base import Answer, Session


def show_fields(session: "Session", answer: "Answer") -> ExitCode:
    """A line each, empty for null. One that is not there is an empty line, too, and said: the exit
    code is then 2, unless the verb itself has another one to tell."""
    runtime, code = session.runtime, answer.code
    for path in session.fields:
        try:
            runtime.say(text(answer.content, path))
        except NoField as error:
            runtime.say("")
            missing = runtime.fail(error, as_json=False, command=session.command)
            code = code or missing
    return code
