"""What the pages read and write in PostgreSQL: a change and what is told of it in one transaction.

The customer is locked before anything is read to be changed, as everywhere in outreach; a page that only
shows something has a transaction in which PostgreSQL itself refuses to write.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.dialects.postgresql import insert

from services.contracts import outreach as contract
from services.contracts.envelope import Event
from services.contracts.trace_context import TraceContext
from services.kit.kafka_clients import partition_of
from services.outreach import announce, identities, ledger, memory, outbox
from services.outreach.announce import Send
from services.outreach.haste import bring_forward
from services.outreach.intake import Additions
from services.outreach.knowledge import StepName
from services.outreach.pages import facts, rows, say
from services.outreach.pages.consents import Statements, denials
from services.outreach.pages.facts import Feedback, Reply, Survey, Verdict
from services.outreach.pages.reading import Stop
from services.outreach.pages.tokens import SurveyLink
from services.outreach.tables import FEEDBACK, SURVEYS

_LOCK_SECONDS = 5
"""Longer than that no customer waits in front of a page for somebody else's transaction."""


class Storage:
    """The database as the pages see it.  For many threads."""

    def __init__(
        self, engine: Engine, partitions: int, on_not_helped: Collection[StepName] = ()
    ) -> None:
        """Use this database; `on_not_helped`: the steps due once a message is said not to have helped."""
        self._engine = engine
        self._partitions = partitions
        self._on_not_helped = on_not_helped

    def survey(self, link: SurveyLink) -> Survey:
        """Return what is known of the survey that a link is about."""
        with self._reading() as connection:
            known = _under_own_name(link, identities.customer_of(connection, link.customer_id))
            return _survey(connection, known, self._partition(known.customer_id))

    def answer(self, link: SurveyLink, reply: Reply, now: datetime) -> tuple[Survey, Survey]:
        """Keep a reply, and tell the first one; return the survey as it was and as it is."""
        with self._writing(link.customer_id) as (connection, customer_id):
            known = _under_own_name(link, customer_id)
            before = _survey(connection, known, self._partition(customer_id))
            after = before.answered(reply, now)
            if after != before:
                _keep(connection, after)
            if before.answered_at is None:
                _tell_answer(connection, after)
        return before, after

    def consents(self, customer_id: str) -> Statements:
        """Return everything this customer has said about what we may send."""
        with self._reading() as connection:
            return _consents(connection, identities.customer_of(connection, customer_id))

    def stop(
        self, customer_id: str, stops: Iterable[Stop], step_id: UUID | None, now: datetime
    ) -> tuple[Statements, bool]:
        """Note and tell a no to each of these that is not said yet.

        Args:
            step_id: The message whose link was used; None: not known.

        Returns:
            Everything the customer has said by then, and whether anything was new.
        """
        with self._writing(customer_id) as (connection, known_as):
            partition = self._partition(known_as)
            before = _consents(connection, known_as)
            new = _deny(connection, before, stops, known_as, now)
            _tell(connection, (say.consent_denied(statement) for statement in new), partition)
            if new and step_id is not None:
                _judge(connection, Feedback(step_id, Verdict.STOPPED, known_as, partition, now))
        return before + new, bool(new)

    def judge(self, customer_id: str, step_id: UUID, verdict: Verdict, now: datetime) -> bool:
        """Keep and tell a customer's verdict on the message of a step; return whether it is the first such.

        It counts at once: the gates know it in this transaction, and what waits for it is due.
        """
        with self._writing(customer_id) as (connection, known_as):
            partition = self._partition(known_as)
            is_new = _judge(connection, Feedback(step_id, verdict, known_as, partition, now))
            send = ledger.send_of_customer(connection, step_id, known_as)
            if is_new and send is not None and verdict is Verdict.DID_NOT_HELP:
                told = announce.judged(send, contract.Verdict.NOT_HELPED, now)
                _tell(connection, [told], send.partition, send.trace)
                bring_forward(connection, send.problem_id, self._on_not_helped, now)
        return is_new

    def _partition(self, customer_id: str) -> int:
        return partition_of(customer_id.encode(), self._partitions)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection.execution_options(postgresql_readonly=True)

    @contextmanager
    def _writing(self, name: str) -> Iterator[tuple[Connection, str]]:
        """Give a transaction, and the id of the customer whom a link may call by another name."""
        with self._engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
            yield connection, identities.locked_customer(connection, name)


def note_sent(
    connection: Connection,
    link: SurveyLink,
    partition: int,
    now: datetime,
    trace: TraceContext | None = None,
) -> bool:
    """Note in the caller's transaction that a survey leaves, and tell it; False where it had left before.

    The caller has locked the customer.  `trace` is that of the message it is in; None: it has its own.
    """
    before = _survey(connection, link, partition)
    after = before.sent(now)
    if after == before:
        return False
    _keep(connection, after)
    _tell(connection, [say.survey_sent(after, now)], partition, trace)
    return True


def stop_writing(connection: Connection, send: Send, stops: Iterable[Stop], now: datetime) -> bool:
    """Note and tell in the caller's transaction a no that a message brought; False where it was said before.

    The caller has locked the customer.
    """
    customer_id, partition = send.customer_id, send.partition
    new = _deny(connection, _consents(connection, customer_id), stops, customer_id, now)
    _tell(connection, (say.consent_denied(statement) for statement in new), partition)
    if new:
        _judge(connection, Feedback(send.step_id, Verdict.STOPPED, customer_id, partition, now))
    return bool(new)


def _deny(
    connection: Connection,
    before: Statements,
    stops: Iterable[Stop],
    customer_id: str,
    now: datetime,
) -> Statements:
    new = denials(before, stops, customer_id, now)
    memory.remember_consents(connection, new)
    return new


def _survey(connection: Connection, link: SurveyLink, partition: int) -> Survey:
    found = connection.execute(
        select(SURVEYS).where(
            SURVEYS.c.customer_id == link.customer_id, SURVEYS.c.survey_id == link.survey_id
        )
    ).one_or_none()
    return facts.survey_of(link, partition) if found is None else rows.survey_of(found)


def _keep(connection: Connection, survey: Survey) -> None:
    values = rows.survey_row(survey)
    statement = insert(SURVEYS).values(values)
    key = {column.name for column in SURVEYS.primary_key}
    changed = {name: value for name, value in values.items() if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=sorted(key), set_=changed))


def _tell_answer(connection: Connection, survey: Survey) -> None:
    """Tell the answer that counts, and let the gates know it before it comes back on its topic."""
    answer = say.first_answer(survey)
    if answer is None:
        return
    known = {(answer.customer_id, answer.survey_id): answer}
    memory.remember(connection, Additions(answers=known))
    _tell(connection, [say.survey_answered(answer, survey)], survey.partition)


def _tell(
    connection: Connection,
    events: Iterable[Event[Any]],
    partition: int,
    trace: TraceContext | None = None,
) -> None:
    outbox.put(connection, [outbox.event_record(event, partition, trace) for event in events])


def _consents(connection: Connection, customer_id: str) -> Statements:
    return tuple(memory.consents_of(connection, [customer_id]).get(customer_id, ()))


def _under_own_name(link: SurveyLink, customer_id: str) -> SurveyLink:
    """Return the link as one of the customer whom it may call by another name."""
    return replace(link, customer_id=customer_id)


def _judge(connection: Connection, feedback: Feedback) -> bool:
    statement = insert(FEEDBACK).on_conflict_do_nothing().returning(FEEDBACK.c.step_id)
    found = connection.execute(statement, rows.feedback_row(feedback))
    return found.one_or_none() is not None
