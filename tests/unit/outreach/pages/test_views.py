"""Every page in every language: everybody can read it and fill it in, and it names nobody."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

import pytest

from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.outreach.messages import LANGUAGES
from services.outreach.pages import texts
from services.outreach.pages.consents import Statements
from services.outreach.pages.facts import Reply, Survey, survey_of
from services.outreach.pages.metering import Outcome
from services.outreach.pages.rendering import Renderer, View, fault
from services.outreach.pages.storage import Storage
from services.outreach.pages.texts import Faults
from services.outreach.pages.tokens import HelpfulLink, PreferencesLink, SurveyLink
from services.outreach.pages.views import Ask, HelpfulPage, PreferencesPage, SurveyPage
from tests.unit.outreach.factories import NOON, statement
from tests.unit.outreach.pages.html import faults, parse

TEXTS = texts.load()
CANARY = "c-canary"
STEP = UUID(int=9)
SURVEY = SurveyLink(CANARY, "s-1", "o-1")
STOP = PreferencesLink(CANARY, MessageClass.SERVICE, Channel.SMS, STEP)
HELPFUL = HelpfulLink(CANARY, STEP)


class Known:
    """A storage that knows one customer and keeps nothing."""

    def __init__(self, survey: Survey | None = None, said: Statements = ()) -> None:
        self._survey = survey or survey_of(SURVEY, 0)
        self._said = said

    def survey(self, _: SurveyLink) -> Survey:
        return self._survey

    def answer(self, _: SurveyLink, reply: Reply, now: Any) -> tuple[Survey, Survey]:
        return self._survey, self._survey.answered(reply, now)

    def consents(self, _: str) -> Statements:
        return self._said

    def stop(self, *_: Any) -> tuple[Statements, bool]:
        return self._said, True

    def judge(self, *_: Any) -> bool:
        return True


def storage(**known: Any) -> Storage:
    return cast("Storage", Known(**known))


def ask(link: Any, language: str = "en") -> Ask[Any]:
    return Ask(link, TEXTS[language], NOON)


ANSWERED = survey_of(SURVEY, 0).answered(Reply(2, "canary"), NOON)
NOTHING = tuple(
    statement(
        ConsentStatus.DENIED, NOON, message_class=c, channel=channel, event_id=f"{c}{channel}"
    )
    for c in MessageClass
    for channel in Channel
)
PREFERENCES = (Channel.EMAIL, Channel.PUSH)

VIEWS: dict[str, Callable[[str], View]] = {
    "asked": lambda lang: SurveyPage(storage()).show(ask(SURVEY, lang), {}),
    "picked": lambda lang: SurveyPage(storage()).show(ask(SURVEY, lang), {"score": "4"}),
    "answered": lambda lang: SurveyPage(storage(survey=ANSWERED)).show(ask(SURVEY, lang), {}),
    "no score": lambda lang: SurveyPage(storage()).act(ask(SURVEY, lang), {"comment": "x"}),
    "too long": lambda lang: SurveyPage(storage()).act(
        ask(SURVEY, lang), {"score": "1", "comment": "x" * 3000}
    ),
    "thanks": lambda lang: SurveyPage(storage()).act(ask(SURVEY, lang), {"score": "1"}),
    "helpful": lambda lang: HelpfulPage(storage()).show(ask(HELPFUL, lang), {}),
    "counted": lambda lang: HelpfulPage(storage()).act(ask(HELPFUL, lang), {}),
    "preferences": lambda lang: PreferencesPage(storage(), PREFERENCES).show(ask(STOP, lang), {}),
    "nothing left": lambda lang: PreferencesPage(storage(said=NOTHING), PREFERENCES).show(
        ask(STOP, lang), {}
    ),
    "stopped": lambda lang: PreferencesPage(storage(), PREFERENCES).act(
        ask(STOP, lang), {"stop": "care/email"}
    ),
    "stopped all": lambda lang: PreferencesPage(storage(said=NOTHING), PREFERENCES).act(
        ask(STOP, lang), {"stop": "all"}
    ),
    "chose nothing": lambda lang: PreferencesPage(storage(), PREFERENCES).act(ask(STOP, lang), {}),
    **{
        name: lambda lang, name=name: fault(  # type: ignore[misc]
            getattr(TEXTS[lang].faults, name), Outcome.BROKEN, 500
        )
        for name in Faults.model_fields
    },
}


def html(name: str, language: str = "en", company: str | None = "Ada & Söhne") -> str:
    response = Renderer(company).response(VIEWS[name](language), TEXTS[language])
    return bytes(response.body).decode()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", VIEWS)
def test_every_page_can_be_used_by_everybody(name: str, language: str) -> None:
    page = html(name, language)

    assert faults(page) == []
    assert parse(page).one("html").attributes["lang"] == language
    assert CANARY not in page
    assert "canary" not in page


@pytest.mark.parametrize(
    ("part", "instead", "rule"),
    [
        ('lang="en"', "", "no language"),
        ("<h1>", "<h1>a</h1><h1>", "not one h1"),
        ('for="score-3"', 'for="score-4"', "a field without a label"),
        ('id="score-3"', 'id="score-4"', "an id twice"),
        ('for="comment"', "", "a field without a label"),
        ('id="comment-hint"', "", "a description that is not there"),
        ("<main>", "<main><script>1</script>", "script"),
        ("<main>", '<main style="x">', "an attribute that CSP forbids"),
        ("<main>", '<main><img src="https://x.example/y.png">', "something from elsewhere"),
        ("<main>", "<main><button></button>", "a button without words"),
        ('aria-hidden="true"', "", "a picture that is read aloud"),
        ("<fieldset>", "<fieldset><div>", "closes"),
    ],
)
def test_a_page_that_somebody_would_stumble_over_is_found(
    part: str, instead: str, rule: str
) -> None:
    page = html("asked")
    assert part in page

    try:
        found = faults(page.replace(part, instead, 1))
    except AssertionError as error:
        found = [str(error)]

    assert any(rule in each for each in found), found


def test_five_faces_differ_by_their_mouths_and_their_words_alone() -> None:
    page = html("asked")
    faces = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    without_mouths = {re.sub(r'<path d="M1[^"]* (?:Q|H)[^"]*"/>', "", face) for face in faces}

    assert len(faces) == 5
    assert len(set(faces)) == 5
    assert len(without_mouths) == 1
    assert 'stroke="currentColor"' in without_mouths.pop()


@pytest.mark.parametrize(
    ("name", "picked"), [("asked", []), ("picked", ["4"]), ("answered", ["2"]), ("no score", [])]
)
def test_no_face_is_picked_but_by_the_customer(name: str, picked: list[str]) -> None:
    radios = parse(html(name)).all("input", type="radio")

    assert [r.attributes["value"] for r in radios] == ["1", "2", "3", "4", "5"]
    assert [r.attributes["value"] for r in radios if "checked" in r.attributes] == picked


def test_a_form_that_is_shown_again_keeps_what_was_written_and_takes_it_for_text() -> None:
    evil = '\n<script>alert(1)</script> & "x"</textarea>{{ 7*7 }}'
    view = SurveyPage(storage()).act(ask(SURVEY), {"comment": f"a{evil}"})
    page = bytes(Renderer(None).response(view, TEXTS["en"]).body).decode()

    assert (view.status, view.outcome) == (422, Outcome.INCOMPLETE)
    assert faults(page) == []
    # The line break after the tag belongs to HTML.
    assert parse(page).one("textarea").text == f"\na{evil}"


def test_what_a_customer_gets_has_a_button_each_and_what_not_has_none() -> None:
    page = parse(html("preferences"))
    buttons = {b.attributes["value"] for b in page.all("button")}

    assert buttons == {
        *("safety/email", "safety/push", "safety/sms"),
        *("service/email", "service/push", "service/sms"),
        "all",
    }
    assert parse(html("nothing left")).all("button") == []


def test_what_was_done_is_said_to_those_who_hear_the_page() -> None:
    assert "Help and questions" in parse(html("stopped")).one("p", role="status").text
    assert parse(html("no score")).one("p", role="alert").text
    assert parse(html("no score")).one("title").text.startswith("Error: ")


def test_the_same_answer_again_is_unchanged() -> None:
    class Again(Known):
        def answer(self, *_: Any) -> tuple[Survey, Survey]:
            return ANSWERED, ANSWERED

    again = cast("Storage", Again())

    assert SurveyPage(again).act(ask(SURVEY), {"score": "2"}).outcome is Outcome.UNCHANGED


def test_nothing_is_on_top_where_no_company_is_named() -> None:
    assert parse(html("asked", company=None)).all("p", **{"class": "sender"}) == []
    assert "Ada &amp; Söhne" in html("asked")


def test_headers_of_a_page_let_it_do_nothing_else() -> None:
    response = Renderer(None).response(
        replace(VIEWS["asked"]("en"), retry_after_seconds=7), TEXTS["en"]
    )
    policy = response.headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-robots-tag"] == "noindex, nofollow"
    assert response.headers["retry-after"] == "7"


def test_the_style_on_the_page_is_the_one_that_may_be_applied() -> None:
    response = Renderer(None).response(VIEWS["asked"]("en"), TEXTS["en"])
    style = parse(bytes(response.body).decode()).one("style").text
    digest = b64encode(sha256(style.encode()).digest()).decode()

    assert f"'sha256-{digest}'" in response.headers["content-security-policy"]
