"""What the verifier found: every finding by name, and what it could not look at.  Never personal data."""

from pydantic import BaseModel, ConfigDict

Findings = tuple[str, ...]

CLASSES = (
    "lost",
    "doubled",
    "wrong",
    "accounts",
    "problems_missing",
    "problems_extra",
    "problems_renamed",
    "problems_wrong",
    "assessments",
    "barriers",
    "contacts_doubled",
    "outreach_wrong",
)
"""Names of the fields of a verdict that hold findings."""


class Verdict(BaseModel):
    """The findings of one deployment; each names customer, topic, partition, offset or id."""

    model_config = ConfigDict(frozen=True)

    lost: Findings = ()
    """Records on the raw topics that are neither applied, duplicate, late nor a dead letter."""
    doubled: Findings = ()
    """Applied, dead-lettered or said more than once."""
    wrong: Findings = ()
    """Slots of the predictor's state that differ from the recomputed ones."""
    accounts: Findings = ()
    """Source partitions whose counts do not add up to their records, or differ from the recount."""
    problems_missing: Findings = ()
    """Should have been said and was not."""
    problems_extra: Findings = ()
    """Was said and should not have been."""
    problems_renamed: Findings = ()
    """Was said under another id."""
    problems_wrong: Findings = ()
    """Was said at another tick, or with other content."""
    assessments: Findings = ()
    """Missing, too many, at another tick, or sums that do not give their probability."""
    barriers: Findings = ()
    """Ticks that were not passed on exactly once and in order."""
    contacts_doubled: Findings = ()
    """Problem steps with more than one mail, or said to be sent more than once."""
    outreach_wrong: Findings = ()
    """Decisions and attempts that do not balance."""

    facts_digest: str = ""
    """SHA-256 of every customer's facts as the changelog has them, whatever their order."""
    recomputed_digest: str = ""
    """The same of the facts recomputed from the events."""
    outputs: dict[str, str] = {}
    """`topic|key|id` → digest of what was said; for comparing runs of the same input."""
    counts: dict[str, int] = {}
    """How much was looked at, by name."""
    checked: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    """What this run could not show, and why."""

    @property
    def is_good(self) -> bool:
        """Whether nothing was found; what was not checked is no finding."""
        return not any(getattr(self, name) for name in CLASSES)
