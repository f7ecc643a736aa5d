"""/openapi/v3: an index and one small document a group version."""

from companyos_canary.model.http import Response


def answer(path: str) -> Response | None:
    return None
