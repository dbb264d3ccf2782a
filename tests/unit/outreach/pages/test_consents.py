"""Whatever was said before by whoever: after the button nothing is allowed any more, and twice is once."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.contracts.people import Channel, ConsentChanged, ConsentStatus, MessageClass
from services.outreach.facts import ConsentStatement
from services.outreach.intake import consent_of
from services.outreach.pages import say
from services.outreach.pages.consents import denials, is_allowed
from services.outreach.pages.reading import EVERYTHING
from tests.unit.outreach.factories import CUSTOMER, DAY, HOUR, NOON, statement

STOP = (MessageClass.SERVICE, Channel.EMAIL)
OTHER = (MessageClass.CARE, Channel.SMS)

AROUND = st.integers(-48, 24).map(lambda hours: NOON + hours * HOUR)
SPANS = st.none() | AROUND
LATER = st.integers(0, 24 * 60).map(lambda hours: NOON + hours * HOUR)


@st.composite
def statements(draw: st.DrawFn) -> tuple[ConsentStatement, ...]:
    """What publishers may have said up to now, clocks ahead by up to a day included."""
    found = []
    for number in range(draw(st.integers(0, 5))):
        begins, ends = draw(SPANS), draw(SPANS)
        is_in_order = begins is None or ends is None or begins < ends
        made = statement(
            draw(st.sampled_from(ConsentStatus)),
            draw(AROUND),
            event_id=f"s-{number}",
            valid_from=begins,
            valid_until=ends if is_in_order else None,
            message_class=draw(st.sampled_from([STOP[0], OTHER[0]])),
            channel=draw(st.sampled_from([STOP[1], OTHER[1]])),
        )
        found.append(made)
    return tuple(found)


@given(statements(), LATER)
def test_what_is_stopped_is_not_allowed_from_now_on(
    said: tuple[ConsentStatement, ...], at: datetime
) -> None:
    after = said + denials(said, [STOP], CUSTOMER, NOON)

    assert not is_allowed(after, STOP, at)


@given(statements(), st.integers(0, 72))
def test_twice_is_once(said: tuple[ConsentStatement, ...], hours: int) -> None:
    once = said + denials(said, [STOP], CUSTOMER, NOON)

    assert denials(once, [STOP], CUSTOMER, NOON + hours * HOUR) == ()


@given(statements())
def test_nothing_else_is_touched(said: tuple[ConsentStatement, ...]) -> None:
    after = said + denials(said, [STOP], CUSTOMER, NOON)

    for other in EVERYTHING:
        if other != STOP:
            assert is_allowed(after, other, NOON) == is_allowed(said, other, NOON)


@given(statements())
def test_what_is_published_says_what_was_stored(said: tuple[ConsentStatement, ...]) -> None:
    for denial in denials(said, EVERYTHING, CUSTOMER, NOON):
        assert consent_of(say.consent_denied(denial)) == denial


def test_who_never_said_anything_says_no_now() -> None:
    (denial,) = denials((), [STOP], CUSTOMER, NOON)

    assert (denial.status, denial.said_at, denial.valid_from) == (ConsentStatus.DENIED, NOON, None)
    assert say.consent_denied(denial).type == ConsentChanged.TYPE


def test_a_later_yes_counts_again_and_can_be_stopped_again() -> None:
    said = denials((), [STOP], CUSTOMER, NOON)
    said += (statement(ConsentStatus.GRANTED, NOON + DAY),)
    assert is_allowed(said, STOP, NOON + DAY)

    again = denials(said, [STOP], CUSTOMER, NOON + 2 * DAY)

    assert len({s.event_id for s in said + again}) == 3
    assert not is_allowed(said + again, STOP, NOON + 2 * DAY)


def test_a_no_until_a_date_is_not_enough() -> None:
    pause = statement(ConsentStatus.DENIED, NOON - HOUR, valid_until=NOON + DAY)

    assert len(denials((pause,), [STOP], CUSTOMER, NOON)) == 1


def test_a_yes_that_was_said_after_the_no_and_begins_tomorrow_does_not_begin() -> None:
    said = (
        statement(ConsentStatus.DENIED, NOON - 2 * HOUR),
        statement(ConsentStatus.GRANTED, NOON - HOUR, valid_from=NOON + DAY),
    )
    assert not is_allowed(said, STOP, NOON)
    assert is_allowed(said, STOP, NOON + 2 * DAY)

    after = said + denials(said, [STOP], CUSTOMER, NOON)

    assert not is_allowed(after, STOP, NOON + 2 * DAY)


def test_without_a_word_the_default_of_the_class_holds() -> None:
    assert is_allowed((), (MessageClass.SERVICE, Channel.SMS), NOON)
    assert not is_allowed((), (MessageClass.PROMOTIONAL, Channel.EMAIL), NOON)


def test_a_publisher_whose_clock_is_ahead_does_not_win() -> None:
    ahead = statement(ConsentStatus.GRANTED, NOON + 5 * HOUR, valid_from=NOON - DAY)
    assert is_allowed((ahead,), STOP, NOON)

    said = (ahead, *denials((ahead,), [STOP], CUSTOMER, NOON))

    assert not any(is_allowed(said, STOP, NOON + n * timedelta(hours=1)) for n in range(12))
