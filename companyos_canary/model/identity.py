"""Whom requests come from and where they go, where the command line says it."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """As kubectl's --user, --cluster, --token, --as and --as-group: `user` and `cluster` are names in the kubeconfig in
    place of those of the context, `token` takes the place of all credentials of the user, and the server acts as for
    `acts_as` and the `groups`. Empty where nothing was said."""

    user: str = ""
    cluster: str = ""
    token: str = field(default="", repr=False)
    acts_as: str = ""
    groups: tuple[str, ...] = ()

    @property
    def options(self) -> Iterator[tuple[str, str]]:
        """What was said, without the token: that is never printed."""
        yield from (("--user", self.user), ("--cluster", self.cluster), ("--as", self.acts_as))
        yield from (("--as-group", group) for group in self.groups)


NOBODY = Identity()
