"""A model is judged on what it has not seen, or not at all.  Pure."""

from datetime import date

from services.churn_predictor.scoring import Scorecard


class SeenBefore(Exception):
    """The model was fitted on what it would be asked to foretell."""


def check_unseen(card: Scorecard, start: date) -> None:
    """Refuse to judge a model on days from `start` on where it was fitted on some of them.

    Raises:
        SeenBefore: it was; the message is one line.
    """
    seen = None if card.span is None else card.span.until
    if seen is not None and seen > start:
        raise SeenBefore(f"the model was fitted on what was known on {seen}, after {start}")
