"""Forgetting a customer: what says something about them goes, what is only counted stays without them.

What was decided and sent is counted elsewhere too, so those rows stay, under a name that leads to nobody.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from services.contracts.outreach import Withdrawal
from services.contracts.people import Channel
from services.kit.exits import Unavailable
from services.outreach import identities, ledger, rows
from services.outreach.facts import Profile
from services.outreach.persons import Person
from services.outreach.suppression import CUSTOMER, SETTING, Keys, read_keys
from services.outreach.tables import (
    AGENDA,
    BOUNCES,
    CONSENTS,
    DECISIONS,
    FEEDBACK,
    INBOUND_CONTACTS,
    PROBLEMS,
    PROFILES,
    SENDS,
    SUPPRESSIONS,
    SURVEY_ANSWERS,
    SURVEYS,
)

NO_SUBJECT = ""
"""Stands where it was said what an erased customer's problem was about."""

OF_CUSTOMERS: tuple[Table, ...] = (
    PROFILES,
    CONSENTS,
    PROBLEMS,
    INBOUND_CONTACTS,
    SURVEY_ANSWERS,
    AGENDA,
    DECISIONS,
    SENDS,
    SURVEYS,
    FEEDBACK,
    BOUNCES,
)
"""Every table that knows a customer by id."""


def erase(connection: Connection, name: str, until: datetime, keys: Keys, now: datetime) -> bool:
    """Forget everything about a customer that is dated no later than `until`.

    The caller holds the names alone, and has locked this customer's.

    Returns:
        Whether there had been no such erasure before.
    """
    person = identities.person_of(connection, name)
    is_news = _suppress_names(connection, person.names, until, keys)
    past = _profiles_until(connection, person.names, until)
    suppress_addresses(connection, past, until, keys)
    gone = [profile.customer_id for profile in past]
    connection.execute(delete(PROFILES).where(PROFILES.c.customer_id.in_(gone)))
    over = _problems_until(person, until)
    _withdraw(connection, person, over, now)
    _forget_words(connection, person.names, until)
    _make_nameless(connection, over, keys.opaque(person.customer_id, until))
    identities.forget_names(connection, person.names)
    return is_news


def suppress_addresses(
    connection: Connection, profiles: Sequence[Profile], until: datetime, keys: Keys
) -> None:
    """Remember that whoever has an address of these was erased, also of profiles known already."""
    hashes: list[tuple[str, str]] = []
    for kept in (kept for profile in profiles for kept in hashes_of(profile, keys)):
        kind, hash_, _ = kept.split(":", 2)
        hashes.append((kind, hash_))
    _suppress(connection, hashes, until)
    _suppress_later(connection, profiles, until)


def suppressed_since(
    connection: Connection, profiles: Iterable[Profile], keys: Keys
) -> dict[str, datetime]:
    """Return customer → when somebody was erased who had an address of theirs."""
    of_hash: dict[tuple[str, str], list[str]] = {}
    for profile in profiles:
        for by, address in profile.addresses:
            for hash_ in keys.hashes(by.value, address):
                of_hash.setdefault((by.value, hash_), []).append(profile.customer_id)
    found: dict[str, datetime] = {}
    if of_hash:
        wanted = SUPPRESSIONS.c.hash.in_(sorted({hash_ for _, hash_ in of_hash}))
        for row in connection.execute(select(SUPPRESSIONS).where(wanted)):
            for customer in of_hash.get((row.kind, row.hash), ()):
                found[customer] = max(row.erased_at, found.get(customer, row.erased_at))
    return found


def hashes_of(profile: Profile, keys: Keys | None) -> tuple[str, ...]:
    """Return what is kept of a profile that a tombstone takes away, for an erasure that comes later.

    Each is `kind:hash:instant`, of the snapshot: the tombstone itself may be later than the erasure.
    """
    if keys is None or profile.is_forgotten:
        return profile.address_hashes
    of = profile.as_of.isoformat()
    return tuple(f"{by.value}:{keys.hash(by.value, a)}:{of}" for by, a in profile.addresses)


def owners_of(connection: Connection, problems: Iterable[UUID]) -> dict[UUID, str]:
    """Return the customers under whom these problems are kept; those not known are left out."""
    found = connection.execute(
        select(PROBLEMS.c.problem_id, PROBLEMS.c.customer_id).where(
            PROBLEMS.c.problem_id.in_(list(problems))
        )
    )
    return {row.problem_id: row.customer_id for row in found}


def keys_for(engine: Engine, path: Path | None) -> Keys | None:
    """Return the keys of who was erased, from this file.

    Raises:
        Unavailable: somebody was, and there are none: they would be written to again.
    """
    keys = read_keys(path)
    if keys is None:
        with engine.connect() as connection:
            if is_suppressing(connection):
                raise Unavailable(
                    "customers were erased and there is no key to know them by: name the file "
                    f"that held it with {SETTING}, or restore it; without it they would be "
                    "written to again"
                )
    return keys


def is_suppressing(connection: Connection) -> bool:
    """Return whether anybody was ever erased: then nothing may be read without the keys."""
    return connection.execute(select(SUPPRESSIONS.c.hash).limit(1)).first() is not None


def _suppress_names(
    connection: Connection, names: Iterable[str], until: datetime, keys: Keys
) -> bool:
    return _suppress(connection, [(CUSTOMER, keys.hash(CUSTOMER, n)) for n in names], until) > 0


def _suppress(connection: Connection, hashes: Sequence[tuple[str, str]], until: datetime) -> int:
    if not hashes:
        return 0
    statement = insert(SUPPRESSIONS)
    latest = statement.excluded.erased_at
    kept = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "hash"],
            set_={"erased_at": latest},
            where=SUPPRESSIONS.c.erased_at < latest,
        ).returning(SUPPRESSIONS.c.hash),
        [{"kind": kind, "hash": h, "erased_at": until} for kind, h in sorted(set(hashes))],
    )
    return len(kept.all())


def _profiles_until(connection: Connection, names: Iterable[str], until: datetime) -> list[Profile]:
    found = connection.execute(select(PROFILES).where(PROFILES.c.customer_id.in_(sorted(names))))
    profiles = [rows.profile_of(row) for row in found]
    return [profile for profile in profiles if _is_past(profile, until)]


def _is_past(profile: Profile, until: datetime) -> bool:
    if not profile.is_forgotten:
        return profile.as_of <= until
    # A tombstone counts as of what it took away; of one that took nothing there is nothing to keep.
    instants = (kept.split(":", 2)[2] for kept in profile.address_hashes)
    return all(datetime.fromisoformat(instant) <= until for instant in instants)


def _suppress_later(connection: Connection, taken: Iterable[Profile], until: datetime) -> None:
    """Mark newer profiles with an address of these: they were heard of before the erasure was."""
    addresses = {
        Channel.EMAIL: PROFILES.c.email,
        Channel.SMS: PROFILES.c.phone,
        Channel.PUSH: PROFILES.c.push_id,
        Channel.CHAT: PROFILES.c.chat_id,
    }
    same = [
        func.lower(addresses[by]) == address.lower()
        if by is Channel.EMAIL
        else addresses[by] == address
        for profile in taken
        for by, address in profile.addresses
    ]
    if same:
        connection.execute(
            update(PROFILES)
            .where(PROFILES.c.as_of > until, or_(*same))
            .values(suppressed_since=func.greatest(PROFILES.c.suppressed_since, until))
        )


def _problems_until(person: Person, until: datetime) -> ColumnElement[bool]:
    return PROBLEMS.c.customer_id.in_(sorted(person.names)) & (PROBLEMS.c.opened_at <= until)


def _withdraw(
    connection: Connection, person: Person, over: ColumnElement[bool], now: datetime
) -> None:
    ended = set(connection.execute(select(PROBLEMS.c.problem_id).where(over)).scalars())
    for send in ledger.pending_of(connection, person.names):
        if send.problem_id in ended:
            ledger.withdraw(connection, send, Withdrawal.CUSTOMER_ERASED, now)


def _forget_words(connection: Connection, names: Iterable[str], until: datetime) -> None:
    wanted = sorted(names)
    dated: tuple[tuple[Table, ColumnElement[datetime]], ...] = (
        (CONSENTS, CONSENTS.c.said_at),
        (INBOUND_CONTACTS, _latest(INBOUND_CONTACTS, "heard_at", "opened_at", "resolved_at")),
        (SURVEY_ANSWERS, SURVEY_ANSWERS.c.answered_at),
        (SURVEYS, _latest(SURVEYS, "sent_at", "answered_at", "changed_at")),
        (FEEDBACK, FEEDBACK.c.said_at),
        (BOUNCES, BOUNCES.c.noted_at),
    )
    for table, at in dated:
        is_past = at.is_(None) | (at <= until)
        connection.execute(delete(table).where(table.c.customer_id.in_(wanted), is_past))


def _latest(table: Table, *columns: str) -> ColumnElement[datetime]:
    return func.greatest(*(table.c[name] for name in columns))


def _make_nameless(connection: Connection, over: ColumnElement[bool], opaque: str) -> None:
    """Leave of these problems what is counted: which kind of message was decided and sent, when, and how."""
    ended = select(PROBLEMS.c.problem_id).where(over).scalar_subquery()
    nameless = {"customer_id": opaque}
    by_table = (
        (AGENDA, {**nameless, "due_at": None}),
        (DECISIONS, {**nameless, "order_id": None}),
        (SENDS, {**nameless, "order_id": None, "message_id": None}),
    )
    for table, values in by_table:
        connection.execute(update(table).where(table.c.problem_id.in_(ended)).values(**values))
    connection.execute(
        update(PROBLEMS)
        .where(over)
        .values(**nameless, subject=NO_SUBJECT, order_id=None, complaint_risk=None)
    )
