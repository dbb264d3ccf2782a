"""A text cut into events, each with its place: one event, an array of them, or JSON lines.  Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from json import JSONDecoder

from pydantic_core import to_json

from services.contracts.events import Fault, Unreadable, parse_json
from services.contracts.topics import MAX_EVENT_BYTES
from services.ingest.reading import Reading, Refused, read_one
from services.ingest.strict_json import parse

_WRAPPED = "event"
"""What a line of `care simulate-shop --out` holds beside other things."""
_PLACE = re.compile(r" at line (\d+) column (\d+)$")
_BETWEEN = re.compile(r"[\s,]*")
_COLON = re.compile(r"[\s:]*")
_SPACE = re.compile(r"\s*")
_DECODER = JSONDecoder()


@dataclass(frozen=True, slots=True)
class Piece:
    """One event of a text, as it stands there."""

    raw: bytes
    line: int
    """Where it begins, from 1."""
    index: int | None = None
    """Its position in an array, from 0."""


def pieces(lines: Iterator[bytes]) -> Iterator[Piece]:
    """Yield each event of a text.  Lines are read one by one where each holds JSON of its own.

    What is no JSON at all is one piece, which reading refuses.
    """
    first, number = _first(lines)
    if first is None:
        return
    if _is_json(first):
        yield from _of_line(first, number)
        for line_number, line in enumerate(lines, start=number + 1):
            yield from _of_line(line, line_number)
        return
    rest = list(lines)
    whole = b"".join((first, *rest))
    if _is_json(whole):
        yield from _within(whole, number)
    elif _starts_objects(first, rest):
        for line_number, line in enumerate(chain((first,), rest), start=number):
            yield from _of_line(line, line_number)
    else:
        yield Piece(whole, number)


def read_alone(raw: bytes, now: datetime) -> Reading:
    """Return what the door would say of an event sent alone.

    Args:
        raw: An event, or an object that holds one as `event`, as the simulated shop writes them.
        now: What the door would take the time to be.
    """
    try:
        document = parse(raw)
    except Unreadable as error:
        return Refused(error.reason, error.faults)
    body = document.value
    if isinstance(body, dict) and "specversion" not in body and _WRAPPED in body:
        if ambiguities := document.faults():
            return Refused("invalid", ambiguities)
        raw = to_json(body[_WRAPPED])
    if len(raw) > MAX_EVENT_BYTES:
        fault = Fault("", "too_large", f"an event may have {MAX_EVENT_BYTES} bytes")
        return Refused("too_large", (fault,))
    return read_one(raw, now)


def placed(piece: Piece, fault: Fault) -> tuple[int, Fault]:
    """Return the line a fault lies on, and the fault without a line of its own.

    What is missing lies where its object begins.
    """
    found = _PLACE.search(fault.detail)
    if found is None:
        return piece.line + _lines_down(piece.raw, fault.pointer), fault
    detail = _PLACE.sub(f" at column {found[2]}", fault.detail)
    return piece.line + int(found[1]) - 1, replace(fault, detail=detail)


def _lines_down(raw: bytes, pointer: str) -> int:
    """Return how many lines below the first one the value at this pointer begins, or its nearest parent."""
    try:
        text = raw.decode()
        begin = at = _after(_SPACE, text, 0)
        for step in pointer.split("/")[1:]:
            inside = _member(text, at, step.replace("~1", "/").replace("~0", "~"))
            if inside is None:
                break
            at = inside
    except (ValueError, RecursionError):
        return 0  # It is no JSON, and its fault tells its place itself.
    return text.count("\n", begin, at)


def _member(text: str, at: int, name: str) -> int | None:
    """Return where a member of the object, or an item of the array, at this place begins."""
    if text[at] not in "{[":
        return None
    is_object, index = text[at] == "{", 0
    at = _after(_BETWEEN, text, at + 1)
    while text[at] not in "}]":
        key = str(index)
        if is_object:
            key, end = _DECODER.raw_decode(text, at)
            at = _after(_COLON, text, end)
        if key == name:
            return at
        at = _after(_BETWEEN, text, _DECODER.raw_decode(text, at)[1])
        index += 1
    return None


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where what the pattern matches at this place ends."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _first(lines: Iterator[bytes]) -> tuple[bytes | None, int]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            return line, number
    return None, 0


def _is_json(text: bytes) -> bool:
    try:
        parse_json(text)
    except Unreadable:
        return False
    return True


def _starts_objects(first: bytes, rest: list[bytes]) -> bool:
    """Whether these are lines of which each was meant to be an event, and not one broken document."""
    begun = [line for line in rest if line.strip()]
    return bool(begun) and all(line.startswith(b"{") for line in (first, *begun))


def _of_line(line: bytes, number: int) -> Iterator[Piece]:
    if not line.strip():
        return
    if line.lstrip().startswith(b"[") and _is_json(line):
        yield from (replace(piece, line=number) for piece in _within(line, number))
    else:
        yield Piece(line, number)


def _within(text: bytes, line: int) -> Iterator[Piece]:
    """Yield the items of an array, or the one value there is; the text is known to be JSON."""
    told = text.decode()
    at = len(told) - len(told.lstrip())
    if told[at] != "[":
        yield Piece(text, line + told.count("\n", 0, at))
        return
    index, seen = 0, 0
    at = _after(_BETWEEN, told, at + 1)
    while told[at] != "]":
        end = _DECODER.raw_decode(told, at)[1]
        line, seen = line + told.count("\n", seen, at), at
        yield Piece(told[at:end].encode(), line, index)
        index += 1
        at = _after(_BETWEEN, told, end)
