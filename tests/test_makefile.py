"""`make demo` for the first time: what is seen while it installs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# A `make` runs the suite: with its variables the inner one would also say which folder it is in.
OUTSIDE = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}

ROOT = Path(__file__).parents[1]
# A `python -m venv FOLDER` whose programs only say what they were asked for.
PYTHON = """\
#!/bin/sh
mkdir -p "$3/bin"
for name in pip python canary; do
    printf '#!/bin/sh\\necho "[%s $1]"\\n' "$name" > "$3/bin/$name"
    chmod +x "$3/bin/$name"
done
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
def test_each_step_of_the_first_installation_is_announced_before_it_begins(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def made() -> list[str]:
        return subprocess.run(
            ["make", "demo", f"PYTHON={python}"],
            cwd=tmp_path,
            text=True,
            check=True,
            capture_output=True,
            timeout=300,
            env=OUTSIDE,
        ).stdout.splitlines()

    assert made() == [
        "installing into .venv (once, about a minute)",
        "1/3 making the environment",
        "2/3 downloading and installing what canary needs",
        "[pip install]",
        "3/3 installing canary itself",
        "[pip install]",
        "[python -m]",
        "installed: .venv/bin/canary",
        "[canary demo]",
    ]
    assert made() == ["[canary demo]"]
