"""The real programs that tests compare with, where a machine has them: says which are here.

`python -m tests.oracles` is the first step of `make test`. In CI (root and CI=true), or asked with
`--install`, it first installs Debian's `prometheus` package. It never fails a build.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

TOOLS = {
    "kubectl": "the sandbox answers the real client",
    "promtool": "PromQL beside the real engine",
    "prometheus": "the metrics API beside the real server",
    "tmux": "the live view in a real terminal",
    "zsh": "completion in zsh itself",
    "fish": "completion in fish itself",
}
#: Seconds that an installation may take in all.
PATIENCE = 60
_PACKAGE = "prometheus"


def may_install(arguments: Sequence[str], environment: Mapping[str, str], *, root: bool) -> bool:
    """Only where it surprises no one: asked for, or as root of a CI machine."""
    return "--install" in arguments or (root and environment.get("CI") == "true")


def install() -> None:
    """Installs the package if it is missing and apt-get is there; gives up silently."""
    apt = shutil.which("apt-get")
    if apt is None or all(shutil.which(tool) for tool in ("promtool", "prometheus")):
        return
    options = ["-qq", "-o", "DPkg::Lock::Timeout=10"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps = ([apt, *options, "update"], [apt, *options, "install", "--yes", "--no-install-recommends", _PACKAGE])
    for step in steps:
        try:
            subprocess.run(
                step,
                env=environment,
                timeout=PATIENCE / len(steps),
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            return


def lines() -> list[str]:
    """One line a tool: where it is, or what is skipped without it."""
    return [
        f"{tool}: present" if shutil.which(tool) else f"{tool}: skipped: {purpose}" for tool, purpose in TOOLS.items()
    ]


def main() -> None:
    if may_install(sys.argv[1:], os.environ, root=os.geteuid() == 0):
        install()
    print("\n".join(lines()))


if __name__ == "__main__":
    main()
