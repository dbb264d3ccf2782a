"""What a door was asked and how it answered, on one page.  Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from math import ceil

from services.contracts import schemas
from services.contracts.events import FROM_OUTSIDE
from services.publisher_kit.checks import Finding, Group
from services.publisher_kit.plan import ENDING

_FAULT = "too_far_ahead"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long single events took from the request to their 202."""

    events: int
    p50_seconds: float
    p99_seconds: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """The whole of it."""

    door: str
    source: str
    run: str
    customers: tuple[str, ...]
    began: str
    """ISO 8601, by this machine's clock."""
    contracts: str
    """A digest of the schemas of every type that publishers may send: what was certified against."""
    passed: bool
    is_erased: bool
    """Every customer of the samples was erased."""
    repeated: int
    """Requests that were sent again, under the same ids, because the door asked for it or was silent."""
    latency: Latency | None
    findings: tuple[Finding, ...]


def digest() -> str:
    """Return a short name of the contracts of publishers, as they are here."""
    rendered = schemas.render()
    texts = "".join(rendered[f"{name}.json"] for name in sorted(FROM_OUTSIDE))
    return sha256(texts.encode()).hexdigest()[:16]


def latency(findings: Iterable[Finding]) -> Latency | None:
    """Return the middle and the 99th of a hundred; None where nothing was accepted."""
    took = sorted(finding.seconds for finding in findings if finding.is_fact)
    if not took:
        return None
    return Latency(len(took), _nearest(took, 50), _nearest(took, 99))


def is_erased(findings: Sequence[Finding]) -> bool:
    """Return whether every customer of the samples was erased."""
    ended = [finding.passed for finding in findings if finding.group is Group.ENDING]
    return bool(ended) and all(ended)


def in_words(certificate: Certificate, *, in_full: bool = False) -> Iterator[str]:
    """Yield the certificate's lines.

    Args:
        certificate: What to tell.
        in_full: Every check, not only those that failed.
    """
    findings = certificate.findings
    yield f"door       {certificate.door}"
    yield f"source     {certificate.source}"
    yield f"began      {certificate.began}"
    yield f"contracts  {certificate.contracts}"
    yield ""
    for about, each in groupby(findings, key=lambda finding: finding.about):
        yield from _about(about, list(each), in_full)
    yield ""
    if certificate.latency is not None:
        took = certificate.latency
        p50, p99 = took.p50_seconds * 1000, took.p99_seconds * 1000
        yield f"accepted in {p50:.1f} ms (p50), {p99:.1f} ms (p99), {took.events} single events"
    if certificate.repeated:
        yield f"requests sent again under the same ids: {certificate.repeated}"
    yield _left_behind(certificate)
    yield from _hints(findings)
    failed = sum(not finding.passed for finding in findings)
    verdict = "PASSED" if certificate.passed else f"FAILED: {failed} of"
    yield f"{verdict} {len(findings):,} checks"


def _about(about: str, findings: list[Finding], in_full: bool) -> Iterator[str]:
    asked = Counter(finding.group for finding in findings)
    right = Counter(finding.group for finding in findings if finding.passed)
    counts = "  ".join(f"{group} {right[group]}/{asked[group]}" for group in Group if asked[group])
    is_right = right.total() == asked.total()
    yield f"{'passed' if is_right else 'FAILED'}  {about:<30} {counts}"
    for finding in findings:
        if not finding.passed or in_full:
            mark = "passed" if finding.passed else "FAILED"
            yield f"    {mark}  {finding.group}: {finding.name}"
            yield f"            expected {finding.expected}; came {finding.came}"


def _left_behind(certificate: Certificate) -> str:
    who = ", ".join(certificate.customers)
    if certificate.is_erased:
        return f"the customers of the samples are erased: {who}"
    return f"the customers of the samples are NOT erased; send a care.customer.erased.v1 for each of: {who}"


def _hints(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what probably is behind it, where many checks failed for one reason."""
    if any(f.about == ENDING and f.came.startswith("403") for f in findings):
        yield (
            "hint: this key may not publish care.customer.erased.v1: name one that may (--erasing-key-file), "
            "or say --keep and let the operator erase them (care erase)"
        )
    failed = [f for f in findings if not f.passed and f.about != ENDING]
    if any(f"({_FAULT})" in f.came for f in failed):
        yield "hint: the door's clock is behind this machine's; if it is simulated, name its time with --now"
    if any(f.came.startswith("401") for f in failed):
        yield "hint: the door does not know this key: was it revoked, or cut off when it was copied?"
    if any(f.came.startswith("403") for f in failed):
        yield "hint: the key may not publish these types for this source: see its scopes, --types, --source"
    if any(f.group is Group.KEY and f.came.startswith("202") for f in failed):
        yield "hint: this door asks nobody for a key; --key proves nothing there"


def _nearest(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(ceil(len(ordered) * percent / 100) - 1, 0)]
