"""An event goes to the topic of its type, and only where outreach may write."""

import pytest

from services.contracts import topics as t
from services.contracts.contacts import SurveyAnswered, SurveyKind
from services.contracts.envelope import Fact
from services.contracts.people import Channel, ConsentChanged, ConsentStatus, MessageClass
from services.contracts.trace_context import TraceContext, of_event, of_headers
from services.outreach.outbox import event_record
from tests.factories import event, placed

ANSWERED = SurveyAnswered(survey_id="s-1", kind=SurveyKind.CSAT, score=2)
DENIED = ConsentChanged(
    message_class=MessageClass.CARE, channel=Channel.EMAIL, status=ConsentStatus.DENIED
)


@pytest.mark.parametrize(("fact", "topic"), [(ANSWERED, t.CONTACTS), (DENIED, t.CONSENTS)], ids=str)
def test_what_customers_tell_us_goes_where_others_tell_the_same(fact: Fact, topic: t.Topic) -> None:
    record = event_record(event(fact, customer="c-7"), partition=3)

    assert (record.topic, record.partition, record.key) == (topic.name, 3, b"c-7")


def test_a_record_is_in_the_trace_it_is_given_or_in_its_events_own() -> None:
    told = event(ANSWERED)
    given = TraceContext(f"00-{'a' * 32}-{'b' * 16}-01", "a=1")

    assert of_headers(event_record(told, partition=0, trace=given).headers) == given
    assert of_headers(event_record(told, partition=0).headers) == of_event(told)


def test_what_outreach_may_not_write_is_refused() -> None:
    with pytest.raises(ValueError, match="purchases, which outreach does not write"):
        event_record(placed(), partition=0)
