"""The language of a page: the link's, else the browser's, else English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.messages import LANGUAGES
from services.outreach.pages.languages import language_for


@pytest.mark.parametrize(
    ("tag", "accept", "language"),
    [
        ("de", "pt", "de"),
        ("pt-BR", "", "pt"),
        ("fr", "de-AT,en;q=0.5", "de"),
        (None, "fr-CH, fr;q=0.9, pt;q=0.8, de;q=0.7, *;q=0.5", "pt"),
        (None, "en;q=0.1, de;q=0.2", "de"),
        (None, "de;q=0, pt", "pt"),
        (None, "de; q=0.5 , PT-br;q=1.0", "pt"),
        (None, "de;q=x", "en"),
        (None, "de;q=nan", "en"),
        (None, "", "en"),
        (None, "*", "en"),
        (None, "ja", "en"),
    ],
)
def test_the_first_language_we_have_is_taken(tag: str | None, accept: str, language: str) -> None:
    assert language_for(tag, accept) == language


@given(st.none() | st.text(), st.text(alphabet="depnt-*,;q=01. "))
def test_any_header_gives_a_language_we_have(tag: str | None, accept: str) -> None:
    assert language_for(tag, accept) in LANGUAGES
