"""GitLab CI: collapsible sections, and the lines of a dotenv report. Pure text."""

from datetime import datetime

from companyos_canary.view.ci.report import Outputs, Report

_CLEAR = "\r\x1b[0K"


def error(report: Report) -> str:
    """GitLab has no annotations: one line, outside of every section."""
    return f"{report.level}: {report.message}"


def dotenv(values: Outputs) -> str:
    """`CANARY_VERDICT=healthy`, a line a value. The format knows no quotes and no line breaks."""
    pairs = (
        ("PHASE", values.phase),
        ("REVISION", values.revision),
        ("IMAGE", values.image),
        ("VERDICT", values.verdict),
    )
    return "".join(f"CANARY_{name}={' '.join(value.split())}\n" for name, value in pairs)


def section(number: int, title: str, now: datetime) -> str:
    """The line that opens a folded section; its title is read in place of the line."""
    return f"\x1b[0Ksection_start:{_unix(now)}:canary_{number}[collapsed=true]{_CLEAR}{title}"


def section_end(number: int, now: datetime) -> str:
    return f"\x1b[0Ksection_end:{_unix(now)}:canary_{number}{_CLEAR}"


def _unix(now: datetime) -> int:
    return int(now.timestamp())
