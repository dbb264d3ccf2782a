"""Ways in which a mail server disappoints, and what must become of each message then.  Pure values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.faults.outreach.evidence import Entry
from tests.faults.outreach.server import TAKES, Script, Scripts

MISSING = "550 5.1.1 no such person"
UNWANTED = "554 5.6.0 not wanted"
_BUSY = (
    Script(at_recipient="421 4.3.2 busy"),
    Script(at_recipient="450 4.2.1 not now"),
    Script(after_data="451 4.3.0 try again"),
)
_GREYLISTED = Script(at_recipient="450 4.7.1 greylisted")
_HANGS = Script(hangs=True)

BY_BOTH, BY_MAIL, BY_HOOK = "both", "mail", "hook"
"""Kinds of customers: told by mail or else by webhook, by mail alone, by webhook alone."""


@dataclass(frozen=True, slots=True)
class Length:
    """How much of a scenario there is."""

    mails: int
    """Messages that go by mail first; half of them may go by webhook instead."""
    patience_seconds: int
    """From the problem to the use-by of its message."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one message that was to go by mail, beside its row."""

    kind: str
    mailed: bool
    """Whether the server is responsible for it."""
    named: int
    """How often the server was told its recipient."""


Expected = Callable[[Entry, Seen], str]
"""Return what is wrong with the end of one message, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One fault of a mail server."""

    name: str
    what: str
    scripts: Callable[[int, bool], Scripts]
    """By seed and quick."""
    expected: Expected
    full: Length
    quick: Length
    insists_on_tls: bool = False
    timeout_seconds: int = 30
    """Of the service; its default, where the scenario is not about it."""

    def length(self, quick: bool) -> Length:
        """Return the one that is meant."""
        return self.quick if quick else self.full


def number_of(address: str) -> int:
    """Return the customer's number in an address `mail-17@…`."""
    return int(address.partition("@")[0].rpartition("-")[2])


def _always(script: Script) -> Callable[[int, bool], Scripts]:
    return lambda _seed, _quick: lambda _address, _attempt: script


def _half_busy(seed: int, _: bool) -> Scripts:
    def script(address: str, attempt: int) -> Script:
        random = Random(f"{seed} {address} {attempt}")
        return random.choice(_BUSY) if random.random() < 0.5 else TAKES

    return script


def _some_refused(_: int, __: bool) -> Scripts:
    def script(address: str, _attempt: int) -> Script:
        match number_of(address) % 40:
            case 3:
                return Script(at_recipient=MISSING)
            case 7:
                return Script(after_data=UNWANTED)
        return TAKES

    return script


def _greylisting(_: int, __: bool) -> Scripts:
    return lambda _address, attempt: _GREYLISTED if attempt == 1 else TAKES


def _slow(_: int, quick: bool) -> Scripts:
    return _always(Script(slow_seconds=5 if quick else 30))(0, quick)


def _hanging_at_first(_: int, quick: bool) -> Scripts:
    """Hang for so many mails, whoever they are for."""
    left = iter(range(5 if quick else 6))
    return lambda _address, _attempt: TAKES if next(left, None) is None else _HANGS


def taken(entry: Entry, seen: Seen) -> str:
    """It is sent by mail, at once."""
    return "" if _is_mailed(entry, seen) and entry.attempt == 1 else "not sent at the first attempt"


def taken_at_the_second(entry: Entry, seen: Seen) -> str:
    """It is sent by mail, at the second attempt."""
    is_so = _is_mailed(entry, seen) and entry.attempt == 2
    return "" if is_so else "not sent at the second attempt"


def taken_or_given_up(entry: Entry, seen: Seen) -> str:
    """It is sent once the server takes it; who cannot be waited for goes another way, or fails."""
    by_mail = entry.attempt - (entry.channel == "webhook" and entry.state == "sent")
    if seen.named != by_mail:
        return f"offered {seen.named} times, and {by_mail} attempts are known"
    return "" if _is_mailed(entry, seen) else given_up(entry, seen)


def given_up(entry: Entry, seen: Seen) -> str:
    """It goes by webhook where it may, and fails for its use-by where not."""
    if seen.mailed:
        return "mailed, and not sent by mail"
    if seen.kind == BY_BOTH:
        is_so = entry.state == "sent" and entry.channel == "webhook"
        return "" if is_so else "not sent by webhook although the customer has one"
    is_late = entry.reason == "use_by" or entry.reason.startswith("not taken in ")
    return "" if entry.state == "failed" and is_late else "not failed for its use-by"


def given_up_unheard(entry: Entry, seen: Seen) -> str:
    """So it is given up, and the server was told nothing of anybody."""
    return "its recipient was told in clear" if seen.named else given_up(entry, seen)


def taken_or_refused(entry: Entry, seen: Seen) -> str:
    """Who is refused goes by webhook or fails with the server's code, after one attempt; others are sent."""
    number = number_of(entry.customer) % 40
    if number not in (3, 7):
        return taken(entry, seen)
    if seen.mailed or seen.named != 1:
        return "refused, and offered again"
    if seen.kind == BY_BOTH:
        return "" if entry.channel == "webhook" and entry.state == "sent" else "not by webhook"
    reason = (MISSING if number == 3 else UNWANTED)[:9]
    is_so = entry.state == "failed" and entry.reason == reason and entry.attempt == 1
    return "" if is_so else f"not failed for {reason}"


def taken_or_doubted(entry: Entry, seen: Seen) -> str:
    """It is sent, or unknown and there; nothing that was handed over goes out again by any way."""
    if not seen.mailed or seen.named != 1 or entry.channel != "email":
        return "not mailed exactly once"
    return "" if entry.state in ("sent", "unknown") else "neither sent nor unknown"


def _is_mailed(entry: Entry, seen: Seen) -> bool:
    return seen.mailed and entry.state == "sent" and entry.channel == "email"


_LONG, _SHORT = Length(60, 150), Length(40, 75)

SCENARIOS: Sequence[Scenario] = (
    Scenario(
        name="none",
        what="none: every mail is taken",
        scripts=_always(TAKES),
        expected=taken,
        full=_LONG,
        quick=_SHORT,
    ),
    Scenario(
        name="busy",
        what="421, 450 and 451, half of the time",
        scripts=_half_busy,
        expected=taken_or_given_up,
        full=_LONG,
        quick=_SHORT,
    ),
    Scenario(
        name="refused",
        what="550 or 554 for 5 % of recipients",
        scripts=_some_refused,
        expected=taken_or_refused,
        full=Length(80, 150),
        quick=Length(80, 75),
    ),
    Scenario(
        name="slow",
        what="30 s for each mail (quick: 5 s)",
        scripts=_slow,
        expected=taken,
        full=Length(5, 240),
        quick=Length(6, 75),
    ),
    Scenario(
        name="hangs",
        what="silence after the first mails",
        scripts=_hanging_at_first,
        expected=taken_or_doubted,
        full=Length(60, 600),
        quick=Length(40, 600),
        timeout_seconds=2,
    ),
    Scenario(
        name="tls",
        what="STARTTLS with a certificate that is not trusted",
        scripts=_always(TAKES),
        expected=given_up_unheard,
        full=_LONG,
        quick=_SHORT,
        insists_on_tls=True,
    ),
    Scenario(
        name="greylisting",
        what="450 at the first attempt, taken at the next",
        scripts=_greylisting,
        expected=taken_at_the_second,
        full=_LONG,
        quick=Length(40, 110),
    ),
)
