"""Chance that belongs to somebody: one more customer, or one more draw, changes nobody else's.  Pure."""

from hashlib import blake2b
from random import Random

_WORD = 2**64


def draws(seed: int, owner: str, purpose: str) -> Random:
    """Return the generator of this owner (a customer, a contact, the shop) for this purpose."""
    return Random(f"{seed}/{owner}/{purpose}")


def uniform(seed: int, owner: str, purpose: str) -> float:
    """Return one number in [0, 1): the same for the same words, and a tenth of a generator's price."""
    digest = blake2b(f"{seed}/{owner}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _WORD
