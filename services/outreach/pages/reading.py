"""What a form says, or what is wrong with it.  Pure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.contracts.people import Channel, MessageClass
from services.outreach.pages.facts import Reply
from services.outreach.pages.links import ONE_CLICK

SCORES = range(1, 6)
"""CSAT: 1 is worst."""

MAX_COMMENT = 2_000
"""Characters of a comment, line breaks counted as one."""

STOP_ALL = "all"
"""The value of the button that stops everything."""

_LINE_BREAKS = frozenset({"Zl", "Zp"})
_NO_TEXT = frozenset({"Cc", "Cs"})
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, also of what stands around them."""

Stop = tuple[MessageClass, Channel]
"""One class on one channel, to be stopped."""

EVERYTHING: tuple[Stop, ...] = tuple((c, channel) for c in MessageClass for channel in Channel)


class Fault(StrEnum):
    """What is wrong with a form."""

    NO_SCORE = "no_score"
    COMMENT_TOO_LONG = "comment_too_long"


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that cannot be taken as it is, to be shown again."""

    fault: Fault
    score: int | None
    comment: str


def score_of(text: str | None) -> int | None:
    """Return the score a text names, or None."""
    return next((score for score in SCORES if text == str(score)), None)


def reply_of(form: Mapping[str, str]) -> Reply | Draft:
    """Return the answer in a survey's form, or what is to be put right."""
    score, comment = score_of(form.get("score")), clean(form.get("comment", ""))
    if len(comment) > MAX_COMMENT:
        return Draft(Fault.COMMENT_TOO_LONG, score, comment)
    if score is None:
        return Draft(Fault.NO_SCORE, None, comment)
    return Reply(score, comment or None)


def clean(text: str) -> str:
    """Return the text without control characters; lines stay lines, and blanks around it go."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(_visible(character) for character in plain).strip()


def stops_of(form: Mapping[str, str], own: Stop) -> tuple[Stop, ...]:
    """Return what a form wants stopped; empty where it names nothing we know.

    Args:
        own: What the link itself stops by one click.
    """
    name, value = ONE_CLICK
    if form.get(name) == value:
        return (own,)
    wanted = form.get("stop", "")
    if wanted == STOP_ALL:
        return EVERYTHING
    return tuple(stop for stop in EVERYTHING if wanted == value_of(stop))


def value_of(stop: Stop) -> str:
    """Return the value of the button that stops this."""
    message_class, channel = stop
    return f"{message_class}/{channel}"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in _LINE_BREAKS:
        return "\n"
    is_gone = character != "\n" and (category in _NO_TEXT or character in _TURNING)
    return "" if is_gone else character
