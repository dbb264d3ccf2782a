"""What the commands that run rows share: a folder for each, one that cannot be carried out, and the end."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.faults.outreach.outcome import Outcome

NOT_CARRIED_OUT = (AssertionError, LookupError, OSError, RuntimeError)
"""What a row may raise: it has failed then, and the next one runs."""


def made_anew(folder: Path, row: str) -> Path:
    """Return the empty folder of a row."""
    place = (folder / row).resolve()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def fault_of(error: Exception) -> str:
    """Return in words that a row could not be carried out."""
    return f"it could not be carried out: {type(error).__name__}: {error}"


def conclude(outcomes: Sequence[Outcome], folder: Path, *, as_json: bool) -> NoReturn:
    """Write the report, print it where it is asked for, and end; exit code 1 where a row did not pass."""
    text = json.dumps([each.as_json() for each in outcomes], indent=2)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    if as_json:
        print(text)
    raise SystemExit(0 if all(each.passed for each in outcomes) else 1)
