"""Facts in PostgreSQL: what a batch adds is merged with what is known, in the caller's transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Table, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from services.contracts.outreach import Mode, Outcome
from services.contracts.people import Channel, MessageClass
from services.outreach import positions, rows
from services.outreach.facts import ConsentStatement, Problem, Profile, profile_among
from services.outreach.intake import Additions
from services.outreach.knowledge import Contacted, DueStep, Knowledge
from services.outreach.pages.facts import Verdict
from services.outreach.returned_mail import Kind
from services.outreach.tables import (
    AGENDA,
    ALIASES,
    BOUNCES,
    CONSENTS,
    DECISIONS,
    FEEDBACK,
    INBOUND_CONTACTS,
    PROBLEMS,
    PROFILES,
    SENDS,
    SURVEY_ANSWERS,
)

_USED_NO_PATIENCE = ("failed", "withdrawn")
"""States of a send in which the customer heard nothing."""
_TOLD = ("sent", "unknown")
"""States of a send in which the customer heard of it, or may have."""
_BEING_TOLD = "started"


class _Mergeable(Protocol):
    def merge(self, other: Any) -> Any: ...


M = TypeVar("M", bound=_Mergeable)


def remember(connection: Connection, additions: Additions) -> list[DueStep]:
    """Merge a batch's facts in, and return the steps that became due by it."""
    problems = _merge_in(
        connection, PROBLEMS, additions.problems, rows.problem_row, rows.problem_of, ("problem_id",)
    )
    _merge_in(
        connection,
        INBOUND_CONTACTS,
        additions.contacts,
        rows.contact_row,
        rows.contact_of,
        ("customer_id", "contact_id"),
    )
    _merge_in(
        connection,
        SURVEY_ANSWERS,
        additions.answers,
        rows.answer_row,
        rows.answer_of,
        ("customer_id", "survey_id"),
    )
    # A problem told of under another name before the merge was is still under the former one, and what
    # is due follows it until the merge moves both.
    owners = {problem.problem_id: problem.customer_id for problem in problems}
    due = [_owned(connection, d, owners[d.problem_id]) for d in additions.due.values()]
    return add_to_agenda(connection, due)


def remember_consents(
    connection: Connection, statements: Sequence[ConsentStatement]
) -> set[tuple[str, str]]:
    """Keep statements not seen before; return the source and id of those."""
    new = {(s.source, s.event_id): rows.consent_row(s) for s in statements}
    if not new:
        return set()
    kept = connection.execute(
        insert(CONSENTS).on_conflict_do_nothing().returning(CONSENTS.c.source, CONSENTS.c.event_id),
        list(new.values()),
    )
    return {(row.source, row.event_id) for row in kept}


def profiles_of(connection: Connection, customers: Iterable[str]) -> dict[str, Profile]:
    """Return the profiles known, by customer."""
    wanted = list(customers)
    if not wanted:
        return {}
    found = connection.execute(select(PROFILES).where(PROFILES.c.customer_id.in_(wanted)))
    return {row.customer_id: rows.profile_of(row) for row in found}


def profile_of(connection: Connection, customer: str) -> Profile | None:
    """Return what is known of how to reach a customer, under whatever name."""
    others = _other_names(connection, [customer])
    return _profiles_under_all_names(connection, [customer], others)[customer]


def remember_profiles(connection: Connection, changed: Iterable[Profile]) -> None:
    """Keep these in place of what was known; at most one per customer."""
    _upsert(connection, PROFILES, [rows.profile_row(p) for p in changed], ("customer_id",))


def knowledge_of(
    connection: Connection,
    customers: Iterable[str],
    problems: Iterable[UUID],
    since: datetime,
    leaving_out: UUID | None = None,
) -> dict[str, Knowledge]:
    """Return what is remembered about each customer.

    Args:
        customers: Whom to ask about.
        problems: Their problems that matter now; every other that is open is known as well.
        since: Contacts before this instant use up no budget any more.
        leaving_out: A step whose own contact is not to count against it.
    """
    wanted = sorted(set(customers))
    others = _other_names(connection, wanted)
    found = _problems(connection, wanted, problems, others)
    contacts = _grouped(connection, INBOUND_CONTACTS, wanted, rows.contact_of)
    answers = _grouped(connection, SURVEY_ANSWERS, wanted, rows.answer_of)
    consents = consents_of(connection, wanted, others)
    profiles = _profiles_under_all_names(connection, wanted, others)
    contacted = _contacted(connection, wanted, since, leaving_out)
    over = [id_ for id_, problem in found.items() if problem.ending is not None]
    told = _told(connection, over, leaving_out)
    unhelpful = _unhelpful(connection, wanted)
    bounced = _bounced(connection, wanted)
    twins = _told(connection, _twins(found.values(), others), leaving_out)
    return {
        customer: Knowledge(
            problems={id_: p for id_, p in found.items() if p.customer_id == customer},
            contacts=tuple(contacts.get(customer, ())),
            answers=tuple(answers.get(customer, ())),
            consents=tuple(consents.get(customer, ())),
            profile=_reachable(profiles.get(customer), bounced.get(customer)),
            contacted=tuple(contacted.get(customer, ())),
            told=frozenset(told.get((customer, True), ())),
            being_told=frozenset(told.get((customer, False), ())),
            unhelpful=frozenset(unhelpful.get(customer, ())),
            told_twins=frozenset(
                {*twins.get((customer, True), ()), *twins.get((customer, False), ())}
            ),
        )
        for customer in wanted
    }


OtherNames = Mapping[str, Sequence[str]]
"""Customer → every id that is another name of theirs; who has none is left out."""


def _problems(
    connection: Connection, customers: Sequence[str], problems: Iterable[UUID], others: OtherNames
) -> dict[UUID, Problem]:
    # Of who has several names two problems may be one, also when that one has ended since.
    matters = PROBLEMS.c.ended_at.is_(None) | PROBLEMS.c.customer_id.in_(sorted(others))
    found = connection.execute(
        select(PROBLEMS).where(
            PROBLEMS.c.problem_id.in_(set(problems))
            | (PROBLEMS.c.customer_id.in_(customers) & matters)
        )
    )
    return {row.problem_id: rows.problem_of(row) for row in found}


def consents_of(
    connection: Connection, customers: Sequence[str], others: OtherNames | None = None
) -> dict[str, list[ConsentStatement]]:
    """Return everything these customers have said, under whatever name.

    Args:
        connection: To read by.
        customers: By the ids that stay.
        others: Their other names, where the caller knows them.
    """
    known = _other_names(connection, customers) if others is None else others
    owners = _owners(customers, known)
    found: dict[str, list[ConsentStatement]] = {}
    query = (
        select(CONSENTS, ALIASES.c.merged_at)
        .outerjoin(ALIASES, ALIASES.c.customer_id == CONSENTS.c.customer_id)
        .where(CONSENTS.c.customer_id.in_(sorted(owners)))
        # Sorted, so that what is recorded never depends on the order in which rows lie.
        .order_by(*CONSENTS.primary_key.columns)
    )
    for row in connection.execute(query):
        found.setdefault(owners[row.customer_id], []).append(rows.consent_of(row))
    return found


def add_to_agenda(connection: Connection, due: Sequence[DueStep]) -> list[DueStep]:
    """Add steps that became due; return those that had never been."""
    if not due:
        return []
    added = connection.execute(
        insert(AGENDA).on_conflict_do_nothing().returning(AGENDA.c.step_id),
        [rows.due_row(step) for step in due],
    )
    new = {row.step_id for row in added}
    return [step for step in due if step.step_id in new]


def _owned(connection: Connection, due: DueStep, owner: str) -> DueStep:
    if due.customer_id == owner:
        return due
    partition = positions.home_of(connection, owner)
    return replace(due, customer_id=owner, partition=partition)


def _merge_in(
    connection: Connection,
    table: Table,
    additions: Mapping[Any, M],
    to_row: Callable[[M], rows.Values],
    from_row: Callable[[Any], M],
    key: tuple[str, ...],
) -> list[M]:
    """Return what is known of each of these by now."""
    if not additions:
        return []
    columns = [table.c[name] for name in key]
    found = connection.execute(
        select(table).where(
            tuple_(*columns).in_([_key_of(to_row(m), key) for m in additions.values()])
        )
    )
    known = {_key_of(row._mapping, key): from_row(row) for row in found}
    merged, changed = [], []
    for addition in additions.values():
        before = known.get(_key_of(to_row(addition), key))
        after = before.merge(addition) if before is not None else addition
        merged.append(after)
        if after != before:
            changed.append(to_row(after))
    _upsert(connection, table, changed, key)
    return merged


def _upsert(
    connection: Connection, table: Table, values: Sequence[rows.Values], key: tuple[str, ...]
) -> None:
    if not values:
        return
    statement = insert(table)
    changed = {c.name: statement.excluded[c.name] for c in table.c if c.name not in key}
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=changed), list(values)
    )


def _key_of(row: Any, key: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in key)


def _grouped(
    connection: Connection, table: Table, customers: Sequence[str], from_row: Callable[[Any], Any]
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    # Sorted by key, so that what is recorded never depends on the order in which rows lie.
    keys = list(table.primary_key.columns)
    for row in connection.execute(
        select(table).where(table.c.customer_id.in_(customers)).order_by(*keys)
    ):
        found.setdefault(row.customer_id, []).append(from_row(row))
    return found


def _contacted(
    connection: Connection, customers: Sequence[str], since: datetime, leaving_out: UUID | None
) -> dict[str, list[Contacted]]:
    query = (
        select(
            DECISIONS.c.customer_id,
            DECISIONS.c.decided_at,
            DECISIONS.c.mode,
            DECISIONS.c.message_class,
        )
        .outerjoin(SENDS, SENDS.c.step_id == DECISIONS.c.step_id)
        .where(DECISIONS.c.customer_id.in_(customers))
        .where(DECISIONS.c.decided_at > since)
        .where(DECISIONS.c.outcome == Outcome.CONTACT.value)
        .where(SENDS.c.state.is_(None) | SENDS.c.state.not_in(_USED_NO_PATIENCE))
        .order_by(DECISIONS.c.decided_at)
    )
    if leaving_out is not None:
        query = query.where(DECISIONS.c.step_id != leaving_out)
    found: dict[str, list[Contacted]] = {}
    for row in connection.execute(query):
        made = Contacted(row.decided_at, Mode(row.mode), MessageClass(row.message_class))
        found.setdefault(row.customer_id, []).append(made)
    return found


def _other_names(connection: Connection, customers: Sequence[str]) -> OtherNames:
    found: dict[str, list[str]] = {}
    query = select(ALIASES).where(ALIASES.c.survivor.in_(customers)).order_by(ALIASES.c.customer_id)
    for row in connection.execute(query):
        found.setdefault(row.survivor, []).append(row.customer_id)
    return found


def _owners(customers: Iterable[str], others: OtherNames) -> dict[str, str]:
    """Return every name → the customer whose it is."""
    return {name: c for c in customers for name in (c, *others.get(c, ()))}


def _profiles_under_all_names(
    connection: Connection, customers: Sequence[str], others: OtherNames
) -> dict[str, Profile | None]:
    found = profiles_of(connection, sorted(_owners(customers, others)))
    return {
        c: profile_among(found.get(c), [found[n] for n in others.get(c, ()) if n in found])
        for c in customers
    }


def _twins(problems: Iterable[Problem], others: OtherNames) -> list[UUID]:
    """Return the problems that are one with another, told of under another name of their customer."""
    named = [problem for problem in problems if problem.customer_id in others]
    return [p.problem_id for p in named if any(p.is_twin_of(other) for other in named)]


def _told(
    connection: Connection, problems: Sequence[UUID], leaving_out: UUID | None
) -> dict[tuple[str, bool], set[UUID]]:
    """Return which of these problems each customer heard of (true), or is just hearing of (false)."""
    if not problems:
        return {}
    # By customer, for which there is an index; what goes to a person of ours tells nobody.
    query = (
        select(SENDS.c.customer_id, SENDS.c.problem_id, SENDS.c.state)
        .join(PROBLEMS, PROBLEMS.c.problem_id == SENDS.c.problem_id)
        .where(PROBLEMS.c.problem_id.in_(problems))
        .where(SENDS.c.customer_id == PROBLEMS.c.customer_id)
        .where(SENDS.c.state.in_((*_TOLD, _BEING_TOLD)))
        .where(SENDS.c.channel != Channel.HUMAN.value)
    )
    if leaving_out is not None:
        query = query.where(SENDS.c.step_id != leaving_out)
    found: dict[tuple[str, bool], set[UUID]] = {}
    for row in connection.execute(query):
        found.setdefault((row.customer_id, row.state in _TOLD), set()).add(row.problem_id)
    return found


def _unhelpful(
    connection: Connection, customers: Sequence[str]
) -> dict[str, set[tuple[UUID, str]]]:
    """Return, by customer, of which problem and playbook a message was said not to have helped."""
    query = (
        select(SENDS.c.customer_id, SENDS.c.problem_id, SENDS.c.playbook)
        .join(FEEDBACK, FEEDBACK.c.step_id == SENDS.c.step_id)
        .where(FEEDBACK.c.customer_id.in_(customers))
        .where(FEEDBACK.c.customer_id == SENDS.c.customer_id)
        .where(FEEDBACK.c.verdict == Verdict.DID_NOT_HELP.value)
    )
    found: dict[str, set[tuple[UUID, str]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.customer_id, set()).add((row.problem_id, row.playbook))
    return found


def _bounced(connection: Connection, customers: Sequence[str]) -> dict[str, datetime]:
    """Return, by customer, when the last mail left that came back for good."""
    found = connection.execute(
        select(BOUNCES.c.customer_id, func.max(BOUNCES.c.sent_at))
        .where(BOUNCES.c.customer_id.in_(customers), BOUNCES.c.kind == Kind.HARD.value)
        .group_by(BOUNCES.c.customer_id)
    )
    return {row[0]: row[1] for row in found}


def _reachable(profile: Profile | None, bounced: datetime | None) -> Profile | None:
    """Return the profile without an address at which nobody is reached, until a newer profile comes."""
    if profile is None or bounced is None or profile.as_of > bounced:
        return profile
    return replace(profile, email=None)
