"""Scopes: `publish:<type>@<source>`, either side of which may end in `*`.  Pure.

`publish:care.order.*@/shop/*` covers each event whose type begins with `care.order.` and whose source
begins with `/shop/`.  Without `@` any source is covered: `publish:*` is everything.
"""

from collections.abc import Iterable
from functools import lru_cache

PREFIX = "publish:"
EVERYTHING = f"{PREFIX}*"


def may_publish(scopes: Iterable[str], event_type: str, source: str) -> bool:
    """Return whether one of these scopes covers an event of this type from this source."""
    return any(_covers(scope, event_type, source) for scope in scopes)


def may_ask_about(scopes: Iterable[str], source: str) -> bool:
    """Return whether one of these scopes covers any type of event from this source."""
    return any(matches(source_of(scope), source) for scope in scopes if is_to_publish(scope))


def is_to_publish(scope: str) -> bool:
    """Return whether a scope is one of ours; the desk's keys have others."""
    return scope.startswith(PREFIX)


def source_of(scope: str) -> str:
    """Return which sources a scope to publish covers: one, the beginning of some and a `*`, or `*`."""
    return _sides(scope)[1]


def matches(pattern: str, text: str) -> bool:
    """Return whether this is what a side of a scope names, or begins as it says."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


# Of each event it is asked anew, and publishers send a few types from a few sources.
@lru_cache(maxsize=4096)
def _covers(scope: str, event_type: str, source: str) -> bool:
    if not is_to_publish(scope):
        return False
    types, sources = _sides(scope)
    return matches(types, event_type) and matches(sources, source)


def _sides(scope: str) -> tuple[str, str]:
    """Return the pattern of types and that of sources."""
    # A type holds no `@`; a source may.
    types, at, sources = scope.removeprefix(PREFIX).partition("@")
    return types, sources if at else "*"
