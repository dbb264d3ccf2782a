"""A survey over HTTP and PostgreSQL: one answer counts, is told once, and counts at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import InternalError

from services.contracts.contacts import SurveyAnswered, SurveySent
from services.kit.kafka_clients import partition_of
from services.outreach.customer_locks import lock_customers
from services.outreach.outbox import waiting
from services.outreach.pages.storage import Storage, note_sent
from services.outreach.pages.tokens import SurveyLink
from services.outreach.tables import FEEDBACK
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.visitor import CUSTOMER, PARTITIONS, STEP, Visitor, everything, told
from tests.factories import DAY, HOUR
from tests.support.outreach import opened, profile, query

pytestmark = pytest.mark.connected

ROW = """
SELECT partition, order_id, step_id, answered_at, first_score, latest_score, changed_at, comment
  FROM surveys WHERE customer_id = 'c-1' AND survey_id = 's-1'
"""


def test_an_answer_is_kept_and_told_under_its_customers_key(visitor: Visitor, url: str) -> None:
    answer = visitor.http.post(
        visitor.survey(step_id=STEP), data={"score": "2", "comment": "zu spät\r\n\x00!"}
    )

    assert answer.status_code == 200
    assert "Dissatisfied" in answer.text
    place = partition_of(CUSTOMER.encode(), PARTITIONS)
    (row,) = query(url, ROW)
    assert row == (place, "o-c-1", STEP, NOON, 2, 2, None, "zu spät\n!")
    ((topic, partition, key, event),) = told(url)
    assert (topic, partition, key, event.time) == ("contacts", place, CUSTOMER, NOON)
    assert event.data == SurveyAnswered(survey_id="s-1", kind="csat", score=2, order_id="o-c-1")
    assert visitor.count("survey", "stored") == 1


def test_a_change_is_kept_and_the_first_answer_stays_the_one_that_is_told(
    visitor: Visitor, url: str
) -> None:
    page = visitor.survey()
    visitor.http.post(page, data={"score": "2", "comment": "late"})
    visitor.now = NOON + HOUR
    visitor.http.post(page, data={"score": "5"})
    visitor.http.post(page, data={"score": "5"})

    assert query(url, ROW)[0][3:] == (NOON, 2, 5, NOON + HOUR, "late")
    assert [event.data.score for *_, event in told(url)] == [2]
    assert visitor.count("survey", "unchanged") == 1
    assert "You have answered already: Very satisfied" in visitor.http.get(page).text


def test_however_many_send_it_at_once_one_answer_is_told(visitor: Visitor, url: str) -> None:
    page = visitor.survey()

    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: visitor.http.post(page, data={"score": str(n % 5 + 1)}), range(8))
        )

    assert {answer.status_code for answer in answers} == {200}
    ((*_, event),) = told(url)
    ((first,),) = query(url, "SELECT first_score FROM surveys")
    assert event.data.score == first


def test_a_poor_answer_counts_before_it_comes_back_on_its_topic_and_then_once(
    visitor: Visitor, desk: Desk, url: str
) -> None:
    desk.learn(profile(CUSTOMER), opened(CUSTOMER, NOON - HOUR))

    visitor.http.post(visitor.survey(), data={"score": "1"})

    assert desk.decide() == ["already_known"]
    before = query(url, "SELECT * FROM survey_answers")
    ((*_, event), *_) = told(url)
    desk.learn(event)
    assert query(url, "SELECT * FROM survey_answers") == before
    assert len(before) == 1


def test_one_survey_of_another_customer_is_another_survey(visitor: Visitor, url: str) -> None:
    visitor.http.post(visitor.survey(), data={"score": "1"})
    other = visitor.links.survey(SurveyLink("c-2", "s-1"), NOON)

    assert "answered already" not in visitor.http.get(other).text
    visitor.http.post(other, data={"score": "5"})

    assert query(url, "SELECT customer_id, first_score FROM surveys ORDER BY 1") == [
        ("c-1", 1),
        ("c-2", 5),
    ]
    assert len({event.id for *_, event in told(url)}) == 2


@pytest.mark.parametrize(
    "form", [{}, {"score": "9"}, {"score": "1", "comment": "x" * 2001}], ids=len
)
def test_a_form_that_is_not_complete_changes_nothing(
    visitor: Visitor, url: str, form: dict[str, str]
) -> None:
    before = everything(url)

    answer = visitor.http.post(visitor.survey(), data=form)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert form.get("comment", "") in answer.text
    assert everything(url) == before


def test_a_survey_that_leaves_is_noted_and_told_once(
    visitor: Visitor, desk: Desk, url: str
) -> None:
    link = SurveyLink(CUSTOMER, "s-1", "o-1", STEP)
    noted = []
    for day in range(2):
        with desk.engine.begin() as connection:
            lock_customers(connection, [CUSTOMER])
            noted.append(note_sent(connection, link, 3, NOON + day * DAY))
    visitor.now = NOON + DAY
    visitor.http.post(visitor.survey(order_id="o-1"), data={"score": "4"})

    assert noted == [True, False]
    assert query(url, "SELECT sent_at, answered_at, step_id FROM surveys") == [
        (NOON, NOON + DAY, STEP)
    ]
    sent, answered = (event for *_, event in told(url))
    assert sent.data == SurveySent(survey_id="s-1", kind="csat", order_id="o-1")
    assert (sent.time, answered.time) == (NOON, NOON + DAY)


def test_who_looks_changes_nothing_whatever_is_in_the_address(visitor: Visitor, url: str) -> None:
    """Scanners of mail follow every link, and some ask only for the head."""
    visitor.http.post(visitor.survey("s-2"), data={"score": "2"})
    before = everything(url)
    pages = [
        *(visitor.survey(score=score) for score in (None, 1, 5)),
        visitor.survey("s-2", 5),
        *(visitor.helpful(), visitor.preferences(), visitor.unsubscribe()),
        f"{visitor.preferences()}?stop=all",
        f"{visitor.unsubscribe()}?List-Unsubscribe=One-Click",
    ]

    for page in pages:
        assert visitor.http.get(page).status_code == 200
        assert visitor.http.head(page).status_code == 200

    assert everything(url) == before


def test_a_page_that_only_shows_could_not_write_if_it_wanted_to(desk: Desk, url: str) -> None:
    storage = Storage(desk.engine, PARTITIONS)
    values = {"step_id": STEP, "verdict": "x", "customer_id": "c", "partition": 0, "said_at": NOON}

    with storage._reading() as connection, pytest.raises(InternalError, match="read-only"):
        connection.execute(insert(FEEDBACK), values)

    with desk.engine.begin() as connection:
        connection.execute(insert(FEEDBACK), values)
        assert waiting(connection) == 0
