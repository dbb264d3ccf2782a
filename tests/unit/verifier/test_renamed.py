"""Customers who were merged or erased are set aside, named, and nobody else is."""

from dataclasses import replace
from functools import cache
from typing import Any

from services.contracts import topics as t
from services.contracts.people import CustomerErased, CustomerMerged
from services.verifier.collect import collect
from services.verifier.evidence import Record
from services.verifier.judge import verify
from services.verifier.verdict import Verdict
from tests.factories import DAY, HOUR, START, delivered, event, handed_over, placed, promised
from tests.unit.verifier.company import PARTITIONS, Company, instead, of, partition_of, without

PROMISE = START + 3 * DAY
MERGED, INTO, ERASED, OTHER, BESIDE = "a-1", "b-1", "b-2", "a-3", "b-3"
assert partition_of(MERGED) != partition_of(INTO)


@cache
def company() -> Company:
    """Five late parcels: one customer is merged while theirs is late, one is erased, others are not."""
    told = Company()
    told.tick(START)
    for who in (MERGED, INTO, ERASED, OTHER, BESIDE):
        names: dict[str, Any] = {"order": f"o-{who}", "customer": who}
        parcel = {**names, "shipment": f"sh-{who}"}
        told.tell(placed(**names, at=START + HOUR), promised(**parcel, by=PROMISE, at=START))
        told.tell(handed_over(**parcel, at=START + DAY))
    for days in (2, 3, 4):
        told.tick(START + days * DAY + HOUR)
    told.tell(event(CustomerMerged(into=INTO), customer=MERGED, at=START + 4 * DAY))
    told.tell(event(CustomerErased(), customer=ERASED, at=START + 4 * DAY))
    told.tick(START + 5 * DAY)
    told.tell(placed("o-9", customer=ERASED, at=START + DAY))
    for who in (MERGED, OTHER):
        at = START + 5 * DAY
        told.tell(delivered(f"sh-{who}", f"o-{who}", customer=who, at=at))
    for days in (6, 7, 8):
        told.tick(START + days * DAY)
    return told


def judge(records: list[Record]) -> Verdict:
    return verify(collect(records, PARTITIONS), company().mails)


def test_who_was_merged_or_erased_is_no_finding_and_is_named() -> None:
    verdict = judge(company().records)

    assert verdict.is_good, verdict
    assert verdict.counts["customers_set_aside"] == 3
    assert verdict.counts["customers"] == 2
    (named,) = (each for each in verdict.not_checked if "merged or erased" in each)
    assert f"3 customers who were merged or erased ({MERGED}, {INTO}, {ERASED})" in named


def test_of_nobody_else_anything_is_overlooked() -> None:
    records = company().records
    for who in (OTHER, BESIDE):
        about = [r for r in of(records, t.PROBLEMS) if r.key == who.encode()]

        assert judge(without(records, about[0])).problems_missing
        assert judge(instead(records, about[0], data__actor="customer")).problems_wrong


def test_their_records_are_accounted_for_all_the_same() -> None:
    records = company().records

    assert judge(without(records, of(records, t.MOVES)[0])).accounts
    move = of(records, t.MOVES)[0]
    garbled = [replace(r, value=b"{}") if r is move else r for r in records]
    assert judge(garbled).lost


def test_two_mails_to_somebody_who_was_merged_are_found() -> None:
    problems = [r for r in of(company().records, t.PROBLEMS) if r.key == MERGED.encode()]
    assert problems
    mails = company().mails

    assert verify(collect(company().records, PARTITIONS), [*mails, *mails]).contacts_doubled
