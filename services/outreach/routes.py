"""The ways by which messages leave here: one route a channel, all used alike by the sender."""

from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from typing import Protocol

from services.outreach.channels.endings import Channel, Delivery, Ending
from services.outreach.channels.outgoing import Outgoing
from services.outreach.messages import Envelope, Text, compose, message_id

Attempt = Callable[[], Delivery]
"""Sends what was prepared, and says how that ended."""


class Route(Protocol):
    """One channel, ready to be used.  For one thread."""

    def prepare(self, outgoing: Outgoing) -> Attempt:
        """Return the attempt, so that nothing about the message can fail once it is begun.

        Raises:
            ValueError: the message cannot be written.
        """
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class MailRoute:
    """Mail, under our own address."""

    def __init__(self, channel: Channel[EmailMessage], sender_address: str) -> None:
        self._channel = channel
        self._sender_address = sender_address

    def prepare(self, outgoing: Outgoing) -> Attempt:
        """Return the attempt to hand the mail over."""
        envelope = Envelope(
            sender=self._sender_address,
            recipient=outgoing.recipient,
            message_id=message_id(outgoing.step_id, self._sender_address),
            problem_id=str(outgoing.problem_id),
            step=f"{outgoing.playbook}/{outgoing.step}",
            at=outgoing.at,
        )
        text = Text(outgoing.subject, outgoing.text, outgoing.html or "")
        mail = compose(text, envelope)
        for name, value in outgoing.headers.items():
            mail[name] = value
        return lambda: self._channel.send(mail)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


class WebhookRoute:
    """Whoever listens at the deployment's one URL; it knows the customers by id."""

    def __init__(self, channel: Channel[Outgoing], url: str) -> None:
        self._channel = channel
        self._url = url

    def prepare(self, outgoing: Outgoing) -> Attempt:
        """Return the attempt to post the message."""
        message = replace(outgoing, recipient=self._url)
        return lambda: self._channel.send(message)

    def close(self) -> None:
        """Let go of the transport."""
        self._channel.close()


class AppriseRoute:
    """SMS, push or chat by one provider, to the address that the customer's profile tells."""

    def __init__(self, channel: Channel[Outgoing]) -> None:
        self._channel = channel

    def prepare(self, outgoing: Outgoing) -> Attempt:
        """Return the attempt to hand the text over."""
        return lambda: self._channel.send(outgoing)

    def close(self) -> None:
        """Let go of what the channel holds."""
        self._channel.close()


class PersonRoute:
    """The work list of our own people: the ledger's row is the task, so nothing is left to do."""

    def prepare(self, outgoing: Outgoing) -> Attempt:
        """Return the attempt, which cannot fail."""
        return lambda: Delivery(Ending.TAKEN)

    def close(self) -> None:
        """Nothing is held."""
