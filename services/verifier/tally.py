"""Gathers findings, counts, digests and limits into a verdict.  Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

from services.contracts import topics as t
from services.verifier.collect import digest
from services.verifier.evidence import PartitionEvidence
from services.verifier.verdict import CLASSES, Verdict

_CLASS_OF = {
    t.PROBLEMS.name: "problems_wrong",
    t.ASSESSMENTS.name: "assessments",
    t.CUSTOMER_RISKS.name: "assessments",
    t.FEEDS.name: "wrong",
    t.FACTS_CHANGELOG.name: "wrong",
    t.OUTREACH.name: "outreach_wrong",
}
"""Topic → the class of a record on it that nobody can read; of all others it is `accounts`."""

_UNTIMED = frozenset({t.PROBLEMS.name, t.ASSESSMENTS.name})

_BETWEEN = {topic.name for topic in t.INTERNAL}


@dataclass(slots=True)
class Tally:
    """A verdict while it is being made."""

    lockstep: bool
    """Whether ticks alone told the time."""
    is_by_tick: bool = False
    """Whether what was known at each tick is known here, too."""
    found: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in CLASSES})
    counts: Counter[str] = field(default_factory=Counter)
    stored: dict[str, str] = field(default_factory=dict)
    recomputed: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def add(self, findings: Any) -> None:
        """Add the findings of one part, field by field."""
        for each in fields(findings):
            if each.name in self.found:
                self.found[each.name] += getattr(findings, each.name)

    def unread(self, names: Iterable[str]) -> None:
        """Add outputs that cannot be read, each to the class of its topic."""
        for name in names:
            topic = name.partition("@")[0].rpartition("-")[0]
            self.found[_CLASS_OF.get(topic, "accounts")].append(name)

    def keep_outputs(self, number: int, evidence: PartitionEvidence) -> None:
        """Keep the digest of what was said; by the machine's clock only that it was said."""
        for named in evidence.outputs:
            if self.lockstep:
                name = f"{named.topic}|{named.key}|{named.id}"
                self.outputs.setdefault(name, named.digest)
            elif named.topic in _UNTIMED:
                self.outputs[f"{named.topic}|{named.key}|{named.id}"] = ""
        if self.lockstep:
            self._keep_latest(number, evidence)

    def _keep_latest(self, number: int, evidence: PartitionEvidence) -> None:
        for customer, risk in evidence.risks.items():
            self.outputs[f"{t.CUSTOMER_RISKS.name}|{customer}|"] = risk
        # Where records between partitions lie depends on what a killed worker left unfinished there.
        accounts = {n: a for n, a in evidence.accounts.items() if n not in _BETWEEN}
        latest = ((t.FEEDS.name, dict(evidence.feeds)), (t.ACCOUNTS.name, accounts))
        for topic, records in latest:
            for name, record in records.items():
                value = record.model_dump_json().encode()
                self.outputs[f"{topic}|{name}|{number}"] = digest(value)

    def verdict(self) -> Verdict:
        """Return what was gathered."""
        return Verdict(
            **{name: tuple(found) for name, found in self.found.items()},
            facts_digest=_of_all(self.stored),
            recomputed_digest=_of_all(self.recomputed),
            outputs=self.outputs,
            counts=dict(sorted(self.counts.items())),
            checked=tuple(dict.fromkeys(self.checked)),
            not_checked=tuple(dict.fromkeys(self.not_checked)),
        )


def _of_all(digests: Mapping[str, str]) -> str:
    lines = "".join(f"{customer} {one}\n" for customer, one in sorted(digests.items()))
    return sha256(lines.encode()).hexdigest()
