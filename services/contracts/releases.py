"""What was released, and whether what is about to be may follow it; the order in which to roll it out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.contracts import schemas
from services.contracts.compatibility import Change, Effect, Schema, changes
from services.contracts.events import FACTS, FROM_OUTSIDE

RELEASED = Path(__file__).parent / "released"
"""The schemas of the last release, as they were."""


@dataclass(frozen=True, slots=True)
class Step:
    """How one contract differs from what was released."""

    contract: str
    changes: tuple[Change, ...]

    @property
    def breaking(self) -> tuple[Change, ...]:
        """What may not be done to this version: all that somebody who follows the old one trips over."""
        return tuple(change for change in self.changes if self._breaks(change))

    def _breaks(self, change: Change) -> bool:
        if change.effect is Effect.NARROWED:
            return True
        # Readers of what we write rely on a field that was always there.
        return change.detail == "optional now" and self.contract not in FROM_OUTSIDE

    @property
    def order(self) -> str:
        """In which order to roll it out."""
        if self.breaking:
            return _next_version(self.contract)
        if self.contract in FROM_OUTSIDE:
            return "ingest and every reader first; then publishers may send what is new"
        return "every reader first (metrics, other systems); then the service that writes it"


def steps(released: Mapping[str, Schema], now: Mapping[str, Schema]) -> Iterator[Step]:
    """Yield each contract that is not as it was released.  A new one is no step: nobody knows it yet.

    Args:
        released: Contract → its schema, of the last release.
        now: Contract → its schema, as it is.
    """
    for contract, old in sorted(released.items()):
        if contract not in now:
            yield Step(contract, (Change("", Effect.NARROWED, "removed"),))
        elif found := changes(old, now[contract]):
            yield Step(contract, found)


def read(folder: Path) -> dict[str, Schema]:
    """Return contract → schema of every file in a folder."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def report(found: list[Step]) -> str:
    """Return it in words: each change, what breaks, and the order of the roll-out."""
    return "\n".join(line for step in found for line in _lines(step))


def release() -> list[str]:
    """Make the released schemas equal to the committed ones; return the names that changed."""
    RELEASED.mkdir(exist_ok=True)
    texts = {p.name: p.read_text("utf-8") for p in schemas.DIRECTORY.glob("*.json")}
    before = {p.name: p.read_text("utf-8") for p in RELEASED.glob("*.json")}
    for name in before.keys() - texts.keys():
        (RELEASED / name).unlink()
    for name, text in texts.items():
        (RELEASED / name).write_text(text, encoding="utf-8")
    return sorted(n for n in texts.keys() | before.keys() if texts.get(n) != before.get(n))


def _lines(step: Step) -> Iterator[str]:
    verdict = "BREAKS" if step.breaking else "fine"
    yield f"{step.contract}: {verdict}"
    for change in step.changes:
        mark = "!" if change in step.breaking else " "
        yield f"  {mark} {change.pointer or '/'}: {change.detail}"
    yield f"    roll-out: {step.order}"


def _next_version(contract: str) -> str:
    if contract not in FACTS:
        return "a record of another name beside it, until nobody writes or keeps the old one"
    name, _, version = contract.rpartition(".v")
    return (
        f"leave this version as it was and add {name}.v{int(version) + 1}: first every reader learns both, "
        "then writers move to the new one, and after the topic's retention the old one goes"
    )
