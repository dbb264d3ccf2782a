"""Merged and erased customers over partitions in lockstep: what is known of them, and what is said."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.churn_predictor.app import suppression
from services.churn_predictor.facts import Facts, stamps_in
from services.churn_predictor.identities import Identities, Suppression, note
from services.churn_predictor.moves import Move, read_move
from services.churn_predictor.settings import Settings
from services.churn_predictor.state import INTERNAL, CustomerState
from services.contracts import events
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.identities import Merge, that_count, who_stays
from services.contracts.ids import problem_id
from services.contracts.people import CustomerErased, CustomerMerged
from services.contracts.problems import Clearing, ProblemKind
from services.contracts.stream import Account
from services.outreach.suppression import Keys, read_keys
from tests.factories import DAY, HOUR, START, delivered, event, handed_over, placed, promised
from tests.unit.churn_predictor.happenings import approved, refund_promised
from tests.unit.churn_predictor.stream import Stream, commit
from tests.unit.churn_predictor.test_facts import learned
from tests.unit.churn_predictor.test_merging import any_event
from tests.unit.churn_predictor.town import PARTITIONS, UNUSED, Town, owner

# Of different partitions: those of an even number, and those of an odd one.
OLD, KEPT, THIRD = "c-1", "c-2", "c-3"
assert owner(OLD) == owner(THIRD) != owner(KEPT)


def merged(customer: str, into: str, at: datetime = START, **more: Any) -> Event[Any]:
    return event(
        CustomerMerged(into=into), at=at, customer=customer, source="/shop/accounts", **more
    )


def erased(customer: str, at: datetime = START, **more: Any) -> Event[Any]:
    return event(CustomerErased(), at=at, customer=customer, source="/shop/accounts", **more)


def town() -> Town:
    """Return a town in which time has begun."""
    found = Town(UNUSED)
    found.tick(START - DAY)
    return found


def play(
    found: Town, steps: Sequence[Iterable[Event[Any]]], *, settle: int = 3, **how: Any
) -> Town:
    """Tell each step's events and the time an hour later, and the time a few times more."""
    for step in [*steps, *[()] * settle]:
        found.give(*step)
        hours = 1 + max(stream.number for stream in found.streams)
        found.tick(START + hours * HOUR, **how)
    return found


def facts(found: Town, customer: str) -> Facts:
    """Return what is known of somebody, who may be unknown."""
    known = found.streams[owner(customer)].partition.customers.get(customer)
    return Facts() if known is None else known.facts


def stored(found: Town, number: int) -> dict[bytes, bytes]:
    """Return all that a partition would find when it starts again."""
    found.store[number] |= commit(found.streams[number].partition)
    return {key: value for key, value in found.store[number].items() if value is not None}


def remembered(found: Town) -> list[dict[bytes, bytes]]:
    """Return all that partitions would find again, but how far each has read."""
    own = INTERNAL + b"partition-"
    everything = [stored(found, number) for number in range(PARTITIONS)]
    return [{k: v for k, v in each.items() if not k.startswith(own)} for each in everything]


def spoken(found: Town) -> list[list[tuple[str, bytes | None, bytes]]]:
    """Return all that partitions said, but the accounts: who reads ahead tells of it a tick earlier."""
    return [
        [(o.topic.name, o.key, o.value) for o in said if o.topic is not t.ACCOUNTS]
        for said in found.said
    ]


def problems(found: Town) -> list[tuple[str, str, Any]]:
    """Return customer, type and data of everything said on `problems`, by partition."""
    outputs = [o for of_one in found.said for o in of_one if o.topic is t.PROBLEMS and o.key]
    told = [events.read(output.value) for output in outputs]
    return [(each.partitionkey, each.type.split(".")[2], each.data) for each in told]


def latest_risks(found: Town) -> dict[bytes, bytes]:
    """Return what stands on `customer-risks`."""
    latest = {o.key or b"": o.value for x in found.said for o in x if o.topic is t.CUSTOMER_RISKS}
    return {key: value for key, value in latest.items() if value}


def moves(found: Town) -> list[Move]:
    return [read_move(value) for of_one in found.topics[t.MOVES.name] for value in of_one]


def account(found: Town, topic: str, customer: str) -> Account:
    """Return the last account of a topic in this customer's partition."""
    said = [o for o in found.said[owner(customer)] if o.topic is t.ACCOUNTS]
    told = [Account.model_validate_json(output.value) for output in said]
    return [each for each in told if each.topic == topic][-1]


def late_parcel(customer: str, name: str = "1") -> list[Event[Any]]:
    """Return an order whose parcel is on its way and will be late after two hours."""
    who: dict[str, Any] = {"customer": customer}
    names: dict[str, Any] = {"shipment": f"sh-{name}", "order": f"o-{name}"}
    return [
        placed(f"o-{name}", at=START - HOUR, **who),
        promised(**names, by=START + 2 * HOUR, at=START - HOUR, **who),
        handed_over(**names, at=START - HOUR, **who),
    ]


# Merging


@pytest.mark.parametrize("into", [KEPT, THIRD])
@pytest.mark.parametrize("when", [0, 1, 2, 3, 4])
def test_wherever_the_merge_comes_the_survivor_knows_everything(when: int, into: str) -> None:
    story: list[list[Event[Any]]] = [
        [placed("o-1", customer=OLD), promised(customer=into)],
        [handed_over(customer=OLD)],
        [placed("o-2", customer=into), delivered(customer=OLD)],
        [placed("o-3", customer=OLD)],
        [],
    ]
    story[when].append(merged(OLD, into))
    found = play(town(), story)

    told = [each for step in story for each in step]
    assert facts(found, into) == learned(told)
    assert facts(found, OLD) == Facts()


each_step = st.lists(
    st.tuples(any_event, st.sampled_from([OLD, KEPT, THIRD])), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=25)
@given(st.lists(each_step, min_size=2, max_size=4), st.data())
def test_split_over_three_ids_and_merged_anyhow_they_are_one(
    told: list[list[tuple[Event[Any], str]]], data: st.DataObject
) -> None:
    story = [[one.model_copy(update={"partitionkey": who}) for one, who in step] for step in told]
    targets = {OLD: KEPT, THIRD: data.draw(st.sampled_from([OLD, KEPT]))}
    for customer, into in targets.items():
        for _ in range(data.draw(st.integers(1, 2))):
            story[data.draw(st.integers(0, len(story) - 1))].append(merged(customer, into))
    first, overtakes = data.draw(st.integers(0, 1)), data.draw(st.booleans())
    found = play(town(), story, first=first, overtakes=overtakes, settle=4)

    known = learned([each for step in story for each in step])
    assert facts(found, KEPT) == known
    assert facts(found, OLD) == facts(found, THIRD) == Facts()


@pytest.mark.parametrize(
    "how", [{"restarts": True}, {"overtakes": True}, {"overtakes": True, "first": 1}]
)
def test_restarts_and_overtaking_change_no_byte(how: dict[str, Any]) -> None:
    story: list[list[Event[Any]]] = [
        late_parcel(OLD),
        late_parcel(KEPT, "2"),
        [],
        [merged(OLD, KEPT, event_id="m")],
        [delivered("sh-1", customer=OLD, at=START + 4 * HOUR, event_id="d-1")],
        [erased(OLD, START + 5 * HOUR, event_id="x")],
        [placed("o-9", customer=OLD, at=START + 6 * HOUR, event_id="p-9")],
    ]
    calm, other = play(town(), story), play(town(), story, **how)

    assert remembered(other) == remembered(calm)
    assert spoken(other) == spoken(calm)
    assert other.topics == calm.topics


def test_an_open_problem_goes_on_under_its_id_and_nobody_hears_of_it_twice() -> None:
    found = play(town(), [late_parcel(OLD), [], [], [merged(OLD, KEPT)], []], settle=2)
    found.give(delivered(customer=OLD, at=START + 7 * HOUR))
    play(found, [])

    name = problem_id(OLD, "sh-1", ProblemKind.DELIVERY_DELAY, 1)
    of_delay = [(who, what, data) for who, what, data in problems(found) if data.problem_id == name]
    assert {(who, what) for who, what, _ in of_delay} == {(OLD, "opened"), (KEPT, "cleared")}
    clearings = [data.clearing for _, what, data in of_delay if what == "cleared"]
    assert clearings == [Clearing.SOLVED]
    assert len({data.problem_id for _, _, data in problems(found)}) == len(
        {(data.kind, data.subject) for _, _, data in problems(found)}
    )


def test_of_one_problem_known_by_both_ids_the_second_expires() -> None:
    story = [[*late_parcel(OLD), *late_parcel(KEPT)], [], [], [merged(OLD, KEPT)]]
    found = play(town(), story)

    kind = ProblemKind.DELIVERY_DELAY
    both = {problem_id(who, "sh-1", kind, 1) for who in (OLD, KEPT)}
    cleared = [(who, data) for who, what, data in problems(found) if what == "cleared"]
    assert [(who, data.clearing) for who, data in cleared] == [(KEPT, Clearing.EXPIRED)]
    (stays,) = (e for e in found.customer(KEPT).episodes.values() if e.kind is kind)
    assert both == {stays.problem_id, cleared[0][1].problem_id}


def test_the_latest_risk_of_the_id_that_goes_away_is_taken_back() -> None:
    found = play(town(), [late_parcel(OLD)])
    assert set(latest_risks(found)) == {OLD.encode()}
    play(found, [[merged(OLD, KEPT)]])

    assert OLD.encode() not in latest_risks(found)


def test_a_repeated_event_of_the_id_that_went_away_is_a_duplicate_still() -> None:
    order = placed("o-1", customer=OLD)
    found = play(town(), [[order], [merged(OLD, KEPT)], [], [order]])

    told = account(found, t.PURCHASES.name, OLD)
    assert (told.applied, told.duplicate) == (1, 1)
    assert len(moves(found)) == 1


def test_the_name_of_another_is_kept_for_ever() -> None:
    found = play(town(), [[merged(OLD, KEPT)]])
    at = START + 500 * DAY
    found.tick(at, restarts=True)
    found.give(placed("o-1", customer=OLD, at=at))
    for _ in range(3):
        found.tick(at, restarts=True)

    assert set(facts(found, KEPT).orders) == {"o-1"}
    assert found.streams[owner(OLD)].partition.customers.get(OLD) is not None
    assert facts(found, OLD) == Facts()


def test_a_chain_is_followed_to_its_end() -> None:
    story = [[placed("o-1", customer=OLD), merged(OLD, KEPT)], [merged(KEPT, THIRD)], []]
    found = play(town(), [*story, [placed("o-2", customer=OLD)]])

    assert set(facts(found, THIRD).orders) == {"o-1", "o-2"}
    assert facts(found, OLD) == facts(found, KEPT) == Facts()


def test_merged_into_itself_nothing_happens() -> None:
    found = play(town(), [[placed("o-1", customer=OLD), merged(OLD, OLD)]])

    assert set(facts(found, OLD).orders) == {"o-1"}
    assert moves(found) == []


@pytest.mark.parametrize("apart", [0, 1, 3])
def test_merged_twice_the_first_counts(apart: int) -> None:
    steps: list[list[Event[Any]]] = [[] for _ in range(apart + 1)]
    steps[0].append(merged(OLD, KEPT, START))
    steps[apart].append(merged(OLD, THIRD, START + HOUR))
    found = play(town(), [*steps, [placed("o-1", customer=OLD)]])

    assert set(facts(found, KEPT).orders) == {"o-1"}
    assert facts(found, THIRD) == Facts()


@pytest.mark.parametrize("apart", [0, 1, 4])
@pytest.mark.parametrize("circle", [(KEPT, OLD), (OLD, KEPT), (THIRD, OLD, KEPT)])
def test_in_a_circle_the_least_id_stays_and_everything_ends_there(
    circle: tuple[str, ...], apart: int
) -> None:
    found, orders = town(), [f"o-{who}" for who in circle]
    found.give(*(placed(f"o-{who}", customer=who) for who in circle))
    for who, into in zip(circle, (*circle[1:], circle[0]), strict=True):
        found.give(merged(who, into))
        play(found, [()] * apart, settle=0)
    play(found, [], settle=9)
    sent = len(moves(found))
    play(found, [], settle=3)
    assert len(moves(found)) == sent
    play(found, [[placed(f"o-{who}-2", customer=who) for who in circle]], settle=9)

    assert set(facts(found, OLD).orders) == {*orders, *(f"{order}-2" for order in orders)}
    assert all(facts(found, who) == Facts() for who in circle if who != OLD)


IDS = st.sampled_from([OLD, KEPT, THIRD])
SAID = st.lists(st.lists(st.tuples(IDS, IDS), max_size=3), max_size=3)


@settings(deadline=None, max_examples=25)
@example([[(OLD, KEPT), (OLD, THIRD)]])
@example([[(OLD, KEPT), (KEPT, OLD)], [], [], [], [(OLD, THIRD)]])
@given(SAID)
def test_who_stays_is_who_the_contract_says(said: list[list[tuple[str, str]]]) -> None:
    orders = [[placed(f"o-{who}", customer=who) for who in (OLD, KEPT, THIRD)]]
    # The later a word is told, the earlier it is dated: the order on the topic counts.
    back = iter(range(100))
    told = [
        [
            merged(*ids, START - n * HOUR, event_id=f"m-{n}")
            for ids, n in zip(step, back, strict=False)
        ]
        for step in said
    ]
    found = play(town(), [*orders, *told], settle=12)

    words = [e for step in told for e in step]
    counting = that_count(Merge(e.customer_id, e.data.into, e.time) for e in words)
    for who in (OLD, KEPT, THIRD):
        assert f"o-{who}" in facts(found, who_stays(who, counting)).orders


def test_questions_of_an_order_are_asked_anew_by_the_id_that_stays() -> None:
    found = Town()
    found.tick(START - DAY)
    order = [*late_parcel(OLD), approved(customer=OLD, at=START)]
    play(found, [order, [merged(OLD, KEPT)]], settle=6)

    assert found.customer(KEPT).asked == {}
    assert facts(found, KEPT).orders["o-1"].histories is not None


def test_a_barrier_waits_for_nobody_but_asks_for_the_tick_at_which_a_move_counts() -> None:
    found = play(town(), [[placed(customer=OLD), merged(OLD, KEPT)]], settle=0)

    assert found.barriers[owner(OLD)].next_due == found.barriers[owner(OLD)].at
    play(found, [], settle=2)
    assert found.barriers[owner(OLD)].next_due != found.barriers[owner(OLD)].at


def test_a_move_that_cannot_be_read_is_refused_and_accounted_for() -> None:
    stream = Stream()
    (letter,) = stream.give_raw(t.MOVES, b'{"customer": "c-1"}', None)

    assert (letter.topic, letter.reason) == (t.MOVES, "invalid")
    assert stream.partition.state.sources[t.MOVES.name].dead_lettered == 1


# Erasing


def test_an_erased_customer_leaves_nothing_behind_but_a_hash() -> None:
    found = play(town(), [late_parcel(OLD), [], [], [erased(OLD, START + 4 * HOUR)]])

    states = stored(found, owner(OLD))
    own = INTERNAL + b"partition-"
    assert OLD.encode() not in states
    assert all(OLD.encode() not in key for key in states)
    assert all(b"o-1" not in value for key, value in states.items() if not key.startswith(own))
    assert latest_risks(found) == {}
    cleared = [data.clearing for _, what, data in problems(found) if what == "cleared"]
    opened = [data.problem_id for _, what, data in problems(found) if what == "opened"]
    assert cleared == [Clearing.EXPIRED] * len(opened) != []


def test_what_is_older_is_never_applied_again_and_accounted_for() -> None:
    at = START + 4 * HOUR
    old = late_parcel(OLD)
    found = play(town(), [old, [erased(OLD, at)], [], [*old, placed("o-7", customer=OLD, at=at)]])
    play(found, [[erased(OLD, at), erased(OLD, at - HOUR)]], restarts=True)

    assert OLD.encode() not in stored(found, owner(OLD))
    for topic, applied in ((t.PURCHASES, 1), (t.DELIVERIES, 2), (t.IDENTITIES, 1)):
        told = account(found, topic.name, OLD)
        assert (told.applied, told.late, told.duplicate) == (applied, 2, 0)


def test_what_is_later_is_a_new_customers() -> None:
    at = START + 4 * HOUR
    found = play(town(), [late_parcel(OLD), [], [], [erased(OLD, at)]])
    again = promised(by=START + 9 * HOUR, customer=OLD, at=START + 5 * HOUR)
    carried = handed_over(customer=OLD, at=START + 5 * HOUR)
    play(found, [[again, carried], [], [], []], restarts=True)

    assert set(facts(found, OLD).shipments) == {"sh-1"}
    assert facts(found, OLD).orders == {}
    numbers = [data.episode for _, what, data in problems(found) if what == "opened"]
    assert numbers == [1, 2]
    assert len({data.problem_id for _, _, data in problems(found)}) == 2


def test_an_erasure_in_the_past_of_what_is_known_leaves_the_later() -> None:
    story = [[placed("o-1", customer=OLD, at=START), placed("o-2", customer=OLD, at=START + HOUR)]]
    found = play(town(), [*story, [erased(OLD, START)]])

    assert set(facts(found, OLD).orders) == {"o-2"}


@pytest.mark.parametrize("apart", [0, 1, 3])
def test_who_was_merged_away_and_is_erased_is_erased_as_the_one_who_stays(apart: int) -> None:
    at = START + 9 * HOUR
    steps: list[list[Event[Any]]] = [[] for _ in range(apart + 1)]
    steps[0] += [*late_parcel(OLD), *late_parcel(KEPT, "2"), merged(OLD, KEPT)]
    steps[apart].append(erased(OLD, at))
    found = play(town(), steps)
    play(found, [[*late_parcel(OLD, "3"), *late_parcel(KEPT, "4")]])

    assert facts(found, OLD) == facts(found, KEPT) == Facts()
    assert latest_risks(found) == {}
    play(found, [[placed("o-9", customer=OLD, at=at + HOUR)]])
    assert set(facts(found, KEPT).orders) == {"o-9"}


def test_who_was_erased_before_the_merge_was_somebody_else() -> None:
    steps: list[list[Event[Any]]] = [
        [placed("o-1", customer=OLD), placed("o-2", customer=KEPT)],
        [erased(OLD, START)],
        [],
        [merged(OLD, KEPT, START + HOUR)],
    ]
    found = play(town(), [*steps, [placed("o-3", customer=OLD, at=START + 2 * HOUR)]])

    assert set(facts(found, KEPT).orders) == {"o-2", "o-3"}


def test_a_merge_told_after_the_erasure_that_it_precedes_forgets_both() -> None:
    steps: list[list[Event[Any]]] = [
        [placed("o-1", customer=OLD), placed("o-2", customer=KEPT)],
        [erased(OLD, START + HOUR)],
        [],
        [merged(OLD, KEPT, START)],
    ]
    found = play(town(), steps)

    assert facts(found, KEPT) == facts(found, OLD) == Facts()


def test_erasing_who_stays_covers_who_was_merged_into_them_and_what_is_on_its_way() -> None:
    at = START + 9 * HOUR
    story: list[list[Event[Any]]] = [
        [placed("o-1", customer=OLD), merged(OLD, KEPT)],
        [placed("o-2", customer=OLD), erased(KEPT, at)],
        [],
        [placed("o-3", customer=OLD), refund_promised(at, customer=OLD, at=at + HOUR)],
    ]
    found = play(town(), story, settle=4)

    known = facts(found, KEPT)
    assert known.orders == {}
    assert set(known.refunds) == {"r-1"}


def test_an_erasure_ends_in_a_circle_too() -> None:
    story = [[merged(OLD, KEPT), merged(KEPT, OLD), placed(customer=OLD), placed(customer=KEPT)]]
    found = play(town(), story, settle=9)
    play(found, [[erased(KEPT, START + 5 * HOUR)]], settle=9)
    sent = len(moves(found))
    play(found, [], settle=3)

    assert len(moves(found)) == sent
    assert facts(found, OLD) == facts(found, KEPT) == Facts()


@settings(deadline=None, max_examples=25)
@given(st.lists(each_step, min_size=2, max_size=4), st.data())
def test_whatever_comes_in_which_order_nothing_up_to_the_erasure_is_known_of_the_person(
    told: list[list[tuple[Event[Any], str]]], data: st.DataObject
) -> None:
    story = [[one.model_copy(update={"partitionkey": who}) for one, who in step] for step in told]
    until = START + data.draw(st.integers(0, 200)) * HOUR
    targets = {OLD: KEPT, THIRD: data.draw(st.sampled_from([OLD, KEPT]))}
    said = [merged(customer, into) for customer, into in targets.items()]
    said.append(erased(data.draw(st.sampled_from([OLD, KEPT, THIRD])), until))
    for each in said:
        story[data.draw(st.integers(0, len(story) - 1))].append(each)
    found = play(town(), story, overtakes=data.draw(st.booleans()), settle=5)
    again = [merged(OLD, KEPT), *(e for step in story for e in step if e.time <= until)]
    play(found, [again], settle=4)

    who_is_erased = said[-1].partitionkey
    known = facts(found, KEPT)
    assert facts(found, OLD) == facts(found, THIRD) == Facts()
    assert [stamp for stamp in stamps_in(known) if stamp.at <= until] == [], who_is_erased
    for stream in found.streams:
        for source in stream.partition.state.sources.values():
            assert source.total == source.next_offset


def test_numbers_of_accounts_balance_whatever_is_merged_and_erased() -> None:
    story = [
        [*late_parcel(OLD), merged(OLD, KEPT)],
        [*late_parcel(OLD), erased(KEPT, START)],
        [*late_parcel(OLD), *late_parcel(KEPT)],
    ]
    found = play(town(), story)

    for number, stream in enumerate(found.streams):
        for name, source in stream.partition.state.sources.items():
            assert source.total == source.next_offset, (number, name)


FORMER, NEWER = b"a key of ours", b"a key that replaced it"


def with_keys(stored: dict[bytes, bytes], *keys: bytes) -> Identities:
    """Return the identities of the partition that finds this, with these keys."""
    found = Identities(0, UNUSED, Suppression(keys))
    for key, value in stored.items():
        found.take_in(key, value)
    return found


def kept_with(
    stored: dict[bytes, bytes], told: Event[Any], *keys: bytes
) -> tuple[Identities, dict[bytes, bytes]]:
    """Return who heard this event with these keys, and what is stored by then."""
    found, customer = with_keys(stored, *keys), CustomerState()
    note(customer, told)
    found.settle_one(told.customer_id, customer, 1)
    changes = {key: value for key, value in found.changes() if value is not None}
    found.settle()
    return found, {**stored, **changes}


def test_ids_hashed_with_another_key_are_noticed() -> None:
    untouched = Identities(0, UNUSED, Suppression((FORMER,)))
    untouched.settle_one(OLD, CustomerState(), 1)
    assert dict(untouched.changes()) == {}

    first, stored = kept_with({}, erased(OLD), FORMER)

    assert not first.is_of_another_key
    assert dict(first.changes()) == {}
    assert not with_keys(stored, FORMER).is_of_another_key
    assert with_keys(stored, NEWER).is_of_another_key


def test_ids_remembered_with_a_key_that_was_replaced_are_known_again() -> None:
    _, stored = kept_with({}, erased(OLD), FORMER)
    _, stored = kept_with(stored, merged(THIRD, KEPT), FORMER)

    both, stored = kept_with(stored, erased(KEPT), FORMER, NEWER)

    assert both.is_forgotten(placed(customer=OLD, at=START))
    assert both.is_forgotten(placed(customer=KEPT, at=START))
    assert not both.settle_one(THIRD, CustomerState(), 2).is_here
    assert not with_keys(stored, FORMER, NEWER).is_of_another_key
    # Neither key may be taken away: each would be missed.
    assert with_keys(stored, NEWER).is_of_another_key
    assert with_keys(stored, FORMER).is_of_another_key


def test_what_is_told_of_an_id_after_a_key_was_replaced_counts() -> None:
    _, stored = kept_with({}, erased(OLD), FORMER)
    _, stored = kept_with(stored, erased(OLD, START + DAY), FORMER, NEWER)

    again = with_keys(stored, FORMER, NEWER)

    assert again.is_forgotten(placed(customer=OLD, at=START + DAY))


def test_the_file_is_the_one_that_outreach_reads(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{'k' * 32}\n\n{'n' * 32}\n")
    found = suppression(Settings(kafka_bootstrap_servers="none", suppression_key_file=file))

    assert found == Suppression((b"k" * 32, b"n" * 32))
    assert found.name(OLD) == Suppression((b"n" * 32,)).name(OLD)
    assert read_keys(file) == Keys(("k" * 32, "n" * 32))
