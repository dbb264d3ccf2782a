"""One survey has one answer that counts; a change is kept beside it."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.contracts.contacts import SurveyAnswered, SurveySent
from services.outreach.intake import answer_of
from services.outreach.pages import say
from services.outreach.pages.facts import Reply, Survey, survey_of
from services.outreach.pages.tokens import SurveyLink
from tests.unit.outreach.factories import DAY, HOUR, NOON

STEP = UUID(int=5)
ASKED = survey_of(SurveyLink("c-1", "s-1", "o-1", STEP), partition=3)
REPLIES = st.builds(Reply, st.integers(1, 5), st.none() | st.sampled_from(["late", "fine"]))


def test_the_first_answer_counts_and_the_latest_is_kept_beside_it() -> None:
    first = ASKED.answered(Reply(2, "late"), NOON)
    changed = first.answered(Reply(5), NOON + DAY)

    assert (changed.first_score, changed.latest_score) == (2, 5)
    assert (changed.answered_at, changed.changed_at) == (NOON, NOON + DAY)
    assert changed.comment == "late"


@given(st.lists(REPLIES, min_size=1))
def test_whatever_is_sent_however_often_the_event_of_the_answer_stays_the_same(
    replies: list[Reply],
) -> None:
    survey, events = ASKED, set()
    for number, reply in enumerate(replies):
        survey = survey.answered(reply, NOON + number * HOUR)
        answer = say.first_answer(survey)
        assert answer is not None
        events.add(say.survey_answered(answer, survey).encode())

    assert len(events) == 1
    assert survey.first_score == replies[0].score
    assert survey.latest_score == replies[-1].score


@given(REPLIES)
def test_the_same_reply_again_changes_nothing(reply: Reply) -> None:
    once = ASKED.answered(reply, NOON)

    assert once.answered(reply, NOON + HOUR) == once


def test_a_survey_is_sent_once() -> None:
    assert ASKED.sent(NOON).sent(NOON + DAY) == ASKED.sent(NOON)


def test_what_is_told_is_the_score_and_never_the_comment() -> None:
    survey = ASKED.answered(Reply(2, "canary"), NOON)
    answer = say.first_answer(survey)
    assert answer is not None

    event = say.survey_answered(answer, survey)

    assert event.data == SurveyAnswered(survey_id="s-1", kind="csat", score=2, order_id="o-1")
    assert b"canary" not in event.encode()
    assert answer_of(event) == answer


def test_one_survey_of_two_customers_is_two() -> None:
    other = survey_of(SurveyLink("c-2", "s-1"), partition=0)

    assert say.survey_sent(ASKED, NOON).id != say.survey_sent(other, NOON).id
    assert say.survey_sent(ASKED, NOON).data == SurveySent(
        survey_id="s-1", kind="csat", order_id="o-1"
    )


def test_what_nobody_answered_has_no_answer() -> None:
    assert say.first_answer(Survey("s-1", "c-1", 0)) is None
