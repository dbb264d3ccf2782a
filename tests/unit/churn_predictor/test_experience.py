"""The experience ledger adds up, whatever order its entries come in."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.experience import STRIKES, Entry, EntryKind, Experience
from services.churn_predictor.experience import experience as experience_by
from services.contracts.tolerances import Tolerances
from tests.factories import DAY, START

HALF_LIFE = Tolerances().experience_half_life
RATIO = Tolerances().experience_ratio
NOW = START + 100 * DAY
MOMENT = timedelta(microseconds=1)
GOOD = [kind for kind in EntryKind if kind.is_good]
BAD = [kind for kind in EntryKind if not kind.is_good]

instants = st.integers(-200, 200).map(lambda days: NOW - days * DAY)
entries = st.lists(
    st.builds(
        Entry,
        at=instants,
        kind=st.sampled_from(EntryKind),
        weight=st.floats(0.1, 5),
        resolved_at=st.none() | instants,
    ),
    max_size=12,
)


def experience(entries: Iterable[Entry], now: datetime) -> Experience:
    return experience_by(entries, now, HALF_LIFE, RATIO)


def bad(at: datetime, resolved_at: datetime | None = None) -> Entry:
    return Entry(at, EntryKind.PROMISE_BROKEN, resolved_at=resolved_at)


def good(at: datetime) -> Entry:
    return Entry(at, EntryKind.PROMISE_KEPT)


def test_every_kind_is_good_or_bad() -> None:
    assert [kind.value for kind in GOOD] == ["promise_kept", "survey_good", "contact_answered"]
    assert len(BAD) == 6


@given(ledger=entries, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_entries_does_not_matter(ledger: list[Entry], shuffle: Random) -> None:
    shuffled = list(ledger)
    shuffle.shuffle(shuffled)

    assert experience(shuffled, NOW) == experience(ledger, NOW)


@given(ledger=entries)
def test_what_comes_later_is_not_known(ledger: list[Entry]) -> None:
    known = [
        Entry(e.at, e.kind, e.weight, e.resolved_at if (e.resolved_at or NOW) < NOW else None)
        for e in ledger
        if e.at <= NOW
    ]
    exactly_now = any(e.resolved_at == NOW for e in ledger)

    assert exactly_now or experience(ledger, NOW) == experience(known, NOW)


@given(ledger=entries, kind=st.sampled_from(EntryKind), at=instants)
def test_a_good_entry_never_harms_and_a_bad_one_never_helps(
    ledger: list[Entry], kind: EntryKind, at: datetime
) -> None:
    before, after = experience(ledger, NOW), experience([*ledger, Entry(at, kind)], NOW)

    if kind.is_good:
        assert after.balance >= before.balance
        assert (after.unresolved, after.strikes_left) == (before.unresolved, before.strikes_left)
    else:
        assert after.balance <= before.balance
        assert after.unresolved >= before.unresolved
        assert after.strikes_left <= before.strikes_left


@given(ledger=entries)
def test_making_everything_good_leaves_what_went_well(ledger: list[Entry]) -> None:
    mended = [Entry(e.at, e.kind, e.weight, resolved_at=e.at) for e in ledger]

    assert experience(mended, NOW) == experience([e for e in ledger if e.kind.is_good], NOW)


def test_nothing_happened() -> None:
    assert experience([], NOW) == Experience(balance=0.0, unresolved=0, strikes_left=STRIKES)


def test_one_bad_entry_takes_twelve_good_ones() -> None:
    ledger = [bad(NOW), *[good(NOW)] * 12]

    assert experience(ledger, NOW).balance == 0.0
    assert experience(ledger[1:], NOW).balance == RATIO


@pytest.mark.parametrize(("half_lives", "balance"), [(0, 1.0), (1, 0.5), (2, 0.25)])
def test_entries_fade(half_lives: int, balance: float) -> None:
    assert experience([good(NOW - half_lives * HALF_LIFE)], NOW).balance == balance


def test_half_life_and_ratio_can_be_chosen() -> None:
    ledger = [good(NOW - 10 * DAY), bad(NOW - 10 * DAY)]

    assert experience_by(ledger, NOW, half_life=10 * DAY, ratio=3.0).balance == 0.5 - 3 * 0.5


def test_a_bad_entry_stays_unresolved_but_is_a_strike_for_one_half_life_only() -> None:
    young, old = bad(NOW - HALF_LIFE + MOMENT), bad(NOW - HALF_LIFE)

    assert experience([young, old], NOW).unresolved == 2
    assert experience([young, old], NOW).strikes_left == STRIKES - 1


def test_strikes_do_not_fall_below_none() -> None:
    assert experience([bad(NOW)] * 5, NOW).strikes_left == 0


@pytest.mark.parametrize(("resolved", "unresolved"), [(NOW, 0), (NOW + MOMENT, 1)])
def test_a_resolution_counts_from_its_instant_on(resolved: datetime, unresolved: int) -> None:
    assert experience([bad(NOW - DAY, resolved)], NOW).unresolved == unresolved


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_size_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        Entry(NOW, EntryKind.PROMISE_KEPT, weight)
