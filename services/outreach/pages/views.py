"""What each page shows and does: a link and a form in, a view out.  Time is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol

from services.contracts.people import Channel, MessageClass
from services.outreach.pages.consents import Statements, is_allowed
from services.outreach.pages.facts import Survey, Verdict
from services.outreach.pages.metering import Outcome
from services.outreach.pages.reading import (
    EVERYTHING,
    MAX_COMMENT,
    SCORES,
    Draft,
    Fault,
    Stop,
    reply_of,
    score_of,
    stops_of,
    value_of,
)
from services.outreach.pages.rendering import View
from services.outreach.pages.storage import Storage
from services.outreach.pages.texts import PreferencesTexts, SurveyTexts, Texts
from services.outreach.pages.tokens import (
    HELPFUL,
    PREFERENCES,
    SURVEY,
    HelpfulLink,
    L,
    PreferencesLink,
    Purpose,
    SurveyLink,
)

Fields = Mapping[str, str]

_MOUTHS = (
    "M15 35 Q24 25 33 35",
    "M15.5 33.5 Q24 28.5 32.5 33.5",
    "M16 32 H32",
    "M15.5 30 Q24 35 32.5 30",
    "M15 28.5 Q24 38.5 33 28.5",
)
"""Of 1 to 5; nothing else differs between the faces, least of all a colour: hearts and green ones pull
answers up."""

_INCOMPLETE = 422


@dataclass(frozen=True, slots=True)
class Ask(Generic[L]):
    """One request whose link is good."""

    link: L
    texts: Texts
    now: datetime


class Page(Protocol[L]):
    """One of the pages.  Both methods wait for the database."""

    @property
    def purpose(self) -> Purpose[L]:
        """Whose links lead here."""
        ...

    def show(self, ask: Ask[L], query: Fields) -> View:
        """Return what the page shows; changes nothing."""
        ...

    def act(self, ask: Ask[L], form: Fields) -> View:
        """Do what the form says, and return what the page shows then."""
        ...


class SurveyPage:
    """Five faces and a comment."""

    purpose = SURVEY

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def show(self, ask: Ask[SurveyLink], query: Fields) -> View:
        """Return the question; a face in the address is picked, and no more than that."""
        survey = self._storage.survey(ask.link)
        picked = score_of(query.get("score")) or survey.latest_score
        values = _survey_values(ask, survey, picked)
        return View("survey", Outcome.SHOWN, values=values)

    def act(self, ask: Ask[SurveyLink], form: Fields) -> View:
        """Keep an answer; the first is told, a later one replaces what is kept beside it."""
        reply = reply_of(form)
        if isinstance(reply, Draft):
            return self._show_again(ask, reply)
        before, after = self._storage.answer(ask.link, reply, ask.now)
        words = ask.texts.survey
        values = {
            "title": words.thanks,
            "text": words.received.format(score=words.score(reply.score)),
            "change": words.change,
        }
        outcome = Outcome.UNCHANGED if after == before else Outcome.STORED
        return View("notice", outcome, values=values)

    def _show_again(self, ask: Ask[SurveyLink], draft: Draft) -> View:
        survey = self._storage.survey(ask.link)
        values = {
            **_survey_values(ask, survey, draft.score),
            "problem": _problem(draft, ask.texts.survey),
            "comment": draft.comment,
        }
        return View("survey", Outcome.INCOMPLETE, _INCOMPLETE, values)


class HelpfulPage:
    """One button: this did not help."""

    purpose = HELPFUL

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def show(self, ask: Ask[HelpfulLink], query: Fields) -> View:
        """Return the button."""
        return View("helpful", Outcome.SHOWN)

    def act(self, ask: Ask[HelpfulLink], form: Fields) -> View:
        """Count the message as one that did not help."""
        link, words = ask.link, ask.texts.helpful
        is_new = self._storage.judge(link.customer_id, link.step_id, Verdict.DID_NOT_HELP, ask.now)
        outcome = Outcome.STORED if is_new else Outcome.UNCHANGED
        values = {"title": words.thanks, "text": words.received, "change": None}
        return View("notice", outcome, values=values)


class PreferencesPage:
    """What a customer may get, and a button to stop each of it."""

    purpose = PREFERENCES

    def __init__(self, storage: Storage, channels: tuple[Channel, ...]) -> None:
        self._storage = storage
        self._channels = channels

    def show(self, ask: Ask[PreferencesLink], query: Fields) -> View:
        """Return what is allowed as of now."""
        said = self._storage.consents(ask.link.customer_id)
        return View("preferences", Outcome.SHOWN, values=self._values(ask, said))

    def act(self, ask: Ask[PreferencesLink], form: Fields) -> View:
        """Stop what the form names, or what the link is about where a mail program asks for it."""
        link = ask.link
        stops = stops_of(form, (link.message_class, link.channel))
        words = ask.texts.preferences
        if not stops:
            said = self._storage.consents(link.customer_id)
            values = {**self._values(ask, said), "problem": words.nothing_chosen}
            return View("preferences", Outcome.INCOMPLETE, _INCOMPLETE, values)
        said, is_new = self._storage.stop(link.customer_id, stops, link.step_id, ask.now)
        values = {**self._values(ask, said), "done": _done(stops, words)}
        outcome = Outcome.STORED if is_new else Outcome.UNCHANGED
        return View("preferences", outcome, values=values)

    def _values(self, ask: Ask[PreferencesLink], said: Statements) -> dict[str, Any]:
        words = ask.texts.preferences
        channels = dict.fromkeys((*self._channels, ask.link.channel))
        shown = [(c, channel) for channel in channels for c in MessageClass]
        return {
            "allowed": [_row(s, words) for s in shown if is_allowed(said, s, ask.now)],
            "stopped": [_row(s, words) for s in shown if not is_allowed(said, s, ask.now)],
            "can_stop_all": any(is_allowed(said, s, ask.now) for s in EVERYTHING),
            "problem": None,
            "done": None,
        }


def _survey_values(ask: Ask[SurveyLink], survey: Survey, picked: int | None) -> dict[str, Any]:
    words = ask.texts.survey
    order_id = ask.link.order_id
    question = words.question_of_order.format(order=order_id) if order_id else words.question
    faces = [
        {"score": score, "words": words.score(score), "mouth": mouth}
        for score, mouth in zip(SCORES, _MOUTHS, strict=True)
    ]
    return {
        "question": question,
        "faces": faces,
        "picked": picked,
        "answered": _answered(survey, words),
        "comment": "",
        "comment_hint": words.comment_hint.format(limit=MAX_COMMENT),
        "limit": MAX_COMMENT,
        "problem": None,
    }


def _answered(survey: Survey, words: SurveyTexts) -> str | None:
    # The comment is not shown: whoever a mail is passed on to can open this page as well.
    if survey.latest_score is None:
        return None
    answered = words.answered.format(score=words.score(survey.latest_score))
    return f"{answered} {words.comment_kept}" if survey.comment else answered


def _problem(draft: Draft, words: SurveyTexts) -> str:
    match draft.fault:
        case Fault.NO_SCORE:
            return words.no_score
        case Fault.COMMENT_TOO_LONG:
            return words.comment_too_long.format(count=len(draft.comment), limit=MAX_COMMENT)


def _row(stop: Stop, words: PreferencesTexts) -> dict[str, str]:
    about = words.classes[stop[0]].about
    return {"named": words.named(*stop), "about": about, "value": value_of(stop)}


def _done(stops: tuple[Stop, ...], words: PreferencesTexts) -> str:
    if stops == EVERYTHING:
        return words.done_everything
    return words.done.format(what=", ".join(words.named(*stop) for stop in stops))
