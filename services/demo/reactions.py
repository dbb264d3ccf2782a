"""What people do about their parcels: complain, ask, answer surveys, and how a message changes it.  Pure.

An intention is drawn beforehand from the person's own chance, so that one seed gives one shop; only
whether it is carried out depends on what reached the person before its moment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from services.contracts import ids
from services.contracts.contacts import (
    ContactChannel,
    ContactOpened,
    ContactReason,
    ContactReplied,
    ContactResolved,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.contracts.envelope import Fact
from services.contracts.problems import ProblemKind
from services.demo.local_time import at_hour, awake
from services.demo.parameters import ShopParameters
from services.demo.parcels import Parcel
from services.demo.timeline import Mail, Publication, in_order, publication

_DESK = "/desk/contacts"
_SURVEYS = "/shop/surveys"
_EPISODES = (1, 2, 3)
"""Problems rarely return; a message about a fourth episode would not be recognised."""


class Act(StrEnum):
    """What somebody may do."""

    COMPLAIN = "complain"
    REPORT_DAMAGE = "report_damage"
    ASK = "ask"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Intention:
    """Somebody will do this at this moment, unless what reached them before changes their mind."""

    at: datetime
    act: Act
    parcel: Parcel
    draw: float
    """Uniform in [0, 1), drawn beforehand; the act happens while it is below the chance."""
    chance: float
    """Without a message; for an answer: of a poor one."""

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Sorting key that never ties."""
        return self.at, self.parcel.order_id, self.act


@dataclass(frozen=True, slots=True)
class Feelings:
    """What changes as mails arrive and people act."""

    soothed: frozenset[str] = frozenset()
    """Shipments whose customer had a message about them."""
    done: int = 0
    """How many intentions have had their moment."""
    follow_ups: tuple[Publication, ...] = ()
    """What the desk will say about contacts opened so far, in order."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody's intentions, in order, and how a message finds its parcel."""

    intentions: tuple[Intention, ...]
    shipments: Mapping[str, str] = field(default_factory=dict)
    """Problem id → shipment."""


def gather(parcels: Sequence[Parcel], parameters: ShopParameters, seed: int) -> Crowd:
    """Return what the customers of these parcels are about to do."""
    found = [i for parcel in parcels for i in intentions_of(parcel, parameters, seed)]
    return Crowd(tuple(sorted(found, key=lambda i: i.order)), shipments_by_problem(parcels))


def shipments_by_problem(parcels: Sequence[Parcel]) -> dict[str, str]:
    """Return every problem id these parcels can get, with the shipment it is about."""
    return {
        str(ids.problem_id(p.person.customer_id, p.shipment_id, kind, episode)): p.shipment_id
        for p in parcels
        for kind in ProblemKind
        for episode in _EPISODES
    }


def intentions_of(parcel: Parcel, parameters: ShopParameters, seed: int) -> Iterator[Intention]:
    """Yield what may happen about this parcel."""
    rng = parcel.person.draws(seed, parcel.order_id)
    draws = [rng.random() for _ in range(5)]
    zone = parcel.person.home.time_zone
    if parcel.is_cancelled:
        return
    patience_ends = awake(parcel.promised_by + parcel.person.patience, zone)
    if parcel.delivered_at is None or parcel.delivered_at > patience_ends:
        yield from _if_drawn(
            Intention(patience_ends, Act.COMPLAIN, parcel, draws[0], parameters.complains)
        )
    asks_at = awake(parcel.placed_at + timedelta(hours=20), zone)
    yield from _if_drawn(Intention(asks_at, Act.ASK, parcel, draws[1], parameters.asks_something))
    if parcel.delivered_at is None:
        return
    looks_at = awake(parcel.delivered_at + timedelta(hours=3), zone)
    yield from _if_drawn(
        Intention(looks_at, Act.REPORT_DAMAGE, parcel, draws[2], parameters.damaged)
    )
    if draws[3] < parameters.survey_share * parameters.answers:
        thinks = timedelta(hours=rng.uniform(2, 40))
        yield Intention(
            awake(survey_sent_at(parcel, parameters) + thinks, zone),
            Act.ANSWER,
            parcel,
            draws[4],
            _chance_of_poor_answer(parcel, parameters),
        )


def survey_of(parcel: Parcel, parameters: ShopParameters, seed: int) -> Iterator[Publication]:
    """Yield the survey the shop sends about this parcel, if it sends one."""
    rng = parcel.person.draws(seed, parcel.order_id)
    draw = [rng.random() for _ in range(5)][3]
    if parcel.delivered_at is None or draw >= parameters.survey_share:
        return
    fact = SurveySent(
        survey_id=f"{parcel.order_id}-csat", kind=SurveyKind.CSAT, order_id=parcel.order_id
    )
    yield _say(parcel, fact, _SURVEYS, survey_sent_at(parcel, parameters), "survey-sent")


def survey_sent_at(parcel: Parcel, parameters: ShopParameters) -> datetime:
    """Return ten o'clock on the shop's day after the delivery."""
    if parcel.delivered_at is None:
        raise ValueError(f"{parcel.order_id} was never delivered, so nobody is asked about it")
    return at_hour(parcel.delivered_at, parameters.shop_zone, days=1, hour=10)


def next_moment(crowd: Crowd, feelings: Feelings) -> datetime | None:
    """Return when somebody may act next; None: never again."""
    moments = [i.at for i in crowd.intentions[feelings.done : feelings.done + 1]]
    return min(moments + [p.at for p in feelings.follow_ups[:1]], default=None)


def react(
    crowd: Crowd,
    feelings: Feelings,
    mails: Sequence[Mail],
    until: datetime,
    parameters: ShopParameters,
) -> tuple[Feelings, tuple[Publication, ...]]:
    """Return how people feel after `until` and what they did on the way there.

    Args:
        crowd: Who intends what.
        feelings: As they were after the step before.
        mails: What arrived since then; in any order, repeats change nothing.
        until: The end of this step.
        parameters: How much a message soothes.
    """
    reached = {crowd.shipments[m.problem_id] for m in mails if m.problem_id in crowd.shipments}
    soothed = feelings.soothed | reached
    done = feelings.done
    said: list[Publication] = [p for p in feelings.follow_ups if p.at <= until]
    later = [p for p in feelings.follow_ups if p.at > until]
    while done < len(crowd.intentions) and crowd.intentions[done].at <= until:
        for item in _carry_out(crowd.intentions[done], soothed, parameters):
            (said if item.at <= until else later).append(item)
        done += 1
    after = replace(feelings, soothed=soothed, done=done, follow_ups=in_order(later))
    return after, in_order(said)


def _carry_out(
    intention: Intention, soothed: frozenset[str], parameters: ShopParameters
) -> Iterator[Publication]:
    is_soothed = intention.parcel.shipment_id in soothed
    # A message about the parcel does not mend a broken cup.
    cares = intention.act in (Act.COMPLAIN, Act.ANSWER)
    chance = intention.chance * (parameters.soothed if is_soothed and cares else 1.0)
    happens = intention.draw < chance
    if intention.act is Act.ANSWER:
        yield _answer(intention, is_poor=happens)
    elif happens:
        yield from _contact(intention, parameters)


def _answer(intention: Intention, *, is_poor: bool) -> Publication:
    parcel = intention.parcel
    if is_poor:
        score = 1 if intention.draw < intention.chance / 2 else 2
    else:
        score = 5 if intention.draw > 0.5 else 4
    fact = SurveyAnswered(
        survey_id=f"{parcel.order_id}-csat",
        kind=SurveyKind.CSAT,
        score=score,
        order_id=parcel.order_id,
    )
    return _say(parcel, fact, _SURVEYS, intention.at, "survey-answered")


_REASONS = {
    Act.REPORT_DAMAGE: ContactReason.DAMAGED,
    Act.ASK: ContactReason.PRODUCT_QUESTION,
}


def _reason(intention: Intention) -> ContactReason:
    if intention.act is Act.COMPLAIN:
        is_angry = intention.draw < intention.chance / 4
        return ContactReason.COMPLAINT if is_angry else ContactReason.WHERE_IS_MY_ORDER
    return _REASONS[intention.act]


def _contact(intention: Intention, parameters: ShopParameters) -> Iterator[Publication]:
    parcel = intention.parcel
    contact_id = f"{parcel.order_id}-{intention.act}"
    rng = Random(contact_id)
    opened = ContactOpened(
        contact_id=contact_id,
        channel=rng.choice((ContactChannel.EMAIL, ContactChannel.CHAT, ContactChannel.PHONE)),
        reason=_reason(intention),
        order_id=parcel.order_id,
    )
    yield _say(parcel, opened, _DESK, intention.at, f"{intention.act}-opened")
    replied_at = awake(intention.at + timedelta(hours=rng.uniform(1, 6)), parameters.shop_zone)
    resolved_at = awake(replied_at + timedelta(hours=rng.uniform(1, 30)), parameters.shop_zone)
    replied = ContactReplied(contact_id=contact_id, by=ReplyBy.AGENT)
    yield _say(parcel, replied, _DESK, replied_at, f"{intention.act}-replied")
    resolved = ContactResolved(contact_id=contact_id)
    yield _say(parcel, resolved, _DESK, resolved_at, f"{intention.act}-resolved")


def _if_drawn(intention: Intention) -> Iterator[Intention]:
    # A message only ever lowers the chance: above it nothing will happen, and time need not stop.
    if intention.draw < intention.chance:
        yield intention


def _chance_of_poor_answer(parcel: Parcel, parameters: ShopParameters) -> float:
    is_late = parcel.delivered_at is not None and parcel.delivered_at > parcel.promised_by
    return parameters.poor_when_late if is_late else parameters.poor_when_on_time


def _say(parcel: Parcel, fact: Fact, source: str, at: datetime, what: str) -> Publication:
    return publication(
        fact,
        source=source,
        event_id=f"{parcel.order_id}-{what}",
        time=at,
        customer_id=parcel.person.customer_id,
    )
