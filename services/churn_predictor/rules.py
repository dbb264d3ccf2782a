"""What one deployment decides by: two models, and how long is too long."""

from dataclasses import dataclass, field

from services.churn_predictor.scoring import Scorecard
from services.contracts.tolerances import Tolerances


@dataclass(frozen=True, slots=True)
class Model:
    """A model file as it was read."""

    card: Scorecard
    digest: str
    """SHA-256 of the file's content."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Read once, at the start."""

    complaint: Model
    lapse: Model
    tolerances: Tolerances = field(default_factory=Tolerances)

    @property
    def features(self) -> frozenset[str]:
        """What the models look at, at any decision point."""
        cards = (self.complaint.card, self.lapse.card)
        sheets = (sheet for card in cards for sheet in card.points.values())
        return frozenset(table.feature for sheet in sheets for table in sheet.tables)
