"""A story as a page of text, and as one JSON object with keys that stay.  Pure."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from services.churn_predictor.rerun import Outcome
from services.churn_predictor.words import counted
from services.contracts.problems import RiskAssessed
from services.why.said import Teller, aside, legend
from services.why.story import Entry, Found, Story

FORMAT = 1
"""Of the JSON object; keys are only ever added to it."""


def page(teller: Teller) -> Iterator[str]:
    """Yield the lines of the page; nothing that a terminal would obey is left in them."""
    yield from map(_printable, _lines(teller))


def as_object(teller: Teller) -> dict[str, Any]:
    """Return the whole story; instants are in UTC whatever zone the words are in."""
    story = teller.story
    return {
        "format": FORMAT,
        "customer": story.customer_id,
        "good": story.is_good,
        "reruns": {outcome.value: story.count(outcome) for outcome in Outcome},
        "unreadable": [
            {
                "topic": found.topic,
                "offset": found.offset,
                "reason": found.fault,
                "set_aside": list(found.set_aside),
            }
            for found in story.unreadable
        ],
        "entries": [_entry(teller, entry) for entry in story.entries],
    }


def _entry(teller: Teller, entry: Entry) -> dict[str, Any]:
    event, told = entry.event, teller.told(entry)
    whole = event.model_dump(mode="json", exclude_none=True)
    return {
        "time": whole["time"],
        "topic": entry.topic,
        "type": event.type,
        "source": event.source,
        "id": event.id,
        "headline": told.headline,
        "details": list(told.details),
        "evidence": [
            {"source": ref.source, "id": ref.id, "words": teller.evidence(ref)}
            for ref in getattr(event.data, "evidence", ())
        ],
        "set_aside": list(entry.set_aside),
        "rerun": None if entry.rerun is None else asdict(entry.rerun),
        "data": whole["data"],
    }


def _lines(teller: Teller) -> Iterator[str]:
    story = teller.story
    links = {e.rerun.link for e in story.entries if e.rerun is not None and e.rerun.link}
    yield f"Customer {story.customer_id}; times are {teller.times.zone}."
    if meaning := legend(links):
        yield meaning
    for entry in story.entries:
        told = teller.told(entry)
        yield ""
        yield f"{teller.times.column(entry.event.time)}  {_capital(told.headline)}"
        yield from (f"    {detail}" for detail in told.details)
    yield ""
    yield from map(_lost, story.unreadable)
    yield _verdict(story)


def _lost(found: Found) -> str:
    place = f"A record on {found.topic}, offset {found.offset}"
    return f"{place}, cannot be read: {found.fault}{aside(found.set_aside)}."


def _verdict(story: Story) -> str:
    total = sum(isinstance(entry.event.data, RiskAssessed) for entry in story.entries)
    if not total:
        return "No assessment to make again."
    made = f"{counted(total, 'assessment')} made again"
    if story.is_good:
        return f"{made}: same, byte for byte."
    counts = ", ".join(
        f"{story.count(outcome)} {words}" for outcome, words in _OUTCOMES if story.count(outcome)
    )
    return f"{made}: {counts}; see above."


_OUTCOMES = (
    (Outcome.SAME, "same"),
    (Outcome.DIFFERS, "differing"),
    (Outcome.MODEL_MISSING, "without their model"),
)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _printable(line: str) -> str:
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line
    )
