"""Everything known of one customer in order of time, page by page, from the tables it lies in.

Each kind of entry has a rank; time, rank and id put all of them in one order.  So each table is asked for
what lies behind the last entry shown, and for no more than one page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
    tuple_,
)

from services.outreach import identities
from services.outreach.api import entries
from services.outreach.api.actions import SETTLING
from services.outreach.api.asked import PageAsked
from services.outreach.api.cursors import TimelineCursor
from services.outreach.api.timeline_views import Entry, Timeline
from services.outreach.tables import (
    ACTIONS,
    CONSENTS,
    DECISIONS,
    FEEDBACK,
    INBOUND_CONTACTS,
    PROBLEMS,
    SENDS,
    SURVEY_ANSWERS,
    SURVEYS,
)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where entries of one kind lie."""

    table: FromClause
    at: ColumnElement[Any]
    id: ColumnElement[str]
    entry: Callable[[Row[Any]], Entry]
    customer: ColumnElement[str]
    columns: tuple[ColumnElement[Any], ...] = ()
    """Those that are shown; none: all of the table."""


def _text(column: ColumnElement[Any]) -> ColumnElement[str]:
    return cast(column, Text)


_STEP_OF_ACTION = and_(
    ACTIONS.c.target == _text(SENDS.c.step_id),
    ACTIONS.c.what.in_([what.value for what in SETTLING]),
)
_CONTACT_AT = func.coalesce(
    INBOUND_CONTACTS.c.opened_at, INBOUND_CONTACTS.c.heard_at, INBOUND_CONTACTS.c.resolved_at
)

_SOURCES: tuple[_Source, ...] = (
    _Source(
        PROBLEMS,
        PROBLEMS.c.opened_at,
        _text(PROBLEMS.c.problem_id),
        entries.opened,
        PROBLEMS.c.customer_id,
    ),
    _Source(
        INBOUND_CONTACTS,
        _CONTACT_AT,
        INBOUND_CONTACTS.c.contact_id,
        entries.contact,
        INBOUND_CONTACTS.c.customer_id,
    ),
    _Source(
        DECISIONS,
        DECISIONS.c.decided_at,
        _text(DECISIONS.c.decision_id),
        entries.decided,
        DECISIONS.c.customer_id,
    ),
    _Source(
        SENDS,
        func.coalesce(SENDS.c.started_at, SENDS.c.decided_at),
        _text(SENDS.c.step_id),
        entries.send,
        SENDS.c.customer_id,
    ),
    _Source(
        SURVEYS,
        SURVEYS.c.sent_at,
        SURVEYS.c.survey_id,
        entries.survey_sent,
        SURVEYS.c.customer_id,
        # The customer's own words stay where they are.
        columns=(SURVEYS.c.survey_id, SURVEYS.c.order_id, SURVEYS.c.step_id),
    ),
    _Source(
        SURVEY_ANSWERS,
        SURVEY_ANSWERS.c.answered_at,
        SURVEY_ANSWERS.c.survey_id,
        entries.survey_answered,
        SURVEY_ANSWERS.c.customer_id,
    ),
    _Source(
        FEEDBACK,
        FEEDBACK.c.said_at,
        _text(FEEDBACK.c.step_id) + " " + FEEDBACK.c.verdict,
        entries.feedback,
        FEEDBACK.c.customer_id,
    ),
    _Source(
        CONSENTS,
        CONSENTS.c.said_at,
        CONSENTS.c.source + " " + CONSENTS.c.event_id,
        entries.consent,
        CONSENTS.c.customer_id,
    ),
    _Source(
        ACTIONS.join(SENDS, _STEP_OF_ACTION),
        ACTIONS.c.at,
        func.lpad(_text(ACTIONS.c.seq), 19, "0"),
        entries.acted,
        SENDS.c.customer_id,
        columns=(*ACTIONS.c,),
    ),
    _Source(
        PROBLEMS,
        PROBLEMS.c.ended_at,
        _text(PROBLEMS.c.problem_id),
        entries.ended,
        PROBLEMS.c.customer_id,
    ),
)
"""In the order in which entries of one instant are told; a place in it is part of cursors."""


@dataclass(frozen=True, slots=True)
class _Found:
    place: TimelineCursor
    entry: Entry


def timeline(connection: Connection, customer_id: str, asked: PageAsked) -> Timeline:
    """Return one page of what is known of a customer, the oldest first.

    Raises:
        WrongCursor: the page asked for is none of this list's.
    """
    cursor = TimelineCursor.read(asked.cursor)
    person = identities.person_of(connection, customer_id)
    # What somebody said stays under the id it was said under; all else lies under the one that stays.
    names = sorted(person.names)
    found = [
        each
        for rank in range(len(_SOURCES))
        for each in _read(connection, rank, names, cursor, asked.limit + 1)
    ]
    found.sort(key=lambda each: each.place.order)
    shown = found[: asked.limit]
    is_more = len(found) > asked.limit
    return Timeline(
        customer_id=person.customer_id,
        items=tuple(each.entry for each in shown),
        next_cursor=shown[-1].place.text() if is_more else None,
    )


def _read(
    connection: Connection,
    rank: int,
    names: Sequence[str],
    cursor: TimelineCursor | None,
    limit: int,
) -> list[_Found]:
    source = _SOURCES[rank]
    # By code points, as Python sorts too, whatever the database's own order is.
    key = source.id.collate("C")
    columns = source.columns or tuple(source.table.c)
    query: Select[Any] = (
        select(*columns, source.at.label("entry_at"), key.label("entry_id"))
        .select_from(source.table)
        .where(source.customer.in_(names), source.at.is_not(None))
        .order_by(source.at, key)
        .limit(limit)
    )
    if cursor is not None:
        query = query.where(_behind(source.at, key, rank, cursor))
    return [_found(source, rank, row) for row in connection.execute(query)]


def _found(source: _Source, rank: int, row: Row[Any]) -> _Found:
    place = TimelineCursor(at=row.entry_at, rank=rank, id=row.entry_id)
    return _Found(place, source.entry(row))


def _behind(
    at: ColumnElement[Any], key: ColumnElement[str], rank: int, cursor: TimelineCursor
) -> ColumnElement[bool]:
    last = literal(cursor.at)
    if rank == cursor.rank:
        return tuple_(at, key) > tuple_(last, literal(cursor.id))
    return at > last if rank < cursor.rank else at >= last
