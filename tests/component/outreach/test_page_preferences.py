"""Stopping messages over HTTP and PostgreSQL: at once, for good, told to others, and twice is once."""

import pytest

from services.contracts.people import Channel, ConsentChanged, ConsentStatus, MessageClass
from services.kit.kafka_clients import partition_of
from services.outreach.pages.reading import EVERYTHING
from tests.component.outreach.desk import NOON, Desk, counts
from tests.component.outreach.visitor import CUSTOMER, PARTITIONS, STEP, Visitor, everything, told
from tests.factories import DAY, HOUR
from tests.support.outreach import consent, opened, profile, query, states

pytestmark = pytest.mark.connected

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def consents(url: str) -> set[tuple[str, str, str]]:
    return set(query(url, "SELECT message_class, channel, status FROM consents"))


@pytest.mark.parametrize("how", ["data", "files"])
def test_one_click_of_a_mail_program_stops_it_without_anything_else(
    visitor: Visitor, url: str, how: str
) -> None:
    """RFC 8058: either encoding of a form, no cookie, no redirect, no question."""
    body = ONE_CLICK if how == "data" else {name: (None, v) for name, v in ONE_CLICK.items()}

    answer = visitor.http.post(visitor.unsubscribe(), **{how: body})  # type: ignore[arg-type]

    assert answer.status_code == 200
    assert answer.history == []
    assert "set-cookie" not in answer.headers
    assert consents(url) == {("service", "email", "denied")}
    ((topic, partition, key, event),) = told(url)
    place = partition_of(CUSTOMER.encode(), PARTITIONS)
    assert (topic, partition, key, event.time) == ("consents", place, CUSTOMER, NOON)
    assert event.data == ConsentChanged(
        message_class=MessageClass.SERVICE, channel=Channel.EMAIL, status=ConsentStatus.DENIED
    )


def test_what_was_decided_already_is_not_sent_any_more(
    visitor: Visitor, desk: Desk, url: str
) -> None:
    desk.learn(profile(CUSTOMER), opened(CUSTOMER, NOON))
    assert desk.decide() == ["contact"]

    visitor.http.post(visitor.unsubscribe(), data=ONE_CLICK)

    assert desk.send() == 0
    assert states(url) == {"failed": 1}


def test_what_comes_back_on_the_topic_is_known_and_accounted_for(
    visitor: Visitor, desk: Desk, url: str
) -> None:
    visitor.http.post(visitor.unsubscribe(), data=ONE_CLICK)
    before = query(url, "SELECT * FROM consents")
    ((*_, event),) = told(url)

    desk.learn(event)

    assert query(url, "SELECT * FROM consents") == before
    # Next offset is 1: nothing applied, one duplicate.
    assert counts(url, "consents")[:2] == (0, 1)


def test_twice_is_once(visitor: Visitor, url: str) -> None:
    visitor.http.post(visitor.unsubscribe(), data=ONE_CLICK)
    once = everything(url)
    visitor.now = NOON + DAY

    again = visitor.http.post(visitor.unsubscribe(), data=ONE_CLICK)
    on_the_page = visitor.http.post(visitor.preferences(), data={"stop": "service/email"})

    assert (again.status_code, on_the_page.status_code) == (200, 200)
    assert everything(url) == once
    assert visitor.count("preferences", "unchanged") == 2


def test_a_no_outlives_what_others_say_with_a_clock_ahead(
    visitor: Visitor, desk: Desk, url: str
) -> None:
    desk.learn(profile(CUSTOMER), opened(CUSTOMER, NOON))
    desk.learn(consent(CUSTOMER, "granted", at=NOON + 5 * HOUR, valid_from=NOON - DAY))

    visitor.http.post(visitor.unsubscribe(), data=ONE_CLICK)

    assert desk.decide() == ["consent"]


def test_a_button_stops_its_own_class_and_channel_and_the_page_says_so(
    visitor: Visitor, desk: Desk, url: str
) -> None:
    desk.learn(consent(CUSTOMER, "granted", message_class="care"))
    page = visitor.preferences()
    assert 'value="care/email"' in visitor.http.get(page).text

    answer = visitor.http.post(page, data={"stop": "care/email"})

    assert "You no longer get: Help and questions from us" in answer.text
    assert 'value="care/email"' not in visitor.http.get(page).text
    assert 'value="service/email"' in visitor.http.get(page).text
    assert consents(url) == {("care", "email", "granted"), ("care", "email", "denied")}


def test_one_button_stops_everything(visitor: Visitor, desk: Desk, url: str) -> None:
    desk.learn(profile(CUSTOMER), opened(CUSTOMER, NOON))

    answer = visitor.http.post(visitor.preferences(), data={"stop": "all"})

    assert "We will not write to you any more" in answer.text
    assert "<button" not in answer.text
    assert consents(url) == {(str(c), str(channel), "denied") for c, channel in EVERYTHING}
    assert len({event.id for *_, event in told(url)}) == len(EVERYTHING)
    assert desk.decide() == ["consent"]


def test_the_message_that_made_somebody_stop_is_known(visitor: Visitor, url: str) -> None:
    visitor.http.post(visitor.unsubscribe(step_id=None), data=ONE_CLICK)
    assert query(url, "SELECT * FROM feedback") == []

    visitor.http.post(visitor.preferences(), data={"stop": "safety/email"})
    visitor.http.post(visitor.preferences(), data={"stop": "care/email"})

    assert query(url, "SELECT step_id, verdict, said_at FROM feedback") == [(STEP, "stopped", NOON)]


@pytest.mark.parametrize("form", [{}, {"stop": "care"}, {"List-Unsubscribe": "yes"}], ids=str)
def test_a_form_that_stops_nothing_says_so(
    visitor: Visitor, url: str, form: dict[str, str]
) -> None:
    answer = visitor.http.post(visitor.preferences(), data=form)

    assert answer.status_code == 422
    assert "Please choose what to stop" in answer.text
    assert told(url) == []


def test_that_a_message_did_not_help_counts_at_once_and_once(visitor: Visitor, url: str) -> None:
    page = visitor.helpful()
    assert visitor.http.get(page).text.count("<button") == 1

    first = visitor.http.post(page)
    visitor.now = NOON + HOUR
    again = visitor.http.post(page)

    assert (first.status_code, again.status_code) == (200, 200)
    place = partition_of(CUSTOMER.encode(), PARTITIONS)
    assert query(url, "SELECT * FROM feedback") == [(STEP, "did_not_help", CUSTOMER, place, NOON)]
    assert (visitor.count("helpful", "stored"), visitor.count("helpful", "unchanged")) == (1, 1)
    assert told(url) == []
