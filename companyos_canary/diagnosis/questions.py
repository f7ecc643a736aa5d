"""What Prometheus is asked, one question after the other, and about which moment."""

from datetime import datetime

from companyos_canary.diagnosis import doubts, nodata
from companyos_canary.diagnosis.analysis import without_data
from companyos_canary.diagnosis.case import Case


def next_question(case: Case) -> str:
    """What to ask next; empty once the answers tell, or where there is nothing to ask."""
    if case.prometheus:
        return ""
    verdict = nodata.failing(case)
    if verdict is None:
        return nodata.question_without_data(case)
    if doubts.in_another_unit(case) or doubts.on_old_samples(case) or doubts.on_earlier_canary(case):
        return ""
    asked = (doubts.who_answers(case), nodata.stable_question(case), doubts.how_many(case))
    for question in filter(None, asked):
        if question not in case.answers:
            return question
        if doubts.several_apps(case) or nodata.stable_is_as_bad(case):
            return ""
    return ""


def judged_at(case: Case) -> datetime | None:
    """When the verdict fell that the questions are about: after an abort the canary's series end. None for one that is
    still open."""
    if not case.rollout.aborted:
        return None
    verdict = nodata.failing(case)
    found = [(verdict, "Failed")] if verdict else list(without_data(case))
    for one, phase in found:
        place = one.newest(phase)
        if place is not None:
            return one.result.measurements[place].finished_at
    return None
