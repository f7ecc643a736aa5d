"""What each router of the sandbox does with a release, written into docs/routing.md by `make docs`."""

import tempfile
from pathlib import Path

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.behaviour import natural
from tests.world import WEB, World

ROUTERS = ("gateway", "istio", "alb", "traefik", "nginx")
BEGIN, END = "<!-- routers: begin -->", "<!-- routers: end -->"
_CONFIG = WEB + "traffic: ROUTER\nsteps:\n  - {weight: 10, pause: 5s}\n  - {weight: 50, pause: 5s}\n"


_LATE = "with a router that is 20 s late"


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}{END}{rest.split(END)[1]}"


def table() -> str:
    titles = ("router", "apply", "deploy to 100 %", "abort at 10 %", "seconds to weight 0", _LATE, "undo", "adopt")
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"
    return head + "".join(f"| {' | '.join(_row(router))} |\n" for router in ROUTERS)


def _row(router: str) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), _CONFIG.replace("ROUTER", router), pace=natural(1))
        applied = world.canary("apply", "v1.0.0").code
        deployed = world.canary("deploy", "v1.1.0").code
        world.advance(60)
        whole = deployed == ExitCode.OK and world.rollout("web").is_fully_promoted
        aborted, seconds = _aborted(world, "v1.2.0")
        world.advance(60)
        world.sandbox.lag.seconds = 20
        late, seconds_late = _aborted(world, "v1.3.0")
        world.sandbox.lag.seconds = 0
        world.advance(60)
        undone = world.canary("undo").code
        restored = world.rollout("web").image() == "web:v1.1.0"
        world.advance(60)
        (Path(folder) / "canary.yaml").unlink()
        adopted = world.canary("init", "--from", "web", "-n", "companyos").code
        dry = world.canary("apply", "--dry-run")
        same = dry.code == ExitCode.OK and all(line.endswith(": unchanged") for line in dry.out.splitlines() if line)
    return (
        f"`{router}`",
        _word(applied == ExitCode.OK),
        _word(whole),
        _word(aborted and late),
        f"{seconds:.1f}",
        f"{seconds_late:.1f}",
        _word(undone == ExitCode.OK and restored),
        _word(adopted == ExitCode.OK and same),
    )


def _aborted(world: World, version: str) -> tuple[bool, float]:
    """Whether an abort at 10 % took the traffic back, and after which time."""
    deployed = world.canary("deploy", version, "--until", "weight=10").code
    before, began = _weight(world), world.now
    code = world.canary("abort").code
    return deployed == code == ExitCode.OK and before == 10 and _weight(world) == 0, (world.now - began).total_seconds()


def _weight(world: World) -> int:
    found: int = world.rollout("web").raw["status"]["canary"]["weights"]["canary"]["weight"]
    return found


def _word(good: bool) -> str:
    return "yes" if good else "**no**"
