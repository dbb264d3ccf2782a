"""How much one client may publish: a token bucket a client.  Pure, the time is an argument.

Whoever has room for one event may send a whole batch, and then waits until what it took too much has
come back: so no batch is too large for ever, and in the long run the rate holds exactly.

Own code because the libraries there are (`limits`) count in windows, know no rate with a burst, and read
the machine's clock themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

MAX_ACCOUNTS = 10_000
"""Of which something is remembered at once."""
_POLICY = '"events"'


@dataclass(frozen=True, slots=True)
class Rate:
    """What comes back each second, and what there is at most."""

    events_per_second: float
    burst: int


class Buckets:
    """Of each account, when its bucket is full again.  For one thread only."""

    def __init__(self, most: int = MAX_ACCOUNTS) -> None:
        self._most = most
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        """How many accounts are remembered."""
        return len(self._full_at)

    def room(self, account: str, rate: Rate, at: float) -> float:
        """Return how many events it may send now; below 1 it has to wait.

        Args:
            account: Whose.
            rate: Its rate.
            at: Now, in seconds of a clock that never goes back.
        """
        return rate.burst - self._missing_seconds(account, at) * rate.events_per_second

    def wait_seconds(self, account: str, rate: Rate, at: float) -> float:
        """Return how long until it may send again; 0: now."""
        return max(0.0, (1 - self.room(account, rate, at)) / rate.events_per_second)

    def take(self, account: str, rate: Rate, at: float, events: int) -> None:
        """Count these events, also where there is room for fewer."""
        full_at = at + self._missing_seconds(account, at) + events / rate.events_per_second
        if account not in self._full_at and len(self._full_at) >= self._most:
            self._make_room(at)
        self._full_at[account] = full_at

    def headers(self, account: str, rate: Rate, at: float) -> Mapping[str, str]:
        """Return the answer's headers, as draft-ietf-httpapi-ratelimit-headers-10 has them."""
        left = floor(max(0.0, self.room(account, rate, at)))
        reset = ceil(self._missing_seconds(account, at))
        window = ceil(rate.burst / rate.events_per_second)
        return {
            "ratelimit-policy": f"{_POLICY};q={rate.burst};w={window}",
            "ratelimit": f"{_POLICY};r={left};t={reset}",
        }

    def _missing_seconds(self, account: str, at: float) -> float:
        return max(0.0, self._full_at.get(account, at) - at)

    def _make_room(self, at: float) -> None:
        """Forget who has a full bucket; where nobody has, who will have it first."""
        self._full_at = {name: full for name, full in self._full_at.items() if full > at}
        if len(self._full_at) >= self._most:
            del self._full_at[min(self._full_at, key=self._full_at.__getitem__)]
