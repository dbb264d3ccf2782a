"""Holds the mail server, the topic and the ledger against each other, id by id.  Pure.

It knows nothing of how outreach works: only what must be true of any ledger that contacts nobody
twice, loses nothing, and tells every doubt.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from tests.faults.outreach.evidence import Entry, Evidence, Said

ENDED = frozenset({"sent", "failed", "unknown", "withdrawn"})
DELIVERED = frozenset({"sent", "unknown"})
"""Where a step must stand when its mail server did nothing wrong."""
_OUTCOMES = frozenset({"sent", "failed", "unknown", "withdrawn"})


def faults(evidence: Evidence, ends: Collection[str] = DELIVERED) -> list[str]:
    """Return what is wrong, one line each; nothing: all holds.

    Args:
        evidence: What is known.
        ends: States in which a wanted step may have ended.
    """
    checks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _doubled(evidence),
        lambda: _lost(evidence, ends),
        lambda: _untrue(evidence),
        lambda: _misnamed(evidence),
        lambda: _inconsistent(evidence),
    )
    return [fault for check in checks for fault in check()]


def _doubled(evidence: Evidence) -> Iterator[str]:
    """Nobody hears the same thing twice, by whatever channel."""
    names = {entry.step_id: entry.name for entry in evidence.ledger}
    contacts = Counter((mail.problem, mail.step) for mail in evidence.mails)
    # A webhook that is not answered may be repeated under its id, which its receiver heeds.
    contacts.update({names.get(hook.step_id, (hook.step_id, "?")) for hook in evidence.hooks})
    for name, times in contacts.items():
        if times > 1:
            yield f"{_shown(name)} was told {times} times"


def _lost(evidence: Evidence, ends: Collection[str]) -> Iterator[str]:
    entries, wanted = evidence.entry_of(), {want.name for want in evidence.wanted}
    for name in sorted(wanted):
        entry = entries.get(name)
        if entry is None:
            yield f"{_shown(name)} is wanted, and the ledger does not know it"
        elif entry.state not in ends:
            yield f"{_shown(name)} is {entry.state} ({entry.reason}), not {' or '.join(sorted(ends))}"
    for mail in evidence.mails:
        if (mail.problem, mail.step) not in wanted:
            yield f"{_shown((mail.problem, mail.step))} was told, and nobody wanted it"


def _untrue(evidence: Evidence) -> Iterator[str]:
    """What the ledger says of a contact, the other side must know, and the other way round."""
    mailed = {(mail.problem, mail.step) for mail in evidence.mails}
    hooked = {hook.step_id for hook in evidence.hooks}
    for entry in evidence.ledger:
        is_mailed, is_hooked = entry.name in mailed, entry.step_id in hooked
        arrived = is_mailed if entry.channel == "email" else is_hooked
        if entry.state == "sent" and not arrived:
            yield f"{_shown(entry.name)} is sent by {entry.channel}, and never arrived"
        if entry.state not in ("sent", "unknown") and (is_mailed or is_hooked):
            yield f"{_shown(entry.name)} is {entry.state}, and arrived"


def _misnamed(evidence: Evidence) -> Iterator[str]:
    """Each step has one Message-ID, which the ledger knows, and no two share one."""
    entries, users = evidence.entry_of(), defaultdict(set)
    for mail in evidence.mails:
        name = (mail.problem, mail.step)
        users[mail.message_id].add(name)
        entry = entries.get(name)
        if entry is not None and entry.message_id != mail.message_id:
            yield f"{_shown(name)} has another Message-ID in the ledger than in the mail"
    for names in users.values():
        if len(names) > 1:
            yield f"one Message-ID for {', '.join(_shown(name) for name in sorted(names))}"


def _inconsistent(evidence: Evidence) -> Iterator[str]:
    if evidence.outbox:
        yield f"{evidence.outbox} records were never published"
    bytes_of: Mapping[str, set[str]] = defaultdict(set)
    by_step: Mapping[str, dict[str, Said]] = defaultdict(dict)
    for said in evidence.said:
        bytes_of[said.event_id].add(said.digest)
        by_step[said.step_id].setdefault(said.event_id, said)
    for event_id, digests in bytes_of.items():
        if len(digests) > 1:
            yield f"event {event_id} was published with different bytes"
    steps = {entry.step_id for entry in evidence.ledger}
    for step_id in by_step.keys() - steps:
        if any(said.outcome == "contact" or said.attempt for said in by_step[step_id].values()):
            yield f"the topic tells of step {step_id}, which the ledger does not know"
    for entry in evidence.ledger:
        yield from _at_odds(entry, list(by_step[entry.step_id].values()))


def _at_odds(entry: Entry, said: Sequence[Said]) -> Iterator[str]:
    """Compare one row with what was said of it, each event once, in the order of the topic."""
    name = _shown(entry.name)
    if (contacts := sum(one.outcome == "contact" for one in said)) != 1:
        yield f"{name}: {contacts} decisions to contact on the topic"
    starts = [one.attempt for one in said if one.kind == "started"]
    if starts != list(range(1, entry.attempt + 1)):
        yield f"{name}: attempts {starts} on the topic, {entry.attempt} in the ledger"
    ends = [one.kind for one in said if one.kind in _OUTCOMES]
    # A doubt may be lifted by the sender itself, which knows better; nothing else has two ends.
    allowed = [[entry.state], ["unknown", entry.state]] if entry.state in ENDED else [[]]
    if ends not in allowed:
        yield f"{name}: {', '.join(ends) or 'no end'} on the topic, {entry.state} in the ledger"
    if said and said[0].kind != "decided":
        yield f"{name}: {said[0].kind} was told before the decision"
    if "unknown" in ends and "started" in [one.kind for one in said[_first(said, "unknown") :]]:
        yield f"{name}: started again after it was unknown"
    if ends and starts and _first(said, ends[0]) < _first(said, "started"):
        yield f"{name}: {ends[0]} was told before the start"


def _first(said: Sequence[Said], kind: str) -> int:
    return next(number for number, one in enumerate(said) if one.kind == kind)


def _shown(name: tuple[str, str]) -> str:
    return f"{name[1]} of {name[0]}"
