"""The judge of the contact ledger: silent where all holds, and each wrong thing is told by name."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.factories import START
from tests.faults.outreach.evidence import Entry, Evidence, Hook, Said, Wanted, said_in
from tests.faults.outreach.judge import ENDED, faults
from tests.faults.outreach.kills import Kills, beyond
from tests.faults.outreach.server import Mail

STEP = "delivery_late/notice"
SENT = ("decided", "started", "sent")


def entry(number: int, state: str, **more: Any) -> Entry:
    made = Entry(
        step_id=f"s-{number}",
        problem=f"p-{number}",
        step=STEP,
        customer=f"c-{number}",
        channel="email",
        state=state,
        attempt=1,
        message_id=f"<s-{number}@care>",
        reason="",
        finished_at=START,
    )
    return replace(made, **more)


def mail(number: int, **more: Any) -> Mail:
    return replace(Mail(f"p-{number}", STEP, f"<s-{number}@care>", START), **more)


def said(number: int, *kinds: str) -> list[Said]:
    return [
        Said(
            event_id=f"{kind}-{number}",
            kind=kind,
            step_id=f"s-{number}",
            attempt=0 if kind == "decided" else 1,
            outcome="contact" if kind == "decided" else "",
            digest=f"{kind}-{number}",
        )
        for kind in kinds
    ]


def sound() -> Evidence:
    """Return a run with a send that arrived, a doubt whose mail is there, and one whose mail is not."""
    doubted = ("decided", "started", "unknown")
    return Evidence(
        wanted=[Wanted(f"p-{n}", STEP, f"c-{n}", START) for n in (1, 2, 3)],
        mails=[mail(1), mail(2)],
        ledger=[entry(1, "sent"), entry(2, "unknown"), entry(3, "unknown")],
        said=[*said(1, *SENT), *said(2, *doubted), *said(3, *doubted)],
    )


def test_where_all_holds_it_says_nothing() -> None:
    assert faults(sound()) == []


def test_what_is_published_again_as_it_was_is_no_fault() -> None:
    evidence = sound()

    assert faults(replace(evidence, said=[*evidence.said, *evidence.said])) == []


def test_a_doubt_that_its_sender_lifts_is_no_fault() -> None:
    evidence = sound()
    lifted = [entry(1, "sent"), entry(2, "sent"), entry(3, "unknown")]
    told = [*evidence.said, *said(2, "sent")]

    assert faults(replace(evidence, ledger=lifted, said=told)) == []


def changed(**fields: Any) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, **fields)


def with_first(**fields: Any) -> Callable[[Evidence], Evidence]:
    def change(evidence: Evidence) -> Evidence:
        return replace(evidence, ledger=[entry(1, **fields), *evidence.ledger[1:]])

    return change


def telling_first(*kinds: str) -> Callable[[Evidence], Evidence]:
    return lambda e: replace(e, said=[*said(1, *kinds), *(s for s in e.said if s.step_id != "s-1")])


WRONG: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "mailed twice": (changed(mails=[mail(1), mail(1), mail(2)]), "was told 2 times"),
    "mailed and hooked": (changed(hooks=[Hook("s-1", "c-1", START)]), "was told 2 times"),
    "an unknown one mailed twice": (changed(mails=[mail(1), mail(2), mail(2)]), "told 2 times"),
    "lost": (lambda e: replace(e, ledger=e.ledger[:2]), "the ledger does not know it"),
    "never ended": (with_first(state="pending"), "is pending"),
    "given up": (with_first(state="failed", reason="use_by"), "is failed (use_by)"),
    "unwanted": (lambda e: replace(e, wanted=e.wanted[1:]), "nobody wanted it"),
    "sent and not there": (changed(mails=[mail(2)]), "never arrived"),
    "failed and there": (with_first(state="failed"), "is failed, and arrived"),
    "another Message-ID": (
        changed(mails=[mail(1, message_id="<else@care>"), mail(2)]),
        "another Message-ID",
    ),
    "one Message-ID for two": (
        changed(mails=[mail(1), mail(2, message_id="<s-1@care>")]),
        "one Message-ID for",
    ),
    "unpublished": (changed(outbox=1), "1 records were never published"),
    "other bytes": (
        lambda e: replace(e, said=[*e.said, replace(e.said[0], digest="else")]),
        "with different bytes",
    ),
    "told of nothing": (
        lambda e: replace(e, said=[*e.said, *said(9, "started")]),
        "step s-9, which the ledger does not know",
    ),
    "no decision": (telling_first("started", "sent"), "0 decisions to contact"),
    "an attempt untold": (with_first(state="sent", attempt=2), "attempts [1] on the topic"),
    "an end untold": (telling_first("decided", "started"), "no end on the topic"),
    "two ends": (telling_first(*SENT, "failed"), "sent, failed on the topic"),
    "the wrong way round": (telling_first("decided", "sent", "started"), "before the start"),
    "started before it was decided": (
        telling_first("started", "decided", "sent"),
        "started was told before the decision",
    ),
    "started after a doubt": (
        telling_first("decided", "unknown", "started", "sent"),
        "started again after it was unknown",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_thing_is_told(name: str) -> None:
    change, words = WRONG[name]

    found = faults(change(sound()))

    assert any(words in fault for fault in found), found


def test_what_may_fail_may_fail() -> None:
    evidence = replace(
        sound(),
        mails=[mail(2)],
        ledger=[entry(1, "failed", attempt=0), *sound().ledger[1:]],
        said=[*said(1, "decided", "failed"), *(s for s in sound().said if s.step_id != "s-1")],
    )

    assert faults(evidence, ENDED) == []


def test_after_kills_there_is_one_doubt_for_each_hit_and_no_other() -> None:
    hit = Kills(aimed=[("p-2", STEP)], hit_at_random=["s-3"], doubtful={"s-2", "s-3"})
    missed = Kills(aimed=[("p-1", STEP)], doubtful={"s-1", "s-2"})

    assert beyond(sound(), hit) == []
    assert [fault.partition(",")[0] for fault in beyond(sound(), missed)] == [
        "step s-3 is unknown",
        "step s-1 was hit",
        f"{STEP} of p-1 was held",
        "there are more unknown than kills that hit a send",
    ]


def test_an_event_is_read_as_far_as_it_matters() -> None:
    event = {
        "id": "e-1",
        "type": "care.outreach.started.v1",
        "data": {"step_id": "s-1", "attempt": 2},
    }

    found = said_in(json.dumps(event).encode())

    assert (found.event_id, found.kind, found.step_id, found.attempt) == (
        "e-1",
        "started",
        "s-1",
        2,
    )
