"""Who is to be forgotten is, and stays so; what is counted stays, without them."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.contracts.envelope import Event
from services.contracts.people import CustomerErased
from services.contracts.problems import ProblemKind
from services.kit import logs
from services.kit.exits import Unavailable
from services.outreach.batch import Batch
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.erasure import OF_CUSTOMERS
from services.outreach.settings import Settings
from services.outreach.suppression import Keys, is_opaque
from services.outreach.tables import METADATA
from services.outreach.worker import Worker
from tests.component.outreach.desk import ME, NIGHT, NOON, Desk, FakeRecord, counts
from tests.component.outreach.test_merging import merged
from tests.component.outreach.visitor import CUSTOMER, Visitor
from tests.factories import DAY, HOUR, START, event, wrote
from tests.support.mail import Manner
from tests.support.outreach import cleared, consent, opened, profile, query, trouble

pytestmark = pytest.mark.connected

KEYS = Keys(("a key of tests, of thirty-two letters and more",))
LATER = NOON + HOUR
AFTER = LATER + HOUR


@pytest.fixture
def forgetful(desk: Desk) -> Desk:
    """A desk with keys."""
    return with_keys(desk)


def with_keys(desk: Desk) -> Desk:
    desk.out = replace(desk.out, keys=KEYS)
    return desk


def erased(customer: str, at: datetime = LATER) -> Event[Any]:
    name = f"erased-{customer}-{at.isoformat()}"
    return event(CustomerErased(), at=at, customer=customer, source="/crm", event_id=name)


def names_in(desk: Desk) -> set[str]:
    """Return every customer any table names."""
    tables = (table.name for table in METADATA.tables.values() if "customer_id" in table.c)
    union = " UNION ".join(f"SELECT customer_id FROM {table}" for table in tables)
    return {name for (name,) in query(desk.url, union)}


def test_every_table_that_names_customers_is_known_to_the_erasure() -> None:
    naming = {t.name for t in METADATA.tables.values() if "customer_id" in t.c}

    assert naming == {table.name for table in OF_CUSTOMERS} | {"aliases"}


def test_nothing_is_left_but_counts(forgetful: Desk, visitor: Visitor) -> None:
    desk = forgetful
    desk.learn(profile(CUSTOMER, phone="+4915100077700"), consent(CUSTOMER, "granted"))
    desk.learn(opened(CUSTOMER, NOON), wrote(customer=CUSTOMER, order="o-7", at=START))
    desk.learn(trouble(CUSTOMER, ProblemKind.CART_ABANDONED, NOON))
    visitor.http.post(visitor.survey(), data={"score": "5", "comment": "my own words"})
    visitor.http.post(visitor.helpful())
    before = desk.decide()
    assert desk.send() == 1

    desk.learn(erased(CUSTOMER), now=LATER)

    (name,) = names_in(desk)
    assert is_opaque(name)
    for table in ("profiles", "consents", "inbound_contacts", "survey_answers", "surveys"):
        assert query(desk.url, f"SELECT * FROM {table}") == []
    assert query(desk.url, "SELECT count(*) FROM decisions") == [(len(before),)]
    assert query(desk.url, "SELECT state, order_id, message_id FROM sends") == [
        ("sent", None, None)
    ]
    left = query(desk.url, "SELECT DISTINCT subject, order_id FROM problems")
    assert left == [("", None)]
    assert counts(desk.url, "identities") == (1, 0, 0, 0)


def test_the_whole_database_does_not_hold_them_anywhere(forgetful: Desk) -> None:
    desk = forgetful
    known = profile(
        "c-canary", name="Ada Canary", email="canary@example.org", phone="+4915100077700"
    )
    desk.learn(known, consent("c-canary", "granted"), opened("c-canary", NOON, order_id="o-canary"))
    desk.decide()
    desk.learn(erased("c-canary"), now=LATER)
    everything = dump(desk)
    assert "canary" in dump(desk, but=())

    assert "canary" not in everything
    assert "77700" not in everything


def dump(desk: Desk, but: tuple[str, ...] = ("outbox",)) -> str:
    """Return all rows of all tables; what is on its way out holds ids, as the topics do."""
    tables = (name for name in METADATA.tables if name not in but)
    return " ".join(str(query(desk.url, f"SELECT t::text FROM {name} t")) for name in tables) + (
        "" if but else str([bytes(v) for (v,) in query(desk.url, "SELECT value FROM outbox")])
    )


def test_what_is_queued_is_withdrawn(forgetful: Desk) -> None:
    forgetful.learn(profile("c-1"), opened("c-1", NOON))
    forgetful.decide()
    forgetful.learn(erased("c-1"), now=LATER)

    assert forgetful.send(LATER) == 0
    assert query(forgetful.url, "SELECT state, reason FROM sends") == [
        ("withdrawn", "customer_erased")
    ]
    assert forgetful.told()[-1] == "withdrawn"


def test_what_is_due_is_never_decided(forgetful: Desk) -> None:
    forgetful.learn(profile("c-1"), opened("c-1", NIGHT), now=NIGHT)
    assert forgetful.decide(NIGHT) == ["deferred"]
    forgetful.learn(erased("c-1", NIGHT + HOUR), now=NIGHT + HOUR)

    assert forgetful.decide(NIGHT + DAY) == []


def test_what_is_under_way_and_not_taken_is_not_tried_again(url: str) -> None:
    desk = with_keys(Desk(url, Manner.BUSY_AT_RECIPIENT))
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    def sending(_: Any) -> Delivery:
        desk.learn(erased("c-1"), now=LATER)
        return Delivery(Ending.DEFERRED, "busy")

    desk.channel.send = sending  # type: ignore[method-assign, assignment]
    desk.send(LATER)
    desk.engine.dispose()

    assert query(url, "SELECT state, reason FROM sends") == [("withdrawn", "customer_erased")]


def test_what_is_older_never_comes_back(forgetful: Desk) -> None:
    desk = forgetful
    old = (
        profile("c-1"),
        consent("c-1", "granted"),
        opened("c-1", NOON),
        wrote(customer="c-1", at=NOON),
    )
    desk.learn(erased("c-1"), now=LATER)
    desk.learn(*old, now=AFTER)
    desk.learn(erased("c-1"), *old, now=AFTER)

    assert names_in(desk) == set()
    for topic in ("customers", "consents", "problems", "contacts"):
        assert counts(desk.url, topic) == (0, 0, 2, 0)
    assert counts(desk.url, "identities") == (1, 1, 0, 0)


def test_a_problem_that_the_predictor_still_knows_does_not_come_back(forgetful: Desk) -> None:
    desk = forgetful
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.learn(erased("c-1"), now=LATER)
    # It forgets a moment later, and then ends what was open; of another one nobody here had heard.
    desk.learn(cleared("c-1", AFTER, "expired"), now=AFTER)
    unknown: dict[str, Any] = {"problem_id": "00000000-0000-0000-0000-000000000009"}
    desk.learn(cleared("c-1", AFTER, "expired", **unknown), now=AFTER)

    assert all(is_opaque(name) for name in names_in(desk))
    assert query(desk.url, "SELECT subject, ended_at FROM problems") == [("", None)]
    assert desk.decide(AFTER) == []


def test_who_comes_later_is_a_new_customer(forgetful: Desk) -> None:
    desk = forgetful
    desk.learn(erased("c-1"), now=LATER)
    desk.learn(profile("c-1", AFTER), opened("c-1", AFTER), now=AFTER)
    desk.learn(
        cleared("c-1", AFTER + HOUR), opened("c-1", AFTER + HOUR, subject="x"), now=AFTER + HOUR
    )

    assert desk.decide(AFTER + HOUR)
    assert names_in(desk) == {"c-1"}


@pytest.mark.parametrize("same", [{"email": "C-1@Example.org"}, {"phone": "+4915100077700"}])
def test_nobody_writes_to_an_address_of_somebody_erased(
    forgetful: Desk, same: dict[str, str]
) -> None:
    desk = forgetful
    desk.learn(profile("c-1", phone="+4915100077700"), erased("c-1"), now=LATER)
    desk.learn(profile("c-2", AFTER, **same), opened("c-2", AFTER), now=AFTER)
    desk.learn(consent("c-3", "granted", START), now=AFTER)

    assert desk.decide(AFTER) == ["consent"]
    ((gates,),) = query(desk.url, "SELECT gates FROM decisions")
    said = next(gate["because"] for gate in gates if gate["gate"] == "consent")
    assert said == "erased at their wish, and no consent since for service by email"

    desk.learn(
        consent("c-2", "granted", AFTER),
        opened("c-2", AFTER, subject="sh-9", problem_id="00000000-0000-0000-0000-000000000009"),
        now=AFTER,
    )
    assert desk.decide(AFTER) == ["contact"]


def test_a_profile_heard_of_before_the_erasure_is_marked_too(forgetful: Desk) -> None:
    desk = forgetful
    mine: dict[str, Any] = {"email": "me@example.org"}
    desk.learn(profile("c-1", **mine), profile("c-2", AFTER, **mine), erased("c-1"), now=AFTER)
    desk.learn(opened("c-2", AFTER), now=AFTER)

    assert desk.decide(AFTER) == ["consent"]


def test_a_tombstone_that_comes_first_does_not_hide_the_addresses(forgetful: Desk) -> None:
    desk = forgetful
    mine: dict[str, Any] = {"email": "me@example.org"}
    desk.learn(profile("c-1", **mine))
    tombstone(desk, "c-1")
    desk.learn(erased("c-1"), now=LATER)
    assert names_in(desk) == set()
    desk.learn(profile("c-2", AFTER, **mine), opened("c-2", AFTER), now=AFTER)

    assert desk.decide(AFTER) == ["consent"]


def test_a_tombstone_read_before_an_erasure_that_is_older_does_not_hide_them_either(
    forgetful: Desk,
) -> None:
    desk = forgetful
    mine: dict[str, Any] = {"email": "me@example.org"}
    desk.learn(profile("c-1", **mine))
    tombstone(desk, "c-1", LATER + HOUR / 2)
    # Of this one nobody here had heard.
    tombstone(desk, "c-9", LATER + HOUR / 2)
    desk.learn(erased("c-1"), erased("c-9"), now=AFTER)
    assert names_in(desk) == set()
    desk.learn(profile("c-2", AFTER, **mine), opened("c-2", AFTER), now=AFTER)

    assert desk.decide(AFTER) == ["consent"]


def test_a_newer_customers_tombstone_is_not_taken_for_one_of_who_was_erased(
    forgetful: Desk,
) -> None:
    desk = forgetful
    mine: dict[str, Any] = {"email": "me@example.org"}
    desk.learn(profile("c-1", LATER + HOUR / 4, **mine), now=AFTER)
    tombstone(desk, "c-1", LATER + HOUR / 2)
    desk.learn(erased("c-1"), now=AFTER)
    desk.learn(profile("c-2", AFTER, **mine), opened("c-2", AFTER), now=AFTER)

    assert desk.decide(AFTER) == ["contact"]


def test_a_tombstone_that_comes_last_leaves_no_row(forgetful: Desk) -> None:
    forgetful.learn(profile("c-1"), erased("c-1"), now=LATER)
    tombstone(forgetful, "c-1")

    assert names_in(forgetful) == set()


def tombstone(desk: Desk, customer: str, at: datetime = NOON) -> None:
    batch, source = Batch(at, desk.out.rules, desk.out.keys), ("customers", 0)
    expected = desk.offsets.get(source, 0)
    record = FakeRecord(desk.next_offset(source), customer.encode(), None, at)
    batch.read(source, expected, [record])
    with desk.engine.begin() as connection:
        batch.write(connection)
        batch.advance(connection, desk.owner)


@pytest.mark.parametrize("called", ["c-1", "c-2"])
def test_every_name_of_theirs_is_forgotten(forgetful: Desk, called: str) -> None:
    desk = forgetful
    desk.learn(profile("c-1"), profile("c-2"), opened("c-1", NOON), merged("c-1", "c-2"))
    desk.learn(erased(called), now=LATER)
    # Also the merge, told again, is of the past.
    desk.learn(profile("c-1"), merged("c-1", "c-2"), opened("c-2", NOON), now=LATER)

    assert all(is_opaque(name) for name in names_in(desk))
    assert query(desk.url, "SELECT * FROM merges") == []


@pytest.mark.parametrize("first", ["c-1", "c-2"])
def test_a_merge_heard_of_after_the_erasure_reaches_the_other_name(
    forgetful: Desk, first: str
) -> None:
    desk = forgetful
    desk.learn(profile("c-1"), profile("c-2"), erased(first), now=LATER)
    assert names_in(desk) == {"c-1", "c-2"} - {first}
    desk.learn(merged("c-1", "c-2"), now=LATER)

    assert names_in(desk) == set()


def test_a_merge_that_does_not_count_forgets_nobody(forgetful: Desk) -> None:
    desk = forgetful
    desk.learn(profile("c-1"), merged("c-1", "c-2"), erased("c-3"), now=LATER)
    desk.learn(merged("c-1", "c-3"), now=LATER)

    assert query(desk.url, "SELECT customer_id FROM profiles") == [("c-1",)]


def test_without_a_key_nothing_of_it_is_done_and_nothing_lost(desk: Desk) -> None:
    desk.learn(profile("c-1"))
    with pytest.raises(Unavailable, match="CARE_OUTREACH_SUPPRESSION_KEY_FILE"):
        desk.learn(erased("c-1"), now=LATER)

    assert names_in(desk) == {"c-1"}
    assert counts(desk.url, "identities") == (0, 0, 0, 0)


def test_a_key_that_was_replaced_is_still_known(forgetful: Desk) -> None:
    desk = forgetful
    desk.learn(profile("c-1"), erased("c-1"), now=LATER)
    desk.out = replace(
        desk.out, keys=Keys((*KEYS.secrets, "another key of tests, long enough it is"))
    )
    desk.learn(profile("c-1"), opened("c-1", NOON), now=LATER)

    assert names_in(desk) == set()


def test_once_somebody_is_erased_nothing_starts_without_the_key(
    forgetful: Desk, tmp_path: Path
) -> None:
    url, engine = forgetful.url, forgetful.engine
    (tmp_path / "key").write_text(f"{KEYS.secrets[0]}\n")

    def keys(file: Path | None = None) -> Keys | None:
        settings = Settings(
            database_url=url, kafka_bootstrap_servers="none", suppression_key_file=file
        )
        return Worker(settings, ME, logs.get("test"))._keys(engine)

    assert keys() is None
    forgetful.learn(erased("c-1"), now=LATER)

    with pytest.raises(Unavailable, match="CARE_OUTREACH_SUPPRESSION_KEY_FILE"):
        keys()
    assert keys(tmp_path / "key") == KEYS
