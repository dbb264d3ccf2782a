"""The version of a fitted model.  Pure."""

from datetime import date
from hashlib import sha256

from services.churn_predictor.scoring import Scorecard


def versioned(card: Scorecard, until: date) -> Scorecard:
    """Return the card under a version of its own: the day it was fitted up to, and a hash of all else.

    Of everything in the file, not of the sheets alone: with other bands, or another horizon, the
    same points decide otherwise.
    """
    content = card.model_dump_json(exclude={"version"})
    version = f"{until:%Y-%m-%d}-{sha256(content.encode()).hexdigest()[:8]}"
    return card.model_copy(update={"version": version})
