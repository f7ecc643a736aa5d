"""The wheel, installed outside of the checkout: what a user gets works, with its templates.

Nothing is downloaded: the dependencies of the running environment are lent to the new one.
"""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from companyos_canary import __version__
from companyos_canary.errors import ExitCode

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


class Installed(Struct, frozen=True):
    """A new environment with the wheel in it. `demo` runs there from the beginning on."""

    folder: Path
    wheel: Path
    demo: "subprocess.Popen[str]"

    @property
    def program(self) -> Path:
        return self.folder / "venv" / "bin" / "canary"

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=clean(),
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )


def clean() -> dict[str, str]:
    """An environment in which no variable leads back to the checkout."""
    return {"PATH": "/usr/bin:/bin", "HOME": os.devnull, "PYTHONUTF8": "1", "CANARY_USER": "ana"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("package")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    where = folder / "venv"
    venv.create(where, with_pip=False)
    site = where / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    pip = [sys.executable, "-m", "pip", "--python", str(where / "bin" / "python"), "install"]
    offline = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run([*pip, *offline], check=True, capture_output=True, timeout=300, env=clean())
    lend_dependencies(site)
    program = where / "bin" / "canary"
    demo = subprocess.Popen(
        [program, "demo"], cwd=folder, env=clean(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield Installed(folder, wheel, demo)
    finally:
        if demo.poll() is None:
            demo.kill()
        demo.communicate()


def lend_dependencies(site: Path) -> None:
    """The running environment's packages, after those of the new one. A `.pth` file is read without
    those that lie there: the checkout itself (an editable install) is not lent."""
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")


def test_it_is_the_wheel_that_runs_not_the_checkout(installed: Installed) -> None:
    python = installed.folder / "venv" / "bin" / "python"
    code = "import companyos_canary as c; print(c.__file__)"
    ran = subprocess.run(
        [python, "-c", code], cwd=installed.folder, env=clean(), text=True, capture_output=True, timeout=120, check=True
    )
    assert Path(ran.stdout.strip()).is_relative_to(installed.folder)


def test_the_wheel_has_the_package_and_its_templates_and_nothing_else(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"companyos_canary", f"companyos_canary-{__version__}.dist-info"}
    ours = {f"companyos_canary/templates/{p.name}" for p in (ROOT / "templates").iterdir()}
    assert ours <= set(names)


def test_version(installed: Installed) -> None:
    ran = installed.run("--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"canary {__version__}\n", "")


def test_init_then_render(installed: Installed) -> None:
    assert installed.run("init").stdout == "wrote canary.yaml\n"
    ran = installed.run("render", "v1.0.0")
    assert (ran.returncode, ran.stderr) == (0, "")
    for kind in ("AnalysisTemplate", "Service", "Rollout"):
        assert f"\nkind: {kind}\n" in ran.stdout


def test_the_demo_ships_a_good_version_and_rolls_a_bad_one_back(installed: Installed) -> None:
    out, err = installed.demo.communicate(timeout=300)
    assert installed.demo.returncode == ExitCode.OK, err
    verdicts = [line.split()[0] for line in out.splitlines() if line.startswith("verdict=")]
    assert verdicts == ["verdict=healthy", "verdict=rolled-back"]
    assert "no canary, no analysis: nothing to compare with" in err
    assert "v1.2.0 was rolled back at 25 %: error-ra" in err  # rate or ratio
    last = out.splitlines()[-1]
    assert last.startswith("that was the demo. Next: `")
    following = subprocess.run(
        f"{last.split('`')[1]} --list",
        shell=True,
        cwd=installed.folder,
        env=clean(),
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert (following.returncode, following.stderr) == (ExitCode.OK, "")
    assert "\x1b" not in out


def test_kubectl_finds_it_as_a_plugin(installed: Installed) -> None:
    program = installed.folder / "venv" / "bin" / "kubectl-canary"
    ran = subprocess.run([program, "--version"], env=clean(), text=True, capture_output=True, timeout=120, check=True)
    assert ran.stdout == f"canary {__version__}\n"
