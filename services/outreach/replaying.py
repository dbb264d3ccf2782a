"""Brings a restored database up to what lies on `outreach`: decisions, agenda and ledger, batch by batch.

The problems told of come first, as reading would bring them: everything else hangs on them.  Each batch is
one transaction and may be repeated; positions move, and sending goes on, only at the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert

from services.contracts.envelope import Event
from services.contracts.events import Unreadable
from services.contracts.outreach import Outcome, OutreachDecided
from services.contracts.topics import PROBLEMS
from services.contracts.trace_context import TraceContext, of_problem, parse_event
from services.kit.batches import batches
from services.kit.records import read_event
from services.kit.topic_reader import Progress
from services.outreach import identities, ledger, memory, reconciliation, rows, said
from services.outreach.batch import in_its_trace, is_barrier
from services.outreach.comparison import (
    SaidTopic,
    known_decisions,
    since,
    standings_of,
)
from services.outreach.customer_locks import lock_customers
from services.outreach.decide import step_after
from services.outreach.erasure import owners_of
from services.outreach.findings import Findings
from services.outreach.intake import Additions
from services.outreach.knowledge import DueStep
from services.outreach.playbook import Catalogue
from services.outreach.recalling import (
    put_under_names_of_today,
    recall,
    settle_erased,
    under_owners,
    withdraw_erased,
)
from services.outreach.said import Position
from services.outreach.standing import Standing, State, after, is_queued
from services.outreach.suppression import Keys, is_opaque
from services.outreach.tables import AGENDA, DECISIONS, SENDS, SOURCE_POSITIONS
from services.outreach.tables import PROBLEMS as PROBLEM_ROWS

_AT_ONCE = 500
"""Events in one transaction, which locks their customers: PostgreSQL keeps some thousand locks in all."""
RESTORED = UUID(int=0x7265_7374_6F72_6564)
"""Owns what was started before the restore; no replica has this id, so the start is taken for abandoned."""


def _silent(_: int, __: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Replaying:
    """One reconciliation of one database."""

    engine: Engine
    topic: SaidTopic
    catalogue: Catalogue
    keys: Keys | None = None
    """Of the hashes of who was erased; None: nobody was."""
    is_trial: bool = False
    """Find out everything, change nothing."""
    findings: Findings = field(default_factory=Findings)
    _standings: dict[UUID, Standing] = field(default_factory=dict)
    _problems: set[UUID] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)
    """Of customers whose rows were written."""
    _erased: set[UUID] = field(default_factory=set)
    """Steps about problems of who was erased since."""

    def run(self, by: str, now: datetime, progress: Mapping[str, Progress]) -> Findings:
        """Bring the database up, let deciding and sending go on, and return what was found.

        Args:
            by: Who says so.
            now: The deployment's time.
            progress: Topic → who is told how far it is read.

        Raises:
            Unavailable: the broker does not answer.
        """
        topic_id, bounds = self.topic.topic_id(), self.topic.bounds()
        with self.engine.connect() as connection:
            offsets = since(topic_id, said.positions(connection), bounds)
        self._take_in_problems(self._missing_problems(offsets), progress.get("problems", _silent))
        told = self.topic.events(offsets, progress.get("outreach", _silent))
        for some in batches(told, _AT_ONCE):
            self._take_in(some)
        self._doubt(now)
        self._withdraw_erased(now)
        if not self.is_trial:
            ends = {p: Position(topic_id, end) for p, (_, end) in bounds.items()}
            # Each may be repeated: until the end the reconciliation is still to be done.
            for names in batches(sorted(self._names), _AT_ONCE):
                with self.engine.begin() as connection:
                    put_under_names_of_today(connection, names, self.keys, now)
            with self.engine.begin() as connection:
                reconciliation.finish(connection, by, now, self.findings.as_object())
                said.settle(connection, ends)
        return self.findings

    def _missing_problems(self, offsets: Mapping[int, int]) -> set[UUID]:
        """Return the problems that the topic tells of and the database does not know."""
        missing: set[UUID] = set()
        for some in batches((event for _, event in self.topic.events(offsets)), _AT_ONCE):
            with self.engine.connect() as connection:
                there = self._problems_there(connection, some)
            missing |= {event.data.problem_id for event in some} - there
        return missing

    def _take_in_problems(self, missing: set[UUID], progress: Progress) -> None:
        """Learn of these problems, as reading would, which may do it again; of others in its turn."""
        wanted = (
            (partition, event)
            for partition, event in (self._problem_events(progress) if missing else ())
            if event.data.problem_id in missing
        )
        for some in batches(wanted, _AT_ONCE):
            additions = Additions()
            for partition, event in some:
                additions.add(event, partition, self.catalogue)
            self._problems |= set(additions.problems)
            self.findings.problems += len(some)
            if not self.is_trial:
                with self.engine.begin() as connection:
                    identities.hold(connection)
                    lock_customers(connection, additions.customers)
                    memory.remember(connection, additions)
                self._names |= additions.customers

    def _problem_events(self, progress: Progress) -> Iterable[tuple[int, Event[Any]]]:
        query = select(SOURCE_POSITIONS).where(SOURCE_POSITIONS.c.topic == PROBLEMS.name)
        with self.engine.connect() as connection:
            offsets = {row.partition: row.next_offset for row in connection.execute(query)}
        with closing(self.topic.reader()) as reader:
            for _, record in reader.records([PROBLEMS], since=offsets, progress=progress):
                if is_barrier(record):
                    continue
                try:
                    event = read_event(PROBLEMS, record.key, record.value, record.headers)
                    event = in_its_trace(event, record)
                except Unreadable:
                    continue
                yield int(record.partition), event

    def _take_in(self, told: Sequence[tuple[int, Event[Any]]]) -> None:
        events = [event for _, event in told]
        names = {event.customer_id for event in events}
        problems = {event.data.problem_id for event in events}
        with self.engine.begin() as connection:
            if not self.is_trial:
                identities.hold(connection)
                lock_customers(connection, names | set(owners_of(connection, problems).values()))
            self._load(connection, events)
            owners = owners_of(connection, problems)
            there = owners.keys() | self._problems
            kept = [(p, event) for p, event in told if event.data.problem_id in there]
            self.findings.without_problem += len(told) - len(kept)
            self._names |= {event.customer_id for _, event in kept}
            # What became somebody else's since, or nobody's, is written as what it hangs on.
            kept = under_owners(connection, kept, owners)
            self._erased |= {e.data.step_id for _, e in kept if is_opaque(e.customer_id)}
            new, changed = self._fold(connection, [event for _, event in kept])
            if not self.is_trial and kept:
                _put_on_the_agenda(connection, kept, self.catalogue)
                _record(connection, [(p, e) for p, e in kept if e.id in new], self.catalogue)
                _settle(connection, {event.data.step_id for _, event in kept})
                settle_erased(connection, kept)
                _change(connection, {step: self._standings[step] for step in changed})
                recall(connection, kept)

    def _load(self, connection: Connection, events: Sequence[Event[Any]]) -> None:
        steps = {event.data.step_id for event in events} - self._standings.keys()
        self._standings |= standings_of(connection, steps)

    def _problems_there(self, connection: Connection, events: Sequence[Event[Any]]) -> set[UUID]:
        wanted = {event.data.problem_id for event in events}
        query = select(PROBLEM_ROWS.c.problem_id).where(PROBLEM_ROWS.c.problem_id.in_(wanted))
        return set(connection.execute(query).scalars()) | (wanted & self._problems)

    def _fold(
        self, connection: Connection, events: Sequence[Event[Any]]
    ) -> tuple[set[str], set[UUID]]:
        """Return the ids of decisions that were not recorded, and the steps whose sends stand elsewhere."""
        recorded = known_decisions(connection, events)
        new: set[str] = set()
        changed: set[UUID] = set()
        for event in events:
            fact, step = event.data, event.data.step_id
            self.findings.read(event)
            before = self._standings.get(step)
            if isinstance(fact, OutreachDecided):
                if fact.decision_id not in recorded:
                    recorded.add(fact.decision_id)
                    new.add(event.id)
                    self.findings.learn(event)
                    if before is None and is_queued(fact):
                        self._standings[step] = Standing(State.PENDING, 0, fact.channel)
                        self.findings.stands(step, State.PENDING)
            elif before is None:
                self.findings.without_decision += 1
            elif (now := after(before, event)) != before:
                self._standings[step] = now
                changed.add(step)
                self.findings.learn(event)
                self.findings.stands(step, now.state)
        return new, changed

    def _doubt(self, now: datetime) -> None:
        """Mark unknown what was started and has no outcome, and say so."""
        with self.engine.begin() as connection:
            query = select(SENDS.c.step_id).where(SENDS.c.state == State.STARTED)
            before = set(connection.execute(query).scalars())
            if not self.is_trial:
                ledger.doubt_ownerless(connection, UUID(int=0), now)
                before -= set(connection.execute(query).scalars())
        folded = {s for s, at in self._standings.items() if at.state is State.STARTED}
        ended = {s for s in before if s in self._standings and s not in folded}
        for step in (before - ended) | (folded if self.is_trial else set()):
            self.findings.stands(step, State.UNKNOWN)

    def _withdraw_erased(self, now: datetime) -> None:
        """Take back what waits for who was erased, and say so."""
        waiting = {
            step
            for step in self._erased & self._standings.keys()
            if self._standings[step].state is State.PENDING
        }
        for step in waiting:
            self.findings.stands(step, State.WITHDRAWN)
        if waiting and not self.is_trial:
            with self.engine.begin() as connection:
                withdraw_erased(connection, waiting, now)


def _stub(partition: int, event: Event[Any]) -> DueStep:
    fact = event.data
    return DueStep(
        step_id=fact.step_id,
        customer_id=event.customer_id,
        partition=partition,
        problem_id=fact.problem_id,
        playbook=fact.playbook,
        step=fact.step,
        triggered_at=event.time,
        due_at=event.time,
        trace=_trace_of(event),
    )


def _trace_of(event: Event[Any]) -> TraceContext:
    return parse_event(event) or of_problem(event.data.problem_id)


def _put_on_the_agenda(
    connection: Connection, told: Sequence[tuple[int, Event[Any]]], catalogue: Catalogue
) -> None:
    """Add the steps that were told of, and those that follow from how they have gone."""
    following = []
    for partition, event in told:
        playbook = catalogue.get(event.data.playbook)
        # After who was erased nothing follows.
        if playbook is None or is_opaque(event.customer_id):
            continue
        if isinstance(event.data, OutreachDecided):
            fact, due = event.data, _stub(partition, event)
            following.append(step_after(due, playbook, fact.outcome, fact.suppression, event.time))
    memory.add_to_agenda(connection, [step for step in following if step is not None])
    # Only where neither its problem nor a former step made it due: a playbook that is gone.
    memory.add_to_agenda(connection, [_stub(partition, event) for partition, event in told])


def _record(
    connection: Connection, new: Sequence[tuple[int, Event[Any]]], catalogue: Catalogue
) -> None:
    if not new:
        return
    connection.execute(
        insert(DECISIONS).on_conflict_do_nothing(),
        [_decision_row(partition, event) for partition, event in new],
    )
    queued = [(p, event) for p, event in new if is_queued(event.data)]
    if queued:
        steps = [event.data.step_id for _, event in queued]
        about = {
            row.step_id: row
            for row in connection.execute(
                select(AGENDA.c.step_id, AGENDA.c.triggered_at, PROBLEM_ROWS.c.opened_at)
                .join(PROBLEM_ROWS, PROBLEM_ROWS.c.problem_id == AGENDA.c.problem_id)
                .where(AGENDA.c.step_id.in_(steps))
            )
        }
        connection.execute(
            insert(SENDS).on_conflict_do_nothing(),
            [_send_row(p, e, about[e.data.step_id], catalogue) for p, e in queued],
        )


def _about(partition: int, event: Event[Any]) -> dict[str, Any]:
    fact = event.data
    return {
        "step_id": fact.step_id,
        "decision_id": fact.decision_id,
        "decided_at": event.time,
        "customer_id": event.customer_id,
        "partition": partition,
        "problem_id": fact.problem_id,
        "order_id": fact.order_id,
        "playbook": fact.playbook,
        "playbook_version": fact.playbook_version,
        "step": fact.step,
        "channel": fact.channel.value,
    }


def _decision_row(partition: int, event: Event[Any]) -> dict[str, Any]:
    fact: OutreachDecided = event.data
    return {
        **_about(partition, event),
        "message_class": fact.message_class.value,
        "mode": fact.mode.value,
        "outcome": fact.outcome.value,
        "suppression": fact.suppression.value if fact.suppression else None,
        "deferred_until": fact.deferred_until,
        "gates": [verdict.model_dump(mode="json") for verdict in fact.gates],
    }


def _send_row(
    partition: int, event: Event[Any], about: Any, catalogue: Catalogue
) -> dict[str, Any]:
    playbook = catalogue.get(event.data.playbook)
    step = playbook.step(event.data.step) if playbook else None
    # Of a step that is not known here nobody can tell how long it is good for.
    use_by = about.triggered_at + step.use_by if step else event.time
    return {
        **_about(partition, event),
        "triggered_at": about.triggered_at,
        "use_by": use_by,
        "problem_opened_at": about.opened_at,
        "state": State.PENDING.value,
        "attempt": 0,
        "next_attempt_at": event.time,
        **rows.trace_columns(_trace_of(event)),
    }


def _settle(connection: Connection, steps: Iterable[UUID]) -> None:
    """Make these steps due when their latest decision says so, and never where it is not deferred."""
    is_deferred = DECISIONS.c.outcome == Outcome.DEFERRED.value
    latest = (
        select(case((is_deferred, DECISIONS.c.deferred_until)))
        .where(DECISIONS.c.step_id == AGENDA.c.step_id)
        .order_by(DECISIONS.c.decided_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(
        update(AGENDA).where(AGENDA.c.step_id.in_(list(steps))).values(due_at=latest)
    )


def _change(connection: Connection, changed: Mapping[UUID, Standing]) -> None:
    if not changed:
        return
    names = ("state", "attempt", "channel", "started_at", "finished_at", "reason", "owner")
    connection.execute(
        update(SENDS)
        .where(SENDS.c.step_id == bindparam("of_step"))
        .values({name: bindparam(f"new_{name}") for name in names}),
        [
            {
                "of_step": step,
                "new_state": at.state.value,
                "new_attempt": at.attempt,
                "new_channel": None if at.channel is None else at.channel.value,
                "new_started_at": at.started_at,
                "new_finished_at": at.finished_at,
                "new_reason": at.reason,
                "new_owner": RESTORED,
            }
            for step, at in changed.items()
        ],
    )
