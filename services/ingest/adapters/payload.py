"""Looking into parsed JSON of others without trusting its shape: what is not as expected is None."""

from collections.abc import Mapping
from types import MappingProxyType

_LONGEST_NUMBER = 10**20
_NOTHING: Mapping[str, object] = MappingProxyType({})


def at(value: object, *path: str) -> object:
    """Return what lies there, or None."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text_at(value: object, *path: str) -> str | None:
    """Return the text there, without spaces around it; None where it is empty or none."""
    found = at(value, *path)
    return found.strip() or None if isinstance(found, str) else None


def id_of(value: object) -> str | None:
    """Return an id as text: a number's digits, and of `gid://shop/Order/45` the last part."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < _LONGEST_NUMBER else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.startswith("gid://"):
        text = text.rsplit("/", 1)[-1].partition("?")[0]
    return text or None


def id_at(value: object, *path: str) -> str | None:
    """Return the id there as text, or None."""
    return id_of(at(value, *path))


def items_at(value: object, *path: str) -> list[object]:
    """Return the list there; an empty one where there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def members_at(value: object, *path: str) -> Mapping[str, object]:
    """Return the object there; an empty one where there is none."""
    found = at(value, *path)
    return found if isinstance(found, dict) else _NOTHING
