"""A sound run to vary."""

from typing import Any

from services.verifier.verdict import Verdict
from tests.faults.outcome import Played
from tests.support.reports import report


def played(*, verdict: dict[str, Any] | None = None, **changes: Any) -> Played:
    said = {"facts_digest": "f", "outputs": {"problems|c|1": "a", "accounts|purchases|0": "b"}}
    return Played(
        **({"report": report(), "verdict": Verdict(**(said | (verdict or {})))} | changes)
    )
