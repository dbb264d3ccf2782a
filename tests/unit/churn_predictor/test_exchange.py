"""Histories between partitions: counted once, asked once, the same however partitions interleave."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from services.churn_predictor import asking
from services.churn_predictor.asking import PATIENCE, collect
from services.churn_predictor.exchange import Exchange, Owners
from services.churn_predictor.histories import KEPT, Question, of_parcel
from services.churn_predictor.inbox import Inbox
from services.churn_predictor.parcels import parcels
from services.churn_predictor.rates import rates
from services.contracts import topics as t
from services.contracts.deliveries import ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.stream import Answered, Asked, HistoryNews, Observed, Tick
from services.kit.stores import MemoryStore
from tests.factories import DAY, HOUR, START, delivered, event, handed_over, placed, promised
from tests.unit.churn_predictor.happenings import answered, approved
from tests.unit.churn_predictor.stream import Stream, new_partition
from tests.unit.churn_predictor.town import OWNERS, UNUSED, Town, owner

PROMISE = START + 10 * DAY
OTHERS, WHO = "c-1", "c-2"
"""A customer of each partition."""
KEYS = ("shop", "seller:s-0", "destination:DE-BE")


def bought(who: str, at: datetime, to: str | None = "DE-BE") -> list[Event[Any]]:
    """Return a purchase from seller s-0, promised to be delivered."""
    data = ShipmentPromised(
        shipment_id=f"sh-{who}",
        order_id=f"o-{who}",
        promised_by=PROMISE,
        ship_by=START + 2 * DAY,
        origin_region="PL-14",
        destination_region=to,
    )
    about: dict[str, Any] = {"at": at, "customer": who}
    return [
        placed(f"o-{who}", event_id=f"p-{who}", **about),
        event(data, event_id=f"s-{who}", **about),
    ]


def paid(who: str, at: datetime) -> Event[Any]:
    return approved(f"o-{who}", at=at, customer=who, event_id=f"a-{who}")


def judged(who: str, score: int, at: datetime, survey: str = "v-1") -> Event[Any]:
    about: dict[str, Any] = {"at": at, "customer": who, "event_id": f"{survey}-{who}"}
    return answered(score, survey=f"{survey}-{who}", order=f"o-{who}", **about)


def assessed(town: Town, point: str) -> int:
    """Return how often an order was scored at this point."""
    values = [o.value for out in town.said for o in out if o.topic is t.ASSESSMENTS]
    return sum(f'"{point}"'.encode() in value for value in values)


def with_reviews() -> Town:
    """Return a town in which the others were badly served by seller s-0, and said so."""
    town = Town()
    town.tick(START)
    town.give(*bought(OTHERS, START + HOUR), judged(OTHERS, 1, START + 2 * HOUR))
    town.tick(START + 3 * HOUR)
    return town


def test_the_two_customers_live_in_different_partitions_and_so_do_the_keys() -> None:
    assert owner(OTHERS) != owner(WHO)
    assert {owner(key) for key in KEYS} == {0, 1}


def test_an_order_carries_its_sellers_history_from_another_partition() -> None:
    town = with_reviews()
    town.give(*bought(WHO, START + 4 * HOUR), paid(WHO, START + 5 * HOUR))

    for hours in (6, 7):
        town.tick(START + hours * HOUR)
        assert town.customer(WHO).facts.orders["o-c-2"].histories is None
    town.tick(START + 8 * HOUR)

    histories = town.customer(WHO).facts.orders["o-c-2"].histories
    assert histories is not None
    assert histories["seller_bad"] == (1.0, 1.0)
    assert histories["shop_bad"] == pytest.approx((1.0, 1.0), rel=0.01)
    assert town.customer(WHO).asked == {}


def test_what_happened_after_the_approval_does_not_count_though_it_is_known() -> None:
    town = with_reviews()
    town.give(*bought(WHO, START + 4 * HOUR), paid(WHO, START + 5 * HOUR))
    town.give(judged(OTHERS, 1, START + 6 * HOUR, survey="v-2"))
    for hours in (7, 8, 9):
        town.tick(START + hours * HOUR)

    histories = town.customer(WHO).facts.orders["o-c-2"].histories
    assert histories is not None
    assert histories["seller_bad"] == (1.0, 1.0)
    seller = town.key("seller:s-0")
    assert seller is not None
    assert seller.sums["seller_bad"].weight == 2


def story(town: Town, **how: Callable[[], Any]) -> Town:
    """Tell a story of four customers; `how` gives each tick's circumstances."""
    steps: list[list[Event[Any]]] = [
        [*bought(OTHERS, START + HOUR), *bought("c-3", START + HOUR)],
        [judged(OTHERS, 1, START + DAY), paid("c-3", START + DAY), paid(OTHERS, START + DAY)],
        [*bought(WHO, START + DAY), paid(WHO, START + DAY + HOUR)],
        [handed_over("sh-c-1", "o-c-1", at=START + 2 * DAY, customer=OTHERS, event_id="h-1")],
        [delivered("sh-c-1", "o-c-1", at=START + 3 * DAY, customer=OTHERS, event_id="d-1")],
        [*bought("c-4", START + 4 * DAY), paid("c-4", START + 4 * DAY)],
        [],
        [],
        [],
    ]
    town.tick(START)
    for number, happened in enumerate(steps):
        town.give(*happened)
        town.tick(START + (number + 1) * DAY, **{name: draw() for name, draw in how.items()})
    return town


EVERYBODY = (OTHERS, WHO, "c-3", "c-4")


@cache
def calm() -> Any:
    """Return what comes of the story where nobody overtakes anybody."""
    return story(Town()).everything(EVERYBODY, KEYS)


@settings(max_examples=40)
@given(some.data())
def test_however_partitions_overtake_each_other_and_restart_the_same_is_said_and_known(
    data: some.DataObject,
) -> None:
    other = story(
        Town(),
        first=lambda: data.draw(some.integers(0, 1)),
        overtakes=lambda: data.draw(some.booleans()),
        restarts=lambda: data.draw(some.booleans()),
    )

    assert other.everything(EVERYBODY, KEYS) == calm()


def test_the_story_above_says_something() -> None:
    town = story(Town())

    everything = [town.customer(who).facts.orders[f"o-{who}"].histories for who in EVERYBODY]
    assert all(histories is not None for histories in everything)
    assert assessed(town, "approval") == len(EVERYBODY)
    assert all(news.tick for news in town.news())


def test_everything_is_told_once_and_asked_once_however_often_a_customer_is_looked_at() -> None:
    town = story(Town())
    told = [(o.key, o.kind, o.subject) for news in town.news() for o in news.observed]
    asked = [(a.order, a.key) for news in town.news() for a in news.asked]

    # Facts that are no news, then a look at everybody.
    town.give(*(judged(who, 5, START + 12 * DAY) for who in (WHO, "c-3")))
    for days in (13, 14, 15):
        town.tick(START + days * DAY)

    again = [(o.key, o.kind, o.subject) for news in town.news() for o in news.observed]
    assert len(set(told)) == len(told) == 8
    assert len(set(again)) == len(again)
    assert {kind for _, kind, _ in set(again) - set(told)} == {"bad"}
    assert [(a.order, a.key) for news in town.news() for a in news.asked] == asked


def test_answers_come_in_any_order_and_one_that_comes_again_changes_nothing() -> None:
    town = with_reviews()
    town.give(*bought(WHO, START + 4 * HOUR), paid(WHO, START + 5 * HOUR))
    town.tick(START + 6 * HOUR)
    state = town.customer(WHO)
    keys = [name.split("\x1f") for name in state.asked["o-c-2"].answers]
    answers = [
        Answered(WHO, "o-c-2", key, {f"n-{key}": (1.0, 0.0)}, part or None) for key, part in keys
    ]
    for other in (replace(answers[0], key="seller:x"), replace(answers[0], order="o-x")):
        assert not collect(state, other)

    done = [collect(state, one) for one in (answers[2], *reversed(answers), answers[0])]

    assert done == [False, False, False, True, False]
    found = state.facts.orders["o-c-2"].histories
    assert found == {f"n-{key}": (1.0, 0.0) for key, _ in keys}
    assert not collect(state, replace(answers[0], histories={"n-shop": (9.0, 9.0)}))
    assert state.facts.orders["o-c-2"].histories == found


def test_where_histories_are_off_nothing_is_told_and_no_score_waits() -> None:
    town = Town(owners=UNUSED)
    town.tick(START)
    town.give(*bought(WHO, START + HOUR), paid(WHO, START + 2 * HOUR))
    town.tick(START + 3 * HOUR)

    assert town.news() == []
    assert (town.customer(WHO).told, town.customer(WHO).asked) == ({}, {})
    assert assessed(town, "approval") == 1


def test_while_workers_are_exchanged_nothing_that_the_new_ones_tell_is_lost() -> None:
    """In a rolling swap of the model, those that still have the old one neither tell nor ask."""
    town = Town(owners=UNUSED)
    town.tick(START)
    town.renew(owner(OTHERS), OWNERS)
    town.give(*bought(OTHERS, START + HOUR), judged(OTHERS, 1, START + 2 * HOUR))
    town.give(*bought("c-3", START + HOUR), paid("c-3", START + 3 * HOUR))
    for hours in (4, 5, 6):
        town.tick(START + hours * HOUR)
    assert {owner(key) for key in KEYS} == {0, 1}
    assert town.customer("c-3").facts.orders["o-c-3"].histories is not None

    town.renew(owner(WHO), OWNERS)
    town.give(*bought(WHO, START + 7 * HOUR), paid(WHO, START + 8 * HOUR))
    for hours in (9, 10, 11):
        town.tick(START + hours * HOUR)

    histories = town.customer(WHO).facts.orders["o-c-2"].histories
    assert histories is not None
    assert histories["seller_bad"] == (1.0, 1.0)
    assert histories["shop_bad"] == pytest.approx((1.0, 1.0), rel=0.01)


def test_whoever_told_nothing_tells_it_once_it_is_to() -> None:
    town = Town(owners=UNUSED)
    town.tick(START)
    town.give(*bought(OTHERS, START + HOUR), judged(OTHERS, 1, START + 2 * HOUR))
    town.tick(START + 3 * HOUR)
    assert town.news() == []

    town.renew(owner(OTHERS), OWNERS)
    town.give(judged(OTHERS, 5, START + 4 * HOUR, survey="v-2"))
    town.tick(START + 5 * HOUR)

    assert {o.subject for news in town.news() for o in news.observed} == {"v-1-c-1", "v-2-c-1"}


@pytest.mark.parametrize(
    "value", [None, b"{", HistoryNews(partition=2, tick=0).encode(), b'{"partition":0,"tick":-1}']
)
def test_news_that_nobody_can_read_is_a_dead_letter(value: bytes | None) -> None:
    stream = Stream(new_partition(owners=OWNERS))

    (letter,) = stream.give_raw(t.HISTORIES, value, None)

    assert (letter.topic, letter.reason) == (t.HISTORIES, "invalid")
    assert stream.partition.state.sources["histories"].dead_lettered == 1


def test_a_tick_at_which_something_was_told_asks_for_the_next_one_at_once() -> None:
    town = Town()
    town.tick(START)
    assert [barrier.next_due for barrier in town.barriers] == [None, None]

    town.give(*bought(WHO, START + HOUR), paid(WHO, START + HOUR))
    due = []
    for hours in range(2, 6):
        town.tick(START + hours * HOUR)
        due.append([barrier.next_due == barrier.at for barrier in town.barriers])

    # Told and asked by one; answered by both; scored; nothing more.
    assert due == [[owner(WHO) == 0, owner(WHO) == 1], [True, True], [False, False], [False] * 2]


# What waits for answers, and for how long.


@pytest.fixture
def unanswered() -> Stream:
    """The partition of somebody whose order is approved; nobody ever answers it."""
    stream = Stream(new_partition(number=owner(WHO), owners=OWNERS))
    stream.tick(START)
    stream.give(*bought(WHO, START + HOUR), paid(WHO, START + HOUR))
    stream.give(handed_over(f"sh-{WHO}", f"o-{WHO}", at=START + 90 * HOUR / 60, customer=WHO))
    return stream


def points(stream: Stream, at: datetime) -> list[str]:
    values = [o.value for o in stream.tick(at) if o.topic is t.ASSESSMENTS]
    return sorted(
        name
        for value in values
        for name in ("approval", "handover", "promise")
        if f'"{name}"'.encode() in value
    )


def test_scores_at_events_wait_for_answers_six_hours_and_are_of_the_events_instant(
    unanswered: Stream,
) -> None:
    asked_at = START + 2 * HOUR
    assert points(unanswered, asked_at) == []
    assert points(unanswered, asked_at + HOUR) == []
    assert points(unanswered, asked_at + PATIENCE - timedelta(seconds=1)) == []
    assert unanswered.partition.due.next() == asked_at + PATIENCE

    assert points(unanswered, asked_at + PATIENCE) == ["approval", "handover"]

    customer = unanswered.partition.customers.get(WHO)
    assert customer is not None
    approval = customer.assessed[f"sh-{WHO}|approval"]
    assert approval.as_of == START + HOUR


def test_where_ticks_lie_far_apart_an_answer_still_has_the_ticks_it_needs(
    unanswered: Stream,
) -> None:
    times = [START + n * DAY / 2 for n in range(1, 5)]

    assert [points(unanswered, at) for at in times] == [[], [], [], ["approval", "handover"]]


def test_scores_at_deadlines_never_wait(unanswered: Stream) -> None:
    unanswered.tick(PROMISE - HOUR)

    assert points(unanswered, PROMISE + HOUR) == ["promise"]


def test_an_answer_that_comes_after_the_score_is_kept_for_the_next_one() -> None:
    town = Town()
    town.tick(START)
    town.give(*bought(WHO, START + HOUR), paid(WHO, START + HOUR))
    partition = town.streams[owner(WHO)]
    for hours in (2, 9, 10, 11, 12):
        for output in partition.tick(START + hours * HOUR):
            town._take(owner(WHO), output)
    assert assessed(town, "approval") == 1

    # Now the other partition comes to itself.
    town.streams[1 - owner(WHO)].number = partition.number
    for hours in (13, 14, 15):
        town.tick(START + hours * HOUR)

    assert assessed(town, "approval") == 1
    assert town.customer(WHO).facts.orders["o-c-2"].histories is not None


def test_an_order_that_was_over_before_time_began_asks_nothing_but_tells() -> None:
    town = Town()
    town.give(*bought(WHO, START - 9 * DAY), paid(WHO, START - 9 * DAY))
    about: dict[str, Any] = {"shipment": f"sh-{WHO}", "order": f"o-{WHO}", "customer": WHO}
    town.give(handed_over(at=START - 8 * DAY, **about), delivered(at=START - DAY, **about))
    town.give(*bought("c-4", START - 9 * DAY), paid("c-4", START - 9 * DAY))
    town.tick(START)

    assert {a.order for news in town.news() for a in news.asked} == {"o-c-4"}
    assert {o.subject for news in town.news() for o in news.observed} == {"sh-c-2"}


def test_what_lies_ahead_is_told_when_it_has_come() -> None:
    town = Town()
    town.tick(START)
    town.give(*bought(WHO, START, to=None))
    town.give(handed_over(f"sh-{WHO}", f"o-{WHO}", at=START + 5 * HOUR, customer=WHO))
    town.tick(START + HOUR)
    assert town.news() == []
    assert town.barriers[owner(WHO)].next_due == START + 5 * HOUR

    town.tick(START + 5 * HOUR)

    assert {o.kind for news in town.news() for o in news.observed} == {"late"}


def handed_late(town: Town) -> Event[Any]:
    """Tell of a parcel that left late, but not yet what was bought; return the purchase."""
    bought_it, promise = bought(WHO, START)
    town.give(promise, handed_over(f"sh-{WHO}", f"o-{WHO}", at=START + 3 * DAY, customer=WHO))
    town.tick(START + 3 * DAY)
    return bought_it


def observed(town: Town) -> list[tuple[str, str]]:
    return sorted((o.kind, o.key) for news in town.news() for o in news.observed)


def test_whoever_becomes_known_later_is_told_then_and_nobody_twice() -> None:
    town = Town()
    town.tick(START)
    bought_it = handed_late(town)
    assert observed(town) == [("late", "shop")]

    town.give(bought_it)
    town.tick(START + 3 * DAY + HOUR)
    town.give(paid(WHO, START + 3 * DAY + 2 * HOUR))
    for hours in (3, 4, 5):
        town.tick(START + 3 * DAY + hours * HOUR)

    late = [each for each in observed(town) if each[0] == "late"]
    assert late == [("late", "seller:s-0"), ("late", "shop")]
    seller = town.key("seller:s-0")
    assert seller is not None
    assert seller.answer(Question("seller:s-0"), START + 4 * DAY)["seller_late"][1] > 0.9


def test_what_was_noted_without_its_key_counts_as_told_to_all() -> None:
    town = Town()
    town.tick(START)
    bought_it = handed_late(town)
    town.customer(WHO).told[f"sh-{WHO}"] = ["late"]

    town.give(bought_it)
    town.tick(START + 3 * DAY + HOUR)

    assert observed(town) == [("late", "shop")]


def test_each_parcel_is_scored_with_the_past_of_whoever_sends_it() -> None:
    town = with_reviews()
    purchase, promise = bought(WHO, START + 4 * HOUR)
    other = promise.data.model_copy(update={"shipment_id": "sh-x", "seller_id": "s-9"})
    town.give(purchase, promise, event(other, at=START + 4 * HOUR, customer=WHO))
    town.give(paid(WHO, START + 5 * HOUR))
    for hours in (6, 7, 8):
        town.tick(START + hours * HOUR)

    facts = town.customer(WHO).facts
    bad = {p.shipment_id: rates(of_parcel(p)).seller_bad for p in parcels(facts)}
    assert bad["sh-c-2"] > bad["sh-x"] > 0.15


def test_what_was_told_is_forgotten_with_its_facts() -> None:
    town = Town()
    town.tick(START)
    town.give(*bought(WHO, START, to=None))
    town.give(handed_over(f"sh-{WHO}", f"o-{WHO}", at=START, customer=WHO))
    town.tick(START + HOUR)
    assert town.customer(WHO).told == {"sh-c-2": ["late|shop", "late|seller:s-0"]}
    town.give(judged(WHO, 5, START + 300 * DAY))
    town.tick(START + 300 * DAY)
    town.tick(START + 402 * DAY)

    # The answer is younger than its order.
    assert town.customer(WHO).told == {f"v-1-{WHO}": ["bad|shop", "bad|seller:s-0"]}


# What the owner of keys keeps.


def seen(key: str, at: datetime = START, kind: str = "bad") -> Observed:
    return Observed(key, kind, "v-1", at, 1)


def exchange(most_keys: int = 1000, store: MemoryStore | None = None) -> Exchange:
    found = store or MemoryStore()
    made = Exchange(0, found, Owners(1, lambda key: 0), most_keys)
    for key, value in found.items():
        made.take_in(key, value)
    return made


def tell(one: Exchange, offset: int, *observed: Observed, at: datetime = START) -> None:
    one.take(offset, HistoryNews(partition=0, tick=offset, observed=observed).encode())
    one.hear(Tick(number=offset + 1, at=at, ends={}))


def commit(one: Exchange, store: MemoryStore) -> None:
    store.keep(list(one.changes()), 0)
    one.settle()


def test_of_too_many_keys_those_heard_of_least_recently_go_also_after_a_restart() -> None:
    store = MemoryStore()
    one = exchange(2, store)
    tell(one, 0, seen("shop", START), seen("seller:b", START + DAY, "late"))
    commit(one, store)
    one = exchange(2, store)
    tell(one, 1, seen("shop", START + 2 * DAY))

    tell(one, 2, seen("seller:c", START + 2 * DAY, "late"))

    kept = {key for key in ("shop", "seller:b", "seller:c") if one.keys.get(key)}
    assert kept == {"shop", "seller:c"}
    assert (one.crowded_out, len(one.idle)) == (1, 2)
    commit(one, store)
    assert {key for key, _ in store.items()} == {b"\x00history-shop", b"\x00history-seller:c"}


def test_a_key_that_was_not_heard_of_for_long_is_forgotten() -> None:
    one = exchange()
    tell(one, 0, seen("shop"))

    one.hear(Tick(number=9, at=START + KEPT, ends={}))
    assert one.keys.get("shop") is not None
    one.hear(Tick(number=10, at=START + KEPT + DAY, ends={}))

    assert one.keys.get("shop") is None
    assert len(one.idle) == 0
    assert one.crowded_out == 0


def test_a_question_about_what_nobody_heard_of_is_answered_with_nothing() -> None:
    one = exchange()
    asked = Asked("c-1", "o-1", "seller:new", START)
    one.take(0, HistoryNews(partition=0, tick=0, asked=(asked,)).encode())

    assert one.hear(Tick(number=1, at=START, ends={})) == []
    ((target, news),) = one.letters(Tick(number=1, at=START, ends={}))

    assert target == 0
    assert news.answered == (Answered("c-1", "o-1", "seller:new", {}),)
    assert one.keys.get("seller:new") is None


def test_records_are_cut_to_pieces_that_hold_everything_once() -> None:
    one = exchange()
    asked = tuple(Asked("c-1", f"o-{n}", "shop", START) for n in range(450))
    observed = tuple(replace(seen("shop"), subject=f"o-{n}") for n in range(5))
    one.take(0, HistoryNews(partition=0, tick=0, asked=asked, observed=observed).encode())
    one.hear(Tick(number=1, at=START, ends={}))

    letters = [news for _, news in one.letters(Tick(number=1, at=START, ends={}))]

    assert [len(news.answered) for news in letters] == [200, 200, 50]
    assert [a.order for news in letters for a in news.answered] == [a.order for a in asked]
    assert list(one.letters(Tick(number=2, at=START, ends={}))) == []
    assert max(len(news.encode()) for news in letters) < t.HISTORIES.max_message_bytes / 2


def news(tick: int, observed: int = 0, asked: int = 0) -> HistoryNews:
    question = Asked("c-1", "o-1", "shop", START)
    return HistoryNews(
        partition=0, tick=tick, observed=(seen("shop"),) * observed, asked=(question,) * asked
    )


def test_what_waits_over_a_commit_is_stored_and_what_does_not_never_is() -> None:
    inbox, store = Inbox(b"x-"), MemoryStore()
    inbox.add(1, news(1))
    inbox.add(2, news(2))
    assert inbox.due(2) == [news(1)]

    store.keep(list(inbox.changes()), 0)
    inbox.settle()
    assert dict(store.items()) == {b"x-2": news(2).encode()}

    again = Inbox(b"x-")
    for key, value in store.items():
        again.take_in(key, value)
    assert again.due(3) == inbox.due(3) == [news(2)]
    assert list(again.changes()) == [(b"x-2", None)]
    again.take_in(b"x-2", None)
    assert again.due(9) == []


def test_of_too_many_observations_all_count_at_once_and_questions_still_wait() -> None:
    inbox = Inbox(b"x-", held=3)
    inbox.add(1, news(5, observed=2, asked=1))
    assert inbox.relieve() == ()
    inbox.add(2, news(5, observed=2))

    assert len(inbox.relieve()) == 4

    assert inbox.relieve() == ()
    assert [value for _, value in inbox.changes()] == [news(5, asked=1).encode()]
    assert inbox.due(6) == [news(5, asked=1)]


def test_the_tick_after_next_is_the_soonest_an_answer_can_count() -> None:
    """`_TICKS` is what the exchange needs: told, answered, applied."""
    town = with_reviews()
    town.give(*bought(WHO, START + 4 * HOUR), paid(WHO, START + 4 * HOUR))
    ticks = 0
    while not town.customer(WHO).facts.orders["o-c-2"].histories if ticks else True:
        ticks += 1
        town.tick(START + (4 + ticks) * HOUR)

    assert ticks == asking._TICKS


def test_promised_without_regions_asks_the_shop_and_the_seller_only() -> None:
    town = Town()
    town.tick(START)
    about: dict[str, Any] = {"at": START, "customer": WHO}
    town.give(placed("o-c-2", **about), promised("sh-c-2", "o-c-2", by=PROMISE, **about))
    town.give(paid(WHO, START))
    town.tick(START + HOUR)

    assert {a.key for news in town.news() for a in news.asked} == {"shop", "seller:s-0"}
