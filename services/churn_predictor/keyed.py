"""Values by key in one partition: what changed lies open in memory, all others in a store's bytes."""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from cachetools import LRUCache
from pydantic import TypeAdapter

V = TypeVar("V")


class Values(Protocol):
    """Where committed bytes are."""

    def get(self, key: bytes) -> bytes | None:
        """Return the latest committed value of this key, if it has one."""
        ...


class Keyed(Generic[V]):
    """Hands out values, and remembers which of them changed since the last `settle`."""

    def __init__(
        self,
        values: Values,
        adapter: TypeAdapter[V],
        new: Callable[[], V],
        cached: int,
        prefix: bytes = b"",
    ) -> None:
        """Know only what `values` has.

        Args:
            values: Where the committed ones are.
            adapter: How one is written.
            new: Makes one that nothing is known of.
            cached: How many are kept decoded beside those that changed.
            prefix: Stands before each key where it is stored.
        """
        self._values = values
        self._adapter = adapter
        self._new = new
        self._prefix = prefix
        self._changed: dict[str, V | None] = {}
        """None: nothing is left of it."""
        self._recent: LRUCache[str, V] = LRUCache(cached)

    def get(self, key: str) -> V | None:
        """Return this value for looking at, or None where nothing is known of it."""
        if key in self._changed:
            return self._changed[key]
        known = self._recent.get(key)
        if known is None:
            value = self._values.get(self._stored(key))
            if value is None:
                return None
            known = self._recent[key] = self._adapter.validate_json(value)
        return known

    def change(self, key: str) -> V:
        """Return this value for changing; a new one where nothing is known of it."""
        value = self._changed.get(key)
        if value is None:
            value = self.get(key) or self._new()
            self._changed[key] = value
        return value

    def drop(self, key: str) -> None:
        """Keep nothing under this key."""
        self._changed[key] = None

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield stored key and value of all that changed since the last `settle`, by key."""
        for key, value in sorted(self._changed.items(), key=lambda item: item[0]):
            written = None if value is None else self._adapter.dump_json(value)
            yield self._stored(key), written

    def settle(self) -> None:
        """Count all changes as committed: from now on the store has them."""
        for key, value in self._changed.items():
            if value is None:
                self._recent.pop(key, None)
            else:
                self._recent[key] = value
        self._changed.clear()

    def forget(self, key: str) -> None:
        """Look this key up anew the next time: the store was changed by somebody else."""
        self._recent.pop(key, None)

    def _stored(self, key: str) -> bytes:
        return self._prefix + key.encode()
