"""The style of the pages: what is read stands out in light and dark, the focus is seen, nothing is loaded."""

import re
from pathlib import Path

import pytest

from services.outreach.pages import rendering

STYLE = (Path(rendering.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")


def colours() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, flags=re.DOTALL)
    return {
        scheme: dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for scheme, block in (("light", light), ("dark", dark))
    }


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    dark, light = sorted(luminance(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


READ = [
    *((ink, paper) for ink in ("text", "quiet", "wrong", "done", "accent") for paper in ("card",)),
    *(("text", "picked"), ("accent", "picked"), ("on-accent", "accent"), ("quiet", "page")),
]
SEEN = [("line", "card"), ("line", "picked"), ("accent", "card")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_read_and_what_is_seen_stands_out(scheme: str) -> None:
    found = colours()[scheme]

    assert {pair for pair in READ if contrast(*(found[name] for name in pair)) < 4.5} == set()
    assert {pair for pair in SEEN if contrast(*(found[name] for name in pair)) < 3} == set()


def test_contrast_is_measured_as_wcag_does() -> None:
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
    assert contrast("#000000", "#ffffff") == 21


def test_the_focus_is_seen_and_nothing_is_loaded_by_the_style() -> None:
    assert re.search(r":focus-visible \{ outline: 3px solid", STYLE)
    assert "url(" not in STYLE
    assert "@import" not in STYLE
