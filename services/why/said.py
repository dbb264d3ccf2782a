"""What the services said, in words: problems, risks, decisions and contacts.  Pure."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.churn_predictor.rerun import FORM, Outcome, Rerun
from services.churn_predictor.scoring import Link
from services.churn_predictor.words import in_words
from services.contracts import outreach
from services.contracts.envelope import Fact
from services.contracts.outreach import GateVerdict, Mode, Verdict, Withdrawal
from services.contracts.problems import (
    Actor,
    Clearing,
    Contribution,
    EventRef,
    FeedEvidence,
    ProblemChanged,
    ProblemCleared,
    ProblemOpened,
    RiskAssessed,
)
from services.why.happened import happened, plain
from services.why.kinds import KINDS, POINTS, RISKS, feed_in_words
from services.why.story import Entry, Story
from services.why.times import Times

SHOWN = 5
"""Contributions told one by one, the largest first; the rest is told as one sum."""


@dataclass(frozen=True, slots=True)
class Told:
    """One entry in words: what it is, and what there is to say about it."""

    headline: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells the entries of one story for readers in one zone."""

    story: Story
    times: Times
    refused: Mapping[str, str]
    """Why a model file that is there cannot be used, by its digest."""

    def told(self, entry: Entry) -> Told:
        """Return an entry in words."""
        fact = entry.event.data
        match fact:
            case ProblemOpened() | ProblemChanged() | ProblemCleared():
                return Told(_problem(fact), tuple(self._about_problem(fact)))
            case RiskAssessed():
                return Told(_risk(fact), tuple(self._about_risk(fact, entry.rerun)))
            case outreach.OutreachDecided():
                return Told(self._decided(fact), tuple(_gates(fact)))
        sentence = _OUTCOMES.get(type(fact))
        if sentence is not None:
            return Told(f"{sentence(fact)}: {_step(fact)}", (self._problem_of(fact),))
        told = f"{happened(entry.event, self.times)}, told by {entry.event.source}"
        return Told(f"{told}{aside(entry.set_aside)}")

    def evidence(self, ref: EventRef) -> str:
        """Return what the event was that is named as evidence."""
        event = self.story.happened.get((ref.source, ref.id))
        if event is None:
            return f"event {ref.id} of {ref.source}, which is on its topic no more"
        return f"{happened(event, self.times)}, told by {ref.source}"

    def _about_problem(self, fact: Any) -> Iterator[str]:
        if not isinstance(fact, ProblemCleared):
            due = self.times.words(fact.deadline)
            yield f"Expected: {KINDS[fact.kind].expected}; the deadline was {due}."
            yield self._believed(fact.feed)
        for ref in fact.evidence:
            yield f"Evidence: {self.evidence(ref)}."
        if not isinstance(fact, ProblemCleared):
            yield _ACTORS[fact.actor]
        yield f"Problem {fact.problem_id}, episode {fact.episode}."

    def _believed(self, feed: FeedEvidence | None) -> str:
        if feed is None:
            return "Believed because an event told it; nothing had to be waited for."
        name = feed_in_words(feed.feed)
        if not feed.silent:
            heard = "" if feed.heard_at is None else f" on {self.times.words(feed.heard_at)}"
            return (
                f"Believed because word came from {name}{heard}, when the deadline had passed, "
                "and none of this."
            )
        if feed.heard_at is None:
            return f"Believed although no word ever came from {name}: too long to wait on."
        since = self.times.words(feed.heard_at)
        return f"Believed although no word came from {name} since {since}: too long to wait on."

    def _about_risk(self, fact: RiskAssessed, run: Rerun | None) -> Iterator[str]:
        yield f"starts at {fact.intercept_log_odds:+.2f}"
        yield from _contributions(fact.contributions)
        if fact.as_of is not None:
            yield f"With what was known as of {self.times.words(fact.as_of)}."
        if fact.feed is not None:
            yield self._believed(fact.feed)
        yield from _expectation(fact)
        if run is not None:
            yield from self._made_again(fact, run)

    def _made_again(self, fact: RiskAssessed, run: Rerun) -> Iterator[str]:
        model = f"{fact.model} {fact.model_version}"
        if run.outcome is Outcome.SAME:
            yield f"Re-run with {model}: same, byte for byte."
        elif run.outcome is Outcome.DIFFERS:
            yield f"Re-run with {model}: DIFFERS from the record."
            for each in run.differences:
                yield _difference(each.path, each.recorded, each.again)
        else:
            yield f"Re-run: not possible without the model {model}. {self._get_model(fact)}"
        if not run.adds_up:
            yield "The start and the contributions do NOT add up to the recorded probability."

    def _get_model(self, fact: RiskAssessed) -> str:
        digest = fact.model_digest
        if digest is None:
            return "The record names no model file: it is from before they were named."
        if digest in self.refused:
            return f"Its file is there but this version cannot use it: {self.refused[digest]}."
        return f"Put the file with SHA-256 {digest} into a folder and name that: --models FOLDER."

    def _decided(self, fact: outreach.OutreachDecided) -> str:
        about = self._problem_of(fact).rstrip(".")
        lead = f"{about}: {_step(fact)}:"
        match fact.outcome:
            case outreach.Outcome.CONTACT:
                return f"Decided to write. {lead} {_MODES[fact.mode]}"
            case outreach.Outcome.DEFERRED:
                until = fact.deferred_until
                when = "later" if until is None else f"on {self.times.words(until)}"
                return f"Decided to wait. {lead} to be decided again {when}"
            case outreach.Outcome.HELD_OUT:
                return f"Decided not to write. {lead} held out, to measure what writing is worth"
        reason = "" if fact.suppression is None else f" ({plain(fact.suppression)})"
        return f"Decided not to write{reason}. {lead} suppressed"

    def _problem_of(self, fact: Any) -> str:
        for entry in self.story.happened.values():
            problem = entry.data
            if isinstance(problem, ProblemOpened) and problem.problem_id == fact.problem_id:
                return f"About {KINDS[problem.kind].about.format(problem.subject)}."
        return f"About problem {fact.problem_id}."


def _problem(fact: Any) -> str:
    what = KINDS[fact.kind].tiers.get(fact.tier, plain(fact.tier)).format(fact.subject)
    match fact:
        case ProblemOpened():
            return f"Problem opened: {what}"
        case ProblemChanged():
            return f"Problem worsened, {plain(fact.previous_tier)} before: {what}"
    about = KINDS[fact.kind].about.format(fact.subject)
    return f"Problem cleared: {about}: {_CLEARINGS[fact.clearing]}"


def _risk(fact: RiskAssessed) -> str:
    before = f", {fact.previous_band} before" if fact.previous_band else ""
    what = RISKS[fact.kind].format(fact.subject)
    chance = f"{fact.probability * 100:.1f} %"
    return f"{what}, {POINTS[fact.decision_point]}: {chance}, {fact.band}{before}"


def _contributions(
    parts: Iterable[Contribution], share: Callable[[float], str] = "{:+.2f}".format
) -> Iterator[str]:
    weighed = sorted((p for p in parts if p.log_odds != 0), key=lambda p: -abs(p.log_odds))
    for part in weighed[:SHOWN]:
        yield f"{in_words(part.feature, part.value)}: {share(part.log_odds)}"
    rest = weighed[SHOWN:]
    if rest:
        yield f"and {len(rest)} more: {share(sum(part.log_odds for part in rest))}"


def _expectation(fact: RiskAssessed) -> Iterator[str]:
    """Say how many purchases are expected, and by which factors: logarithms are nobody's words."""
    if fact.expected_purchases is None:
        return
    yield f"Purchases to expect within {fact.horizon_days} days: {fact.expected_purchases:.2f}"
    if fact.expected_intercept is not None:
        yield f"that number starts at {math.exp(fact.expected_intercept):.2f}"
    yield from _contributions(fact.expected_contributions or (), _as_factor)


def _as_factor(logarithm: float) -> str:
    return f"times {math.exp(logarithm):.2f}"


def _difference(path: str, recorded: str, again: str) -> str:
    if path == FORM:
        return "differs: the same values, written in another way"
    return f"differs: {path} is {recorded} in the record, {again} when made again"


def _gates(fact: outreach.OutreachDecided) -> Iterator[str]:
    said_no = [gate for gate in fact.gates if not gate.passed]
    for n, gate in enumerate(said_no):
        yield f"{'Also no' if n else 'The gate that said no'}: {_gate(gate)}."
    passed = [plain(gate.gate) for gate in fact.gates if gate.passed]
    if passed:
        yield f"Said yes: {', '.join(passed)}."


def _gate(gate: GateVerdict) -> str:
    return f"{plain(gate.gate)}, because {gate.because} (rule {gate.rule})"


def _step(fact: Any) -> str:
    by = f" by {fact.channel}" if fact.channel else ""
    return f"{fact.playbook} version {fact.playbook_version}, {fact.step}{by}"


def aside(set_aside: tuple[str, ...]) -> str:
    """Return which services did not take a record in, to follow what is said of it."""
    return f" (set aside by {', '.join(set_aside)})" if set_aside else ""


def legend(links: set[Link]) -> str | None:
    """Return what the numbers beside reasons mean; None where no model is at hand."""
    doubled = {Link.LOGIT: "the odds", Link.LOG: "the probability"}
    found = sorted(doubled[link] for link in links)
    return (
        f"Beside each reason: what it adds; +0.69 doubles {' or '.join(found)}." if found else None
    )


_CLEARINGS = {
    Clearing.SOLVED: "solved",
    Clearing.RETRACTED: "taken back, for a late event showed that it never was",
    Clearing.EXPIRED: "expired, no news any more",
}
_ACTORS = {
    Actor.CUSTOMER: "Who can act: the customer.",
    Actor.US: "Who can act: we.",
    Actor.NOBODY: "Who can act: nobody; the customer can only be told.",
}
_MODES = {
    Mode.SHADOW: "in shadow, so that nothing is sent",
    Mode.LIMITED: "limited, and this customer is on the list",
    Mode.LIVE: "live",
}
_WITHDRAWALS = {
    Withdrawal.PROBLEM_CLEARED: "the problem was cleared first",
    Withdrawal.CUSTOMER_WROTE: "the customer wrote first",
    Withdrawal.NOT_HELPED: "the customer said that an earlier message did not help",
    Withdrawal.CUSTOMER_ERASED: "the customer was erased first",
}
_OUTCOMES: Mapping[type[Fact], Callable[[Any], str]] = {
    outreach.OutreachStarted: lambda f: f"Sending began, attempt {f.attempt}",
    outreach.OutreachSent: lambda f: "Contacted, the channel took the message",
    outreach.OutreachFailed: lambda f: f"Not contacted, it failed for good ({f.reason})",
    outreach.OutreachUnknown: lambda f: (
        "Unknown whether it was sent, and never sent again by itself"
    ),
    outreach.OutreachWithdrawn: lambda f: f"Taken back unsent, {_WITHDRAWALS[f.reason]}",
    outreach.OutreachCorrected: lambda f: "Sent a correction of what had been wrong",
    outreach.OutreachBounced: lambda f: f"Came back undelivered, {f.kind} ({f.status})",
    outreach.OutreachJudged: lambda f: (
        f"The customer said that it {'helped' if f.verdict is Verdict.HELPED else 'did not help'}"
    ),
}
