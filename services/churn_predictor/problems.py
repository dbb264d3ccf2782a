"""When something is wrong: episodes open, escalate and clear as expectations pass.  Pure.

An absence counts only once the feed that would have told us was heard after the deadline, or has
been silent for so long that waiting helps nobody; the evidence says which.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.churn_predictor.expectations import Expectation, Parcel, expectations
from services.churn_predictor.facts import Stamp
from services.churn_predictor.state import Assessed, Episode
from services.contracts.ids import problem_id
from services.contracts.problems import Band, Clearing, FeedEvidence, ProblemKind, Tier

FEED_CAP = timedelta(hours=24)
"""How long an alarm waits for a silent feed."""

EXPIRY = timedelta(days=60)
"""An open problem nobody heard of for so long after its deadline ends as expired."""

Heard = Mapping[str, datetime]
"""Feed → when it was last heard in any partition."""

Assess = Callable[[Parcel, Expectation], Assessed]
"""Scores a parcel at a decision point, once."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A new episode."""

    episode: Episode


@dataclass(frozen=True, slots=True)
class Escalated:
    """An episode whose tier rose."""

    episode: Episode
    previous: Tier


@dataclass(frozen=True, slots=True)
class Cleared:
    """An episode that ended, and what ended it."""

    episode: Episode
    clearing: Clearing
    ended: Stamp | None


Change = Opened | Escalated | Cleared


@dataclass(frozen=True, slots=True)
class Moment:
    """What a tick knows beside the customer's own facts."""

    now: datetime
    since: datetime
    heard: Heard


@dataclass(frozen=True, slots=True)
class Standing:
    """How one kind of expectation of one parcel stands at a moment."""

    worst: tuple[Expectation, FeedEvidence, Assessed] | None
    due: datetime | None
    """When to look again if no event comes; a moment already past means: at the next tick."""


def confirm(expectation: Expectation, moment: Moment) -> FeedEvidence | None:
    """Return why the absence is believed, or None while its feed may only be late."""
    heard = moment.heard.get(expectation.feed)
    if heard is not None and heard >= expectation.deadline:
        return FeedEvidence(feed=expectation.feed, heard_at=heard, silent=False)
    if moment.now >= expectation.deadline + FEED_CAP:
        return FeedEvidence(feed=expectation.feed, heard_at=heard, silent=True)
    return None


def standing(parcel: Parcel, kind: ProblemKind, moment: Moment, assess: Assess) -> Standing:
    """Return the worst tier reached by a parcel that is still open, and when to look again."""
    worst = None
    for expectation in expectations(parcel, kind):
        if expectation.deadline > moment.now:
            return Standing(worst, expectation.deadline)
        if expectation.deadline < moment.since:
            continue
        evidence = confirm(expectation, moment)
        if evidence is None:
            return Standing(worst, moment.now)
        assessed = assess(parcel, expectation)
        if expectation.tier is Tier.AT_RISK and assessed.band is Band.LOW:
            continue
        worst = (expectation, evidence, assessed)
    return Standing(worst, None)


def advance(
    customer_id: str,
    parcel: Parcel,
    kind: ProblemKind,
    episode: Episode | None,
    moment: Moment,
    assess: Assess,
) -> tuple[Change | None, datetime | None]:
    """Return what changes for this parcel and kind, and when to look again."""
    ended = parcel.ended(kind)
    if ended is not None and ended.at <= moment.now:
        return _end(episode, ended), None
    now_standing = standing(parcel, kind, moment, assess)
    if episode is not None and episode.is_open and moment.now >= episode.deadline + EXPIRY:
        return _close(episode, Clearing.EXPIRED, None), None
    change = _worsen(customer_id, parcel, kind, episode, moment, now_standing)
    current = change.episode if change is not None else episode
    return change, _look_again(now_standing.due, current, ended)


def _end(episode: Episode | None, ended: Stamp) -> Change | None:
    """It is over.  Over before the deadline that was missed means it never was."""
    if episode is None or not episode.is_open:
        return None
    never_was = ended.at <= episode.deadline
    return _close(episode, Clearing.RETRACTED if never_was else Clearing.SOLVED, ended)


def _close(episode: Episode, clearing: Clearing, ended: Stamp | None) -> Cleared:
    return Cleared(replace(episode, is_open=False), clearing, ended)


def _worsen(
    customer_id: str,
    parcel: Parcel,
    kind: ProblemKind,
    episode: Episode | None,
    moment: Moment,
    standing_now: Standing,
) -> Opened | Escalated | None:
    if standing_now.worst is None:
        return None
    if episode is not None and not episode.is_open and moment.now >= episode.deadline + EXPIRY:
        return None  # it expired; only an event could make it news again
    expectation, evidence, assessed = standing_now.worst
    if episode is None or not episode.is_open:
        number = 1 if episode is None else episode.number + 1
        return Opened(
            _episode(customer_id, parcel, expectation, number, moment, evidence, assessed)
        )
    if expectation.tier.rank <= episode.tier.rank:
        return None
    worse = replace(
        episode,
        tier=expectation.tier,
        deadline=expectation.deadline,
        feed=evidence,
        complaint_risk=assessed.probability,
    )
    return Escalated(worse, episode.tier)


def _episode(
    customer_id: str,
    parcel: Parcel,
    expectation: Expectation,
    number: int,
    moment: Moment,
    evidence: FeedEvidence,
    assessed: Assessed,
) -> Episode:
    kind = expectation.kind
    return Episode(
        problem_id=problem_id(customer_id, parcel.shipment_id, kind, number),
        kind=kind,
        subject=parcel.shipment_id,
        order_id=parcel.shipment.order_id,
        number=number,
        tier=expectation.tier,
        deadline=expectation.deadline,
        promised_by=parcel.promise.promised_by,
        opened_at=moment.now,
        feed=evidence,
        complaint_risk=assessed.probability,
    )


def _look_again(
    due: datetime | None, episode: Episode | None, ended: Stamp | None
) -> datetime | None:
    """The next deadline, the end of an open episode, or an end that lies ahead of now."""
    expiry = episode.deadline + EXPIRY if episode is not None and episode.is_open else None
    ahead = ended.at if ended is not None else None
    return min((moment for moment in (due, expiry, ahead) if moment is not None), default=None)
