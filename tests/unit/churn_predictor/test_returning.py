"""What comes back after it was gone: no name is given twice, and no silence is believed too soon."""

from services.contracts.problems import Actor
from tests.factories import DAY, HOUR, START, handed_over, placed, promised, scanned, wrote
from tests.unit.churn_predictor.happenings import refund_paid, reopened, resolved
from tests.unit.churn_predictor.stream import Stream

FAR = START + 300 * DAY


def test_a_watch_that_was_gone_and_returns_goes_on_with_its_number() -> None:
    """The limit goes when an earlier promise turns out to name none, and is back with a still earlier one."""
    stream = Stream()
    stream.tick(START - DAY)
    limit = START + DAY
    stream.give(placed(), promised(by=FAR, ship_by=limit, at=START + 2 * HOUR))
    (first,) = stream.tick_said(limit)
    stream.give(promised(by=FAR, at=START + HOUR))
    (gone,) = stream.tick_said(limit + HOUR)
    stream.give(promised(by=FAR, ship_by=limit, at=START))
    (second,) = stream.tick_said(limit + 2 * HOUR)

    assert (first.data.episode, second.data.episode) == (1, 2)
    assert first.data.problem_id == gone.data.problem_id != second.data.problem_id
    assert (gone.data.clearing, gone.data.actor) == ("retracted", Actor.NOBODY)


def test_contacts_that_were_too_many_twice_are_two_problems() -> None:
    stream = Stream()
    stream.tick(START - DAY)
    stream.give(*(wrote(f"k-{n}", at=START + n * HOUR) for n in range(3)))
    stream.tick(START + 2 * HOUR)
    stream.give(wrote("k-2", "o-2", at=START - HOUR))
    stream.tick(START + 3 * HOUR)
    stream.give(wrote("k-3", at=START + 4 * HOUR))

    said = [e.data for e in stream.tick_said(START + 4 * HOUR) if e.data.kind == "contact_repeated"]

    assert [(fact.subject, fact.episode) for fact in said] == [("o-1", 2)]


def test_a_carrier_that_first_tells_an_old_scan_is_believed_silent_a_day_after_the_deadline() -> (
    None
):
    stream = Stream()
    stream.tick(START - DAY)
    stream.give(placed(), promised(by=FAR), handed_over(at=START + HOUR))
    deadline = START + 4 * DAY + HOUR
    stream.tick(deadline)

    stream.heard["scans:dhl"] = START + 2 * DAY
    early = stream.tick_said(deadline + 2 * HOUR)
    (opened,) = stream.tick_said(deadline + DAY)

    assert early == []
    assert opened.data.feed.silent


def test_scans_of_other_parcels_do_not_touch_this_one() -> None:
    stream = Stream()
    stream.tick(START - DAY)
    stream.give(placed(), promised(by=FAR), handed_over(at=START + HOUR), scanned(at=START + HOUR))
    stream.give(resolved("k-1", at=START))

    assert stream.tick_said(START + 2 * HOUR) == []


def test_what_is_kept_for_an_open_problem_is_its_own_kind_of_thing() -> None:
    """A refund called like the contact that waits is forgotten with its own age."""
    stream = Stream()
    stream.tick(START)
    stream.give(refund_paid("same", at=START - 390 * DAY), reopened("same", at=START + HOUR))
    stream.tick(START + 2 * HOUR)

    stream.tick(START + 20 * DAY)

    customer = stream.partition.customers.get("c-1")
    assert customer is not None
    assert customer.facts.refunds == {}
    assert customer.episodes["contact_reopened|same"].is_open
