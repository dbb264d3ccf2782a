"""What comes one by one, taken together."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield what comes in batches of this size; the last one may be smaller."""
    left = iter(items)
    return iter(lambda: tuple(islice(left, size)), ())
