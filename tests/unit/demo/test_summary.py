"""The report in words says what the figures say, and does not hide a fault."""

from typing import Any

from rich.console import Console

from services.demo.figures import (
    Contacts,
    LateOrders,
    Problems,
    Recounted,
    Suppressed,
)
from services.demo.summary import summarise
from tests.support.reports import EVENTS, report

CONTACTS: dict[str, Any] = {
    "decisions": 7, "contact": 3, "deferred": 2, "held_out": 0,
    "suppressed": Suppressed(consent=2), "sent": 3, "failed": 0, "withdrawn": 0, "unknown": 0,
    "double": 0, "unlabelled": 0,
}  # fmt: skip


def said(**changes: Any) -> str:
    values: dict[str, Any] = {
        "contacts": Contacts(**CONTACTS),
        "restarts": {"ingest": 0},
        "invented": ("everything is invented",),
    }
    console = Console(width=200, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(summarise(report(**(values | changes))))
    return console.export_text()


def test_a_sound_run_says_so() -> None:
    text = said()
    assert "✓ Nobody was written to twice" in text
    assert "✓ Every record on the topics is accounted for" in text
    assert "✓ 77 exported series are what the topics, counted anew, say" in text
    assert "✗" not in text
    assert "42 orders of a simulated shop (seed 1)" in text
    assert "suppressed: consent" in text
    assert "note: everything is invented" in text


def test_every_kind_of_trouble_is_told_the_most_frequent_first() -> None:
    kinds = {"cart_abandoned": 3, "delivery_delay": 5, "scan_stalled": 3}
    text = said(problems=Problems(opened=11, cleared=4, retracted=1, by_kind=kinds))
    places = [text.index(words) for words in ("delivery delay", "cart abandoned", "scan stalled")]
    assert places == sorted(places)
    assert "11 times something went wrong" in text


def test_a_double_contact_is_shouted() -> None:
    text = said(contacts=Contacts(**(CONTACTS | {"double": 1})))
    assert "✗ somebody got the same message twice" in text
    assert "✓ Nobody was written to twice" not in text


def test_a_wrong_figure_is_shouted() -> None:
    text = said(metrics=Recounted(series=77, differing=("care_x: exported 2, counted 1",)))
    assert "✗ 1 exported figures are not those of the topics" in text
    assert "✓ 77" not in text


def test_what_is_in_shadow_is_told_beside_what_arrived() -> None:
    assert "3 times to write (1 of them by playbooks in shadow: recorded, not sent), 2" in said(
        contacts=Contacts(**(CONTACTS | {"in_shadow": 1, "sent": 2}))
    )
    assert "shadow" not in said().split("outcome")[0]


def test_a_lost_record_is_shouted() -> None:
    text = said(events=EVENTS.model_copy(update={"applied": 7}))
    assert "✗ records on the topics are not all accounted for" in text
    assert "✓ Every record" not in text


def test_restarts_and_unknown_contacts_are_told() -> None:
    text = said(restarts={"outreach": 2}, contacts=Contacts(**(CONTACTS | {"unknown": 1})))
    assert "outreach died 2 times" in text
    assert "1 messages were cut off by a crash" in text


def test_late_orders_are_told_with_their_interval() -> None:
    late = LateOrders(
        open_past_promise=9,
        opened_before_answer=7,
        over_before_answer=1,
        unanswered=2,
        share=0.778,
        low=0.453,
        high=0.937,
    )
    text = said(source="olist", late_orders=late)
    assert "recorded shop (Olist)" in text
    # A panel breaks lines where it likes.
    words = " ".join(text.replace("│", " ").split())
    assert (
        "9 orders were still open a day after their promise and came later; for 7 of them (77.8%, "
        "95 % interval 45.3% to 93.7%) the delay was noticed before the customer answered, 1 times "
        "so early that the parcel came before the answer too. 2 were never reviewed and count as "
        "not noticed." in words
    )


def test_what_ingest_no_longer_knows_is_called_unknown() -> None:
    forgotten = EVENTS.model_copy(update={"published": None, "rejected": None})
    text = said(events=forgotten, profiles=forgotten, restarts={"ingest": 1})
    assert "what it took and refused in this run is not known" in text
    assert "unknown" in next(line for line in text.splitlines() if "taken by ingest" in line)
    assert "not known" not in said()


def test_mails_that_say_nothing_of_themselves_are_shouted() -> None:
    text = said(contacts=Contacts(**(CONTACTS | {"unlabelled": 3})))
    assert "✗ 3 mails do not say what they are about" in text
    assert "✓ Nobody was written to twice" not in text
