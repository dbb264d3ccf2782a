"""Keyed hashes: what is left of who was erased, so that they are known again, and not by others.

A plain hash of an address or a phone number is found by trying all there are; without the key nobody can.
"""

import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from services.contracts.people import Channel
from services.kit import suppression_keys

CUSTOMER = "customer"
"""The kind of a hash that was made of an id; those of addresses are called by their channel."""

SETTING = "CARE_OUTREACH_SUPPRESSION_KEY_FILE"

_OPAQUE = re.compile(r"erased-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Keys:
    """What hashes are made with.  The last key is used, and each is known again."""

    secrets: tuple[str, ...] = field(repr=False)

    def hash(self, kind: str, value: str) -> str:
        """Return the hash to keep, hexadecimal."""
        return _hash(self.secrets[-1], kind, value)

    def hashes(self, kind: str, value: str) -> tuple[str, ...]:
        """Return every hash under which this may be kept."""
        return tuple(_hash(secret, kind, value) for secret in self.secrets)

    def opaque(self, customer_id: str, erased_at: datetime) -> str:
        """Return what stands for an erased customer where only counts are kept; another at each erasure."""
        named = f"{customer_id}\x1f{erased_at.isoformat()}"
        return f"erased-{self.hash('opaque', named)[:32]}"


def is_opaque(customer_id: str) -> bool:
    """Whether this stands for somebody who was erased."""
    return _OPAQUE.fullmatch(customer_id) is not None


def read_keys(path: Path | None) -> Keys | None:
    """Return the keys in a file; None where no file is named.

    Raises:
        Unavailable: the file cannot be read, or holds no key that is long enough.
    """
    return None if path is None else Keys(suppression_keys.read_keys(path))


def _hash(secret: str, kind: str, value: str) -> str:
    spoken = f"{kind}\x1f{_normal(kind, value)}"
    return hmac.new(secret.encode(), spoken.encode(), sha256).hexdigest()


def _normal(kind: str, value: str) -> str:
    # Two spellings of one mailbox are one person; no mail provider of note tells them apart.
    if kind == Channel.EMAIL.value:
        return unicodedata.normalize("NFKC", value).casefold()
    return value
