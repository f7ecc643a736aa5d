"""`canary init`: write a canary.yaml to start from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from companyos_canary.commands import base
from companyos_canary.config import FILE, Resolved
from companyos_canary.errors import ExitCode, UsageError
from companyos_canary.render.starter import starter

EXAMPLES = (
    "canary init                          a commented file for the guide's service",
    "canary init billing -n shop --image registry.example.com/billing",
    "canary init --from billing -n shop   adopt a live Rollout, without changing it",
)
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND, ExitCode.REFUSED)


def init(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    image: Annotated[str | None, typer.Option("--image", help="without a tag; default: the Rollout's name")] = None,
    live: Annotated[str | None, typer.Option("--from", metavar="ROLLOUT", help="adopt a live Rollout")] = None,
) -> base.Answer:
    """Write a commented canary.yaml here. An existing one is never overwritten.

    --from adopts a live Rollout: what canary.yaml cannot say of it goes to merge files beside it,
    and it is proved that the live Rollout is rendered again, unchanged.
    """
    path = session.runtime.cwd / (session.flags.file or FILE)
    name = session.flags.rollout
    if live is not None:
        if name or image:
            raise UsageError("--from takes name and image from the live Rollout: leave them out")
        return _adopt(session, live, path)
    values: dict[str, Any] = {}
    if name:
        values |= {"rollout": name, "image": image or name}
    elif image:
        values["image"] = image
    if session.flags.namespace:
        values["namespace"] = session.flags.namespace
    _write(path.parent, {path.name: starter(values)})
    return base.Answer(
        data={"path": str(path)},
        lines=(f"wrote {_shown(path, session.runtime.cwd)}",),
        notes=("next: canary render, then canary apply VERSION",),
        name=str(path),
    )


def _adopt(session: base.Session, name: str, path: Path) -> base.Answer:
    from companyos_canary.actions.adopt import adopt

    flags, environ = session.flags, session.runtime.environ
    session.resolved = Resolved(
        rollout=name,
        namespace=flags.namespace or environ.get("CANARY_NAMESPACE"),
        context=flags.context or environ.get("CANARY_CONTEXT"),
        kubeconfig=flags.kubeconfig or environ.get("CANARY_KUBECONFIG"),
    )
    _free(path)
    adopted = adopt(session.cluster, name, path.name)
    _write(path.parent, adopted.files)
    shown = [_shown(path.parent / file, session.runtime.cwd) for file in adopted.files]
    return base.Answer(
        data={"path": str(path), "files": [str(path.parent / f) for f in adopted.files]},
        lines=tuple(f"wrote {file}" for file in shown),
        notes=(*adopted.notes, "next: canary apply --dry-run, which changes nothing of the Rollout"),
        name=str(path),
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """All of them or none, and none over another."""
    written: list[Path] = []
    for name in files:
        _free(folder / name)
    try:
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                written.append(folder / name)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise UsageError(f"`{folder / name}` cannot be written: {error.strerror}") from error


def _free(path: Path) -> None:
    if path.exists():
        raise UsageError(
            f"`{path.name}` already exists and was not changed", hint="edit it, or write another one with --file NAME"
        )


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


command = base.verb(init, reads_config=False, forms=("human", "json", "name"))
