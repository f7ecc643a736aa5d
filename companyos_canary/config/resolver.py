"""Which rollout, namespace, context and file a verb means, and which source said so."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from companyos_canary.config.settings import Settings
from companyos_canary.errors import ConfigError
from companyos_canary.model.place import NOBODY, Identity

FILE = "canary.yaml"


class Flags(Struct, frozen=True):
    """What the command line says; None if a flag was not given."""

    rollout: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    env: str | None = None
    file: str | None = None
    identity: Identity = NOBODY


class Resolved(Struct, frozen=True):
    """`file` is what canary.yaml says, `settings` the same where it is about the Rollout that is
    meant: a NAME or a namespace from elsewhere means another one, of which this file knows nothing.
    `problem` is why `file` is None although there is one. `origins` names for each value
    the source that won (`flag`, `CANARY_NAMESPACE`, `environment prod`, the file's name); a value
    without an origin is None and left to the kubeconfig or the cluster. `settings.namespace` is
    the one that won, so that objects are rendered for it."""

    settings: Settings | None = None
    file: Settings | None = None
    problem: ConfigError | None = None
    rollout: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    identity: Identity = NOBODY
    origins: Mapping[str, str] = field(default_factory=dict)


def find(cwd: Path) -> Path | None:
    """The nearest canary.yaml in a directory or above it, also one that cannot be read."""
    for directory in (cwd, *cwd.parents):
        path = directory / FILE
        if os.path.lexists(path):
            return path
    return None


def owned_by_another(path: Path, cwd: Path, user: int) -> str:
    """Who owns a file that was found in a folder above; empty if that is this user or root, or
    where the file is in the folder itself."""
    try:
        owner = path.stat().st_uid
        return path.owner() if path.parent != cwd and owner not in (user, 0) else ""
    except KeyError:
        return f"user {owner}"
    except OSError:
        return ""


def resolve(
    flags: Flags, environ: Mapping[str, str], cwd: Path, *, needs_settings: bool = True, reads: bool = True
) -> Resolved:
    """Flag, then `CANARY_*`, then the environment's block, then the file.

    ConfigError where the file cannot be used. It is kept as `problem` instead where nothing that
    the file would decide is asked of it: rollout and namespace come from flags or variables, and
    so does the context if an environment is named (else the verb would reach another cluster).
    With `needs_settings` False the file is not even read then; without `reads` it never is.
    """
    given = dict(_given(flags, environ))
    settings, problem = None, None
    if reads and (needs_settings or not _complete(given)):
        settings, problem = _settings(given, cwd)
    origins = {key: source for key, (_, source) in given.items()}
    values = {key: value for key, (value, _) in given.items()}
    ours = None
    if settings is not None:
        _fill(values, origins, settings, _shown(settings.path or Path(FILE), cwd))
        meant = (values["rollout"], values.get("namespace"))
        same = meant == (settings.rollout, settings.namespace or meant[1])
        settings = replace(settings, namespace=values["namespace"])
        ours = settings if same else None
    return Resolved(
        settings=ours,
        file=settings,
        problem=problem,
        rollout=values.get("rollout"),
        namespace=values.get("namespace"),
        context=values.get("context"),
        kubeconfig=values.get("kubeconfig"),
        identity=flags.identity,
        origins=origins,
    )


def _given(flags: Flags, environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for key in ("rollout", "namespace", "context", "kubeconfig", "env", "file"):
        flag: str | None = getattr(flags, key)
        variable = f"CANARY_{key.upper()}"
        if flag is not None:
            yield key, (flag, "flag")
        elif environ.get(variable):
            yield key, (environ[variable], variable)


def _settings(given: Mapping[str, tuple[str, str]], cwd: Path) -> tuple[Settings | None, ConfigError | None]:
    path = cwd / given["file"][0] if "file" in given else find(cwd)
    environment = given["env"][0] if "env" in given else None
    try:
        if path is None:
            if environment is None:
                return None, None
            raise ConfigError(
                f"no {FILE} here or above, so there is no environment `{environment}`",
                hint="`canary init` writes one; or use `--context` and `-n`",
            )
        if "file" not in given:
            require_file(path, _shown(path, cwd))
        from companyos_canary.config.loader import load_settings  # noqa: PLC0415

        return load_settings(path, environment, shown=_shown(path, cwd)), None
    except ConfigError as error:
        if _complete(given):
            return None, error
        raise


def require_file(path: Path, shown: str) -> None:
    """ConfigError for what was found under the name and is no file: to read a pipe waits for ever."""
    if path.is_symlink() and not path.exists():
        raise ConfigError(f"{shown} is a link to `{os.readlink(path)}`, which does not exist")
    if not path.is_file() and not path.is_dir():
        raise ConfigError(f"{shown} is not a regular file")


def _complete(given: Mapping[str, tuple[str, str]]) -> bool:
    needed: set[str] = {"rollout", "namespace", "context"} if "env" in given else {"rollout", "namespace"}
    return needed <= given.keys()


def _fill(values: dict[str, str], origins: dict[str, str], settings: Settings, file: str) -> None:
    from_block = settings.from_environment
    for key, value in (("rollout", settings.rollout), ("namespace", settings.namespace), ("context", settings.context)):
        if key not in values and value is not None:
            values[key] = value
            block = f"environment {settings.environment}"
            origins[key] = block if key in from_block else file


def _shown(path: Path, cwd: Path) -> str:
    """The path as a person in that directory would type it."""
    relative = os.path.relpath(path, cwd)
    return relative if not relative.startswith(os.path.join("..", "..", "..")) else str(path)
