"""What a customer says on a page goes out through outreach's outbox and comes back as a thing known."""

from pathlib import Path

import httpx
import pytest

from services.contracts import topics as t
from services.contracts.contacts import SurveyAnswered
from services.contracts.people import ConsentChanged
from services.contracts.problems import ProblemKind
from services.kit.records import read_event
from tests.component.outreach.visitor import CUSTOMER, visiting
from tests.factories import wrote
from tests.support.mail import Sink, free_port
from tests.support.outreach import Company, here, live, now_ish, opened, query, trouble
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


def test_one_click_on_a_mail_ends_such_mails(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    d, port = company.deployment, free_port()
    secrets = tmp_path / "secrets"
    secrets.write_text("a-secret-of-this-test-and-of-nobody-else\n")
    settings = live(
        d,
        database,
        sink.port,
        CARE_OUTREACH_PAGES_BASE_URL=f"http://127.0.0.1:{port}",
        CARE_OUTREACH_PAGES_PORT=str(port),
        CARE_OUTREACH_PAGES_SECRETS_FILE=str(secrets),
    )
    with running("outreach", settings, tmp_path / "log"):
        d.publish(here("c-0"), opened("c-0", now_ish()))
        (mail,) = wait_for(lambda: sink.mails, "the mail")
        address = str(mail["List-Unsubscribe"]).strip("<>")
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        plain = next(part for part in mail.walk() if part.get_content_type() == "text/plain")
        assert b"Stop writing to me: http://127.0.0.1" in bytes(plain.get_payload(decode=True))

        answered = httpx.post(address, data={"List-Unsubscribe": "One-Click"})
        assert (answered.status_code, answered.cookies) == (200, httpx.Cookies())
        another = trouble("c-0", ProblemKind.REFUND_OVERDUE, now_ish(), "r-1")
        d.publish(another)
        wait_for(lambda: len(company.told("decided")) == 2, "the second decision")

    second = max(company.told("decided"), key=lambda event: event["time"])
    assert (second["data"]["playbook"], second["data"]["suppression"]) == (
        "refund_overdue",
        "consent",
    )
    assert len(sink.mails) == 1
