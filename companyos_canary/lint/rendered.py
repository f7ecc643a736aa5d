"""canary.yaml: where a field of an object that it stands for comes from."""

from dataclasses import dataclass

from companyos_canary.lint.documents import Document
from companyos_canary.lint.paths import Path, below

_ORIGINS: tuple[tuple[Path, Path], ...] = (
    (("spec", "strategy", "canary", "steps"), ("steps",)),
    (("spec", "replicas"), ("replicas",)),
    (("spec", "progressDeadlineSeconds"), ("progress_deadline",)),
    (("spec", "template", "spec"), ("pod",)),
)
_FALLBACK: Path = ("rollout",)


@dataclass(frozen=True, eq=False)
class Rendered:
    """The objects of a canary.yaml, as a document; `names` are those of the metrics of each template."""

    source: Document
    names: dict[str, tuple[str, ...]]

    @property
    def file(self) -> str:
        return self.source.file

    @property
    def twice(self) -> tuple[()]:
        return ()

    def line(self, path: Path) -> int:
        """The line of the field from which the field at `path` (the number of the object, then the field) is made."""
        index, rest = str(path[0]), path[1:]
        if rest[:2] == ("spec", "metrics") and len(rest) > 2:
            name = self.names[index][int(rest[2])]
            return self._line(("metrics", name), ("analysis",))
        origin = next((to for of, to in _ORIGINS if rest[: len(of)] == of), _FALLBACK)
        return self._line(origin, _FALLBACK)

    def _line(self, *origins: Path) -> int:
        root = self.source.root
        for origin in (*origins, _FALLBACK):
            if below(root.data, *origin) is not None:
                return self.source.line(origin)
        return root.line
