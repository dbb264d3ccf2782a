"""Takes pending sends out of the ledger and through a channel: judged once more, started, sent, recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine

from services.outreach import ledger
from services.outreach.announce import Send
from services.outreach.backoff import Backoff
from services.outreach.channels.endings import UNWRITABLE, Channel, Delivery, Ending
from services.outreach.decide import DueStep, Knowledge, Rules, reconsider, step_of
from services.outreach.gates import GATES_BEFORE_SENDING
from services.outreach.memory import knowledge_of, lock_customers
from services.outreach.messages import (
    Envelope,
    Letter,
    Templates,
    compose,
    message_id,
)
from services.outreach.quiet import zone_for
from services.outreach.situation import Ruling
from services.outreach.withdrawal import WITHDRAWN_BECAUSE, due_of

Now = Callable[[], datetime]

PLAYBOOK_GONE = "playbook_gone"
"""Why a send fails that waited until its use-by for somebody who knows its step."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """What a sender needs besides the ledger."""

    rules: Rules
    templates: Templates
    channel: Channel[EmailMessage]
    backoff: Backoff
    sender_address: str
    owner: UUID


class Sender:
    """Sends what is pending, one at a time.  For one thread."""

    def __init__(
        self, engine: Engine, outbound: Outbound, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._engine = engine
        self._out = outbound
        self._log = log

    def send_due(self, partitions: Sequence[int] | None, now: Now, limit: int | None = None) -> int:
        """Attempt what may be sent now; return how many sends changed their state.

        Args:
            partitions: Those of whose customers; None for all.
            now: The deployment's clock, asked again for each step of each send.
            limit: At most so many.
        """
        with self._engine.begin() as connection:
            waiting = ledger.waiting(connection, self._out.rules, partitions, now(), limit)
        return sum(self.attempt(send, now) for send in waiting)

    def attempt(self, waiting: ledger.Waiting, now: Now) -> bool:
        """Carry one pending send as far as it goes now; False where somebody else has it."""
        with self._engine.begin() as connection:
            # The customer first, the row second, as everywhere: nobody waits in a circle.
            lock_customers(connection, [waiting.customer_id])
            send = ledger.take(connection, waiting.step_id)
            if send is None:
                return False
            begun = self._begin(connection, send, now())
        if begun is not None:
            self._carry(*begun, now)
        return True

    def _begin(
        self, connection: Connection, send: Send, now: datetime
    ) -> tuple[Send, EmailMessage] | None:
        """Start a taken send; None where something stands against it by now."""
        rules = self._out.rules
        if (send.playbook, send.step) not in rules.known_steps:
            self._fail(connection, send, PLAYBOOK_GONE, now)
            return None
        knowledge = knowledge_of(
            connection, [send.customer_id], [send.problem_id], since=now, leaving_out=send.step_id
        )[send.customer_id]
        due = due_of(send)
        no = reconsider(due, knowledge, rules, now, GATES_BEFORE_SENDING)
        if no is not None:
            self._give_way(connection, send, no, now)
            return None
        try:
            mail = self._mail(send, knowledge, due, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this one message's trouble
            self._fail(connection, send, UNWRITABLE, now, error=type(error).__name__)
            return None
        started = ledger.start(connection, send, self._out.owner, str(mail["Message-ID"]), now)
        return started, mail

    def _fail(
        self, connection: Connection, send: Send, reason: str, now: datetime, **more: str
    ) -> None:
        ledger.fail(connection, send, reason, now)
        self._log.error("outreach_failed", step_id=str(send.step_id), reason=reason, **more)

    def _give_way(self, connection: Connection, send: Send, no: Ruling, now: datetime) -> None:
        if no.deferred_until is not None:
            ledger.postpone(connection, send, no.deferred_until, no.verdict.gate)
        elif no.suppression in WITHDRAWN_BECAUSE:
            ledger.withdraw(connection, send, WITHDRAWN_BECAUSE[no.suppression], now)
        else:
            ledger.fail(connection, send, no.verdict.gate, now)
        self._log.info("outreach_not_started", step_id=str(send.step_id), gate=no.verdict.gate)

    def _carry(self, send: Send, mail: EmailMessage, now: Now) -> None:
        delivery = self._out.channel.send(mail)
        with self._engine.begin() as connection:
            self._record(connection, send, delivery, now())
        self._log.info(
            "outreach_attempted",
            step_id=str(send.step_id),
            playbook=send.playbook,
            attempt=send.attempt,
            outcome=delivery.ending.value,
            reason=delivery.reason,
        )

    def _record(
        self, connection: Connection, send: Send, delivery: Delivery, now: datetime
    ) -> None:
        match delivery.ending:
            case Ending.TAKEN:
                ledger.succeed(connection, send, now)
            case Ending.REFUSED:
                ledger.fail(connection, send, delivery.reason, now)
            case Ending.UNKNOWN:
                ledger.doubt(connection, send, delivery.reason, now)
            case Ending.DEFERRED:
                self._defer(connection, send, delivery.reason, now)

    def _defer(self, connection: Connection, send: Send, reason: str, now: datetime) -> None:
        again = self._out.backoff.next_attempt(now, send.attempt, send.use_by, send.step_id)
        if again is None:
            ledger.fail(connection, send, f"not taken in {send.attempt} attempts: {reason}", now)
        else:
            ledger.retry(connection, send, again, reason)

    def _mail(self, send: Send, knowledge: Knowledge, due: DueStep, now: datetime) -> EmailMessage:
        profile = knowledge.profile
        if profile is None or profile.email is None:
            raise ValueError("no address")  # the channel gate was asked a moment ago
        policy = self._out.rules.policy
        found = zone_for(
            profile.time_zone,
            profile.country,
            profile.language,
            policy.zone_of_country,
            policy.default_zone,
        )
        letter = Letter(
            name=profile.name,
            order_id=send.order_id,
            promised_by=knowledge.problems[send.problem_id].stage.promised_by,
            zone=found.zone,
            language=profile.language,
        )
        step = step_of(due, self._out.rules.catalogue)
        envelope = Envelope(
            sender=self._out.sender_address,
            recipient=profile.email,
            message_id=message_id(send.step_id, self._out.sender_address),
            problem_id=str(send.problem_id),
            step=f"{send.playbook}/{send.step}",
            at=now,
        )
        if step.template is None:
            raise ValueError("no template")
        return compose(self._out.templates.render(step.template, letter), envelope)
