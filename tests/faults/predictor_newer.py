"""Runs the predictor as its next version may be: it says and keeps more than this version knows.

Whatever it writes has a field more, each problem is followed by an event of a new type, and its state is of
the next format.
"""

import json
from collections.abc import Iterator
from typing import Any

from services.churn_predictor import state

if __name__ == "__main__":
    # Before anything else of the predictor: what is written takes its format from here once it is imported.
    state.FORMAT += 1

from services.churn_predictor import partition
from services.churn_predictor.__main__ import main
from services.churn_predictor.outputs import Output
from services.contracts import topics as t
from services.contracts.envelope import Contract, Event
from services.contracts.problems import ProblemOpened

ADDED = "added_later"
NEW_TYPE = "care.problem.explained.v1"


class Wider:
    """Writes an entry with a field more, and reads it as before."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def validate_json(self, raw: bytes) -> Any:
        """Return the entry."""
        return self._adapter.validate_json(raw)

    def dump_json(self, value: Any) -> bytes:
        """Return its JSON."""
        return json.dumps(json.loads(self._adapter.dump_json(value)) | {ADDED: 1}).encode()


def saying_more(real: Any) -> Any:
    """Return a way to write a message with a field more."""

    def dump(self: Contract, **how: Any) -> str:
        told = json.loads(real(self, **how)) | {ADDED: "said by the next version"}
        if isinstance(self, Event):
            told["data"][ADDED] = {"confidence": 0.5}
        return json.dumps(told)

    return dump


def explaining(real: Any) -> Any:
    """Return a way to publish that tells of each new problem in a new type, too."""

    def published(*about: Any) -> Iterator[Output]:
        for output in real(*about):
            yield output
            if output.said is not None and isinstance(output.said.data, ProblemOpened):
                told = json.loads(output.value) | {
                    "type": NEW_TYPE,
                    "data": {"because": "it is late"},
                }
                told["id"] = f"explained-{told['id']}"
                yield Output(t.PROBLEMS, output.key, json.dumps(told).encode(), trace=output.trace)

    return published


if __name__ == "__main__":
    Contract.model_dump_json = saying_more(Contract.model_dump_json)  # type: ignore[method-assign]
    partition.published = explaining(partition.published)  # type: ignore[attr-defined]
    state.CUSTOMER = Wider(state.CUSTOMER)  # type: ignore[assignment]
    main()
