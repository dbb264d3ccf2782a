"""`report.json`: the outcomes so far, by row; written after each, so that a run can go on later."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tests.faults.outcome import Outcome
from tests.faults.rows import Row

_ROOT = Path(__file__).resolve().parents[2]
_ROOMS = ("services", "tests/faults")


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[Outcome, ...] = ()


class Journal:
    """The report on disk."""

    def __init__(self, path: Path) -> None:
        """Read what is there; what cannot be read counts as nothing."""
        self._path = path
        self._rows = {_key_of(outcome): outcome for outcome in _read(path).rows}

    def of(self, row: Row) -> Outcome | None:
        """Return the latest outcome of a row."""
        return self._rows.get((row.disturbance, row.store, row.seed, row.load.name))

    def is_finished(self, row: Row) -> bool:
        """Return whether it need not be run again; one that failed does."""
        outcome = self.of(row)
        return outcome is not None and outcome.passed

    def add(self, row: Row, outcome: Outcome) -> Outcome:
        """Keep it in place of an earlier one, whose failures are not forgotten; return it."""
        before = self.of(row)
        failures = before.earlier_failures + (not before.passed) if before else 0
        kept = outcome.model_copy(update={"earlier_failures": failures})
        self._rows[_key_of(kept)] = kept
        self._write()
        return kept

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        text = _File(rows=tuple(self._rows.values())).model_dump_json(indent=2)
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(self._path)


def digest_of_code(root: Path = _ROOT, rooms: Iterable[str] = _ROOMS) -> str:
    """Return the first twelve digits of the SHA-256 over the Python code that a row runs."""
    total = hashlib.sha256()
    for room in rooms:
        for path in sorted((root / room).rglob("*.py")):
            total.update(f"{path.relative_to(root)}\n".encode())
            total.update(path.read_bytes())
    return total.hexdigest()[:12]


def _read(path: Path) -> _File:
    try:
        return _File.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return _File()


def _key_of(outcome: Outcome) -> tuple[str, str, int, str]:
    return outcome.disturbance, outcome.store, outcome.seed, outcome.load
