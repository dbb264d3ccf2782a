"""The ticks of one partition: which took effect, and at which of them a record was known.  Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime

from services.contracts.stream import Tick


class Timeline:
    """Ticks in the order in which they take effect; an index below means a place in this order."""

    def __init__(self, ticks: Iterable[Tick]) -> None:
        """Take the ticks as they lie on the topic; one whose number does not grow has no effect."""
        self.ticks: list[Tick] = []
        for tick in ticks:
            if not self.ticks or tick.number > self.ticks[-1].number:
                self.ticks.append(tick)
        self.ats = [tick.at for tick in self.ticks]
        self.numbers = [tick.number for tick in self.ticks]
        self._ends: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.ticks)

    @property
    def last_at(self) -> datetime | None:
        """The time of the last tick; None: there is none."""
        return self.ats[-1] if self.ats else None

    def known(self, topic: str, offset: int) -> int:
        """Return the index of the first tick that covers this record; `len` of all: none does."""
        ends = self._ends.get(topic)
        if ends is None:
            ends = self._ends[topic] = _rising(tick.ends.get(topic, 0) for tick in self.ticks)
        return bisect_right(ends, offset)

    def at_before(self, index: int) -> datetime | None:
        """Return the deployment's time while the records of this tick are applied; None: not known."""
        return self.ats[index - 1] if index > 0 else None

    def first_from(self, moment: datetime) -> int:
        """Return the index of the first tick that is not before this moment."""
        return bisect_left(self.ats, moment)

    def index_of(self, number: int) -> int:
        """Return the index of the first tick whose number is not below this one."""
        return bisect_left(self.numbers, number)

    def at_number(self, number: int | None) -> datetime | None:
        """Return the time of the tick of this number; None: there is none."""
        index = len(self) if number is None else self.index_of(number)
        return self.ats[index] if index < len(self) and self.numbers[index] == number else None

    def first_after_number(self, number: int) -> int:
        """Return the index of the first tick with a greater number than this."""
        return bisect_right(self.numbers, number)


def _rising(ends: Iterable[int]) -> list[int]:
    found: list[int] = []
    for end in ends:
        found.append(max(end, found[-1]) if found else end)
    return found
