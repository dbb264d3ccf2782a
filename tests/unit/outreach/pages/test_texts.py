"""The words of the pages: the same ones in every language, and complete."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.contracts.people import Channel, MessageClass
from services.outreach.messages import LANGUAGES
from services.outreach.pages import texts
from services.outreach.pages.texts import WrongTexts

TEXTS = texts.load()


def placeholders(language: str) -> dict[str, list[str]]:
    words = TEXTS[language].model_dump(mode="json")
    return {path: sorted(re.findall(r"\{.*?\}", text)) for path, text in leaves(words)}


def leaves(words: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(words, str):
        yield path, words
        return
    items = words.items() if isinstance(words, dict) else enumerate(words)
    for name, inside in items:
        yield from leaves(inside, f"{path}/{name}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_words_with_the_same_gaps(language: str) -> None:
    assert placeholders(language) == placeholders("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_and_channel_has_a_name_of_its_own(language: str) -> None:
    words = TEXTS[language].preferences
    names = {words.named(c, channel) for c in MessageClass for channel in Channel}

    assert len(names) == len(MessageClass) * len(Channel)


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_nothing_was_left_in_english(language: str) -> None:
    english = {text for _, text in leaves(TEXTS["en"].model_dump(mode="json"))}
    own = [
        text for path, text in leaves(TEXTS[language].model_dump(mode="json")) if text in english
    ]

    assert set(own) <= {"{name} {channel}"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda text: text.replace("  send:", "  sent:"), "survey.send"),
        (lambda text: text.replace("    - Satisfied\n", ""), "survey.scores"),
        (lambda text: "[", "ParserError"),
        (lambda text: "", "TypeError"),
    ],
)
def test_words_that_are_not_there_are_named(
    tmp_path: Path, change: Callable[[str], str], rule: str
) -> None:
    folder = Path(texts.__file__).parent
    for file in folder.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    english = tmp_path / "en.yaml"
    english.write_text(change(english.read_text(encoding="utf-8")), encoding="utf-8")

    with pytest.raises(WrongTexts, match=rule):
        texts.load(tmp_path)
