"""News that was read and does not count yet: it waits for the tick after the one it was told at.

Another partition may be a tick ahead, and its news be read before or after our own tick.  Only by
waiting does it count from the same tick on in every run.
"""

from collections.abc import Iterator, Sequence

from services.contracts.stream import HistoryNews, Observed

HELD = 50_000
"""Observations that wait at most, some 20 MB.  More come together only where this partition lags
far behind the others, or in the first tick over a long past: then all of them count at once."""


class Inbox:
    """The news of one partition, by their offset."""

    def __init__(self, prefix: bytes, held: int = HELD) -> None:
        """Hold nothing yet; `prefix` stands before each offset where news are stored."""
        self._prefix = prefix
        self._held = held
        self._news: dict[int, HistoryNews] = {}
        self._observed = 0
        self._stored: set[int] = set()
        self._changed: set[int] = set()

    def take_in(self, key: bytes, value: bytes | None) -> None:
        """Follow what is stored under one of our keys."""
        offset = int(key.removeprefix(self._prefix))
        self._drop(offset)
        self._stored.discard(offset)
        if value is not None:
            self._hold(offset, HistoryNews.model_validate_json(value))
            self._stored.add(offset)

    def add(self, offset: int, news: HistoryNews) -> None:
        """Hold the news at this offset."""
        self._hold(offset, news)
        self._changed.add(offset)

    def relieve(self) -> Sequence[Observed]:
        """Return all observations if more are held than may be; the rest of the news stays."""
        if self._observed <= self._held:
            return ()
        relieved = [seen for news in self._news.values() for seen in news.observed]
        for offset, news in list(self._news.items()):
            self._drop(offset)
            self._changed.add(offset)
            if news.asked or news.answered:
                self._hold(offset, news.model_copy(update={"observed": ()}))
        return relieved

    def due(self, tick: int) -> list[HistoryNews]:
        """Remove and return all news that were told before this tick, in the order of the topic."""
        found = {o: news for o, news in sorted(self._news.items()) if news.tick < tick}
        self._changed.update(found)
        for offset in found:
            self._drop(offset)
        return list(found.values())

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield stored key and value of all that changed since the last `settle`."""
        for offset in sorted(self._changed):
            news, key = self._news.get(offset), self._prefix + str(offset).encode()
            if news is not None:
                yield key, news.encode()
            elif offset in self._stored:
                yield key, None

    def settle(self) -> None:
        """Count all changes as committed."""
        for offset in self._changed:
            (self._stored.add if offset in self._news else self._stored.discard)(offset)
        self._changed.clear()

    def _hold(self, offset: int, news: HistoryNews) -> None:
        self._news[offset] = news
        self._observed += len(news.observed)

    def _drop(self, offset: int) -> None:
        news = self._news.pop(offset, None)
        self._observed -= 0 if news is None else len(news.observed)
