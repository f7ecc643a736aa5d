"""A query as it is shown for copying, and Prometheus' own page with it."""

from urllib.parse import quote

from companyos_canary.model.http import without_password
from companyos_canary.render.questions import Question


def link(address: str, question: Question) -> str:
    """The graph page with the canary's query, and stable's beneath it."""
    queries = [q for q in (question.query, question.stable) if q]
    parts = [f"g{n}.expr={quote(query, safe='')}&g{n}.tab=0&g{n}.range_input=1h" for n, query in enumerate(queries)]
    return f"{without_password(address).rstrip('/')}/graph?{'&'.join(parts)}"


def plain(question: Question, address: str) -> tuple[str, ...]:
    """PromQL with comments: all of it can be pasted into Prometheus."""
    lines = [f"# {question.name}, canary", *question.query.splitlines()]
    if question.stable:
        lines += [f"# {question.name}, stable", *question.stable.splitlines()]
    if address:
        lines.append(f"# {link(address, question)}")
    return tuple(lines)
