"""What is true of all tests: long properties run when they are asked for (`-m soak`), and laws are then tried with many
examples instead of some. No test fails because a machine is busy."""

import faulthandler
import gc
import os
from collections.abc import Generator
from time import monotonic

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.clock import PACES

# Where a test waits for processes on real time: they begin first, so that the others have work meanwhile.
WAITING = ("tests/test_package.py", "tests/e2e/")
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", _PATIENT, max_examples=30)
settings.register_profile("soak", _PATIENT, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-screens", action="store_true", help="write the expected screens and schema anew")
    parser.addoption("--pace", action="append", choices=PACES, help="how late the sandbox is in tests of commands")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a command is run at each pace that is asked for (see tests/commands/conftest.py)."""
    if "pace" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("pace") or ["prompt"]
    if metafunc.definition.get_closest_marker("every_pace"):
        asked = list(PACES)
    if metafunc.definition.get_closest_marker("prompt_only"):
        asked = ["prompt"]
    if asked != ["prompt"]:
        metafunc.parametrize("pace", asked, indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("soak" if _soaks(config) else "suite")
    if not _soaks(config):
        config.pluginmanager.register(Hanging(os.dup(2)))
    if hasattr(config, "workerinput") and not config.option.xmlpath and config.option.durations is None:
        config.pluginmanager.register(Brief())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("law")
    left = {item for item in items if item.get_closest_marker("soak")} if not _soaks(config) else set()
    if "prompt" not in (config.getoption("pace") or ["prompt"]):
        left |= {item for item in items if item.get_closest_marker("prompt_only")}
    if left:
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in left]
    items.sort(key=lambda item: not item.nodeid.startswith(WAITING))


class Hanging:
    """Where a test takes ten minutes, what each thread does is written to `stderr`, a file descriptor. pytest itself
    starts and ends a thread for that in each test; here it is another one every minute."""

    PATIENCE, AGAIN = 600.0, 60.0  # seconds

    def __init__(self, stderr: int) -> None:
        self._stderr, self._since = stderr, -self.AGAIN

    def pytest_runtest_setup(self) -> None:
        if monotonic() - self._since >= self.AGAIN:
            self._since = monotonic()
            faulthandler.dump_traceback_later(self.PATIENCE, file=self._stderr)

    def pytest_unconfigure(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        os.close(self._stderr)


class Brief:
    """In a worker: of a test that passes, its call is all that is reported. Six messages to the one that prints are
    more work than most of the tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.passed:
                report.keywords = {}  # nothing asks for them
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is collected stays: to look for what does not is a quarter of the time that it takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Thousands of tests and their modules stay until the end: the collector need not look at them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """pytest itself collects twice more."""
    gc.collect()
    gc.freeze()


def _soaks(config: pytest.Config) -> bool:
    return "soak" in config.getoption("markexpr")
