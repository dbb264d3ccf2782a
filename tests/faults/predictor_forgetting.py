"""Runs the predictor as it is, but some orders go in at one ear and out at the other."""

from typing import Any

from services.churn_predictor import learning
from services.churn_predictor.__main__ import main
from services.contracts.purchases import OrderPlaced

FORGOTTEN = "7"
"""What is in the ids of forgotten orders."""


def forgetting(teach: Any) -> Any:
    """Return a teacher that says nothing of some orders."""

    def teach_or_forget(known: Any, stamp: Any, data: Any) -> None:
        if FORGOTTEN not in data.order_id:
            teach(known, stamp, data)

    return teach_or_forget


if __name__ == "__main__":
    learning._TEACHERS = {
        **learning._TEACHERS,
        OrderPlaced: forgetting(learning._TEACHERS[OrderPlaced]),
    }
    main()
