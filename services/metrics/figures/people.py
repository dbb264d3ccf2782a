"""Who is one person under several ids, without keeping the ids: a hash of each is enough to count by."""

from dataclasses import dataclass, field
from hashlib import blake2b

_HASH_BYTES = 8
_BITS_KEPT = 62


def person_of(customer_id: str) -> int:
    """Return the number this id always has; of a million ids two share one with a chance of 1e-7."""
    digest = blake2b(customer_id.encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest) >> (8 * _HASH_BYTES - _BITS_KEPT)


@dataclass(slots=True)
class People:
    """Merged ids.  Of several merges of one id the first that was told counts, as everywhere.

    Which id stands for a person, also where merges go round in a circle, matters to no figure.
    """

    moved: dict[int, int] = field(default_factory=dict)
    """A merged id → the one it went to, or itself, where it was that person already."""

    def who(self, person: int) -> int:
        """Return the number under which the facts of this person are kept."""
        while (moved := self.moved.get(person, person)) != person:
            person = moved
        return person

    def merge(self, goes: int, stays: int) -> tuple[int, int] | None:
        """Return the two numbers whose facts are one person's from now on, the second one staying.

        None: the first id was merged before, or the two are one person already.
        """
        if goes in self.moved:
            return None
        to = self.who(stays)
        self.moved[goes] = to
        return None if to == goes else (goes, to)
