"""What to do about a fault that the door names.  Pure; nothing of an event is told again."""

from collections.abc import Mapping
from difflib import get_close_matches

from services.contracts.events import FROM_OUTSIDE, Fault

_UTC = "write it as 2026-03-01T09:30:00Z, or with its offset"
_ADVICE: Mapping[str, str] = {
    "missing": "add it",
    "extra_forbidden": "take it away: this contract has no such field (is the name right?)",
    "enum": "choose one of the values that are named",
    "literal_error": "choose one of the values that are named",
    "string_type": "write it as a JSON string",
    "int_type": "write it as a whole JSON number, without quotes",
    "int_from_float": "write it as a whole number: money is in the currency's smallest unit",
    "bool_type": "write true or false, without quotes",
    "string_pattern_mismatch": "see the pattern in docs/event-reference.md",
    "string_too_long": "shorten it; an id longer than that needs a shorter name of your own",
    "string_too_short": "do not send an empty text: leave the field out where it is optional",
    "timezone_aware": _UTC,
    "datetime_type": _UTC,
    "datetime_parsing": _UTC,
    "datetime_from_date_parsing": _UTC,
    "too_far_ahead": "send what has happened, not what is planned; and look at your clock",
    "too_large": "send less in it; texts and pictures do not belong into events",
    "not_json": "send UTF-8 JSON; NaN and Infinity are none",
    "not_an_event": "send one CloudEvent as a JSON object",
    "repeated_name": "name it once in its object",
    "nul_character": "take the character U+0000 away",
    "number_out_of_range": "send a number that a 64-bit float can hold",
    "unknown_type": "see `care validate --types` for those there are",
    "not_from_outside": "do not send it: the services write this type themselves",
    "too_short": "give at least one",
    "too_long": "split it, or leave away what nobody needs",
    "value_error": "the fields must fit each other as the detail says",
}


def advice(fault: Fault, given_type: object = None) -> str:
    """Return what to do about a fault, or nothing where its detail says all there is.

    Args:
        fault: As the door names it.
        given_type: The event's type as it was written, to find the one that was meant.
    """
    if fault.code == "unknown_type" and isinstance(given_type, str):
        close = get_close_matches(given_type, FROM_OUTSIDE, n=1, cutoff=0.75)
        if close:
            return f"did you mean {close[0]}?"
    return _ADVICE.get(fault.code, "")
