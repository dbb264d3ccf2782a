"""The words of the pages, one file a language; checked when they are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.contracts.people import Channel, MessageClass
from services.outreach.messages import LANGUAGES

_HERE = Path(__file__).parent
_Words = Annotated[str, Field(min_length=1)]


class WrongTexts(Exception):
    """A language's words are missing or not what the pages need; the message names the file."""


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SurveyTexts(_Group):
    """Words of the survey's page."""

    question_of_order: _Words
    question: _Words
    scores: Annotated[tuple[_Words, ...], Field(min_length=5, max_length=5)]
    """Of 1 to 5, in this order."""
    comment: _Words
    optional: _Words
    comment_hint: _Words
    send: _Words
    answered: _Words
    comment_kept: _Words
    no_score: _Words
    comment_too_long: _Words
    thanks: _Words
    received: _Words
    change: _Words

    def score(self, score: int) -> str:
        """Return a score, 1 to 5, in words."""
        return self.scores[score - 1]


class HelpfulTexts(_Group):
    """Words of the page on which a message is said not to have helped."""

    question: _Words
    explain: _Words
    button: _Words
    thanks: _Words
    received: _Words


class ClassTexts(_Group):
    """What a class of messages is called, and what is in it."""

    name: _Words
    about: _Words


class PreferencesTexts(_Group):
    """Words of the page on which messages are stopped."""

    title: _Words
    allowed: _Words
    none_allowed: _Words
    stopped: _Words
    stop: _Words
    everything: _Words
    everything_hint: _Words
    stop_everything: _Words
    done: _Words
    done_everything: _Words
    nothing_chosen: _Words
    come_back: _Words
    what: _Words
    classes: dict[MessageClass, ClassTexts]
    channels: dict[Channel, _Words]

    def named(self, message_class: MessageClass, channel: Channel) -> str:
        """Return a class on a channel in words."""
        name = self.classes[message_class].name
        return self.what.format(name=name, channel=self.channels[channel])


class FaultTexts(_Group):
    """What went wrong, and what to do."""

    title: _Words
    text: _Words


class Faults(_Group):
    """Words of the pages on which nothing could be done."""

    tampered: FaultTexts
    expired: FaultTexts
    wrong_purpose: FaultTexts
    too_many: FaultTexts
    too_large: FaultTexts
    too_slow: FaultTexts
    malformed: FaultTexts
    unavailable: FaultTexts
    not_found: FaultTexts
    broken: FaultTexts


class Texts(_Group):
    """All words of one language."""

    language: _Words
    """For the page's `lang`."""
    survey: SurveyTexts
    helpful: HelpfulTexts
    preferences: PreferencesTexts
    faults: Faults
    error: _Words


def load(folder: Path = _HERE) -> Mapping[str, Texts]:
    """Return the words of every language, by language.

    Raises:
        WrongTexts: a file is missing, or lacks a word or has one too many.
    """
    return {language: _read(folder / f"{language}.yaml", language) for language in LANGUAGES}


def _read(file: Path, language: str) -> Texts:
    try:
        words = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Texts.model_validate({**words, "language": language})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise WrongTexts(f"{file.name}: {place}: {first['msg']}") from None
    except (OSError, TypeError, yaml.YAMLError) as error:
        raise WrongTexts(f"{file.name}: {type(error).__name__}") from None
