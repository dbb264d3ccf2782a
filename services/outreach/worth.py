"""What a contact is worth: the complaints it is expected to avoid, less what it costs.  Pure.

The effects are a prior, set by hand until the holdout has measured them: nobody knows them yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.contracts.people import Channel, MessageClass

_EFFECT = {
    MessageClass.SAFETY: 1.0,
    MessageClass.SERVICE: 0.3,
    MessageClass.CARE: 0.1,
    MessageClass.PROMOTIONAL: 0.05,
}
_COST = {
    Channel.EMAIL: 0.002,
    Channel.PUSH: 0.002,
    Channel.WEBHOOK: 0.002,
    Channel.CHAT: 0.005,
    Channel.SMS: 0.01,
    Channel.HUMAN: 0.1,
}


@dataclass(frozen=True, slots=True)
class Worth:
    """What a deployment believes; the unit is one avoided complaint."""

    effect: Mapping[MessageClass, float] = field(default_factory=lambda: dict(_EFFECT))
    """The share of complaints that a message of this class avoids."""
    effect_of_a_person: float = 0.6
    """The share that a person of ours avoids who takes care of it."""
    cost: Mapping[Channel, float] = field(default_factory=lambda: dict(_COST))
    unknown_risk: float = 0.15
    """The risk of a complaint where none was assessed: that of an order something went wrong with."""
    fatigue: float = 0.002
    """What each contact of the last `fatigue_window` makes the next one cost, beside its price."""
    fatigue_window: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NetValue:
    """The parts of what one contact is worth, in avoided complaints."""

    gain: float
    cost: float
    fatigue: float

    @property
    def total(self) -> float:
        """What is left."""
        return self.gain - self.cost - self.fatigue


def net_value(
    worth: Worth, message_class: MessageClass, channel: Channel, risk: float | None, recent: int
) -> NetValue:
    """Return what a contact is worth.

    Args:
        worth: What is believed.
        message_class: Of the message.
        channel: By which it would go.
        risk: Of a complaint, 0 to 1; None: not assessed.
        recent: How many contacts there were within the fatigue window.
    """
    chance = worth.unknown_risk if risk is None else risk
    is_person = channel is Channel.HUMAN
    effect = worth.effect_of_a_person if is_person else worth.effect[message_class]
    return NetValue(
        gain=effect * chance,
        cost=worth.cost[channel],
        fatigue=0.0 if is_person else worth.fatigue * recent,
    )
