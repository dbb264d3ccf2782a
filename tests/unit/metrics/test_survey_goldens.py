"""Small stories of surveys whose figures were worked out by hand."""

from services.contracts.contacts import SurveyKind
from services.contracts.outreach import SOURCE
from tests.unit.metrics.stories import Read, answered, asked, barrier, folded, net, series

SENT = "care_surveys_sent_total{{kind={},origin={}}}"
ANSWERS = "care_survey_answers_total{{kind={},score={},origin={}}}"


def found(*told: Read) -> dict[str, float]:
    """Return the figures of surveys that are not 0, less those withdrawn."""
    figures = net(series(folded(*told)))
    return {n: v for n, v in figures.items() if n.startswith("care_survey") and v}


def test_surveys_by_kind_score_and_whose_they_are() -> None:
    """Outreach sends s-1, the desk s-2 and s-3; s-1 and s-3 are answered."""
    assert found(
        asked("s-1", 1, source=SOURCE),
        asked("s-2", 1),
        asked("s-3", 1, SurveyKind.NPS),
        answered("o-1", 5, 4, "s-1", source=SOURCE),
        answered(None, 6, 10, "s-3", SurveyKind.NPS),
    ) == {
        SENT.format("csat", "proactive"): 1,
        SENT.format("csat", "reactive"): 1,
        SENT.format("nps", "reactive"): 1,
        ANSWERS.format("csat", 4, "proactive"): 1,
        ANSWERS.format("nps", 10, "reactive"): 1,
    }


def test_a_repeat_changes_nothing() -> None:
    story = (asked("s-1", 1), answered("o-1", 5, 4), answered("o-1", 5, 4), asked("s-1", 1))

    assert found(*story) == found(*story[:2])


def test_of_several_answers_the_first_counts() -> None:
    assert found(answered("o-1", 5, 4), answered("o-1", 6, 1)) == {
        ANSWERS.format("csat", 4, "reactive"): 1
    }


def test_an_earlier_answer_told_late_withdraws_the_one_that_was_counted() -> None:
    told = (answered("o-1", 6, 1), barrier(12), answered("o-1", 5, 4))

    assert found(*told) == {ANSWERS.format("csat", 4, "reactive"): 1}
    figures = series(folded(*told))
    assert figures[ANSWERS.format("csat", 1, "reactive")] == 1
    assert figures["care_survey_answers_withdrawn_total{kind=csat,score=1,origin=reactive}"] == 1


def test_an_answer_is_of_its_surveys_origin_whoever_collects_it() -> None:
    """Also where the survey is read after its answer."""
    survey, answer = asked("s-1", 1, source=SOURCE), answered("o-1", 5, 4, "s-1")

    for told in ((survey, answer), (answer, survey)):
        assert found(*told) == {
            SENT.format("csat", "proactive"): 1,
            ANSWERS.format("csat", 4, "proactive"): 1,
        }


def test_old_surveys_are_forgotten() -> None:
    state = folded(asked("s-1", 1), answered("o-1", 5, 4), barrier(60 * 24))

    assert (state.surveys.answered, state.surveys.known_sent.days) == ({}, {})
