"""Runs the predictor as it is, but an order called `deadly` ends the process like a crash in C would."""

import os
import sys
from typing import Any

from services.churn_predictor import learning
from services.churn_predictor.__main__ import main
from services.contracts.purchases import OrderPlaced


def dying(teach: Any) -> Any:
    """Return a teacher that does not survive the deadly order."""

    def teach_or_die(known: Any, stamp: Any, data: Any) -> None:
        if data.order_id == "deadly":
            sys.stdout.flush()
            os._exit(139)
        teach(known, stamp, data)

    return teach_or_die


if __name__ == "__main__":
    learning._TEACHERS = {
        **learning._TEACHERS,
        OrderPlaced: dying(learning._TEACHERS[OrderPlaced]),
    }
    main()
