"""Words that must not be heard, and what they might be heard in: logs, records, pages of figures.

Everything a process would log, with the loggers of libraries as they are before anybody set them.
"""

import logging
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote


class Lines(logging.Handler):
    """Keeps every line."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


@contextmanager
def everything_logged(*names: str) -> Iterator[Lines]:
    """Collect what reaches the root logger at any level; what was set of the named ones comes back."""
    root, lines = logging.getLogger(), Lines()
    loggers = [logging.getLogger(name) for name in names]
    were = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    level = root.level
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    root.addHandler(lines)
    root.setLevel(logging.NOTSET)
    try:
        yield lines
    finally:
        root.removeHandler(lines)
        root.setLevel(level)
        for logger, (was, propagate, handlers) in zip(loggers, were, strict=True):
            logger.setLevel(was)
            logger.propagate = propagate
            logger.handlers[:] = handlers


WORD = "canary-7f3a"
NUMBER = "4915199977731"
NAME = f"Zebulon van {WORD} the Longest of his Name"
"""Longer than any name a template is checked with."""


def known(**changes: str | None) -> dict[str, str | None]:
    """Return the personal fields of a profile, each with a canary in it."""
    fields: dict[str, str | None] = {
        "name": NAME,
        "email": f"{WORD}@example.org",
        "phone": f"+{NUMBER}",
        "push_id": f"{WORD}-push",
        "chat_id": f"{WORD}-chat",
    }
    return {**fields, **changes}


def sung_in(heard: Iterable[str | bytes | None]) -> list[str]:
    """Return the canaries in any of these texts: as they are, percent-encoded or in base64."""
    everything = b"\n".join(_bytes(text) for text in heard if text).lower()
    return [word for word in (WORD, NUMBER) if any(f in everything for f in _forms(word))]


def of_records(records: Iterable[Any]) -> Iterator[bytes | str | None]:
    """Yield the keys, values and headers of Kafka's records."""
    for record in records:
        yield record.key
        yield record.value
        for name, value in record.headers:
            yield from (name, value)


def _forms(word: str) -> set[bytes]:
    plain = word.encode()
    # Of three bytes base64 makes four letters, so a word looks different behind none, one or two others.
    encoded = {b64encode(b"\0" * n + plain)[4 * (n > 0) : -4].lower() for n in range(3)}
    return {plain, quote(word, safe="").lower().encode(), *encoded}


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
