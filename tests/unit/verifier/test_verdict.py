"""A good company is found good; each thing that can be wrong is found, by its own name and no other."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

import pytest

from services.contracts import topics as t
from services.contracts.ids import derive
from services.contracts.tolerances import Tolerances
from services.contracts.topics import Topic
from services.verifier.accounting import partition_key
from services.verifier.collect import Collector, collect
from services.verifier.customers import remembered_as
from services.verifier.evidence import Record, Stamp
from services.verifier.judge import differing, verify
from services.verifier.verdict import CLASSES, Verdict
from tests.factories import (
    DAY,
    HOUR,
    SHOP,
    START,
    cancelled,
    delivered,
    handed_over,
    placed,
    promised,
    scanned,
    wrote,
)
from tests.unit.verifier.company import (
    PARTITIONS,
    Company,
    again,
    barrier_of,
    instead,
    latest,
    of,
    partition_of,
    without,
)

Records = list[Record]
PROMISE = START + 3 * DAY


def company() -> Company:
    """Two late parcels, one in time, one cancelled, a contact nobody answers; a duplicate, a letter, an event
    beyond the horizon."""
    told = Company()
    told.tick(START)
    for who in ("a-1", "a-3", "b-1", "b-3"):
        names: dict[str, Any] = {"order": f"o-{who}", "customer": who}
        parcel = {**names, "shipment": f"sh-{who}"}
        told.tell(placed(**names, at=START + HOUR, event_id=f"p-{who}"))
        told.tell(promised(**parcel, by=PROMISE, at=START - HOUR, event_id=f"s-{who}"))
        told.tell(handed_over(**parcel, at=START + DAY, event_id=f"h-{who}"))
    told.tell(placed("o-a-1", customer="a-1", at=START + HOUR, event_id="p-a-1"))
    told.tell(wrote("k-1", "o-b-1", customer="b-1", at=START + HOUR, event_id="k-1"))
    told.tell(wrote("k-0", None, customer="b-1", at=START - 401 * DAY, event_id="k-0"))
    told.put(t.PURCHASES, b"{", "a-1")
    told.tick(START + DAY)
    told.tick(START + 2 * DAY)
    told.tell(delivered("sh-b-1", "o-b-1", customer="b-1", at=PROMISE - HOUR, event_id="d-b-1"))
    told.tell(cancelled("o-b-3", customer="b-3", at=PROMISE - HOUR, event_id="x-b-3"))
    for days in (3, 4, 5):
        told.tell(scanned("sh-x", "o-x", customer="z", at=START + days * DAY, event_id=f"z-{days}"))
        told.tick(START + days * DAY + HOUR)
    told.tell(delivered("sh-a-1", "o-a-1", customer="a-1", at=START + 5 * DAY, event_id="d-a-1"))
    told.tick(START + 6 * DAY)
    told.tick(START + 7 * DAY)
    return told


@cache
def good() -> tuple[tuple[Record, ...], tuple[tuple[str, str], ...]]:
    told = company()
    return tuple(told.records), tuple(told.mails)


def judge(records: Sequence[Record], mails: Sequence[tuple[str, str]] | None = None) -> Verdict:
    return verify(collect(records, PARTITIONS), good()[1] if mails is None else mails)


def classes(verdict: Verdict) -> set[str]:
    return {name for name in CLASSES if getattr(verdict, name)}


def test_what_is_good_is_found_good_and_everything_was_looked_at() -> None:
    verdict = judge(good()[0])

    assert verdict.is_good, verdict
    assert verdict.facts_digest == verdict.recomputed_digest
    assert verdict.counts["customers"] == 5
    assert verdict.counts["problem_records"] >= 5
    assert verdict.counts["assessments"] >= 5
    assert verdict.counts["mails"] == 3
    assert not any("retention" in words or "clock" in words for words in verdict.not_checked)


def test_who_was_forgotten_and_comes_back_has_no_latest_risk_until_the_next() -> None:
    told = Company()
    told.tick(START)
    told.tell(
        placed(at=START, event_id="p"),
        promised(by=START + DAY, at=START, event_id="s"),
        delivered(at=START + DAY, event_id="d"),
    )
    told.tick(START + 2 * DAY)
    told.tick(START + 500 * DAY)
    # What was not taken back of somebody who is forgotten is found.
    kept = [r for r in told.records if r.topic != t.CUSTOMER_RISKS.name or r.value]
    assert judge(told.records, []).is_good
    assert classes(judge(kept, [])) == {"assessments"}
    told.tell(placed("o-2", at=START + 501 * DAY, event_id="o-2"))
    told.tick(START + 502 * DAY)
    told.tick(START + 503 * DAY)

    assert len(of(told.records, t.ASSESSMENTS)) >= 1
    assert latest(told.records, t.CUSTOMER_RISKS, "c-1").value is None
    assert judge(told.records, []).is_good, judge(told.records, [])


def test_who_tolerates_something_else_expects_something_else() -> None:
    evidence = collect(good()[0], PARTITIONS)
    patient = Tolerances(late_after_promise=2 * DAY)

    assert "problems_wrong" in classes(verify(evidence, good()[1], tolerances=patient))
    assert verify(evidence, good()[1], tolerances=Tolerances()).is_good


# What the tests below need of the records.


def state_of(records: Sequence[Record], customer: str) -> Record:
    return latest(records, t.FACTS_CHANGELOG, customer)


def own_state(records: Sequence[Record], customer: str) -> Record:
    key = partition_key(partition_of(customer))
    found = [r for r in records if r.topic == t.FACTS_CHANGELOG.name and r.key == key]
    return found[-1]


def opened(records: Sequence[Record], customer: str = "a-1") -> Record:
    return next(r for r in of(records, t.PROBLEMS, "problem.opened") if r.key == customer.encode())


def changed(records: Sequence[Record]) -> Record:
    return of(records, t.PROBLEMS, "problem.changed")[0]


def point_of(records: Sequence[Record], customer: str, point: str) -> Record:
    said = of(records, t.ASSESSMENTS, f'"decision_point":"{point}"')
    return next(r for r in said if r.key == customer.encode())


def word(records: Sequence[Record], kind: str) -> Record:
    return of(records, t.OUTREACH, f"outreach.{kind}")[0]


def account_of(records: Sequence[Record], topic: Topic, customer: str) -> Record:
    return latest(records, t.ACCOUNTS, f"{topic.name}|{partition_of(customer)}")


def forgotten_event(records: Records) -> Records:
    state, name = state_of(records, "a-1"), remembered_as(Stamp(START + HOUR, SHOP, "p-a-1"))
    return instead(records, state, seen=lambda seen: {k: v for k, v in seen.items() if k != name})


def counted_wrong(records: Records, **more: int) -> Records:
    """Counts of a-1's purchases moved, in the state and in the published account alike."""
    changes: dict[str, Any] = {name: (lambda old, by=by: old + by) for name, by in more.items()}
    own, account = own_state(records, "a-1"), account_of(records, t.PURCHASES, "a-1")
    in_state = {f"sources__purchases__{name}": change for name, change in changes.items()}
    return instead(instead(records, own, **in_state), account, **changes)


def late_barrier(records: Records) -> Records:
    """A barrier written before what it should end."""
    number = partition_of("a-1")
    mine = [r for r in records if r.topic == t.PROBLEMS.name and r.partition == number]
    first = mine.index(opened(records))
    barrier = next(r for r in mine[first:] if r.key is None)
    order = [r for r in mine if r is not barrier]
    order.insert(first, barrier)
    moved = iter([replace(r, offset=n) for n, r in enumerate(order)])
    return [next(moved) if r in mine else r for r in records]


Spoil = Callable[[Records], Records]

SPOILED: dict[str, tuple[set[str], Spoil]] = {
    "an event that nobody applied": ({"lost"}, forgotten_event),
    "a dead letter that is missing": (
        {"lost"},
        lambda rs: without(rs, *of(rs, t.dead_letter(t.PURCHASES))),
    ),
    "a customer's state that is gone": (
        {"lost"},
        lambda rs: [*rs, replace(state_of(rs, "z"), value=None, offset=9999)],
    ),
    "events counted as applied twice": (
        {"doubled"},
        lambda rs: counted_wrong(rs, applied=1, duplicate=-1),
    ),
    "a dead letter written twice": (
        {"doubled"},
        lambda rs: again(rs, of(rs, t.dead_letter(t.PURCHASES))[0]),
    ),
    "an assessment said twice": (
        {"doubled"},
        lambda rs: again(rs, of(rs, t.ASSESSMENTS, '"a-3"')[-1]),
    ),
    "a slot of other facts": (
        {"wrong"},
        lambda rs: instead(
            rs, state_of(rs, "a-3"), **{"facts__shipments__sh-a-3__carrier_told__name": "ups"}
        ),
    ),
    "a state nobody can read": (
        {"wrong", "lost"},
        lambda rs: instead(rs, state_of(rs, "a-3"), facts__shipments=7),
    ),
    "a partition's state nobody can read": (
        {"accounts"},
        lambda rs: instead(rs, own_state(rs, "a-3"), sources=7),
    ),
    "facts of nothing that happened": (
        {"wrong"},
        lambda rs: instead(rs, state_of(rs, "z"), seen=lambda seen: {**seen, "0" * 16: "x"}),
    ),
    "a problem remembered otherwise": (
        {"wrong"},
        lambda rs: instead(
            rs, state_of(rs, "a-3"), **{"episodes__delivery_delay|sh-a-3__tier": "overdue"}
        ),
    ),
    "a feed heard at another time": (
        {"wrong"},
        lambda rs: instead(
            rs,
            latest(rs, t.FEEDS, f"carrier:dhl|{partition_of('z')}"),
            heard_at=(START + DAY).isoformat(),
        ),
    ),
    "a publisher that spoke for another": (
        {"wrong"},
        lambda rs: instead(rs, latest(rs, t.FEEDS, f"publisher:{SHOP}|0"), voices=["ups"]),
    ),
    "records nobody counted": ({"accounts"}, lambda rs: counted_wrong(rs, duplicate=-1)),
    "news of histories that were counted and are not there": (
        {"accounts"},
        lambda rs: without(rs, of(rs, t.HISTORIES)[0]),
    ),
    "a duplicate counted as late": (
        {"accounts"},
        lambda rs: counted_wrong(rs, duplicate=-1, late=1),
    ),
    "a published account of other counts": (
        {"accounts"},
        lambda rs: instead(rs, account_of(rs, t.DELIVERIES, "a-1"), applied=lambda n: n - 1),
    ),
    "an account that was never published": (
        {"accounts"},
        lambda rs: without(
            rs, *[r for r in of(rs, t.ACCOUNTS) if r.key == f"purchases|{partition_of('a-1')}".encode()]
        ),
    ),
    "a problem that was never said": (
        {"problems_missing"},
        lambda rs: without(rs, changed(rs)),
    ),
    "a problem that never was": (
        {"problems_extra"},
        lambda rs: between(
            rs, opened(rs), id="forged", data__problem_id=str(UUID(int=7)), data__subject="sh-forged"
        ),
    ),
    "a problem under another name": (
        {"problems_renamed"},
        lambda rs: instead(rs, changed(rs), data__problem_id=str(UUID(int=7))),
    ),
    "an event under another name": (
        {"problems_renamed"},
        lambda rs: instead(rs, changed(rs), id="other"),
    ),
    "a problem of other content": (
        {"problems_wrong"},
        lambda rs: instead(rs, opened(rs), data__actor="customer"),
    ),
    "a problem that rests on something else": (
        {"problems_wrong"},
        lambda rs: instead(rs, opened(rs), data__evidence__0__id="other"),
    ),
    "a problem said of somebody else": (
        {"problems_wrong"},
        lambda rs: swap_customer(rs, opened(rs)),
    ),
    "an assessment that does not add up": (
        {"assessments"},
        lambda rs: both(rs, intercept=lambda x: x + 1e-6),
    ),
    "an assessment of a tick of another time": (
        {"assessments"},
        lambda rs: instead(rs, point_of(rs, "b-1", "handover"), data__tick=lambda x: x - 1),
    ),
    "an absence that was scored and believed for another reason": (
        {"assessments"},
        lambda rs: instead(rs, point_of(rs, "a-3", "promise"), data__feed__silent=lambda x: not x),
    ),
    "an assessment under another name": ({"assessments"}, lambda rs: both(rs, id="other")),
    "an assessment that was never made": (
        {"assessments"},
        lambda rs: without(rs, point_of(rs, "a-3", "promise")),
    ),
    "a hand-over assessed before it happened": (
        {"assessments"},
        lambda rs: instead(rs, point_of(rs, "b-1", "handover"), time=START.isoformat()),
    ),
    "a delivery assessed of a parcel that never came": (
        {"assessments"},
        lambda rs: assessed_too(rs, decision_point="delivery"),
    ),
    "a score made again that says the same": (
        {"assessments"},
        lambda rs: assessed_again(rs, revision=1),
    ),
    "a score made again out of turn": (
        {"assessments"},
        lambda rs: assessed_again(rs, revision=2, band="high"),
    ),
    "a lapse assessed of a parcel": (
        {"assessments"},
        lambda rs: assessed_too(rs, kind="lapse", decision_point="silence"),
    ),
    "a lapse that is not the latest risk": (
        {"assessments"},
        lambda rs: assessed_too(
            rs, kind="lapse", decision_point="silence", subject="customer", order_id=None
        ),
    ),
    "a latest risk that is not the latest": (
        {"assessments"},
        lambda rs: without(rs, latest(rs, t.CUSTOMER_RISKS, "a-3")),
    ),
    "a barrier that is missing": (
        {"barriers"},
        lambda rs: without(rs, barrier_of(rs, t.PROBLEMS, "b-2")),
    ),
    "a barrier that came twice": (
        {"barriers"},
        lambda rs: again(rs, barrier_of(rs, t.PROBLEMS, "b-6")),
    ),
    "a barrier of another tick": (
        {"barriers"},
        lambda rs: instead(rs, barrier_of(rs, t.PROBLEMS, "b-2"), ends={"purchases": 999}),
    ),
    "a barrier before what it should end": ({"barriers"}, late_barrier),
    "a contact said to be sent twice": (
        {"contacts_doubled"},
        lambda rs: again_as(rs, word(rs, "sent"), id="other"),
    ),
    "a contact decided twice": (
        {"outreach_wrong"},
        lambda rs: again_as(rs, word(rs, "decided"), id="other"),
    ),
    "a contact nobody decided": (
        {"outreach_wrong"},
        lambda rs: instead(rs, word(rs, "decided"), data__outcome="suppressed"),
    ),
    "a contact that was never started": (
        {"outreach_wrong"},
        lambda rs: without(rs, word(rs, "started")),
    ),
    "a contact both sent and failed": (
        {"outreach_wrong"},
        lambda rs: again_as(
            rs, word(rs, "sent"), id="other", type="care.outreach.failed.v1", data__reason="no"
        ),
    ),
    "a contact under another step's name": (
        {"outreach_wrong"},
        lambda rs: instead(rs, word(rs, "sent"), data__step_id=str(UUID(int=7))),
    ),
    "a problem nobody decided about": (
        {"outreach_wrong"},
        lambda rs: without(
            rs, *[r for r in of(rs, t.OUTREACH) if r.key == opened(rs).key]
        ),
    ),
    "a contact deferred and forgotten": (
        {"outreach_wrong"},
        lambda rs: without(
            instead(
                rs,
                word(rs, "decided"),
                data__outcome="deferred",
                data__deferred_until=(START + 6 * DAY).isoformat(),
            ),
            word(rs, "started"),
            word(rs, "sent"),
        ),
    ),
    "a barrier that outreach skipped": (
        {"outreach_wrong"},
        lambda rs: without(rs, barrier_of(rs, t.OUTREACH, "b-2")),
    ),
}  # fmt: skip


def between(records: Records, old: Record, **fields: Any) -> Records:
    """Write one more record right behind another, of other content."""
    new = next(r for r in instead(records, old, **fields) if r not in records)
    place = records.index(old) + 1
    behind = [
        replace(r, offset=r.offset + 1)
        if (r.topic, r.partition) == (old.topic, old.partition)
        else r
        for r in records[place:]
    ]
    return [*records[:place], replace(new, offset=old.offset + 1), *behind]


def again_as(records: Records, old: Record, **fields: Any) -> Records:
    return between(records, old, **fields)


def both(records: Records, intercept: Any = None, **fields: Any) -> Records:
    """Change the latest assessment and the latest risk, which is the same record."""
    if intercept is not None:
        fields["data__intercept_log_odds"] = intercept
    spoiled = instead(records, of(records, t.ASSESSMENTS, '"a-3"')[-1], **fields)
    return instead(spoiled, latest(spoiled, t.CUSTOMER_RISKS, "a-3"), **fields)


def assessed_too(records: Records, **fields: Any) -> Records:
    """One more assessment of b-1, between others; the latest risk stays the latest."""
    old = point_of(records, "a-3", "before_promise")
    event = json.loads(old.value or b"")
    event["data"] |= fields
    point = (event["partitionkey"], event["data"]["subject"], event["data"]["decision_point"])
    return between(records, old, id=str(derive("risk", *point)), data=event["data"])


def assessed_again(records: Records, **fields: Any) -> Records:
    """The score of a-3 at its first deadline once more, before later ones; the latest risk stays."""
    old = point_of(records, "a-3", "before_promise")
    event = json.loads(old.value or b"")
    event["data"] |= fields
    point = (event["partitionkey"], event["data"]["subject"], event["data"]["decision_point"])
    name = str(derive("risk", *point, str(fields["revision"])))
    return between(records, old, id=name, data=event["data"])


def swap_customer(records: Records, old: Record) -> Records:
    new = next(r for r in instead(records, old, partitionkey="z") if r not in records)
    return [replace(new, key=b"z") if r == old else r for r in records]


WITHOUT_MAILS = frozenset(
    {
        "a contact deferred and forgotten",
        "a contact that was never started",
        "a contact nobody decided",
        "a problem nobody decided about",
    }
)
"""Where a mail that arrived would show what is wrong a second time."""


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_wrong_is_found_by_its_own_name(what: str) -> None:
    expected, spoil = SPOILED[what]
    spoiled = spoil(list(good()[0]))
    assert spoiled != list(good()[0])

    verdict = judge(spoiled, () if what in WITHOUT_MAILS else None)

    assert classes(verdict) == expected, verdict.model_dump_json(exclude={"outputs"}, indent=1)
    assert not verdict.is_good


def test_the_spoiled_cover_every_class() -> None:
    assert set().union(*(expected for expected, _ in SPOILED.values())) == set(CLASSES)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda mails: [*mails, mails[0]], {"contacts_doubled"}),
        (lambda mails: [*mails, (mails[0][0], "other/notice")], {"outreach_wrong"}),
        (lambda mails: [*mails, ("", "")], {"outreach_wrong"}),
        (lambda mails: mails[1:], {"outreach_wrong"}),
    ],
    ids=["twice", "of no step", "without a label", "none for what was sent"],
)
def test_mails_are_held_against_what_was_said(
    spoil: Callable[[Sequence[tuple[str, str]]], Sequence[tuple[str, str]]], expected: set[str]
) -> None:
    assert classes(judge(good()[0], spoil(good()[1]))) == expected


def test_mails_that_were_not_given_are_not_passed_over_silently() -> None:
    verdict = judge(good()[0], ())

    assert verdict.is_good
    assert any(words.startswith("mails") for words in verdict.not_checked)
    assert not any(words.startswith("mails") for words in verdict.checked)


def test_a_record_behind_the_last_tick_is_found() -> None:
    told = company()
    told.tell(placed("o-late", customer="a-1", at=START + 7 * DAY))

    assert classes(judge(told.records)) == {"accounts"}


def test_a_record_nobody_has_read_is_found_by_its_place() -> None:
    told = company()
    told._partitions = []
    record = told._append(
        t.PURCHASES, 1, b"a-1", placed("o-new", customer="a-1", at=START + 7 * DAY).encode()
    )

    verdict = judge(told.records)

    assert classes(verdict) == {"lost", "wrong", "accounts"}
    assert any(words.startswith(f"purchases-1@{record.offset}") for words in verdict.lost)


def test_by_the_machines_clock_only_ticks_are_left_out_and_named() -> None:
    records = without(good()[0], barrier_of(good()[0], t.PROBLEMS, "b-2"))
    verdict = verify(collect(records, PARTITIONS), good()[1], lockstep=False)
    lost = verify(collect(forgotten_event(records), PARTITIONS), lockstep=False)

    assert verdict.is_good
    assert any("machine's clock" in words for words in verdict.not_checked)
    assert classes(lost) == {"lost"}


def test_what_retention_took_is_named_and_not_called_lost() -> None:
    collector = Collector(PARTITIONS)
    number = partition_of("a-1")
    for record in good()[0]:
        is_gone = (record.topic, record.partition) == ("deliveries", number) and record.offset < 2
        if not is_gone:
            collector.take(record)
    collector.begins("deliveries", number, 2)

    verdict = verify(collector.evidence, good()[1])

    assert verdict.is_good
    assert any("retention has taken deliveries-1 before offset 2" in w for w in verdict.not_checked)


def test_facts_nobody_here_recomputes_are_named() -> None:
    records = list(good()[0])
    more = instead(records, state_of(records, "a-3"), facts__orders__news={"placed_by": "x"})
    verdict = judge(more)

    assert any("orders.placed_by" in words for words in verdict.not_checked)


def test_two_runs_differ_where_their_bytes_do() -> None:
    records = list(good()[0])
    one, same = judge(records), judge(list(reversed_topics(records)))
    other = judge(instead(records, opened(records), data__actor="customer"))
    without_it = judge(without(records, changed(records)))

    assert differing(one, same) == ()
    assert differing(one, other) == (
        f"problems|a-1|{json.loads(opened(records).value or b'')['id']}",
    )
    assert len(differing(one, without_it)) == 1
    assert one.facts_digest == other.facts_digest


def reversed_topics(records: Sequence[Record]) -> Sequence[Record]:
    """The same records, read from the topics in another order."""
    return sorted(records, key=lambda r: (r.topic, -r.partition, r.offset), reverse=False)


def test_no_finding_can_be_passed_over() -> None:
    for name in CLASSES:
        assert not Verdict.model_validate({name: ("something",)}).is_good
    assert Verdict(not_checked=("something",)).is_good


def with_a_lapse(records: Records) -> Records:
    """A lapse assessed and opened as a problem, as the predictor would, of a customer whose state knows."""
    about = {"kind": "lapse", "decision_point": "silence", "subject": "customer", "order_id": None}
    spoiled = assessed_too(records, **about)
    said = next(r for r in spoiled if b'"kind": "lapse"' in (r.value or b""))
    risk = latest(records, t.CUSTOMER_RISKS, "a-3")
    place = [r.offset for r in records if (r.topic, r.partition) == (risk.topic, risk.partition)]
    at, told = max(place) + 1, said.headers
    spoiled.append(replace(risk, key=b"a-3|lapse", value=said.value, headers=told, offset=at))
    episode = {"problem_id": str(UUID(int=7)), "tier": "at_risk", "is_open": True}
    state = state_of(spoiled, "a-3")
    spoiled = instead(spoiled, state, **{"episodes__lapse_risk|customer": episode})
    problem = {"problem_id": str(UUID(int=7)), "kind": "lapse_risk", "subject": "customer"}
    fields = {f"data__{name}": value for name, value in problem.items()}
    return between(spoiled, opened(spoiled, "a-3"), id="lapse", **fields)


def test_of_a_lapse_only_the_sum_the_latest_and_repetitions_are_looked_at() -> None:
    lapsed = with_a_lapse(list(good()[0]))
    said = next(r for r in lapsed if b'"id": "lapse"' in (r.value or b""))

    assert judge(lapsed).is_good, judge(lapsed)
    assert any("lapse" in words for words in judge(lapsed).not_checked)
    assert "doubled" in classes(judge(again(lapsed, said)))
    scored = of(lapsed, t.ASSESSMENTS, '"kind": "lapse"')[0]
    lots = {"horizon_days": 90, "expected_intercept": 0.5, "expected_contributions": []}
    for purchases, is_right in ((math.exp(0.5), True), (math.exp(0.5) + 1e-6, False)):
        fields = {f"data__{name}": value for name, value in lots.items()}
        told = instead(lapsed, scored, **fields, data__expected_purchases=purchases)
        unsaid = "the parts do not give the probability"
        assert any(unsaid in w for w in judge(told).assessments) is not is_right
    # Nor is one missed that was never said.
    assert judge(without(lapsed, said)).is_good
