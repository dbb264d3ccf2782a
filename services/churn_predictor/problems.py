"""When something is wrong: episodes open, escalate and clear as deadlines pass.  Pure.

An absence counts only once the feed that would have told us was heard after the deadline, or has
been silent for so long that waiting helps nobody; the evidence says which.  The order of the rules is
that of `docs/expectations.md`, "What becomes of an episode".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.churn_predictor.expectations.watch import SCANS, Step, Watch
from services.churn_predictor.facts import Stamp
from services.churn_predictor.state import Assessed, Episode
from services.contracts.ids import problem_id
from services.contracts.problems import Band, Clearing, FeedEvidence, Tier
from services.contracts.tolerances import Tolerances

Heard = Mapping[str, datetime]
"""Feed → when it was last heard in any partition."""

Assess = Callable[[Watch, Step, FeedEvidence | None], Assessed | None]
"""Scores a watch's parcel at a step's decision point, once; None: the step has none.  Told with it is why
it is believed that the step has passed."""


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
    tick: int = 0
    """Its number."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """When there may be news if no event comes: at an instant, or once a feed is heard."""

    at: datetime | None = None
    feed: str | None = None
    heard_from: datetime | None = None
    """The feed must be heard at or after this."""


NEVER = LookAgain()

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a watch stands at a moment."""

    worst: tuple[Step, FeedEvidence | None, Assessed | None] | None
    again: LookAgain
    has_come: bool
    """Whether any deadline has come at all, believed or not."""
    is_calm: bool = False
    """Whether a deadline has passed at which there was no risk to speak of."""


def standing(watch: Watch, moment: Moment, tolerances: Tolerances, assess: Assess) -> Standing:
    """Return the worst tier reached by a watch that has not ended, and when to look again."""
    worst, has_come, is_calm = None, False, False
    for step in watch.steps:
        if step.deadline > moment.now:
            return Standing(worst, LookAgain(at=step.deadline), has_come, is_calm)
        has_come = True
        if step.deadline < moment.since:
            continue
        evidence = _confirm(step, moment, tolerances)
        if evidence is None and step.feeds:
            return Standing(worst, _wait(step, moment, tolerances), has_come, is_calm)
        assessed = assess(watch, step, evidence)
        if step.tier is Tier.AT_RISK and assessed is not None and assessed.band is Band.LOW:
            is_calm = True
        else:
            worst = (step, evidence, assessed)
    return Standing(worst, NEVER, has_come, is_calm)


def _confirm(step: Step, moment: Moment, tolerances: Tolerances) -> FeedEvidence | None:
    """Return why the absence is believed; None while a feed may only be late, or where there is none."""
    if not step.feeds:
        return None
    is_heard = all(_is_past(feed, step, moment, tolerances) for feed in step.feeds)
    if not is_heard and not _is_given_up(step, moment, tolerances):
        return None
    weakest = min(step.feeds, key=lambda feed: moment.heard.get(feed, _EVER))
    return FeedEvidence(feed=weakest, heard_at=moment.heard.get(weakest), silent=not is_heard)


def _is_past(feed: str, step: Step, moment: Moment, tolerances: Tolerances) -> bool:
    """Whether a feed was heard so long after the deadline that what lay before it should be here, too."""
    heard = moment.heard.get(feed)
    return heard is not None and heard >= step.deadline + tolerances.feed_settle


def _is_given_up(step: Step, moment: Moment, tolerances: Tolerances) -> bool:
    is_over = moment.now >= step.deadline + tolerances.feed_cap
    return is_over and all(_may_give_up(feed, moment) for feed in step.feeds)


def _may_give_up(feed: str, moment: Moment) -> bool:
    return feed in moment.heard or not feed.startswith(SCANS)


def _wait(step: Step, moment: Moment, tolerances: Tolerances) -> LookAgain:
    """Wait for one of them: when it is heard, the next look waits for another."""
    never = [feed for feed in step.feeds if not _may_give_up(feed, moment)]
    if never:
        # Whenever it is heard for the first time: from then on its silence means something.
        return LookAgain(feed=never[0], heard_from=_EVER)
    late = next(feed for feed in step.feeds if not _is_past(feed, step, moment, tolerances))
    return LookAgain(
        step.deadline + tolerances.feed_cap, late, step.deadline + tolerances.feed_settle
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look at a watch brought."""

    changes: tuple[Change, ...]
    again: LookAgain


def advance(
    customer_id: str,
    watch: Watch,
    episode: Episode | None,
    moment: Moment,
    tolerances: Tolerances,
    assess: Assess,
    *,
    numbered: int = 0,
) -> Outcome:
    """Return what changes for this watch, and when to look again.

    A first episode has the number after `numbered`.
    """
    now, ended = moment.now, watch.ended
    if ended is not None and ended.at <= now:
        return Outcome(tuple(_end(episode, ended)), NEVER)
    changes: list[Change] = list(_renew(watch, episode))
    stands = standing(watch, moment, tolerances, assess)
    current = changes[-1].episode if changes else episode
    expiry = _expiry(watch, current, stands, tolerances)
    is_open = current is not None and current.is_open
    if expiry is not None and now >= expiry:
        # Nobody was told in time, or long ago: now it is no news.
        changes += _close(current, Clearing.EXPIRED, None)
    elif is_open and (not stands.has_come or _is_over(current, stands)):
        changes += _close(current, Clearing.RETRACTED, watch.anchor)
    elif change := _worsen(customer_id, watch, current, moment, stands, numbered):
        changes.append(change)
    current = changes[-1].episode if changes else current
    return Outcome(tuple(changes), _look_again(watch, current, stands.again, expiry))


def _is_over(episode: Episode | None, stands: Standing) -> bool:
    """Whether it was opened for a risk that something told late shows never was."""
    is_only_at_risk = episode is not None and episode.tier is Tier.AT_RISK
    return is_only_at_risk and stands.is_calm and stands.worst is None


def _expiry(
    watch: Watch, episode: Episode | None, stands: Standing, tolerances: Tolerances
) -> datetime | None:
    """Return when what stands, or what was last said, is given up."""
    if stands.worst is not None:
        return stands.worst[0].deadline + tolerances.expires_after(watch.kind)
    if episode is not None and episode.is_open:
        return episode.deadline + tolerances.expires_after(watch.kind)
    return None


def abandon(episode: Episode) -> Iterator[Change]:
    """Clear what is still open of a watch that no fact speaks of any more."""
    yield from _close(episode, Clearing.RETRACTED, None)


def expire(episode: Episode) -> Iterator[Change]:
    """Clear what is open for a reason that lies outside the facts, and is no news to anybody."""
    yield from _close(episode, Clearing.EXPIRED, None)


def _end(episode: Episode | None, ended: Stamp) -> Iterator[Change]:
    """It is over.  Over before the deadline that was missed means it never was."""
    if episode is not None:
        never_was = ended.at <= episode.deadline
        yield from _close(episode, Clearing.RETRACTED if never_was else Clearing.SOLVED, ended)


def _renew(watch: Watch, episode: Episode | None) -> Iterator[Change]:
    """The clock was started anew: what was said since the old start is over."""
    if episode is not None and episode.is_open and watch.anchor > episode.anchor:
        yield from _end(episode, watch.renewed or watch.anchor)


def _close(episode: Episode | None, clearing: Clearing, ended: Stamp | None) -> Iterator[Change]:
    if episode is not None and episode.is_open:
        yield Cleared(replace(episode, is_open=False), clearing, ended)


def _worsen(
    customer_id: str,
    watch: Watch,
    episode: Episode | None,
    moment: Moment,
    stands: Standing,
    numbered: int,
) -> Opened | Escalated | None:
    if stands.worst is None:
        return None
    step, evidence, assessed = stands.worst
    risk = None if assessed is None else assessed.probability
    if episode is None or not episode.is_open:
        number = 1 + (numbered if episode is None else episode.number)
        return Opened(_episode(customer_id, watch, step, number, moment, evidence, risk))
    if step.tier.rank <= episode.tier.rank:
        return None
    worse = replace(
        episode, tier=step.tier, deadline=step.deadline, feed=evidence, complaint_risk=risk
    )
    return Escalated(worse, episode.tier)


def _episode(
    customer_id: str,
    watch: Watch,
    step: Step,
    number: int,
    moment: Moment,
    evidence: FeedEvidence | None,
    risk: float | None,
) -> Episode:
    return Episode(
        problem_id=problem_id(customer_id, watch.subject, watch.kind, number),
        kind=watch.kind,
        subject=watch.subject,
        order_id=watch.order_id,
        number=number,
        anchor=watch.anchor,
        tier=step.tier,
        deadline=step.deadline,
        promised_by=watch.promised_by,
        opened_at=moment.now,
        feed=evidence,
        complaint_risk=risk,
    )


def _look_again(
    watch: Watch, episode: Episode | None, again: LookAgain, expiry: datetime | None
) -> LookAgain:
    """Add the end of an open episode, or an end that lies ahead of now."""
    gives_up = expiry if episode is not None and episode.is_open else None
    ahead = watch.ended.at if watch.ended is not None else None
    first = min((at for at in (again.at, gives_up, ahead) if at is not None), default=None)
    return replace(again, at=first)
