"""Everything together: evidence in, verdict out.  Pure."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from services.contracts import topics as t
from services.contracts.tolerances import Tolerances
from services.verifier import accounting, contacted, customers, sayings, silences
from services.verifier.accounting import INTERNAL
from services.verifier.evidence import Evidence, PartitionEvidence
from services.verifier.heard import Heard, Mark, marks
from services.verifier.outcomes import Outcomes, outcomes
from services.verifier.promises import World
from services.verifier.scores import by_parcel
from services.verifier.tally import Tally
from services.verifier.timeline import Timeline
from services.verifier.verdict import Verdict

Mails = Sequence[tuple[str, str]]
"""(problem id, step) of each mail that really arrived; the step as the mail's header names it."""

_BY_ID = (
    "every record of the predictor's topics, by id",
    "facts of every customer, slot by slot",
    "accounts and dead letters of every source partition",
    "outputs that stand twice; sums, names and latest of assessments",
)
_BY_TICK = (
    "problems by id, tick and content",
    "decision points of a deadline assessed, by tick; of an event, that it had happened",
    "feeds and their silences, by tick",
    "barriers, in order",
)
_NEVER = (
    "the facts digest and the feature values inside an assessment: the model is the predictor's own",
    "next_due of a barrier",
    "the experience ledger beside a problem",
    "at which tick approvals, hand-overs and deliveries were assessed, and whether each was",
    "whether and when a lapse was to be assessed, and the problem lapse_risk: both are the model's",
    "outreach's accounts of customers and consents: they are in its database only",
)
_NAMED = 20
"""Customers set aside who are named."""


@dataclass(slots=True)
class _Part:
    """One partition number, and what is recomputed of it by itself."""

    number: int
    evidence: PartitionEvidence
    judged: PartitionEvidence
    """The same without what was said of customers who are set aside, anywhere."""
    aside: AbstractSet[str]
    """Those of them of whom something is here."""
    timeline: Timeline
    outcomes: Outcomes
    marks: dict[str, list[Mark]]
    is_whole: bool
    """Whether all that was ever written to the sources is still there."""


def verify(
    evidence: Evidence,
    mails: Mails = (),
    *,
    lockstep: bool = True,
    tolerances: Tolerances | None = None,
) -> Verdict:
    """Return what is wrong with a deployment at rest.

    Args:
        evidence: All that lies on its topics.
        mails: What really arrived; empty: mails are not looked at.
        lockstep: Whether time came from a replayer that waited for each barrier (simulated time).
        tolerances: What the deployment tolerates; None: the defaults.
    """
    tally = Tally(lockstep, checked=list(_BY_ID), not_checked=list(_NEVER))
    renamed = {customer for kept in evidence.partitions for customer in kept.renamed}
    _note_renamed(renamed, tally)
    parts = [_part(n, kept, renamed, tally) for n, kept in enumerate(evidence.partitions)]
    _note_time(parts, tally)
    heard = Heard(part.marks for part in parts)
    for part in parts:
        _judge_part(part, World(part.timeline, heard, tolerances or Tolerances()), tally)
    _judge_outreach(parts, mails, tally)
    return tally.verdict()


def differing(one: Verdict, other: Verdict) -> tuple[str, ...]:
    """Return the names of outputs that two runs of the same input do not share byte for byte."""
    names = one.outputs.keys() | other.outputs.keys()
    return tuple(sorted(n for n in names if one.outputs.get(n) != other.outputs.get(n)))


def _note_renamed(renamed: AbstractSet[str], tally: Tally) -> None:
    tally.counts["customers_set_aside"] = len(renamed)
    if renamed:
        named = ", ".join(sorted(renamed)[:_NAMED]) + (" and others" * (len(renamed) > _NAMED))
        tally.not_checked.append(
            f"{len(renamed)} customers who were merged or erased ({named}), and the counts, but not "
            "their sums, in partitions where they are"
        )


def _part(
    number: int, evidence: PartitionEvidence, renamed: AbstractSet[str], tally: Tally
) -> _Part:
    timeline = Timeline(evidence.ticks)
    is_seen = customers.is_seen_in(evidence.changelog)
    became = outcomes(evidence, timeline, is_seen, lockstep=tally.lockstep)
    cut = [
        f"{name}-{number} before offset {extent.begins_at}"
        for name, extent in sorted(evidence.extents.items())
        if extent.begins_at and name in accounting.SOURCES
    ]
    if cut:
        tally.not_checked.append(f"partition {number}: retention has taken {', '.join(cut)}")
    if became.undecided:
        tally.not_checked.append(
            f"partition {number}: the outcome of {became.undecided} records, which hung on the second"
        )
    if became.twins:
        tally.not_checked.append(
            f"customers {', '.join(sorted(became.twins))}: one event's name stands on two topics, and "
            "which was applied first is not known"
        )
    known = {k.decode("utf-8", "replace") for k in evidence.changelog if k[:1] != INTERNAL}
    here = (known | became.customers.keys() | evidence.renamed) & renamed
    return _Part(
        number,
        evidence,
        evidence.without(renamed),
        here,
        timeline,
        became,
        marks(became.heard, timeline),
        not cut,
    )


def _note_time(parts: Sequence[_Part], tally: Tally) -> None:
    if not tally.lockstep:
        tally.not_checked.append(
            f"{'; '.join(_BY_TICK)}: time came from the machine's clock, not in lockstep"
        )
        return
    tally.is_by_tick = all(part.is_whole and part.timeline.ats for part in parts)
    if tally.is_by_tick:
        tally.checked += _BY_TICK
    else:
        tally.not_checked.append(
            f"{'; '.join(_BY_TICK)}: a partition has no tick, or is not whole any more"
        )
    numbers = {tuple(part.timeline.numbers) for part in parts}
    if len(numbers) > 1:
        tally.found["barriers"].append("the partitions do not have the same ticks")


def _judge_part(part: _Part, world: World, tally: Tally) -> None:
    evidence, said = part.evidence, sayings.Findings()
    tally.counts["records"] += sum(len(e.offsets) for e in evidence.extents.values())
    tally.counts["events"] += len(evidence.told)
    tally.counts["ticks"] += len(part.timeline)
    tally.unread(evidence.unreadable_outputs)
    tally.keep_outputs(part.number, evidence)
    sayings.judge_doubled(part.number, evidence, said)
    sayings.judge_sums(part.judged, said)
    if part.is_whole:
        tally.add(
            accounting.judge_accounts(
                part.number,
                evidence,
                part.outcomes,
                lockstep=tally.lockstep,
                is_recounted=not part.aside,
            )
        )
        _judge_customers(part, world, said, tally)
    if tally.is_by_tick:
        sayings.judge_barriers(part.number, evidence, part.timeline, said)
    tally.add(said)


def _judge_customers(part: _Part, world: World, said: sayings.Findings, tally: Tally) -> None:
    evidence, found = part.evidence, customers.Findings(part.number)
    scores = by_parcel(evidence.assessments)
    stored = {k.decode("utf-8", "replace") for k in evidence.changelog if k[:1] != INTERNAL}
    left_out = part.outcomes.twins | part.aside
    for customer in sorted((stored | part.outcomes.customers.keys()) - left_out):
        customers.judge_customer(
            customer,
            evidence.changelog.get(customer.encode()),
            part.outcomes.customers.get(customer, ()),
            world,
            scores,
            found,
            is_by_tick=tally.is_by_tick,
        )
    tally.add(found)
    tally.counts["customers"] += len(found.recomputed_digests)
    tally.stored |= found.recorded_digests
    tally.recomputed |= found.recomputed_digests
    if found.unknown_slots:
        slots = ", ".join(sorted(found.unknown_slots))
        tally.not_checked.append(f"facts nobody here recomputes: {slots}")
    if tally.is_by_tick:
        tally.counts["problem_records"] += len(found.expected)
        tally.counts["assessments"] += len(found.scored)
        tally.found["wrong"] += accounting.judge_feeds(
            part.number, evidence, part.marks, part.timeline
        )
        tally.found["wrong"] += silences.judge(
            part.number, evidence.notices, world.heard, part.timeline, world.tolerances
        )
        sayings.judge_problems(part.judged, found.expected, part.timeline, said)
        sayings.judge_assessments(part.judged, found.scored, found.happened, part.timeline, said)


def _judge_outreach(parts: Sequence[_Part], mails: Mails, tally: Tally) -> None:
    found, triggers = contacted.Findings(), contacted.Triggers()
    everything = [w for part in parts for w in contacted.first_words(part.evidence.attempts)]
    words = [contacted.first_words(part.judged.attempts) for part in parts]
    tiers = [contacted.reached(part.judged) for part in parts]
    for of_part, reached in zip(words, tiers, strict=True):
        contacted.learn_triggers(triggers, reached, of_part)
    for part, of_part, reached in zip(parts, words, tiers, strict=True):
        contacted.judge_steps(part.number, part.judged, of_part, found)
        contacted.judge_coverage(part.judged, reached, of_part, triggers, found)
        contacted.judge_letters(part.number, part.evidence, part.timeline, found)
        contacted.judge_echoes(part.number, part.evidence, part.timeline, found)
    tally.counts["outreach_records"] = len(everything)
    if mails:
        contacted.judge_mails(mails, everything, found)
    tally.counts["mails"], tally.counts["unfinished_steps"] = len(mails), found.unfinished
    tally.add(found)
    _note_outreach(parts, tally, has_words=bool(everything), has_mails=bool(mails))


def _note_outreach(
    parts: Sequence[_Part], tally: Tally, *, has_words: bool, has_mails: bool
) -> None:
    if has_mails:
        tally.checked.append("mails that arrived, by problem and step")
    else:
        tally.not_checked.append("mails that arrived: none were given")
    if has_words:
        tally.checked.append(f"decisions and attempts on {t.OUTREACH.name}, by step")
    else:
        tally.not_checked.append("whether problems were decided about: nothing ever was")
    silent = [str(part.number) for part in parts if not part.evidence.echoes]
    if silent:
        tally.not_checked.append(
            f"how far outreach has got: it echoed no barrier in partition {', '.join(silent)}"
        )
