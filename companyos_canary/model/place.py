"""Where commands act and as whom, and how a command line that is shown names it."""

from collections.abc import Iterator

from msgspec import Struct

# Verbs that take the Rollout as an option, because their argument is a version or a run.
_BY_OPTION = frozenset({"deploy", "diff", "plan", "analysis"})


class Place(Struct, frozen=True):
    """Where, and what is not in the cluster's objects. `who` began the update; `target` (Rollout,
    namespace) is put into the commands that are shown, where no canary.yaml names them;
    `container` is the one whose image is the version, the first by default."""

    context: str = ""
    who: str = ""
    target: tuple[str, str] | None = None
    container: str | None = None
    options: str = ""

    def command_of(self, words: str) -> str:
        """One about another object of the namespace, which `words` name: `canary experiment get NAME -n NAMESPACE`."""
        return " ".join(w for w in ("canary", words, f"-n {self.target[1]}" if self.target else "", self.options) if w)

    def command(self, verb: str, argument: str = "") -> str:
        """A command that can be copied: `canary abort`, `canary abort NAME -n NAMESPACE`."""
        target = ""
        if self.target:
            option = "--rollout " if verb in _BY_OPTION else ""
            target = f"{option}{self.target[0]} -n {self.target[1]}"
        return " ".join(w for w in ("canary", verb, argument, target, self.options) if w)


class Identity(Struct, frozen=True):
    """As kubectl's --user, --cluster, --token, --as and --as-group: `user` and `cluster` are names in the kubeconfig in
    place of those of the context, `token` takes the place of all credentials of the user, and the server acts as for
    `acts_as` and the `groups`. Empty where nothing was said."""

    user: str = ""
    cluster: str = ""
    token: str = ""
    acts_as: str = ""
    groups: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the token, which is never printed."""
        return f"Identity({', '.join(f'{option} {value}' for option, value in self.options)})"

    @property
    def options(self) -> Iterator[tuple[str, str]]:
        """What was said, without the token: that is never printed."""
        yield from (("--user", self.user), ("--cluster", self.cluster), ("--as", self.acts_as))
        yield from (("--as-group", group) for group in self.groups)


NOBODY = Identity()
