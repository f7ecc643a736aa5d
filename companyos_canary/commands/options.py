"""The options that verbs share: those that every verb has (COMMON), and those that many have."""

from typing import Annotated, Any

import typer

NamespaceOption = Annotated[str | None, typer.Option("-n", "--namespace", help="of the Rollout")]
ContextOption = Annotated[str | None, typer.Option("--context", help="of the kubeconfig")]
KubeconfigOption = Annotated[str | None, typer.Option("--kubeconfig", help="file to use")]
EnvOption = Annotated[str | None, typer.Option("-e", "--env", help="environment in canary.yaml")]
FileOption = Annotated[str | None, typer.Option("-f", "--file", help="canary.yaml to use")]
OutputOption = Annotated[str, typer.Option("-o", "--output", help="human, json, yaml or name")]
FieldOption = Annotated[
    list[str] | None, typer.Option("--field", metavar="a.b.0", help="print this one value of the JSON's data")
]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="say where settings are from")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="results only")]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="no colour, as NO_COLOR")]
RequestTimeoutOption = Annotated[float, typer.Option("--request-timeout", help="seconds for one request")]

COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("namespace", NamespaceOption, None),
    ("context", ContextOption, None),
    ("kubeconfig", KubeconfigOption, None),
    ("env", EnvOption, None),
    ("file", FileOption, None),
    ("output", OutputOption, "human"),
    ("field", FieldOption, None),
    ("verbose", VerboseOption, False),
    ("quiet", QuietOption, False),
    ("no_color", NoColorOption, False),
    ("request_timeout", RequestTimeoutOption, 10.0),
)

RolloutArgument = Annotated[str | None, typer.Argument(help="name of the Rollout", metavar="NAME")]
RolloutOption = Annotated[str | None, typer.Option("--rollout", help="name of the Rollout", metavar="NAME")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="print the request, send nothing")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="end once it is sent")]
ReasonOption = Annotated[str, typer.Option("--reason", help="why, for the record")]
TimeoutOption = Annotated[str | None, typer.Option("--timeout", help="how long to follow, as 10m; 0 for no end")]
