"""`canary init`: write a canary.yaml to start from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from companyos_canary.commands import base
from companyos_canary.config import FILE
from companyos_canary.errors import ExitCode, UsageError
from companyos_canary.render.starter import starter

EXAMPLES = (
    "canary init                            the guide's service, every default as a comment",
    "canary init billing -n shop --image registry.example.com/billing",
)
EXITS = (ExitCode.OK, ExitCode.USAGE)


def init(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    image: Annotated[
        str | None, typer.Option("--image", help="without a tag; default: the Rollout's name")
    ] = None,
) -> base.Answer:
    """Write a commented canary.yaml here. An existing one is never overwritten."""
    path = session.runtime.cwd / (session.flags.file or FILE)
    name = session.flags.rollout
    values: dict[str, Any] = {}
    if name:
        values |= {"rollout": name, "image": image or name}
    elif image:
        values["image"] = image
    if session.flags.namespace:
        values["namespace"] = session.flags.namespace
    _write(path, starter(values))
    return base.Answer(
        data={"path": str(path)},
        lines=(f"wrote {_shown(path, session.runtime.cwd)}",),
        notes=("next: canary render, then canary apply VERSION",),
        name=str(path),
    )


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"`{path.name}` is already here and stays as it is",
            hint="edit it, or write another one with --file NAME",
        ) from None
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}") from error


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


command = base.verb(init, reads_config=False, forms=("human", "json", "name"))
