"""Signed links: what was put in comes out, once, for one purpose, for a time, and for nobody else."""

from datetime import timedelta
from string import ascii_letters, digits
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.contracts.people import Channel, MessageClass
from services.outreach.pages import tokens
from services.outreach.pages.links import Links
from services.outreach.pages.tokens import (
    HELPFUL,
    PREFERENCES,
    PURPOSES,
    SURVEY,
    HelpfulLink,
    Link,
    PreferencesLink,
    Purpose,
    SurveyLink,
    Wrong,
    WrongToken,
)
from tests.unit.outreach.factories import NOON

SECRETS = ("first secret of thirty-two letters", "second secret of thirty-two letters")
LIFETIME = timedelta(days=30)
STEP = UUID(int=7)
SECOND = timedelta(seconds=1)
LINK = SurveyLink("c-1", "s-1")

IDS = st.from_regex(r"[A-Za-z0-9._:~-]{1,64}", fullmatch=True)
LANGUAGES = st.none() | st.sampled_from(["en", "de-AT", "pt-BR"])
SURVEYS = st.builds(SurveyLink, IDS, IDS, st.none() | IDS, st.none() | st.uuids(), LANGUAGES)
LINKS: st.SearchStrategy[tuple[Purpose[Any], Link]] = st.one_of(
    st.tuples(st.just(SURVEY), SURVEYS),
    st.tuples(
        st.just(PREFERENCES),
        st.builds(
            PreferencesLink,
            IDS,
            st.sampled_from(MessageClass),
            st.sampled_from(Channel),
            st.none() | st.uuids(),
            LANGUAGES,
        ),
    ),
    st.tuples(st.just(HELPFUL), st.builds(HelpfulLink, IDS, st.uuids(), LANGUAGES)),
)


def token(link: SurveyLink = LINK, secrets: tuple[str, ...] = SECRETS) -> str:
    return tokens.issue(SURVEY, link, secrets, NOON)


def read(text: str, purpose: Purpose[Any] = SURVEY, **changes: Any) -> Link:
    given_ = {"secrets": SECRETS, "now": NOON, "lifetime": LIFETIME, **changes}
    link: Link = tokens.read(purpose, text, **given_)
    return link


def why(text: str, purpose: Purpose[Any] = SURVEY, **changes: Any) -> Wrong:
    with pytest.raises(WrongToken) as caught:
        read(text, purpose, **changes)
    return caught.value.why


@given(LINKS)
def test_what_was_signed_is_read_for_its_purpose_and_for_no_other(
    case: tuple[Purpose[Any], Any],
) -> None:
    purpose, link = case

    made = tokens.issue(purpose, link, SECRETS, NOON)

    assert read(made, purpose) == link
    assert len(made) <= tokens.MAX_LENGTH
    for other in PURPOSES:
        if other is not purpose:
            assert why(made, other) is Wrong.WRONG_PURPOSE


@given(SURVEYS, st.integers(0), st.characters())
def test_a_token_with_any_other_character_is_refused(link: SurveyLink, at: int, other: str) -> None:
    made = token(link)
    place = at % len(made)
    assume(made[place] != other)

    assert why(made[:place] + other + made[place + 1 :]) is Wrong.TAMPERED


def test_a_signature_is_spelled_in_one_way_only() -> None:
    """The last letter has bits to spare, and some readers of base64 pass over what is none of its letters."""
    made = token()
    others = {made[:-1] + last for last in ascii_letters + digits + "-_"} - {made}

    assert {
        why(other) for other in (*others, f"{made}=", f"{made}!", f"{made[:-1]}!{made[-1]}")
    } == {Wrong.TAMPERED}


@given(SURVEYS, st.integers(0))
def test_a_token_that_was_cut_is_refused(link: SurveyLink, at: int) -> None:
    made = token(link)

    assert why(made[: at % len(made)]) is Wrong.TAMPERED


@given(st.text())
@example("\ud800")
def test_any_text_is_refused_in_order(text: str) -> None:
    assert why(text) is Wrong.TAMPERED


def test_what_is_too_long_is_not_even_looked_at() -> None:
    assert why(token() + "A" * tokens.MAX_LENGTH) is Wrong.TAMPERED


@given(st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_token_is_taken_until_its_lifetime_is_over(age: timedelta) -> None:
    if age <= LIFETIME:
        assert read(token(), now=NOON + age) == LINK
    else:
        assert why(token(), now=NOON + age) is Wrong.EXPIRED


def test_a_token_made_by_a_machine_whose_clock_is_ahead_is_taken() -> None:
    assert read(token(), now=NOON - SECOND) == LINK


def test_a_token_signed_with_an_earlier_secret_is_taken_until_that_secret_goes() -> None:
    old = token(secrets=SECRETS[:1])

    assert read(old) == LINK
    assert why(old, secrets=SECRETS[1:]) is Wrong.TAMPERED


def test_the_last_secret_signs() -> None:
    assert read(token(), secrets=SECRETS[1:]) == LINK


@pytest.mark.parametrize(
    "payload", [{}, {"customer_id": "c-1"}, {"customer_id": "a@b.c", "survey_id": "s"}, [], "c-1"]
)
def test_what_we_signed_and_no_longer_understand_is_refused(payload: Any) -> None:
    made = tokens._serializer(SURVEY, SECRETS, NOON).dumps(payload)

    assert why(str(made)) is Wrong.TAMPERED


def test_what_is_said_of_a_wrong_token_holds_nothing_of_it() -> None:
    with pytest.raises(WrongToken) as caught:
        read(token(SurveyLink("c-canary", "s-1")), now=NOON + 2 * LIFETIME)

    assert str(caught.value) == "expired"


def test_a_step_has_one_survey() -> None:
    one, again = (tokens.survey_of_step(STEP, "c-1", "o-1") for _ in range(2))

    assert one == again
    assert one.survey_id != tokens.survey_of_step(UUID(int=8), "c-1", "o-1").survey_id


def test_the_longest_ids_fit_into_a_link() -> None:
    longest = SurveyLink("c" * 64, "é" * 128, "\U0001f600" * 128, STEP, "x" * 35)

    assert read(token(longest)) == longest


def test_links_lead_to_their_pages_and_one_click_has_its_two_headers() -> None:
    links = Links("https://care.example.com/c", SECRETS)
    stop = PreferencesLink("c-1", MessageClass.CARE, Channel.EMAIL, STEP)

    survey = links.survey(SurveyLink("c-1", "s-1"), NOON, score=4)
    headers = links.unsubscribe_headers(stop, NOON)

    assert survey.startswith("https://care.example.com/c/survey/")
    assert survey.endswith("?score=4")
    assert "/helpful/" in links.helpful(HelpfulLink("c-1", STEP), NOON)
    assert "/preferences/" in links.preferences(stop, NOON)
    address = headers["List-Unsubscribe"]
    assert address.startswith("<https://care.example.com/c/unsubscribe/")
    assert read(address.strip("<>").rpartition("/")[2], PREFERENCES) == stop
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Links("https://care.example.com", ("a secret",)))
