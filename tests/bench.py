"""`make bench`: what the verbs cost, as whole processes against the sandbox, and what grows with a cluster.

Writes docs/performance.md (tests/performance.py says how, tests/measures.py measures). The yardstick is
`kubectl get rollout NAME -o json` in the same run, and the plugin where it is on PATH; without kubectl it is a Python
that does nothing, and goals that are compared with kubectl are not measured. `--short`: few rounds and small clusters,
to see that it runs; the name of a file behind it: where the page goes.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests import measures
from tests.commands.test_scale import PODS, REVISIONS, ROLLOUTS
from tests.measures import GROWN, KUBECTL, LOST, MANY, SCREEN_GOALS, SHORT, Place, Size, sandbox
from tests.performance import PAGE, Goal, Part, measured


def parts(place: Place) -> tuple[Part, ...]:
    most = {"--help": 1.3, "status": 2.2, "get": 2.8, "promote --dry-run": 2.2}
    flat = (Goal(f"`{' '.join(verb)}`: exponent of the bytes", 0.05, "{:.2f}") for verb in GROWN)
    equal = (Goal(f"`{' '.join(verb)}`: bytes more with {MANY:,} pods of others", 0, "{:.0f}") for verb in GROWN)
    half = (Goal(f"`canary {verb}`, of the plugin, with {MANY:,} pods", 0.5, "{:.2f} ×") for verb in ("status", "get"))
    return (
        Part(
            "Commands",
            """
One rollout of ten pods that waits for a person. Requests and bytes are those of the verb's own connection; `⇥` is a
completion in a shell.
""",
            tuple(Goal(f"`canary {verb}`, of `{KUBECTL}`", limit) for verb, limit in most.items()),
            lambda: measures.commands(place),
        ),
        Part(
            "Imports",
            """
What a process loads before it has answered, by package: modules, and shares of the time that all imports take
(`-X importtime`). Each process makes the classes of our values anew.
""",
            (),
            lambda: measures.imports(place),
        ),
        Part(
            "The live screen",
            """
`canary watch` on a terminal of 120 × 40. An Event is created in the sandbox, and the time counts from the answer until
its text is on the screen. The first frame counts from where `canary watch --help` would have ended: the process is
loaded then. These are times of this machine.
""",
            tuple(SCREEN_GOALS.values()),
            lambda: measures.screen(place),
        ),
        Part(
            "Pods of others in the namespace",
            """
Requests and bytes of the answers, while others have more and more pods, each with an event. The exponent is that of
the bytes: 0 is flat, 1 grows with the namespace. No list is of a whole namespace, so that nothing of this is read.
""",
            (*flat, *equal),
            lambda: measures.others(place),
        ),
        Part(
            "Pods of others, next to the plugin",
            f"""
The same sandbox with {MANY:,} pods of others in the namespace. The plugin lists all of them; its processor time and
ours are compared.
""",
            tuple(half),
            lambda: measures.crowd(place),
        ),
        Part(
            "A large rollout of one's own",
            f"""
A rollout of {PODS} pods and {REVISIONS} revisions, and for `list -A` a cluster of {ROLLOUTS:,} rollouts in 40
namespaces: requests, bytes, and the processor time against the same verb with ten pods or one rollout. Verb and server
are one process here, so that the time is of both.
""",
            (),
            lambda: measures.own(place),
        ),
        Part(
            "The sandbox",
            """
How much one sandbox carries: rollouts of ten pods each that are created at once, and watchers of one object over
connections of their own while it is changed again and again.
""",
            (LOST,),
            lambda: measures.embedded(place),
        ),
    )


def main(arguments: Sequence[str]) -> int:
    size = SHORT if "--short" in arguments else Size()
    page = Path(arguments[-1]) if arguments and arguments[-1].endswith(".md") else PAGE
    began = time.perf_counter()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.perf_counter() - began:>5.0f} s  {line}\n")
        sys.stdout.flush()

    say("starting a sandbox")
    with sandbox(size) as place:
        failed = measured(parts(place), say, page)
    say(f"wrote {page}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
