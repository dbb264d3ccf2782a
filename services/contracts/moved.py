"""How a record tells that it was moved: there are more partitions now, and its key belongs to another.

The record in the new partition holds what it held, and the tombstone left in the old one means nothing
to whoever reads both: nobody was erased.
"""

from collections.abc import Iterable

HEADER = "care-moved"
"""Its value is the number of partitions from then on."""


def is_moved(headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Return whether a record with these headers only says that something lies elsewhere now."""
    return any(name == HEADER for name, _ in headers)
