"""The shape of `report.json`: what a run came to, in counts that can be checked against each other."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]


class Figures(BaseModel):
    """Base of the report's parts: frozen, and nothing undeclared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Ledgered(Figures):
    """What became of everything given to a group of topics."""

    published: Count | None
    """Taken by ingest, which means acknowledged by the broker; None: ingest was started again in the
    run, and what it had counted until then is lost."""
    rejected: Count | None
    """Refused by ingest for good; None: likewise."""
    accepted: Count
    """Records on the topics, also those written past ingest."""
    applied: Count
    duplicate: Count
    late: Count
    dead_lettered: Count

    @property
    def balances(self) -> bool:
        """Whether every record on the topics is accounted for, once."""
        return self.accepted == self.applied + self.duplicate + self.late + self.dead_lettered


class Problems(Figures):
    """Episodes of something going wrong."""

    opened: Count
    cleared: Count
    """However it ended; the retracted ones among them."""
    retracted: Count
    by_kind: dict[str, Count]
    """Opened, by kind."""


class Suppressed(Figures):
    """Decisions not to contact, by the gate that said no."""

    solved: Count = 0
    already_known: Count = 0
    not_helped: Count = 0
    awaited: Count = 0
    message_class: Count = 0
    consent: Count = 0
    use_by: Count = 0
    budget: Count = 0
    reserved: Count = 0
    net_value: Count = 0
    breaker: Count = 0
    channel: Count = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.model_dump().values())


class Contacts(Figures):
    """Decisions, and what became of those to contact."""

    decisions: Count
    contact: Count
    in_shadow: Count = 0
    """Of those to contact: recorded only, because their playbook is in shadow."""
    deferred: Count
    held_out: Count
    suppressed: Suppressed
    sent: Count
    """Different mails in the sink, by problem and step."""
    failed: Count
    withdrawn: Count
    unknown: Count
    """Left open by a crash; never sent again by itself."""
    double: Count
    """Mails in the sink beyond the first of each problem and step."""
    unlabelled: Count
    """Mails in the sink without problem or step: nobody can tell whether they are double."""

    @property
    def balances(self) -> bool:
        """Whether every decision has exactly one outcome."""
        return self.decisions == (
            self.contact + self.deferred + self.held_out + self.suppressed.total
        )


class Complaints(Figures):
    """Orders whose customer complained."""

    total: Count
    reached_first: Count
    """Of these, orders about which a message had left strictly before."""
    written_about: Count
    """Orders we wrote about, complained about or not."""


class LeadTime(Figures):
    """First complaint minus first message about the same order, hours; None: no order has both."""

    p10: float | None
    p50: float | None
    p90: float | None


class LateOrders(Figures):
    """Orders still open a day after their promise and delivered later: did we know before they spoke?

    A hand-over problem does not count as knowing, and an order whose customer never answered does not
    count as known.
    """

    open_past_promise: Count
    opened_before_answer: Count
    """Of these, with a delay that was opened before the customer's first answer."""
    over_before_answer: Count
    """Of those opened before, with a delay that was over by the answer: the parcel came first."""
    unanswered: Count
    """Of `open_past_promise`, those whose customer never answered."""
    share: float | None
    """`opened_before_answer` of `open_past_promise`."""
    low: float | None
    """Wilson's 95 % interval of the share."""
    high: float | None


class Recounted(Figures):
    """The metrics service's figures, held against the same counted anew from the topics."""

    series: Count
    """How many were counted."""
    differing: tuple[str, ...]
    """Those that say something else, with what is exported and what was counted."""


class Report(Figures):
    """What happened in one run of the demo."""

    seed: int
    """Of the simulated shop; in a recorded one nothing is drawn."""
    source: str
    """`simulated` or `olist`."""
    orders: Count
    simulated_from: str
    simulated_until: str
    ticks: Count
    wall_seconds: float
    events: Ledgered
    profiles: Ledgered
    problems: Problems
    contacts: Contacts
    complaints: Complaints
    lead_time_hours: LeadTime
    late_orders: LateOrders | None
    metrics: Recounted
    decisions_digest: str
    """SHA-256 over customer, problem, playbook, step, outcome and simulated time of each decision."""
    restarts: dict[str, Count]
    """Service → how often it died and was started again."""
    invented: tuple[str, ...]
    """What in this run was made up, in words."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What must never be; empty when the run is sound."""
        return tuple(
            text
            for holds, text in (
                (self.contacts.double == 0, "somebody got the same message twice"),
                (
                    self.contacts.unlabelled == 0,
                    f"{self.contacts.unlabelled} mails do not say what they are about",
                ),
                (self.events.balances, "records on the topics are not all accounted for"),
                (self.profiles.balances, "profile and consent records are not all accounted for"),
                (self.contacts.balances, "decisions and their outcomes do not add up"),
                (
                    not self.metrics.differing,
                    f"{len(self.metrics.differing)} exported figures are not those of the topics",
                ),
            )
            if not holds
        )
