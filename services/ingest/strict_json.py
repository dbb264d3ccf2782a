"""JSON as the door reads it: one meaning per text, or none.  No event is known here.

Beyond RFC 8259 this follows I-JSON (RFC 7493): a name given twice in one object, a number no float
can hold, and a lone surrogate have no agreed meaning; NUL is refused because PostgreSQL cannot
keep it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf
from typing import Any

from pydantic_core import to_json

from services.contracts.events import Fault, Unreadable, parse_json, pointer

REPEATED_NAME = "repeated_name"
NUL_CHARACTER = "nul_character"
NUMBER_OUT_OF_RANGE = "number_out_of_range"

MAX_DEPTH = 32
"""Levels of objects and arrays in one body; a batch's array is one."""

_ESCAPED_NUL = b"\\u0000"
_OUT_OF_RANGE = b"Infinity"
"""How a float that holds no number of the text is written."""
_NESTED = (dict, list)

Location = tuple[int | str, ...]


class _Ambiguous(dict[str, object]):
    """An object that names a member more than once; it holds the last value of each."""

    repeated: tuple[str, ...] = ()


@dataclass(slots=True)
class Document:
    """A parsed body, and whether anything in it still has to be looked for."""

    value: object
    is_suspect: bool

    def faults(self, inside: Location = ()) -> tuple[Fault, ...]:
        """Return what is ambiguous at or below this location, pointers relative to it."""
        if not self.is_suspect:
            return ()
        value = self.value
        for step in inside:
            value = value[step]  # type: ignore[index]
        return tuple(_search(value, ()))


def parse(raw: bytes) -> Document:
    """Return the JSON value in `raw`, with its ambiguities kept for `Document.faults`.

    Raises:
        Unreadable: `not_json`; the detail names line and column and never the content.
    """
    # The fast and strict parser first: it alone refuses lone surrogates and other encodings.
    value = parse_json(raw)
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        fault = Fault("", "too_deep", f"JSON may be nested {MAX_DEPTH} levels deep")
        raise Unreadable("not_json", (fault,))
    return Document(value, is_suspect=False) if _is_plain(raw, value) else _parse_again(raw)


def _is_plain(raw: bytes, value: object) -> bool:
    """Return whether no name was given twice and no number is out of range, without looking at each pair.

    Outside of strings each member has one colon.  Parsing drops those of names given again and adds none,
    so what is written anew has as many as the text exactly where nothing was dropped.  An escape could
    stand for a colon, or for NUL: texts with one are no plain ones.
    """
    if b"\\u" in raw:
        return False
    written = to_json(value)
    return written.count(b":") == raw.count(b":") and _OUT_OF_RANGE not in written


def _parse_again(raw: bytes) -> Document:
    """Parse once more, seeing each pair: the fast parser keeps the last of repeated names."""
    oddities: list[object] = []

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) == len(pairs):
            return built
        ambiguous = _Ambiguous(built)
        ambiguous.repeated = _repeated(pairs)
        oddities.append(ambiguous)
        return ambiguous

    def number(text: str) -> float:
        value = float(text)
        if isinf(value):
            oddities.append(value)
        return value

    try:
        value = json.loads(raw, object_pairs_hook=build, parse_float=number)
    except (ValueError, RecursionError):
        fault = Fault("", "not_json", "an integer or a nesting is beyond what can be read")
        raise Unreadable("not_json", (fault,)) from None
    return Document(value, bool(oddities) or _ESCAPED_NUL in raw)


def _is_deeper(value: object, levels: int) -> bool:
    """Return whether objects and arrays are nested more than so many levels deep."""
    level: list[Any] = [value] if isinstance(value, _NESTED) else []
    for _ in range(levels):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, _NESTED)
        ]
    return bool(level)


def _repeated(pairs: list[tuple[str, object]]) -> tuple[str, ...]:
    seen: set[str] = set()
    return tuple(
        dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    )


def _search(value: object, at: Location) -> Iterator[Fault]:
    if isinstance(value, _Ambiguous):
        for name in value.repeated:
            yield Fault(pointer((*at, name)), REPEATED_NAME, "this name is given more than once")
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _search_text(name, (*at, name))
            yield from _search(member, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _search(item, (*at, index))
    elif isinstance(value, str):
        yield from _search_text(value, at)
    elif isinstance(value, float) and isinf(value):
        yield Fault(pointer(at), NUMBER_OUT_OF_RANGE, "no 64-bit number is that large")


def _search_text(text: str, at: Location) -> Iterator[Fault]:
    if "\x00" in text:
        yield Fault(pointer(at), NUL_CHARACTER, "must not hold the character NUL")
