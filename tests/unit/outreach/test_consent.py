"""What was said under several ids: the strictest holds until something else is said by who stays."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.outreach.consent import consent_in_force, is_suppressed
from services.outreach.facts import ConsentStatement, profile_among
from tests.unit.outreach.factories import CUSTOMER, DAY, HOUR, NOON, profile, statement

YES, NO, REVOKED = ConsentStatus.GRANTED, ConsentStatus.DENIED, ConsentStatus.REVOKED
MERGED = NOON - 5 * DAY
CHANNEL, CLASS = Channel.EMAIL, MessageClass.SERVICE


def own(status: ConsentStatus, days: int) -> ConsentStatement:
    return statement(status, NOON - days * DAY)


def other(
    status: ConsentStatus, days: int, name: str = "c-0", at: datetime = MERGED
) -> ConsentStatement:
    return statement(status, NOON - days * DAY, customer_id=name, merged_at=at)


def verdict(*words: ConsentStatement) -> ConsentStatus | None:
    found = consent_in_force(words, CLASS, CHANNEL, NOON)
    return None if found is None else found.status


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), None),
        ((other(YES, 9),), YES),
        ((other(NO, 9),), NO),
        ((own(YES, 8), other(YES, 9)), YES),
        ((own(YES, 8), other(NO, 9)), NO),
        ((own(NO, 8), other(YES, 7)), NO),
        ((own(REVOKED, 9), other(YES, 7)), REVOKED),
        # Said after the merge under the id that stays.
        ((own(YES, 4), other(NO, 9)), YES),
        ((own(NO, 4), other(YES, 9)), NO),
        # Under the other id a later no counts, and a later yes overrules nobody's no.
        ((own(YES, 4), other(NO, 3)), NO),
        ((own(NO, 8), other(YES, 3)), NO),
        # Within one id the last word counts, as ever.
        ((own(NO, 9), own(YES, 8), other(YES, 7)), YES),
        ((own(YES, 8), other(NO, 9), other(YES, 7)), YES),
        # A third id's no stands for itself.
        ((own(YES, 4), other(YES, 9), other(NO, 9, "c-9", NOON - 3 * DAY)), NO),
    ],
)
def test_the_strictest_word_holds(
    words: tuple[ConsentStatement, ...], expected: ConsentStatus | None
) -> None:
    assert verdict(*words) == expected
    assert verdict(*reversed(words)) == expected


WORDS = st.lists(
    st.one_of(
        st.builds(own, st.sampled_from([YES, NO]), st.integers(0, 9)),
        st.builds(other, st.sampled_from([YES, NO]), st.integers(0, 9)),
    ),
    max_size=6,
)


@given(WORDS)
def test_a_yes_needs_every_ids_yes_or_a_later_yes_of_who_stays(
    words: list[ConsentStatement],
) -> None:
    mine = [w for w in words if w.customer_id == CUSTOMER]
    theirs = [w for w in words if w.customer_id != CUSTOMER]
    if verdict(*words) is YES:
        assert verdict(*mine) in (YES, None)
        last = max((w.said_at for w in mine), default=None)
        has_overruled = last is not None and last > MERGED
        assert verdict(*theirs) in (YES, None) or has_overruled


@given(WORDS)
def test_a_no_more_never_allows_more(words: list[ConsentStatement]) -> None:
    if verdict(*words) is NO:
        assert verdict(*words, other(NO, 0)) is NO


SINCE = NOON - DAY


@pytest.mark.parametrize(
    ("asked", "since", "word", "expected"),
    [
        (MessageClass.SERVICE, None, None, False),
        (MessageClass.SERVICE, SINCE, None, True),
        (MessageClass.SAFETY, SINCE, None, False),
        (MessageClass.CARE, SINCE, statement(YES, SINCE - HOUR), True),
        (MessageClass.CARE, SINCE, statement(YES, SINCE), True),
        (MessageClass.CARE, SINCE, statement(YES, SINCE + HOUR), False),
        (MessageClass.PROMOTIONAL, SINCE, statement(NO, SINCE + HOUR), True),
    ],
)
def test_who_was_erased_is_left_alone_until_they_say_yes_again(
    asked: MessageClass, since: datetime | None, word: ConsentStatement | None, expected: bool
) -> None:
    assert is_suppressed(asked, since, word) is expected


def test_the_profile_is_ones_own_else_the_latest_and_every_mark_counts() -> None:
    old = profile(customer_id="c-0", as_of=NOON, suppressed_since=SINCE)
    newer = profile(customer_id="c-9", as_of=NOON + DAY)
    mine = profile(as_of=NOON - DAY)

    chosen = profile_among(mine, [old, newer])
    assert chosen is not None
    assert (chosen.customer_id, chosen.suppressed_since) == (CUSTOMER, SINCE)
    latest = profile_among(None, [newer, old])
    assert latest is not None
    assert latest.customer_id == "c-9"
    assert profile_among(None, []) is None
