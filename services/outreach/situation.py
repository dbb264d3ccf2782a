"""What a gate may look at, and what it says.  Values only: the gates are in `gates.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.contracts.outreach import GateVerdict, Suppression
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import Clearing, Tier
from services.outreach.facts import (
    ConsentStatement,
    InboundContact,
    Problem,
    Profile,
    SurveyAnswer,
)
from services.outreach.patience import Patience, Spent
from services.outreach.quiet import QuietHours, ZoneFound, zone_for
from services.outreach.signals import Signal
from services.outreach.worth import Worth
from services.outreach.zones import ZONE_OF_COUNTRY

NOT_PROMOTIONAL = frozenset({MessageClass.SAFETY, MessageClass.SERVICE, MessageClass.CARE})


@dataclass(frozen=True, slots=True)
class Breaker:
    """How much one playbook may write before a person has to look at it."""

    window: timedelta = timedelta(hours=24)
    usual_over: timedelta = timedelta(days=28)
    """How far back the busiest window is looked for."""
    factor: int = 3
    """So many times that is still believed."""
    at_least: int = 100
    """What is always believed, for a playbook that is new or seldom needed."""
    recheck: timedelta = timedelta(hours=1)
    """How long what it holds waits before it asks again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What one deployment allows."""

    quiet_hours: QuietHours
    default_zone: ZoneInfo
    classes: frozenset[MessageClass] = NOT_PROMOTIONAL
    """Messages of any other class are not sent at all."""
    patience: Patience = field(default_factory=Patience)
    worth: Worth = field(default_factory=Worth)
    reserve_from_risk: float = 0.5
    """From this risk of a complaint on, room is kept for what a problem may still become."""
    worse_after: timedelta = timedelta(hours=24)
    """How long after the promised date that would be told."""
    breaker: Breaker = field(default_factory=Breaker)
    telling_recheck: timedelta = timedelta(minutes=5)
    """How long what depends on a message that is just leaving waits before it asks again."""
    zone_of_country: Mapping[str, str] = field(default_factory=lambda: ZONE_OF_COUNTRY)

    @property
    def remembered(self) -> timedelta:
        """How far back contacts must be known."""
        return max(self.patience.longest, self.worth.fatigue_window)

    def zone_of(self, profile: Profile | None, problem: Problem) -> ZoneFound:
        """Return the zone of whoever has this profile and this problem, and where it was found."""
        known = (
            (profile.time_zone, profile.country, profile.language)
            if profile
            else (None, None, None)
        )
        told = problem.destination
        destination = None if told is None else told.time_zone
        return zone_for(*known, self.zone_of_country, self.default_zone, destination)


@dataclass(frozen=True, slots=True)
class Message:
    """What would be sent."""

    message_class: MessageClass
    channels: tuple[Channel, ...]
    """By which it may go, the best one first."""
    speaks_of: frozenset[Tier]
    """The tiers in which what it says is true."""
    after: frozenset[Clearing] | None = None
    """It speaks of a problem that has ended so; None: of one that has not ended."""
    told: bool = False
    """It is only for who was told of the problem before it ended."""
    reaches_customer: bool = True
    """Whether the customer hears it; else it goes to a person of ours."""
    once: Signal | None = None
    """What must have come."""
    unless: Signal | None = None
    """What must not have come."""


@dataclass(frozen=True, slots=True)
class Volume:
    """How much one playbook has written of late, and how much is usual."""

    decided: int
    """Contacts decided within the breaker's window."""
    allowance: int
    """What is usual, or set, and what a person approved on top of it."""
    is_tripped: bool = False
    """Whether there were more, and nobody has looked at it yet."""
    rejected_until: datetime | None = None
    """What became due until then was looked at, and is not to be sent."""

    def rejects(self, triggered_at: datetime) -> bool:
        """Whether what became due then was looked at, and is not to be sent."""
        return self.rejected_until is not None and triggered_at <= self.rejected_until

    @property
    def is_full(self) -> bool:
        """Whether the next contact waits for a person."""
        return self.is_tripped or self.decided >= self.allowance


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything known at `now` that a gate may look at."""

    now: datetime
    triggered_at: datetime
    """When the message became due."""
    use_by: datetime
    problem: Problem
    message: Message
    contacts: tuple[InboundContact, ...] = ()
    answers: tuple[SurveyAnswer, ...] = ()
    consents: tuple[ConsentStatement, ...] = ()
    profile: Profile | None = None
    spent: tuple[Spent, ...] = ()
    """The contacts this customer had."""
    others: tuple[Problem, ...] = ()
    """The customer's other problems that are open."""
    volume: Volume | None = None
    """Of the message's playbook; None: nobody counts."""
    closed: frozenset[Channel] = frozenset()
    """Channels that take nothing now."""
    told: bool = False
    """Of a problem that is over: whether a message about it left, or may have."""
    being_told: bool = False
    """Of a problem that is over: whether a message about it is leaving just now."""
    signals: frozenset[Signal] = frozenset()
    """What has come of what a step may wait for."""
    twin_told: bool = False
    """Whether the same was told, or is leaving, about a problem that another name of theirs had."""

    def zone(self, policy: Policy) -> ZoneFound:
        """Return the customer's zone, and where it was found."""
        return policy.zone_of(self.profile, self.problem)


@dataclass(frozen=True, slots=True)
class Ruling:
    """One gate's verdict, and what follows from a no."""

    verdict: GateVerdict
    suppression: Suppression | None = None
    deferred_until: datetime | None = None


def yes(gate: str, version: int, because: str) -> Ruling:
    """Return a gate's yes, under the version of its rule."""
    return Ruling(GateVerdict(gate=gate, passed=True, rule=f"{gate}/{version}", because=because))


def no(gate: str, version: int, because: str, suppression: Suppression) -> Ruling:
    """Return a gate's no that is for good."""
    return Ruling(_against(gate, version, because), suppression)


def not_before(gate: str, version: int, because: str, until: datetime) -> Ruling:
    """Return a gate's no that is to be asked again at `until`."""
    return Ruling(_against(gate, version, because), deferred_until=until)


def _against(gate: str, version: int, because: str) -> GateVerdict:
    return GateVerdict(gate=gate, passed=False, rule=f"{gate}/{version}", because=because)
