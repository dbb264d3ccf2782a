"""Which language a page is in: the link's own, else what the browser asks for, else English.  Pure."""

from collections.abc import Iterator

from services.outreach.messages import FALLBACK_LANGUAGE, LANGUAGES

_MOST_RANGES = 20
"""Of a longer wish list the rest is not read."""


def language_for(tag: str | None, accept_language: str) -> str:
    """Return one of `LANGUAGES`.

    Args:
        tag: BCP 47, from the link; None: it names none.
        accept_language: The header's value; empty where there is none.
    """
    wishes = (*([tag] if tag else []), *_ranges(accept_language))
    spoken = (wish.split("-")[0].lower() for wish in wishes)
    return next((language for language in spoken if language in LANGUAGES), FALLBACK_LANGUAGE)


def _ranges(accept_language: str) -> list[str]:
    """Return the language ranges of the header (RFC 9110), the most wanted first."""
    found = list(_weighted(accept_language))
    return [wish for _, wish in sorted(found, key=lambda pair: -pair[0])]


def _weighted(accept_language: str) -> Iterator[tuple[float, str]]:
    for part in accept_language.split(",")[:_MOST_RANGES]:
        wish, _, parameter = part.partition(";")
        weight = _weight(parameter.strip())
        if weight > 0:
            yield weight, wish.strip()


def _weight(parameter: str) -> float:
    if not parameter:
        return 1.0
    name, _, value = parameter.partition("=")
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip() == "q" and 0 < weight <= 1 else 0.0
