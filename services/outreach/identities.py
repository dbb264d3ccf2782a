"""Who is whom, in PostgreSQL: names looked up, and what belongs to several put under one.

Whoever writes under a customer's id holds the names (`hold`) until the end of the transaction, before any
customer's lock: so no name changes between being looked up and being written under.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Select, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from services.contracts.identities import Merge
from services.outreach import memory, positions, rows
from services.outreach.customer_locks import lock_customers
from services.outreach.intake import Additions
from services.outreach.pages import rows as page_rows
from services.outreach.pages.facts import merged
from services.outreach.persons import Person, Standing, people_of, person_among
from services.outreach.suppression import CUSTOMER, Keys
from services.outreach.tables import (
    AGENDA,
    ALIASES,
    BOUNCES,
    DECISIONS,
    FEEDBACK,
    INBOUND_CONTACTS,
    MERGES,
    PROBLEMS,
    SENDS,
    SUPPRESSIONS,
    SURVEY_ANSWERS,
    SURVEYS,
)

_LOCK = 0x6361_7265_6E61_6D65
"""Shared by everybody who writes under a name, held alone by who changes names."""

_LINKED = text(
    """
    WITH RECURSIVE near (name) AS (
        SELECT unnest(CAST(:names AS text[]))
        UNION
        SELECT CASE WHEN m.goes = near.name THEN m.stays ELSE m.goes END
          FROM near JOIN merges AS m ON m.goes = near.name OR m.stays = near.name
    )
    SELECT m.goes, m.stays, m.merged_at FROM merges AS m JOIN near ON near.name = m.goes
     ORDER BY m.merged_at, m.stays
    """
)


def hold(connection: Connection, *, alone: bool = False) -> None:
    """Let nobody change names until the transaction ends; `alone`: so that we may."""
    function = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    connection.execute(text(f"SELECT {function}(:key)"), {"key": _LOCK})


def customer_of(connection: Connection, name: str) -> str:
    """Return the id under which everything of this one is kept."""
    query = select(ALIASES.c.survivor).where(ALIASES.c.customer_id == name)
    return connection.execute(query).scalar_one_or_none() or name


def locked_customer(connection: Connection, name: str) -> str:
    """Return the id under which everything of this one is kept until the transaction ends, locked."""
    hold(connection)
    customer = customer_of(connection, name)
    lock_customers(connection, [customer])
    return customer


def lock_owner(connection: Connection, owner: Select[str]) -> str | None:
    """Lock the customer whom a row names, and names until the transaction ends; None: there is no such row.

    Whoever goes on reads the row again: it may have changed while somebody else had the customer.
    """
    hold(connection)
    customer: str | None = connection.execute(owner).scalar_one_or_none()
    if customer is not None:
        lock_customers(connection, [customer])
    return customer


def are_there_any(connection: Connection) -> bool:
    """Return whether any customer has several names."""
    return connection.execute(select(ALIASES.c.customer_id).limit(1)).first() is not None


def person_of(connection: Connection, name: str) -> Person:
    """Return the customer of this id, with all names."""
    return person_among(people_of(_linked(connection, [name])), name)


def standing_of(connection: Connection, names: Iterable[str], keys: Keys | None) -> Standing:
    """Return what is known of these ids.

    Args:
        connection: Whose transaction holds the names where anything follows from it.
        names: The ids.
        keys: Of the hashes of who was erased; None: nobody was.
    """
    wanted = sorted(set(names))
    found = connection.execute(select(ALIASES).where(ALIASES.c.customer_id.in_(wanted)))
    survivors = {row.customer_id: row.survivor for row in found}
    return Standing(
        survivors,
        {} if keys is None else _erased(connection, wanted, keys),
        (positions.partitions_in(connection) or 1) if survivors else 1,
    )


def goes_elsewhere(connection: Connection, told: Merge) -> bool:
    """Return whether an earlier word sent this id to another one: then this one does not count."""
    query = select(MERGES.c.goes).where(MERGES.c.goes == told.goes, MERGES.c.stays != told.stays)
    return connection.execute(query.limit(1)).first() is not None


def merge(connection: Connection, told: Merge) -> bool:
    """Make two ids one customer, whose names the caller holds alone and has locked.

    The caller has seen that the first does not go elsewhere.

    Returns:
        Whether it was news.
    """
    if told.goes == told.stays:
        return False
    statement = insert(MERGES).values(goes=told.goes, stays=told.stays, merged_at=told.at)
    is_earlier = MERGES.c.merged_at > statement.excluded.merged_at
    kept = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["goes", "stays"],
            set_={"merged_at": statement.excluded.merged_at},
            where=is_earlier,
        ).returning(MERGES.c.goes)
    )
    if kept.first() is None:
        return False
    person = person_of(connection, told.goes)
    forget_names(connection, person.names, also_merges=False)
    connection.execute(
        insert(ALIASES),
        [
            {"customer_id": name, "survivor": person.customer_id, "merged_at": at}
            for name, at in sorted(person.others.items())
        ],
    )
    _gather(connection, person)
    return True


def forget_names(connection: Connection, names: Iterable[str], *, also_merges: bool = True) -> None:
    """Take away that these are names of one customer."""
    wanted = sorted(names)
    connection.execute(delete(ALIASES).where(ALIASES.c.customer_id.in_(wanted)))
    if also_merges:
        linked = MERGES.c.goes.in_(wanted) | MERGES.c.stays.in_(wanted)
        connection.execute(delete(MERGES).where(linked))


def gather(connection: Connection, names: Iterable[str]) -> None:
    """Put what lies under these ids under the ones that stay; the caller holds the names and the locks."""
    for person in people_of(_linked(connection, names)):
        _gather(connection, person)


def linked(connection: Connection, names: Iterable[str]) -> set[str]:
    """Return these ids and every other name of their customers."""
    wanted = set(names)
    if not wanted:
        return set()
    return wanted | {name for m in _linked(connection, wanted) for name in (m.goes, m.stays)}


def _linked(connection: Connection, names: Iterable[str]) -> list[Merge]:
    found = connection.execute(_LINKED, {"names": sorted(set(names))})
    return [Merge(row.goes, row.stays, row.merged_at) for row in found]


def _erased(connection: Connection, names: list[str], keys: Keys) -> dict[str, datetime]:
    of_hash = {hash_: name for name in names for hash_ in keys.hashes(CUSTOMER, name)}
    found = connection.execute(
        select(SUPPRESSIONS).where(
            SUPPRESSIONS.c.kind == CUSTOMER, SUPPRESSIONS.c.hash.in_(sorted(of_hash))
        )
    )
    erased: dict[str, datetime] = {}
    for row in found:
        name = of_hash[row.hash]
        erased[name] = max(row.erased_at, erased.get(name, row.erased_at))
    return erased


def _gather(connection: Connection, person: Person) -> None:
    """Put what lies under the other names under the one that stays.

    What was said stays where it was said: consents and profiles are read under every name.
    """
    customer, others = person.customer_id, sorted(person.others)
    partition = positions.home_of(connection, customer)
    moved = {"customer_id": customer, "partition": partition}
    connection.execute(
        update(PROBLEMS).where(PROBLEMS.c.customer_id.in_(others)).values(customer_id=customer)
    )
    connection.execute(
        update(BOUNCES).where(BOUNCES.c.customer_id.in_(others)).values(customer_id=customer)
    )
    for table in (AGENDA, DECISIONS, SENDS, FEEDBACK):
        connection.execute(update(table).where(table.c.customer_id.in_(others)).values(**moved))
    _gather_words(connection, customer, others)
    _gather_surveys(connection, moved, others)


def _gather_words(connection: Connection, customer: str, others: list[str]) -> None:
    """Both may have a contact or a survey of the same id: those are folded into one."""
    taken = Additions()
    of_contacts, of_answers = INBOUND_CONTACTS.c.customer_id, SURVEY_ANSWERS.c.customer_id
    contacts = connection.execute(
        delete(INBOUND_CONTACTS).where(of_contacts.in_(others)).returning(INBOUND_CONTACTS)
    )
    for row in contacts:
        taken.add_contact(rows.contact_of(row).of(customer))
    answers = connection.execute(
        delete(SURVEY_ANSWERS).where(of_answers.in_(others)).returning(SURVEY_ANSWERS)
    )
    for row in answers:
        taken.add_answer(rows.answer_of(row).of(customer))
    memory.remember(connection, taken)


def _gather_surveys(connection: Connection, moved: rows.Values, others: list[str]) -> None:
    names = [moved["customer_id"], *others]
    found = connection.execute(
        delete(SURVEYS)
        .where(SURVEYS.c.customer_id.in_(names))
        .returning(*(column for column in SURVEYS.c))
    )
    surveys = [page_rows.survey_of(row) for row in found]
    values = [{**page_rows.survey_row(survey), **moved} for survey in merged(surveys)]
    if values:
        connection.execute(insert(SURVEYS), values)
