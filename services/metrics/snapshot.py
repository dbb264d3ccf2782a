"""The state as bytes and back: one section for each field of the state, compressed, cut into chunks.

A section decodes by itself.  What a newer version added is at its default, what an older one knew and
this one does not is passed over: a snapshot stays readable as long as fields keep their meaning.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any, get_type_hints
from uuid import UUID

import msgspec

from services.contracts.stream import Account
from services.metrics.state import State

FORMAT = 1
"""Of the records as such.  Another one is not read."""

CHUNK_BYTES = 900_000
"""Below `max.message.bytes` of the topic, with room for key and frame."""

_COMPRESSION_LEVEL = 1
SECTIONS = get_type_hints(State)
"""Name → type of every section."""


class Undecodable(Exception):
    """This snapshot cannot be read; the message says why."""


class Changed(Undecodable):
    """Chunks do not belong together: a newer snapshot was written while they were read."""


@dataclass(frozen=True, slots=True)
class Section:
    """How one field of the state was cut."""

    chunks: int
    digest: str
    """SHA-256 of the compressed bytes."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far everything in a state had been read."""

    positions: dict[str, dict[int, int]]
    """Logical topic → partition → offset of the next record."""
    topic_ids: dict[str, UUID]
    """The topics these offsets belong to."""
    steps_offset: int
    """The first of `metrics-steps` that is not in the state."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a snapshot consists of."""

    format: int
    written_at: datetime
    standing: Standing
    sections: dict[str, Section]
    state_bytes: int
    """Of all sections before compression."""


def encode(state: State) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Yield each section's name, its size and its chunks, none of them longer than `CHUNK_BYTES`.

    One section at a time is in memory.
    """
    for field in fields(State):
        raw = encode_section(getattr(state, field.name))
        yield field.name, len(raw), _compressed(raw)


def encode_section(value: object) -> bytes:
    """Return one field of a state, uncompressed."""
    return msgspec.msgpack.encode(value, enc_hook=_plain)


def encode_header(header: Header) -> bytes:
    """Return the header's record."""
    return msgspec.msgpack.encode(header)


def decode_header(raw: bytes) -> Header:
    """Return the header in this record.

    Raises:
        Undecodable: of another format, or no header at all.
    """
    try:
        found = msgspec.msgpack.decode(raw).get("format")
        if found != FORMAT:
            raise Undecodable(f"its format is {found}, and this version reads {FORMAT}")
        return msgspec.msgpack.decode(raw, type=Header)
    except (msgspec.MsgspecError, AttributeError) as error:
        raise Undecodable(f"its header cannot be read: {error}") from None


def decode(header: Header, chunks: Mapping[tuple[str, int], bytes]) -> State:
    """Return the state that these chunks hold.

    Raises:
        Changed: a chunk is missing or does not belong to this header.
        Undecodable: a section is not what this version understands by it.
    """
    found = {
        name: _section(name, section, chunks)
        for name, section in header.sections.items()
        if name in SECTIONS
    }
    return State(**found)


def _section(name: str, section: Section, chunks: Mapping[tuple[str, int], bytes]) -> Any:
    pieces = [chunks.get((name, number)) for number in range(section.chunks)]
    content = [piece for piece in pieces if piece is not None]
    if len(content) < len(pieces) or digest_of(content) != section.digest:
        raise Changed(f"section {name} is not the one its header names")
    try:
        raw = zlib.decompress(b"".join(content))
        return msgspec.msgpack.decode(raw, type=SECTIONS[name], dec_hook=_of_plain)
    except (zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise Undecodable(f"section {name} cannot be read: {error}") from None


class Digest:
    """Grows with the chunks of a section."""

    def __init__(self) -> None:
        self._sha256 = sha256()

    def add(self, content: bytes) -> None:
        """Take in the next chunk."""
        self._sha256.update(content)

    def text(self) -> str:
        """Return it as hexadecimal digits."""
        return self._sha256.hexdigest()


def digest_of(content: Iterable[bytes]) -> str:
    """Return the digest of these chunks."""
    digest = Digest()
    for piece in content:
        digest.add(piece)
    return digest.text()


def _compressed(raw: bytes) -> Iterator[bytes]:
    """Yield the compressed bytes in chunks; an empty section is one chunk, too."""
    squeeze = zlib.compressobj(_COMPRESSION_LEVEL)
    pending = bytearray()
    view = memoryview(raw)
    for start in range(0, len(raw), CHUNK_BYTES):
        pending += squeeze.compress(view[start : start + CHUNK_BYTES])
        while len(pending) >= CHUNK_BYTES:
            yield bytes(pending[:CHUNK_BYTES])
            del pending[:CHUNK_BYTES]
    pending += squeeze.flush()
    for start in range(0, len(pending), CHUNK_BYTES):
        yield bytes(pending[start : start + CHUNK_BYTES])


def _plain(value: object) -> object:
    if isinstance(value, Account):
        return value.model_dump_json()
    raise NotImplementedError(f"a state does not hold {type(value).__name__}")


def _of_plain(wanted: type, value: Any) -> object:
    if wanted is Account:
        return Account.model_validate_json(value)
    raise NotImplementedError(f"a state does not hold {wanted.__name__}")
