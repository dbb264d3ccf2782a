"""How often one link may be used.  Pure: the time is an argument.  For one thread."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil


@dataclass(slots=True)
class _Window:
    ends: float
    used: int = 0


class Rate:
    """Counts the uses of each key in windows of fixed length, and remembers a bounded number of keys."""

    def __init__(self, limit: int, window_seconds: float = 60.0, most_keys: int = 10_000) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._most_keys = most_keys
        self._windows: OrderedDict[Hashable, _Window] = OrderedDict()

    def wait(self, key: Hashable, at: float) -> int:
        """Count one use; return 0, or in how many whole seconds the next one is taken.

        Args:
            at: Seconds that never run backwards.
        """
        window = self._windows.get(key)
        if window is None or window.ends <= at:
            window = self._begin(key, at)
        if window.used >= self._limit:
            return max(1, ceil(window.ends - at))
        window.used += 1
        return 0

    def _begin(self, key: Hashable, at: float) -> _Window:
        self._windows.pop(key, None)
        if len(self._windows) >= self._most_keys:
            # Windows have one length, so the one that began first ends first.
            self._windows.popitem(last=False)
        window = self._windows[key] = _Window(at + self._window_seconds)
        return window
