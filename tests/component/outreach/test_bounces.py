"""Mails that came back: noted once, told, and nobody is written to at a dead address again."""

import json
import mailbox
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.__main__ import care
from services.contracts.outreach import BounceKind, OutreachBounced
from services.contracts.people import ConsentChanged
from services.outreach import returned_mail, returns
from services.outreach.returns import Fate
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.test_merging import merged
from tests.component.outreach.visitor import told
from tests.factories import DAY, HOUR
from tests.support.outreach import opened, problem_id, profile, query
from tests.support.returned import bounce, complaint

pytestmark = pytest.mark.connected

ADDRESS = "c-1@example.org"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk that has written one mail."""
    desk.learn(profile("c-1", NOON - HOUR), opened("c-1", NOON))
    desk.decide()
    assert desk.send() == 1
    return desk


def message_id(desk: Desk) -> str:
    found: str = desk.channel.mails[0]["Message-ID"]
    return found


def come_back(desk: Desk, raw: bytes) -> Fate:
    returned = returned_mail.read(raw)
    assert returned is not None
    with desk.engine.begin() as connection:
        return returns.take(connection, returned, NOON + HOUR)


def again(desk: Desk) -> list[str]:
    """Let something else go wrong two days later, and decide."""
    at = NOON + 2 * DAY
    other = {"order_id": "o-2", "subject": "sh-2", "problem_id": problem_id("another")}
    desk.learn(opened("c-1", at, **other), now=at)  # type: ignore[arg-type]
    return desk.decide(at)


def test_a_hard_bounce_is_told_once_and_closes_the_address(desk: Desk) -> None:
    raw = bounce(message_id(desk), ADDRESS)

    assert come_back(desk, raw) is Fate.HARD
    assert come_back(desk, raw) is Fate.REPEATED

    bounced = [e for *_, e in told(desk.url) if isinstance(e.data, OutreachBounced)]
    assert [(e.data.kind, e.data.status, e.data.step) for e in bounced] == [
        (BounceKind.HARD, "5.1.1", "notice")
    ]
    assert again(desk) == ["channel"]


def test_the_address_may_be_known_under_another_name_alone(desk: Desk) -> None:
    desk.learn(merged("c-1", "c-2"))

    assert come_back(desk, bounce(message_id(desk), ADDRESS)) is Fate.HARD
    assert again(desk) == ["channel"]


def test_a_newer_profile_opens_it_again(desk: Desk) -> None:
    come_back(desk, bounce(message_id(desk), ADDRESS))
    desk.learn(profile("c-1", NOON + 2 * HOUR), now=NOON + 2 * HOUR)

    assert again(desk) == ["contact"]


def test_a_soft_bounce_closes_nothing(desk: Desk) -> None:
    assert come_back(desk, bounce(message_id(desk), ADDRESS, "4.4.7")) is Fate.SOFT
    assert again(desk) == ["contact"]


def test_what_the_ledger_does_not_know_counts_nothing(desk: Desk) -> None:
    """A mail that never was, our step under another domain, and somebody else's address."""
    step, _, _ = message_id(desk).partition("@")
    before = desk.told()

    assert come_back(desk, bounce(recipient=ADDRESS)) is Fate.UNKNOWN
    assert come_back(desk, bounce(f"{step}@evil.example>", ADDRESS)) is Fate.UNKNOWN
    assert come_back(desk, bounce(message_id(desk), "c-2@example.org")) is Fate.OTHER_ADDRESS
    assert desk.told() == before
    assert again(desk) == ["contact"]


def test_who_calls_it_spam_gets_no_more_mail_but_warnings_of_safety(desk: Desk) -> None:
    assert come_back(desk, complaint(message_id(desk))) is Fate.COMPLAINT
    assert come_back(desk, complaint(message_id(desk))) is Fate.REPEATED

    said = [e.data for *_, e in told(desk.url) if isinstance(e.data, ConsentChanged)]
    assert {(d.message_class.value, d.channel.value, d.status.value) for d in said} == {
        (each, "email", "denied") for each in ("service", "care", "promotional")
    }
    assert query(desk.url, "SELECT verdict FROM feedback") == [("stopped",)]
    assert again(desk) == ["consent"]


@pytest.mark.parametrize("kind", ["one", "mbox", "maildir", "stdin"])
def test_the_command_reads_whatever_holds_mails(desk: Desk, tmp_path: Path, kind: str) -> None:
    raw, place, given = bounce(message_id(desk), ADDRESS), tmp_path / "mails", None
    if kind == "one":
        place.write_bytes(raw)
    elif kind == "stdin":
        given = raw
    else:
        box = mailbox.mbox(place) if kind == "mbox" else mailbox.Maildir(place)
        for each in (raw, b"Subject: on holiday\n\nback on Monday\n"):
            box.add(each)
        box.close()
    path = "-" if kind == "stdin" else str(place)
    words = ["bounces", "read", path, "--database-url", desk.url]

    first = CliRunner().invoke(care, [*words, "--json"], input=given)
    second = CliRunner().invoke(care, words, input=given)

    others = 1 if kind in {"mbox", "maildir"} else 0
    assert first.exit_code == 0, first.output
    assert +Counter(json.loads(first.stdout)) == +Counter(hard=1, no_report=others)
    assert "1 repeated" in second.output


def test_a_folder_that_is_no_maildir_is_refused(desk: Desk, tmp_path: Path) -> None:
    done = CliRunner().invoke(care, ["bounces", "read", str(tmp_path), "--database-url", desk.url])

    assert done.exit_code == 2
    assert "no Maildir" in done.output
