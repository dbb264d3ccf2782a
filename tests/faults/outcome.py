"""One row of the report, and what makes it pass.  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from services.demo.figures import Report
from services.verifier.verdict import CLASSES, Verdict
from services.verifier.verify import differing
from tests.faults.disturbances import DISTURBANCES, Disturbance
from tests.faults.rows import Row

_SAME_IN_EVERY_RUN = ("decisions_digest", "contacts", "problems", "complaints", "lead_time_hours")
"""Parts of the demo's report that no disturbance may change."""

_COUNTS = ("accounts|", "feeds|")
"""Outputs that say how many records there were; a feed's mark counts repetitions too."""

Count = int | None
"""None: the run did not come to its end, so nobody knows."""


class Outcome(BaseModel):
    """What a disturbed run came to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    disturbance: str
    store: str
    seed: int
    lost: Count = None
    doubled: Count = None
    wrong: Count = None
    """Customers, and problems, that are not as recomputed."""
    problems_missing: Count = None
    problems_renamed: Count = None
    problems_extra: Count = None
    outputs_differing: Count = None
    """From the undisturbed run with this seed and load."""
    contacts_doubled: Count = None
    recovery_seconds: float | None = None
    """From the end of an act to the end of the next step that began after it: the worst of the run."""
    passed: bool = False

    load: str
    workers: int
    """Most at the same time."""
    accounts: Count = None
    assessments: Count = None
    barriers: Count = None
    outreach_wrong: Count = None
    report_differing: Count = None
    """Parts of the demo's report that differ from the undisturbed run's."""
    counts_differing: Count = None
    """Outputs that only count records and differ as they must, because there were other records."""
    dead_lettered: Count = None
    """Beyond those of the undisturbed run."""
    events: Count = None
    seconds: float = 0.0
    restarts: dict[str, int] = {}
    exit_codes: dict[str, dict[int, int]] = {}
    """Post → exit code (negative: signal) → how often, of ends that were followed by a restart."""
    hits: tuple[str, ...] = ()
    facts_digest: str = ""
    not_checked: tuple[str, ...] = ()
    note: str = ""
    code: str = ""
    """Digest of the code that was run."""
    earlier_failures: int = 0


@dataclass(frozen=True, slots=True)
class Played:
    """What is known of a run that came to its end."""

    report: Report
    verdict: Verdict
    hits: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    """Strikes that never fell."""
    recoveries: tuple[float, ...] = ()
    exit_codes: tuple[tuple[str, int], ...] = ()
    note: str = ""
    """What an act found that is as it should be."""


def judge(row: Row, played: Played, calm: Played, *, seconds: float, code: str) -> Outcome:
    """Return the row's outcome, seen against the undisturbed run of the same seed and load."""
    disturbance, verdict, report = DISTURBANCES[row.disturbance], played.verdict, played.report
    more_letters = report.events.dead_lettered - calm.report.events.dead_lettered
    faults = tuple(faults_of(disturbance, played, calm))
    different, counts = differences(disturbance, played, calm)
    return Outcome(
        disturbance=row.disturbance,
        store=row.store,
        seed=row.seed,
        lost=len(verdict.lost),
        doubled=len(verdict.doubled),
        wrong=len(verdict.wrong) + len(verdict.problems_wrong),
        problems_missing=len(verdict.problems_missing),
        problems_renamed=len(verdict.problems_renamed),
        problems_extra=len(verdict.problems_extra),
        outputs_differing=len(different),
        contacts_doubled=len(verdict.contacts_doubled),
        recovery_seconds=round(max(played.recoveries, default=0.0), 2),
        passed=not faults,
        load=row.load.name,
        workers=disturbance.most_workers,
        accounts=len(verdict.accounts),
        assessments=len(verdict.assessments),
        barriers=len(verdict.barriers),
        outreach_wrong=len(verdict.outreach_wrong),
        counts_differing=len(counts),
        report_differing=len(_parts_differing(report, calm.report)),
        dead_lettered=more_letters,
        events=report.events.accepted,
        seconds=round(seconds, 1),
        restarts=report.restarts,
        exit_codes=_counted(played.exit_codes),
        hits=played.hits,
        facts_digest=verdict.facts_digest,
        not_checked=verdict.not_checked,
        note="; ".join(part for part in (*faults, played.note) if part),
        code=code,
    )


def broken(row: Row, error: BaseException, *, seconds: float, code: str) -> Outcome:
    """Return the outcome of a run that did not come to its end."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return Outcome(
        disturbance=row.disturbance,
        store=row.store,
        seed=row.seed,
        load=row.load.name,
        workers=DISTURBANCES[row.disturbance].most_workers,
        seconds=round(seconds, 1),
        note=words[:600],
        code=code,
    )


def differences(
    disturbance: Disturbance, played: Played, calm: Played
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the outputs that differ and must not, and the counts that differ because they must.

    An outage of the broker makes publishers send again what was not acknowledged, so that more
    records lie on the topics; a deadly record is one more.  The verifier recounts them in any case.
    """
    names = differing(played.verdict, calm.verdict)
    is_counted = disturbance.needs_broker or disturbance.dead_letters
    counts = {n for n in names if is_counted and n.startswith(_COUNTS)}
    return tuple(n for n in names if n not in counts), tuple(sorted(counts))


def faults_of(disturbance: Disturbance, played: Played, calm: Played) -> Iterator[str]:
    """Yield what must not be, in words; nothing where the row passes."""
    verdict, report = played.verdict, played.report
    yield from _findings(verdict)
    if found := differences(disturbance, played, calm)[0]:
        yield f"outputs differing: {len(found)}, such as {found[0]}"
    if verdict.facts_digest != calm.verdict.facts_digest:
        yield "the facts' digest is not the undisturbed run's"
    yield from report.faults
    for name in _parts_differing(report, calm.report):
        yield f"the report's {name} differ from the undisturbed run's"
    letters = report.events.dead_lettered - calm.report.events.dead_lettered
    if letters != disturbance.dead_letters:
        yield f"{letters} more dead letters than undisturbed, not {disturbance.dead_letters}"
    for what in played.missed:
        yield f"never fell: {what}"


def _findings(verdict: Verdict) -> Iterator[str]:
    for name in CLASSES:
        if found := getattr(verdict, name):
            yield f"{name.replace('_', ' ')}: {len(found)}, such as {found[0]}"


def _parts_differing(report: Report, calm: Report) -> list[str]:
    return [n for n in _SAME_IN_EVERY_RUN if getattr(report, n) != getattr(calm, n)]


def _counted(ends: tuple[tuple[str, int], ...]) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = {}
    for name, code in ends:
        of_name = counts.setdefault(name, {})
        of_name[code] = of_name.get(code, 0) + 1
    return counts
