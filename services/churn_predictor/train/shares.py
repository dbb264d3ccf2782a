"""Where, in the bins of its tables, what a model was fitted on lay: what drift is told by.  Pure."""

from collections.abc import Sequence

import numpy as np

from services.churn_predictor.features import Values
from services.churn_predictor.scoring import Sheet, Table

_DIGITS = 6


def with_shares(sheet: Sheet, scored: Sequence[Values]) -> Sheet:
    """Return the sheet, each table with the share of these values in each of its bins.

    Args:
        sheet: Fitted, its bins final.
        scored: What would have been looked at, one for each score; with none there are no shares.
    """
    if not scored:
        return sheet
    tables = tuple(_with_shares(table, scored) for table in sheet.tables)
    return sheet.model_copy(update={"tables": tables})


def _with_shares(table: Table, scored: Sequence[Values]) -> Table:
    bins = [table.bin_of(values[table.feature]) for values in scored]
    counts = np.bincount(bins, minlength=len(table.points) + 1)
    shares = (counts / len(bins)).round(_DIGITS).tolist()
    return table.model_copy(update={"shares": tuple(shares)})
