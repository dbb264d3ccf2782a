"""What a change of a JSON Schema means for those who already publish, read, or have it on a topic.  Pure.

Topics keep records for up to 400 days, so a new version must read all that an old one wrote: a published
version only ever gains optional fields and looser values.  Where somebody else reads what we write, even
a looser value reaches readers that do not know it; those go first in the roll-out.

Not a general comparison of schemas: it knows the words that pydantic uses for our models, and refuses any
other rather than passing over it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Schema = Mapping[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_EXACT = ("pattern", "format", "multipleOf")
_SAYS_NOTHING = frozenset(
    {"$schema", "$id", "$defs", "title", "description", "default", "examples", "deprecated"}
)
_KNOWN = _SAYS_NOTHING | {
    *_LOWER_BOUNDS,
    *_UPPER_BOUNDS,
    *_EXACT,
    *("type", "const", "enum", "anyOf", "oneOf", "discriminator", "$ref"),
    *("properties", "required", "additionalProperties", "items", "prefixItems"),
}
_ELSEWHERE = frozenset({"$ref", "anyOf", "oneOf"})
"""What is allowed stands elsewhere; what stands beside them is not looked at."""


class Effect(StrEnum):
    """What a change does to the values that are allowed."""

    NARROWED = "narrowed"
    """Something that was right is wrong now."""
    WIDENED = "widened"
    """Something is right now that old readers do not know."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions of a schema."""

    pointer: str
    """Into the record, for example `/data/lines/*/quantity`."""
    effect: Effect
    detail: str


class UnknownWord(Exception):
    """A schema uses a word this comparison does not know."""


def changes(old: Schema, new: Schema) -> tuple[Change, ...]:
    """Return what is different in what two versions allow, in the order of the record's fields.

    Raises:
        UnknownWord: it cannot be told, because a schema says something nobody here understands.
    """
    return tuple(_Comparison(old, new).compare("", old, new))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Schema
    new_root: Schema

    def compare(self, at: str, old: Schema, new: Schema) -> Iterator[Change]:
        befores, afters = _ways(old, self.old_root), _ways(new, self.new_root)
        if len(befores) == len(afters) == 1:
            yield from self._compare_way(at, befores[0], afters[0])
            return
        left = list(afters)
        for before in befores:
            after = next((way for way in left if _name(way) == _name(before)), None)
            if after is None:
                yield Change(at, Effect.NARROWED, f"{_name(before)} is not taken any more")
            else:
                left.remove(after)
                yield from self._compare_way(at, before, after)
        for after in left:
            yield Change(at, Effect.WIDENED, f"{_name(after)} is taken too")

    def _compare_way(self, at: str, old: Schema, new: Schema) -> Iterator[Change]:
        if _name(old) != _name(new):
            yield Change(at, Effect.NARROWED, f"was {_name(old)}, is {_name(new)}")
            return
        yield from _values(at, old, new)
        yield from _bounds(at, old, new)
        yield from self._fields(at, old, new)
        yield from self._members(at, old, new)

    def _fields(self, at: str, old: Schema, new: Schema) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needed_now = set(old.get("required", ())), set(new.get("required", ()))
        for name in [*before, *(n for n in after if n not in before)]:
            where = f"{at}/{name}"
            if name not in after:
                yield Change(where, Effect.NARROWED, "removed")
            elif name not in before:
                yield _added(where, is_required=name in needed_now)
            else:
                if name in needed_now - needed:
                    yield Change(where, Effect.NARROWED, "required now")
                if name in needed - needed_now:
                    yield Change(where, Effect.WIDENED, "optional now")
                yield from self.compare(where, before[name], after[name])

    def _members(self, at: str, old: Schema, new: Schema) -> Iterator[Change]:
        for word in ("items", "additionalProperties"):
            before, after = old.get(word), new.get(word)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.compare(f"{at}/*", before, after)
            elif before != after:
                yield Change(at, Effect.NARROWED, f"{word} changed")
        before, after = old.get("prefixItems", ()), new.get("prefixItems", ())
        if len(before) != len(after):
            yield Change(at, Effect.NARROWED, f"had {len(before)} members, has {len(after)}")
            return
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from self.compare(f"{at}/{index}", *pair)


def _added(where: str, *, is_required: bool) -> Change:
    if is_required:
        return Change(where, Effect.NARROWED, "added, and required: old records do not have it")
    return Change(where, Effect.WIDENED, "added, optional")


def _ways(schema: Schema, root: Schema) -> tuple[Schema, ...]:
    """Return the alternatives of a schema, references followed."""
    unknown = schema.keys() - _KNOWN
    if unknown:
        raise UnknownWord(
            f"{', '.join(sorted(unknown))}: teach services/contracts/compatibility.py"
        )
    beside = schema.keys() - _SAYS_NOTHING - {"discriminator"}
    if len(beside) > 1 and beside & _ELSEWHERE:
        raise UnknownWord(
            f"{', '.join(sorted(beside))} together: teach services/contracts/compatibility.py"
        )
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return _ways(root["$defs"][name], root)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return tuple(way for each in schema[word] for way in _ways(each, root))
    return (schema,)


def _name(way: Schema) -> str:
    """Return what tells an alternative from the others: its type, and a model's name."""
    kind = str(way.get("type", "anything"))
    return f"{kind} {way['title']}" if kind == "object" and "title" in way else kind


def _values(at: str, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = _listed(old), _listed(new)
    if before is None and after is None:
        return
    if before is None or after is None:
        effect = Effect.NARROWED if before is None else Effect.WIDENED
        yield Change(at, effect, "only listed values" if before is None else "any value")
        return
    for value in before:
        if value not in after:
            yield Change(at, Effect.NARROWED, f"{value!r} is not taken any more")
    for value in after:
        if value not in before:
            yield Change(at, Effect.WIDENED, f"{value!r} is taken too")


def _listed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found: list[Any] | None = schema.get("enum")
    return found


def _bounds(at: str, old: Schema, new: Schema) -> Iterator[Change]:
    for words, sign in ((_LOWER_BOUNDS, 1), (_UPPER_BOUNDS, -1)):
        for word in words:
            yield from _bound(at, word, old.get(word), new.get(word), sign)
    for word in _EXACT:
        if old.get(word) != new.get(word):
            is_gone = word not in new
            effect = Effect.WIDENED if is_gone else Effect.NARROWED
            yield Change(at, effect, f"{word} {'removed' if is_gone else 'is another'}")


def _bound(
    at: str, word: str, before: float | None, after: float | None, sign: int
) -> Iterator[Change]:
    if before == after:
        return
    is_tighter = before is None or (after is not None and sign * (after - before) > 0)
    effect = Effect.NARROWED if is_tighter else Effect.WIDENED
    yield Change(at, effect, f"{word} was {before}, is {after}")
