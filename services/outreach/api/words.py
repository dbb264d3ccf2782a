"""Decisions, gates and what waits, in plain words."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.contracts.outreach import GateVerdict, Mode, Outcome
from services.contracts.problems import Clearing
from services.outreach.api.views import Became, Need
from services.outreach.standing import State


def plain(name: str) -> str:
    """Return a name of ours as words: `quiet_hours` is quiet hours."""
    return name.replace("_", " ")


def instant(at: datetime) -> str:
    """Return an instant to the minute, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def gate(verdict: GateVerdict) -> str:
    """Return one gate's verdict as a sentence."""
    said = "yes" if verdict.passed else "no"
    return f"{plain(verdict.gate)} said {said}: {verdict.because}."


def said_no(verdicts: Sequence[GateVerdict]) -> GateVerdict | None:
    """Return the first gate that said no, or None."""
    return next((verdict for verdict in verdicts if not verdict.passed), None)


def decision(
    outcome: Outcome,
    mode: Mode,
    step: str,
    verdicts: Sequence[GateVerdict],
    until: datetime | None,
) -> str:
    """Return what was decided, and by which gate, as a sentence.

    Args:
        outcome: Of the decision.
        mode: In which it was made: in shadow nothing is sent.
        step: Playbook and step in words.
        verdicts: The gates'.
        until: When it is decided again, where it was deferred.
    """
    no = said_no(verdicts)
    because = f": {plain(no.gate)}, {no.because}" if no else ""
    match outcome:
        case Outcome.CONTACT:
            return f"Decided to carry out {step}; {_MODES[mode]}."
        case Outcome.DEFERRED:
            when = "later" if until is None else instant(until)
            return f"Decided to wait with {step} until {when}{because}."
        case Outcome.HELD_OUT:
            return f"Left {step} out, to measure what it is worth."
    return f"Decided against {step}{because}."


def step(playbook: str, name: str, channel: str) -> str:
    """Return one step of a playbook in words."""
    return f"{playbook}/{name} by {channel}"


def need(why: Need, what: str, reason: str | None) -> str:
    """Return what waits for a person as a sentence."""
    ending = f" ({reason})" if reason else ""
    return _NEEDS[why].format(what=what, ending=ending)


def send(state: State, what: str, reason: str | None) -> str:
    """Return how a send stands as a sentence."""
    ending = f" ({reason})" if reason else ""
    return f"{_STATES[state].format(what=what)}{ending}."


def action(by: str, became: Became | None) -> str:
    """Return what a person of ours said as a sentence."""
    if became is None:
        return f"{by} said that the task is done."
    return f"{by} said that the message was {'' if became is Became.SENT else 'not '}sent."


def ended(kind: str, clearing: Clearing) -> str:
    """Return how a problem ended as a sentence."""
    return f"{plain(kind).capitalize()} {_CLEARINGS[clearing]}."


_MODES: Mapping[Mode, str] = {
    Mode.SHADOW: "in shadow, so that nothing is sent",
    Mode.LIMITED: "limited, so that only listed customers are written to",
    Mode.LIVE: "live",
}
_NEEDS: Mapping[Need, str] = {
    Need.TASK: "{what} gave it to a person; nobody has said that it is done.",
    Need.UNKNOWN: "Nobody can tell whether {what} was sent{ending}; it is not sent again by itself.",
    Need.FAILED: "{what} was given up{ending}, and the problem is still there.",
}
_STATES: Mapping[State, str] = {
    State.PENDING: "{what} waits for its turn",
    State.STARTED: "{what} is leaving",
    State.SENT: "{what} was taken",
    State.FAILED: "{what} was given up",
    State.UNKNOWN: "Nobody can tell whether {what} was sent",
    State.WITHDRAWN: "{what} was taken back before it was sent",
}
_CLEARINGS: Mapping[Clearing, str] = {
    Clearing.SOLVED: "was solved",
    Clearing.RETRACTED: "was taken back, for a late event showed that it never was",
    Clearing.EXPIRED: "expired, no news any more",
}
