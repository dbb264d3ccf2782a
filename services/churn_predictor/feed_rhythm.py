"""How one feed is used to be heard, hour by hour of the week, and when its silence becomes unusual.  Pure.

Learned from one thing alone, when it was last heard, each time that is later than before: so it does
not matter how often anybody looked in between.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WEEKS = 8
"""How far back is looked: long enough to know a weekday's rhythm, short enough to follow its changes."""

_HOUR = timedelta(hours=1)
_WEEK = 168
_WINDOW = WEEKS * _WEEK
_MASK = (1 << _WINDOW) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAME_TIME = sum(0b111 << (_WEEK * weeks - 1) for weeks in range(1, 2 * WEEKS + 1))
"""So many hours ago it was the same hour of the week, or one beside it.

Beside it, because two or three weeks alone tell little of an hour, and because clocks that are put
forward or back move a local rhythm by one.
"""


@dataclass(slots=True)
class Rhythm:
    """How one feed is used to be heard, and whether its silence was reported.

    Bit i of `heard` and of `left_out` is about the i-th whole hour before the one it was last heard in.
    """

    heard_at: datetime
    heard: int = 1
    left_out: int = 0
    """Hours of silences that were unusual: they teach nothing, or an outage would become usual."""
    hours: int = 1
    """How many there are since it was first heard."""
    silent_from: datetime | None = None
    """When its silence begins to be unusual if nothing is heard; None: never, as far as is known."""
    is_silent: bool = False
    """Whether that was said."""
    was_silent: bool = False
    """Whether that was ever said."""
    is_relay: bool = False
    """Whether it said nothing, as far as is known, that its carrier's own name does not."""

    @property
    def known(self) -> int:
        """The hours of which it is known whether it was heard in them."""
        return ((1 << self.hours) - 1) & ~self.left_out

    def has_learned(self, long_enough: timedelta) -> bool:
        """Whether so much of it is known that its silence means something."""
        return self.known.bit_count() * _HOUR >= long_enough

    def hear(self, at: datetime, odds: int) -> None:
        """Learn that it was heard at `at`, later than before."""
        gone = min(_hour(at) - _hour(self.heard_at), _WINDOW)
        if gone:
            was_unusual = self.silent_from is not None and self.silent_from <= at
            silence = (1 << gone) - 2
            self.heard = (self.heard << gone | 1) & _MASK
            self.left_out = (self.left_out << gone | (silence if was_unusual else 0)) & _MASK
            self.hours = min(self.hours + gone, _WINDOW)
        self.heard_at = at
        if gone:
            self.silent_from = self._unusual_from(odds)

    def _unusual_from(self, odds: int) -> datetime | None:
        """Return the end of the first hour with which a silence from now on is one in `odds`."""
        silent, all_ = 1, 1
        for ahead in range(1, _WINDOW + 1):
            heard = (self.heard << ahead & _SAME_TIME).bit_count()
            if heard:
                known = (self.known << ahead & _SAME_TIME).bit_count()
                silent *= known - heard + 1
                all_ *= known + 1
                if silent * odds <= all_:
                    return _EPOCH + (_hour(self.heard_at) + ahead + 1) * _HOUR
        return None


def _hour(at: datetime) -> int:
    return (at - _EPOCH) // _HOUR
