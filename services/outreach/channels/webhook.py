"""Signed webhooks after Standard Webhooks: a receiver can tell that it was us, and that it was before.

`webhook-id` is the id of the step, the same at every attempt.  What is not known to have arrived may
therefore be repeated to a receiver that keeps to it; one that does not would act twice.  Which kind it
is, only its owner knows: `receiver_is_idempotent`.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from standardwebhooks import Webhook

from services.outreach.channels.endings import UNWRITABLE, Delivery, Ending
from services.outreach.channels.outgoing import Outgoing
from services.outreach.channels.safe_http import Answer, Blocked, WrongURL, post

_PREFIX = "whsec_"
_SHORTEST_KEY, _LONGEST_KEY = 24, 64
"""In bytes, as Standard Webhooks says."""

_LATER = frozenset({408, 425, 429})
_GONE = 410
_MOST_DIGITS = 9


class WrongSecret(ValueError):
    """A secret cannot be used; the message does not repeat it."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whom we tell, and what is agreed with them: one channel is for one party."""

    secrets: tuple[str, ...] = field(repr=False)
    """Each `whsec_` and 24 to 64 bytes in base64; each signs, so that they can be changed in peace."""
    receiver_is_idempotent: bool = False
    """Whether a `webhook-id` that comes again does nothing again."""
    longest_wait: timedelta = timedelta(days=1)
    """A longer `Retry-After` is taken for this."""


class WebhookChannel:
    """Posts to the URL that is the recipient.

    Raises:
        WrongSecret: there is no secret, or one is none.
    """

    def __init__(self, receiver: Receiver, transport: httpx.BaseTransport) -> None:
        if not receiver.secrets:
            raise WrongSecret("a webhook needs at least one secret to be signed with")
        self._receiver = receiver
        self._signers = [Webhook(_key(secret)) for secret in receiver.secrets]
        self._transport = transport

    def send(self, outgoing: Outgoing) -> Delivery:
        """Return how the attempt ended: nothing that failed before the request began was taken."""
        try:
            body = _body(outgoing)
            content = body.encode()
        except UnicodeError:
            return Delivery(Ending.REFUSED, UNWRITABLE)
        headers = self._headers(outgoing, body)
        try:
            answer = post(self._transport, outgoing.recipient, headers, content)
        except (WrongURL, Blocked) as error:
            return Delivery(Ending.REFUSED, str(error))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Delivery(Ending.DEFERRED, type(error).__name__)
        except httpx.TransportError as error:
            return Delivery(self._unanswered(), f"after the request: {type(error).__name__}")
        return _verdict(answer, outgoing.at, self._receiver.longest_wait)

    def close(self) -> None:
        """Let go of the transport."""
        self._transport.close()

    def _unanswered(self) -> Ending:
        return Ending.DEFERRED if self._receiver.receiver_is_idempotent else Ending.UNKNOWN

    def _headers(self, outgoing: Outgoing, body: str) -> dict[str, str]:
        step_id, at = str(outgoing.step_id), outgoing.at.astimezone(UTC)
        trace = {} if outgoing.traceparent is None else {"traceparent": outgoing.traceparent}
        return {
            **trace,
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": "proactive-care",
            "webhook-id": step_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(
                signer.sign(step_id, at, body) for signer in self._signers
            ),
        }


def retry_after(text: str, now: datetime, longest: timedelta) -> timedelta | None:
    """Return how long a `Retry-After` asks to wait, from nothing to `longest`; None: it says nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        # More digits are longer than any wait, and may be longer than a number can be.
        shown = text.lstrip("0")
        wait = longest if len(shown) > _MOST_DIGITS else timedelta(seconds=int(shown or "0"))
        return min(wait, longest)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(timedelta(0), min(zoned - now, longest))


def _verdict(answer: Answer, now: datetime, longest: timedelta) -> Delivery:
    """Return the ending by class of status."""
    status = answer.status
    reason = str(status)
    if 200 <= status < 300:
        return Delivery(Ending.TAKEN)
    if status in _LATER or 500 <= status < 600:
        wait = retry_after(answer.headers.get("retry-after", ""), now, longest)
        return Delivery(Ending.DEFERRED, reason, retry_after=wait)
    if 300 <= status < 500:
        return Delivery(Ending.REFUSED, reason, gone=status == _GONE)
    return Delivery(Ending.UNKNOWN, reason)


def _body(outgoing: Outgoing) -> str:
    """Return the document: what the receiver needs to act, and nothing more of the customer."""
    document = {
        "step_id": str(outgoing.step_id),
        "problem_id": str(outgoing.problem_id),
        "playbook": outgoing.playbook,
        "step": outgoing.step,
        "customer_id": outgoing.customer_id,
        "language": outgoing.language,
        "subject": outgoing.subject,
        "text": outgoing.text,
        "attempt": outgoing.attempt,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _key(secret: str) -> bytes:
    """Return the key of this secret.

    Raises:
        WrongSecret: it is not written as Standard Webhooks says.
    """
    text = secret.removeprefix(_PREFIX)
    try:
        # The library would leave out what is no base64, and sign with the rest.
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not (secret.startswith(_PREFIX) and _SHORTEST_KEY <= len(key) <= _LONGEST_KEY):
        raise WrongSecret(
            f"a webhook secret is `{_PREFIX}` and {_SHORTEST_KEY} to {_LONGEST_KEY} bytes in base64"
        )
    return key
