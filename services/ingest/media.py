"""Which of CloudEvents' modes a request is in, told by its headers alone."""

from collections.abc import Sequence
from email.message import Message
from enum import StrEnum

from services.contracts.envelope import BATCH, JSON, STRUCTURED
from services.contracts.topics import MAX_EVENT_BYTES
from services.ingest.reading import MAX_BATCH_BYTES

HTTP_PREFIX = "ce-"
"""Headers of binary mode over HTTP."""


class Mode(StrEnum):
    """How the body holds events."""

    STRUCTURED = "structured"
    BINARY = "binary"
    BATCH = "batch"


LIMITS = {
    Mode.STRUCTURED: MAX_EVENT_BYTES,
    Mode.BINARY: MAX_EVENT_BYTES,
    Mode.BATCH: MAX_BATCH_BYTES,
}
"""Bytes a body may have."""

_MODES = {STRUCTURED: Mode.STRUCTURED, BATCH: Mode.BATCH, JSON: Mode.STRUCTURED}


class UnsupportedMediaType(Exception):
    """The door does not take this; the message says what it takes."""


def mode_of(
    content_type: str | None, content_encoding: str | None, attributes: Sequence[tuple[str, str]]
) -> Mode:
    """Return the mode; plain JSON without CloudEvents headers is read as structured.

    Raises:
        UnsupportedMediaType: another media type, another charset than UTF-8, or a compressed body.
    """
    if content_encoding not in (None, "", "identity"):
        raise UnsupportedMediaType("a body must not be compressed")
    media_type, charset = _parsed(content_type)
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("JSON is UTF-8")
    mode = _MODES.get(media_type)
    if mode is None:
        raise UnsupportedMediaType(f"send {STRUCTURED}, {BATCH}, or {JSON} with ce- headers")
    return Mode.BINARY if media_type == JSON and attributes else mode


def attributes_in(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return each CloudEvents header as it came: name without `ce-`, and value."""
    prefix = HTTP_PREFIX.encode()
    return [
        (name.decode("latin-1").removeprefix(HTTP_PREFIX), value.decode("latin-1"))
        for name, value in headers
        if name.startswith(prefix)
    ]


def _parsed(content_type: str | None) -> tuple[str, str]:
    if content_type in _MODES:
        return str(content_type), ""
    message = Message()
    message["content-type"] = (content_type or "none/none").replace("\r", "").replace("\n", "")
    return message.get_content_type(), (message.get_content_charset() or "").lower()
