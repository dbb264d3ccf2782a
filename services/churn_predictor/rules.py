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
    def models(self) -> tuple[Model, ...]:
        """Every model that scores, of each kind one."""
        return self.complaint, self.lapse

    @property
    def features(self) -> frozenset[str]:
        """What the models look at, at any decision point."""
        sheets = (sheet for model in self.models for sheet in model.card.points.values())
        return frozenset(table.feature for sheet in sheets for table in sheet.tables)
