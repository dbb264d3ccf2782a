"""Takes pending sends out of the ledger and through a channel: judged once more, started, sent, recorded."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine

from services.contracts.outreach import Withdrawal
from services.contracts.people import Channel
from services.kit.tracing import NO_SPANS, Spans
from services.outreach import identities, ledger, reconciliation
from services.outreach.announce import Send
from services.outreach.backoff import Backoff
from services.outreach.channels.breaker import Breaker, Patience, Phase
from services.outreach.channels.endings import UNWRITABLE, Delivery, Ending
from services.outreach.customer_locks import lock_customers, try_lock_customer
from services.outreach.decide import channel_from, reconsider, step_of
from services.outreach.gates import GATES_BEFORE_SENDING, use_by
from services.outreach.hearing import AllHeard, Ears
from services.outreach.knowledge import Rules
from services.outreach.memory import knowledge_of
from services.outreach.messages import Templates, message_id
from services.outreach.outbox import NotPublished
from services.outreach.pages.links import Links
from services.outreach.pages.storage import note_sent
from services.outreach.pauses import pauses_in_force
from services.outreach.routes import Attempt, Route
from services.outreach.situation import Ruling
from services.outreach.suppression import Keys, is_opaque
from services.outreach.telling import names_of, span_of_send
from services.outreach.withdrawal import WITHDRAWN_BECAUSE, due_of
from services.outreach.writing import outgoing, survey_asked

Now = Callable[[], datetime]

PLAYBOOK_GONE = "playbook_gone"
"""Why a send fails that waited until its use-by for somebody who knows its step."""

PROBLEM_GONE = "problem_gone"
"""Why a send fails whose problem is not, or no longer, its customer's."""

NO_TIME_TO_WAIT = "over before the former channel's provider may be asked again"
"""Why a send goes another way that its channel was never asked to take."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """What a sender needs besides the ledger."""

    rules: Rules
    templates: Templates
    routes: Mapping[Channel, Route]
    """By which ways messages leave here."""
    backoff: Backoff
    sender_address: str
    owner: UUID
    patience: Callable[[Channel], Patience] = lambda _: Patience()
    """Of each channel's provider; heeded where time is real."""
    links: Callable[[], Links] | None = None
    """To the customers' pages, signed by what signs now; None: there are none."""
    ears: Ears = field(default_factory=AllHeard)
    """Know whether what customers said is read, so far that a send may start."""
    keys: Keys | None = None
    """Of the hashes of who was erased; None: nobody may be."""
    spans: Spans = NO_SPANS


class Sender:
    """Sends what is pending, one at a time.  For one thread."""

    def __init__(
        self,
        engine: Engine,
        outbound: Outbound,
        log: structlog.typing.FilteringBoundLogger,
        channels: Collection[Channel] | None = None,
        provider: Breaker | None = None,
        publish: Callable[[], None] = lambda: None,
        is_patient: bool = True,
    ) -> None:
        """Work for these channels alone, or for all (None): one that is slow then delays no other.

        Where `provider` is given, it is the state of these channels' one provider, and heeded.  No
        channel is called before `publish` has returned: by then a start is on `outreach`, and known
        whatever becomes of the database.  Whoever is not patient leaves a customer whom somebody else has
        at this moment for the next look: a replica that stands still then holds up nobody else's.
        """
        self._engine = engine
        self._out = outbound
        self._log = log
        self._channels = tuple(outbound.routes) if channels is None else tuple(channels)
        self._provider = provider
        self._publish = publish
        self._is_patient = is_patient
        self._without_way: set[UUID] = set()
        """Of what cannot wait for the provider: sends that no other channel can take."""

    def phase(self, now: datetime) -> Phase:
        """Return where the provider's circuit stands; closed where there is none.  For any thread."""
        return Phase.CLOSED if self._provider is None else self._provider.phase(now)

    def held_until(self, now: datetime) -> datetime | None:
        """Return until when the provider is to be left alone; None: it may be asked now."""
        return None if self._provider is None else self._provider.may_send(now)

    def send_due(
        self,
        partitions: Sequence[int] | None,
        now: Now,
        limit: int | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> int:
        """Attempt what may be sent now; return how many sends changed their state.

        While the provider is to be left alone nothing is attempted: what is pending stays so, unless it
        would be over by then and may go by another channel.  What is over, the senders of other channels
        find.

        Args:
            partitions: Those of whose customers; None for all.
            now: The deployment's clock, asked again for each step of each send.
            limit: At most so many.
            is_stopping: Asked before each: once it says so, no other is begun.

        Raises:
            NotPublished: the start of one could not be published, so it is pending again.
        """
        held_until = self.held_until(now())
        if held_until is not None:
            return self._pass_on(partitions, now, held_until)
        self._without_way.clear()
        with self._engine.begin() as connection:
            partitions = self._out.ears.open_partitions(connection, partitions)
            waiting = ledger.waiting(
                connection, self._out.rules, partitions, self._channels, now(), limit
            )

        def is_free(_: ledger.Waiting) -> bool:
            return not is_stopping() and self.held_until(now()) is None

        return sum(self.attempt(send, now) for send in takewhile(is_free, waiting))

    def _pass_on(self, partitions: Sequence[int] | None, now: Now, held_until: datetime) -> int:
        """Let go by their next channel what cannot wait for the provider; return how many sends."""
        until = held_until
        if self._provider is not None and self.phase(now()) is not Phase.CLOSED:
            # One of them is attempted then, and all others wait for its end.
            until += self._provider.patience.cool_down
        late: list[ledger.Waiting] = []
        with self._engine.begin() as connection:
            for by in self._channels:
                steps = self._out.rules.steps_beyond(by)
                late += ledger.without_time(connection, steps, partitions, by, until)
        new = [waiting for waiting in late if waiting.step_id not in self._without_way]
        return sum(self._pass_one_on(waiting, now) for waiting in new)

    def _pass_one_on(self, waiting: ledger.Waiting, now: Now) -> bool:
        with self._engine.begin() as connection:
            send = self._take(connection, waiting)
            if send is None or send.channel not in self._channels:
                return False
            if reconciliation.is_needed_until_commit(connection):
                return False
            if pauses_in_force(connection).holds(send.playbook, send.channel):
                return False
            by = self._next_channel(connection, send, now())
            if by is None:
                self._without_way.add(send.step_id)
                return False
            ledger.reroute(connection, send, by, now(), NO_TIME_TO_WAIT)
        self._log.info("outreach_rerouted", **names_of(send), channel=by.value)
        return True

    def _take(self, connection: Connection, waiting: ledger.Waiting) -> Send | None:
        """Return a send that is still pending, its customer locked; None: not now, or not any more."""
        # The customer first, the row second, as everywhere: nobody waits in a circle.
        if self._is_patient:
            lock_customers(connection, [waiting.customer_id])
        elif not try_lock_customer(connection, waiting.customer_id):
            return None
        send = ledger.take(connection, waiting.step_id)
        # Who became another's name meanwhile is not locked: the next turn does.
        is_theirs = send is not None and send.customer_id == waiting.customer_id
        return send if is_theirs else None

    def attempt(self, waiting: ledger.Waiting, now: Now) -> bool:
        """Carry one pending send as far as it goes now; False where it stays as it is.

        Somebody else has it, it is paused, something that its customer may have said is unread, or the
        database has to be reconciled.

        Raises:
            NotPublished: as `send_due`.
        """
        with self._engine.begin() as connection:
            send = self._take(connection, waiting)
            if send is None:
                return False
            # Both hold until the start is committed: whoever pauses waits for us, or we see the pause.
            if reconciliation.is_needed_until_commit(connection):
                return False
            if pauses_in_force(connection).holds(send.playbook, send.channel):
                return self._fail_too_late(connection, send, now())
            clearance = self._out.ears.clearance(connection, send.partition)
            if not clearance.may_start:
                return False
            begun = self._begin(connection, send, now())
        if begun is not None:
            self._out.ears.started(send, clearance)
            self._publish_start(begun[0], now)
            self._carry(*begun, now)
        return True

    def _publish_start(self, send: Send, now: Now) -> None:
        """Return once the start is on `outreach`; else put back what has surely not left, and raise."""
        try:
            self._publish()
        except NotPublished as error:
            with self._engine.begin() as connection:
                ledger.retry(connection, send, now(), "its start could not be published")
            self._log.error("outreach_not_started", **names_of(send), because=str(error))
            raise

    def _begin(
        self, connection: Connection, send: Send, now: datetime
    ) -> tuple[Send, Attempt] | None:
        """Start a taken send; None where something stands against it by now, or it goes another way."""
        rules = self._out.rules
        if is_opaque(send.customer_id):
            # It was under way when its customer was erased, and was not taken.
            ledger.withdraw(connection, send, Withdrawal.CUSTOMER_ERASED, now)
            return None
        if not self._knows(send):
            self._fail(connection, send, PLAYBOOK_GONE, now)
            return None
        knowledge = knowledge_of(
            connection, [send.customer_id], [send.problem_id], since=now, leaving_out=send.step_id
        )[send.customer_id]
        if send.problem_id not in knowledge.problems:
            self._fail(connection, send, PROBLEM_GONE, now)
            return None
        due = due_of(send)
        no = reconsider(due, knowledge, rules, now, GATES_BEFORE_SENDING, send.channel)
        if no is not None:
            self._give_way(connection, send, no, now)
            return None
        by = channel_from(due, knowledge, rules, now, send.channel)
        if by is not None and by is not send.channel:
            ledger.reroute(connection, send, by, now, "not allowed by the former channel any more")
            return None
        try:
            step = step_of(due, rules.catalogue)
            links = None if self._out.links is None else self._out.links()
            message = outgoing(send, step, knowledge, rules, self._out.templates, now, links)
            attempt = self._out.routes[send.channel].prepare(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this one message's trouble
            self._fail(connection, send, UNWRITABLE, now, error=type(error).__name__)
            return None
        name = message_id(send.step_id, self._out.sender_address)
        return ledger.start(connection, send, self._out.owner, name, now), attempt

    def _knows(self, send: Send) -> bool:
        return (send.playbook, send.step) in self._out.rules.known_steps

    def _fail_too_late(self, connection: Connection, send: Send, now: datetime) -> bool:
        """Give up what is still paused at its use-by; False where it is not that late."""
        if now < send.use_by:
            return False
        reason = use_by.__name__ if self._knows(send) else PLAYBOOK_GONE
        self._fail(connection, send, reason, now)
        return True

    def _fail(
        self, connection: Connection, send: Send, reason: str, now: datetime, **more: str
    ) -> None:
        ledger.fail(connection, send, reason, now)
        self._log.error("outreach_failed", **names_of(send), reason=reason, **more)

    def _give_way(self, connection: Connection, send: Send, no: Ruling, now: datetime) -> None:
        if no.deferred_until is not None:
            ledger.postpone(connection, send, no.deferred_until, no.verdict.gate)
        elif no.suppression in WITHDRAWN_BECAUSE:
            ledger.withdraw(connection, send, WITHDRAWN_BECAUSE[no.suppression], now)
        else:
            ledger.fail(connection, send, no.verdict.gate, now)
        self._log.info("outreach_not_started", **names_of(send), gate=no.verdict.gate)

    def _carry(self, send: Send, attempt: Attempt, now: Now) -> None:
        if self._provider is not None:
            self._provider = self._provider.begun(now())
        begun = self._out.spans.begin()
        delivery = attempt()
        self._out.spans.end(begun, lambda: span_of_send(send, delivery))
        self._tell_provider(send, delivery, now())
        with self._engine.begin() as connection:
            # Meanwhile its customer may have become another, or nobody.
            identities.lock_owner(connection, ledger.owner_of(send.step_id))
            self._record(connection, ledger.as_it_is(connection, send), delivery, now())
        self._log.info(
            "outreach_attempted",
            **names_of(send),
            playbook=send.playbook,
            channel=send.channel.value,
            attempt=send.attempt,
            outcome=delivery.ending.value,
            reason=delivery.reason,
        )

    def _tell_provider(self, send: Send, delivery: Delivery, now: datetime) -> None:
        if self._provider is None:
            return
        before, self._provider = self._provider, self._provider.ended(delivery, now)
        if (before.phase(now) is Phase.CLOSED) is not (self.phase(now) is Phase.CLOSED):
            self._log.warning(
                "outreach_provider_circuit", channel=send.channel.value, phase=self.phase(now).value
            )

    def _record(
        self, connection: Connection, send: Send, delivery: Delivery, now: datetime
    ) -> None:
        match delivery.ending:
            case Ending.TAKEN:
                self._succeed(connection, send, now)
            case Ending.REFUSED:
                if delivery.gone:
                    by = send.channel.value
                    self._log.warning("outreach_address_gone", **names_of(send), channel=by)
                self._go_on(connection, send, delivery.reason, now)
            case Ending.UNKNOWN:
                ledger.doubt(connection, send, delivery.reason, now)
            case Ending.DEFERRED:
                self._defer(connection, send, delivery, now)

    def _succeed(self, connection: Connection, send: Send, now: datetime) -> None:
        rules = self._out.rules
        if rules.catalogue[send.playbook].trigger.corrects:
            ledger.correct(connection, send, now)
            return
        asks = step_of(due_of(send), rules.catalogue).survey is not None
        if ledger.succeed(connection, send, now) and asks and not is_opaque(send.customer_id):
            note_sent(connection, survey_asked(send), send.partition, now, send.trace)

    def _defer(self, connection: Connection, send: Send, delivery: Delivery, now: datetime) -> None:
        again = self._out.backoff.next_attempt(now, send.attempt, send.use_by, send.step_id)
        if again is not None and delivery.retry_after is not None:
            again = max(again, now + delivery.retry_after)
        if again is None or again > send.use_by:
            reason = f"not taken in {send.attempt} attempts: {delivery.reason}"
            self._go_on(connection, send, reason, now)
        else:
            ledger.retry(connection, send, again, delivery.reason)

    def _go_on(self, connection: Connection, send: Send, reason: str, now: datetime) -> None:
        """Try the next channel the customer allows: this one has surely not taken it; else it failed."""
        by = self._next_channel(connection, send, now)
        if by is None:
            ledger.fail(connection, send, reason, now)
        else:
            ledger.reroute(connection, send, by, now, reason)
            self._log.info("outreach_rerouted", **names_of(send), channel=by.value)

    def _next_channel(self, connection: Connection, send: Send, now: datetime) -> Channel | None:
        rules, due = self._out.rules, due_of(send)
        if is_opaque(send.customer_id) or not self._knows(send):
            return None
        channels = step_of(due, rules.catalogue).ways
        if send.channel not in channels[:-1]:
            return None
        knowledge = knowledge_of(connection, [send.customer_id], [send.problem_id], since=now)
        known = knowledge[send.customer_id]
        if send.problem_id not in known.problems:
            return None
        behind = channels[channels.index(send.channel) + 1]
        return channel_from(due, known, rules, now, behind)
