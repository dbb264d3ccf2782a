"""The published examples, found by walking their room."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from services.contracts import schemas, stream

PLAIN: dict[str, type[BaseModel]] = {
    "care.tick": stream.Tick,
    "care.barrier": stream.Barrier,
    "care.feed-mark": stream.FeedMark,
    "care.tick-mark": stream.TickMark,
    "care.feed-silent": stream.FeedSilent,
    "care.feed-resumed": stream.FeedResumed,
    "care.account": stream.Account,
    "care.history-news": stream.HistoryNews,
}
"""Records that are no CloudEvents."""


@dataclass(frozen=True)
class Example:
    """One example file."""

    path: Path

    @property
    def contract(self) -> str:
        """The type it is an example of."""
        return self.path.parent.name

    @property
    def raw(self) -> bytes:
        """Its bytes as a record's value."""
        return self.path.read_bytes()

    @property
    def json(self) -> dict[str, Any]:
        """Its JSON object."""
        value: dict[str, Any] = json.loads(self.raw)
        return value


EXAMPLES = tuple(Example(path) for path in sorted(schemas.EXAMPLES.rglob("*.json")))
OF_EVENTS = tuple(example for example in EXAMPLES if example.contract not in PLAIN)
OF_PLAIN = tuple(example for example in EXAMPLES if example.contract in PLAIN)


def name(example: Example) -> str:
    """Return what a test case is called."""
    return f"{example.contract}/{example.path.stem}"
