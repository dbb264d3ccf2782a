"""What must become of a message under each fault: the right end passes, and each wrong one is told."""

from dataclasses import replace
from typing import Any

import pytest

from tests.factories import START
from tests.faults.outreach import smtp_scenarios as s
from tests.faults.outreach.evidence import Entry
from tests.faults.outreach.server import TAKES
from tests.faults.outreach.smtp_scenarios import BY_BOTH, BY_MAIL, SCENARIOS, Scenario, Seen

SENT = Entry("s", "p", "told_by_both/notice", "both-1", "email", "sent", 1, "<s>", "", START)
MAILED = Seen(BY_BOTH, mailed=True, named=1)
MISSED = Seen(BY_BOTH, mailed=False, named=1)


def ended(**more: Any) -> Entry:
    return replace(SENT, **more)


def hooked(attempt: int = 2) -> Entry:
    return ended(channel="webhook", attempt=attempt)


def failed(reason: str, **more: Any) -> Entry:
    return ended(state="failed", reason=reason, **more)


RIGHT = [
    (s.taken, SENT, MAILED),
    (s.taken_at_the_second, ended(attempt=2), MAILED),
    (s.taken_or_given_up, SENT, MAILED),
    (s.taken_or_given_up, hooked(), MISSED),
    (s.taken_or_given_up, failed("use_by"), replace(MISSED, kind=BY_MAIL)),
    (s.given_up, failed("not taken in 2 attempts: 450"), replace(MISSED, kind=BY_MAIL)),
    (s.given_up_unheard, hooked(), replace(MISSED, named=0)),
    (s.taken_or_refused, hooked(), MISSED),
    (s.taken_or_refused, failed("550 5.1.1"), replace(MISSED, kind=BY_MAIL)),
    (s.taken_or_doubted, SENT, MAILED),
    (s.taken_or_doubted, ended(state="unknown"), MAILED),
]
WRONG = [
    (s.taken, ended(attempt=2), MAILED, "first attempt"),
    (s.taken, SENT, MISSED, "first attempt"),
    (s.taken_at_the_second, SENT, MAILED, "second attempt"),
    (s.taken_or_given_up, SENT, replace(MAILED, named=2), "offered 2 times"),
    (s.taken_or_given_up, failed("use_by"), MISSED, "although the customer has one"),
    (s.given_up, hooked(), MAILED, "mailed, and not sent by mail"),
    (s.given_up, failed("550"), replace(MISSED, kind=BY_MAIL), "not failed for its use-by"),
    (s.given_up_unheard, hooked(), MISSED, "in clear"),
    (s.taken_or_refused, hooked(), replace(MISSED, named=2), "offered again"),
    (s.taken_or_refused, failed("554 5.6.0"), replace(MISSED, kind=BY_MAIL), "550 5.1.1"),
    (s.taken_or_refused, failed("550 5.1.1"), MISSED, "not by webhook"),
    (s.taken_or_doubted, ended(state="unknown"), replace(MAILED, named=2), "exactly once"),
    (s.taken_or_doubted, hooked(), MAILED, "exactly once"),
    (s.taken_or_doubted, failed("use_by"), MAILED, "neither sent nor unknown"),
]


def refusing(entry: Entry, expected: s.Expected) -> Entry:
    """Return it as one of those customers whom the server refuses, where that is what it is about."""
    return replace(entry, customer="both-3") if expected is s.taken_or_refused else entry


@pytest.mark.parametrize(("expected", "entry", "seen"), RIGHT)
def test_the_right_end_passes(expected: s.Expected, entry: Entry, seen: Seen) -> None:
    assert expected(refusing(entry, expected), seen) == ""


@pytest.mark.parametrize(("expected", "entry", "seen", "words"), WRONG)
def test_each_wrong_end_is_told(expected: s.Expected, entry: Entry, seen: Seen, words: str) -> None:
    assert words in expected(refusing(entry, expected), seen)


def scenario(name: str) -> Scenario:
    return next(one for one in SCENARIOS if one.name == name)


def test_five_in_a_hundred_are_refused_one_half_of_them_after_the_mail() -> None:
    script_of = scenario("refused").scripts(1, False)
    scripts = [script_of(f"{kind}-{n}@x", 1) for kind in ("both", "mail") for n in range(40)]

    assert sum(bool(one.at_recipient) for one in scripts) == 2
    assert sum(bool(one.after_data) for one in scripts) == 2
    assert sum(one == TAKES for one in scripts) == 76


def test_half_the_attempts_meet_a_busy_server_the_same_with_the_same_seed() -> None:
    def drawn(seed: int) -> list[object]:
        script_of = scenario("busy").scripts(seed, False)
        return [script_of(f"both-{n}@x", attempt) for n in range(200) for attempt in (1, 2)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 160 <= sum(one == TAKES for one in drawn(1)) <= 240
    assert len(set(drawn(1))) == 4


def test_who_is_greylisted_is_taken_at_the_next_attempt() -> None:
    script_of = scenario("greylisting").scripts(1, False)

    assert script_of("both-1@x", 1).at_recipient.startswith("450 4.7.1")
    assert script_of("both-1@x", 2) == TAKES
