"""What one deployment decides by: a model, and how long is too long."""

from dataclasses import dataclass, field

from services.churn_predictor.scoring import Scorecard
from services.contracts.tolerances import Tolerances


@dataclass(frozen=True, slots=True)
class Rules:
    """Read once, at the start."""

    complaint: Scorecard
    complaint_digest: str
    """Of the model file's content."""
    tolerances: Tolerances = field(default_factory=Tolerances)

    @property
    def features(self) -> frozenset[str]:
        """What the model looks at, at any decision point."""
        sheets = self.complaint.points.values()
        return frozenset(table.feature for sheet in sheets for table in sheet.tables)
