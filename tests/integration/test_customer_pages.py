"""What a customer says on a page goes out through outreach's outbox and comes back as a thing known."""

from pathlib import Path

import pytest

from services.contracts import topics as t
from services.contracts.contacts import SurveyAnswered
from services.contracts.people import ConsentChanged
from services.kit.records import read_event
from tests.component.outreach.visitor import CUSTOMER, visiting
from tests.factories import wrote
from tests.support.mail import Sink
from tests.support.outreach import Company, live, query
from tests.support.service import running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

KNOWN = ("SELECT * FROM consents", "SELECT * FROM survey_answers")
ACCOUNTS = """
SELECT topic, sum(applied)::int, sum(duplicate)::int, sum(dead_lettered)::int
  FROM source_positions WHERE topic IN ('contacts', 'consents') GROUP BY topic ORDER BY topic
"""


def test_answers_and_noes_are_published_beside_the_customers_other_words_and_come_back_once(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    d = company.deployment
    d.publish(wrote(customer=CUSTOMER))
    with visiting(database, tmp_path) as visitor:
        assert visitor.http.post(visitor.survey(), data={"score": "2"}).status_code == 200
        stop = {"List-Unsubscribe": "One-Click"}
        assert visitor.http.post(visitor.unsubscribe(), data=stop).status_code == 200
    before = [query(database, known) for known in KNOWN]

    with running("outreach", live(d, database, sink.port), tmp_path / "log"):
        wait_for(
            lambda: query(database, ACCOUNTS) == [("consents", 0, 1, 0), ("contacts", 2, 0, 0)],
            "both to come back",
        )
        wait_for(lambda: query(database, "SELECT * FROM outbox") == [], "an empty outbox")

    opened, answered = d.records(t.CONTACTS)
    (denied,) = d.records(t.CONSENTS)
    assert {opened.partition, answered.partition, denied.partition} == {opened.partition}
    for topic, record, fact in (
        (t.CONTACTS, answered, SurveyAnswered),
        (t.CONSENTS, denied, ConsentChanged),
    ):
        event = read_event(topic, record.key, record.value, record.headers)
        assert isinstance(event.data, fact)
        assert event.customer_id == CUSTOMER
    assert [query(database, known) for known in KNOWN] == before
