"""When a provider may be asked again: after failures, and at the pace it allows.  Pure.

One `Breaker` is the whole state of one channel's provider: a value that can be looked at, kept and
compared.  Whoever sends asks `may_send`, says `begun` before and `ended` after each attempt, and keeps
what these return.

The circuit is closed until so many attempts in a row found the provider in trouble; then it is open
for a while, twice as long each time; then half open: one attempt is let through, and its end decides.
The pace is a token bucket, kept as the instant at which it will be full again: whole microseconds,
so that nothing is lost to rounding.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.outreach.channels.endings import Delivery, Ending

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_TROUBLED = frozenset({Ending.DEFERRED, Ending.UNKNOWN})
_NO_TIME = timedelta(0)


class Phase(StrEnum):
    """Where the circuit stands."""

    CLOSED = "closed"
    """Attempts are made."""
    OPEN = "open"
    """No attempt is made."""
    HALF_OPEN = "half_open"
    """One attempt is made, to see."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a provider is granted, and what it grants."""

    failures: int = 5
    """So many in a row open the circuit."""
    cool_down: timedelta = timedelta(seconds=30)
    """How long it is open the first time; also how long the one attempt after it is waited for."""
    longest_cool_down: timedelta = timedelta(minutes=15)
    interval: timedelta = _NO_TIME
    """Time between two messages in the long run; none: no limit."""
    burst: int = 1
    """So many may go at once after a pause."""

    def __post_init__(self) -> None:
        """Check that something can be sent, and that a circuit opens and closes.

        Raises:
            ValueError: a number is too small; the message says which.
        """
        if self.failures < 1 or self.burst < 1:
            raise ValueError("failures and burst must be at least 1")
        if self.interval < _NO_TIME or not _NO_TIME < self.cool_down <= self.longest_cool_down:
            raise ValueError("0 <= interval and 0 < cool_down <= longest_cool_down must hold")


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one channel's provider.  Every change is a new value."""

    patience: Patience = Patience()
    failures: int = 0
    """In a row, up to now."""
    open_until: datetime = _LONG_AGO
    held_until: datetime = _LONG_AGO
    """The provider asked to wait so long."""
    probed_until: datetime = _LONG_AGO
    """The one attempt of a half-open circuit is under way, and is waited for so long."""
    full_at: datetime = _LONG_AGO
    """When the bucket of the pace is full again."""

    def phase(self, now: datetime) -> Phase:
        """Return where the circuit stands."""
        if self.failures < self.patience.failures:
            return Phase.CLOSED
        return Phase.OPEN if now < self.open_until else Phase.HALF_OPEN

    def may_send(self, now: datetime) -> datetime | None:
        """Return None if an attempt may be made now, else the first instant to ask again."""
        waits = [self.held_until, self._token_at()]
        if self.failures >= self.patience.failures:
            waits += [self.open_until, self.probed_until]
        until = max(waits)
        return until if until > now else None

    def begun(self, now: datetime) -> "Breaker":
        """Return the state once an attempt is made: it takes a token; half open, it is the one."""
        full_at = max(self.full_at, now) + self.patience.interval
        if self.phase(now) is not Phase.HALF_OPEN:
            return replace(self, full_at=full_at)
        # Should nobody tell how it ended, the next may try then.
        return replace(self, full_at=full_at, probed_until=now + self.patience.cool_down)

    def ended(self, delivery: Delivery, now: datetime) -> "Breaker":
        """Return the state once an attempt ended.

        A refusal is an answer, and no trouble; nor is what concerns one recipient, as a greylisted one.
        """
        asked = _LONG_AGO if delivery.retry_after is None else now + delivery.retry_after
        held = max(self.held_until, asked)
        if delivery.ending not in _TROUBLED or delivery.about_recipient:
            return Breaker(self.patience, held_until=held, full_at=self.full_at)
        if self.phase(now) is Phase.OPEN:
            # It was begun before the circuit opened: that is known already.
            return replace(self, held_until=held)
        failures = self.failures + 1
        return replace(
            self,
            failures=failures,
            open_until=self._open_until(failures, now),
            held_until=held,
            probed_until=_LONG_AGO,
        )

    def _open_until(self, failures: int, now: datetime) -> datetime:
        patience = self.patience
        times = failures - patience.failures
        if times < 0:
            return _LONG_AGO
        return now + min(patience.cool_down * (1 << min(times, 30)), patience.longest_cool_down)

    def _token_at(self) -> datetime:
        """Return when there is a token: when the bucket is so near to full that one is in it."""
        missing = self.patience.interval * (self.patience.burst - 1)
        return self.full_at - missing if self.full_at > _LONG_AGO + missing else _LONG_AGO
