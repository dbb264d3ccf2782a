"""The predictor's worker with an idempotent producer in place of the transactional one.

For measuring what fencing and atomic commits cost; it promises neither.
"""

from typing import Any

from services.churn_predictor import vault
from services.churn_predictor.__main__ import main
from services.kit.transactions import TransactionalWriter


class UnfencedWriter(TransactionalWriter):
    """Writes like the worker's own, and without transactions: everything is visible at once."""

    def _identity(self) -> dict[str, Any]:
        return {}

    def _init(self) -> None:
        return

    def _begin(self) -> None:
        return

    def _commit(self) -> None:
        self._producer.flush()


if __name__ == "__main__":
    setattr(vault, "TransactionalWriter", UnfencedWriter)  # noqa: B010 - swapped for this measurement
    main()
