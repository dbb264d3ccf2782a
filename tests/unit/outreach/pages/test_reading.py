"""Forms: what is taken, what is shown again, and what of a text stays."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.contracts.people import Channel, MessageClass
from services.outreach.pages import reading
from services.outreach.pages.facts import Reply
from services.outreach.pages.reading import Draft, Fault, clean, reply_of, stops_of

OWN = (MessageClass.CARE, Channel.SMS)


@pytest.mark.parametrize("score", reading.SCORES)
def test_a_chosen_face_is_an_answer(score: int) -> None:
    assert reply_of({"score": str(score)}) == Reply(score)


@pytest.mark.parametrize("score", ["0", "6", "", "4.0", " 4", "٤", "-1", "five"])
def test_no_face_is_no_answer_and_the_comment_is_not_lost(score: str) -> None:
    draft = reply_of({"score": score, "comment": "late"})

    assert draft == Draft(Fault.NO_SCORE, None, "late")


def test_a_form_without_anything_is_no_answer() -> None:
    assert reply_of({}) == Draft(Fault.NO_SCORE, None, "")


def test_a_comment_is_optional_and_blank_is_none() -> None:
    assert reply_of({"score": "2", "comment": " \r\n\t "}) == Reply(2, None)
    assert reply_of({"score": "2", "comment": " late\r\nagain "}) == Reply(2, "late\nagain")


def test_a_comment_that_is_too_long_is_given_back_whole() -> None:
    longest = "x" * reading.MAX_COMMENT

    assert reply_of({"score": "2", "comment": longest}) == Reply(2, longest)
    draft = reply_of({"score": "2", "comment": longest + "y"})
    assert draft == Draft(Fault.COMMENT_TOO_LONG, 2, longest + "y")


def test_line_breaks_count_as_the_browser_counts_them() -> None:
    lines = "a\r\n" * (reading.MAX_COMMENT // 2)

    assert isinstance(reply_of({"score": "2", "comment": lines}), Reply)


@given(st.text(alphabet=st.characters(exclude_categories=())))
@example("a\x00b\x1b[31mc\x7f\x9f")
@example("\u202eevil\u2066")
@example("\ud800")
@example("one\u2028two\u2029three\x85")
def test_no_control_character_is_left_and_all_can_be_stored(text: str) -> None:
    kept = clean(text)

    assert {unicodedata.category(c) for c in kept.replace("\n", "")}.isdisjoint({"Cc", "Cs", "Zl"})
    assert not set(kept) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    kept.encode()
    assert clean(kept) == kept


@pytest.mark.parametrize("text", ["Grüße, João", "👩‍👧 ok", "می‌خواهم", "a\nb"])
def test_what_people_write_stays(text: str) -> None:
    assert clean(text) == text


def test_one_click_stops_what_the_link_is_about_alone() -> None:
    assert stops_of({"List-Unsubscribe": "One-Click"}, OWN) == (OWN,)


@pytest.mark.parametrize("stop", reading.EVERYTHING, ids=reading.value_of)
def test_each_button_stops_its_own(stop: reading.Stop) -> None:
    assert stops_of({"stop": reading.value_of(stop)}, OWN) == (stop,)


def test_one_button_stops_every_class_on_every_channel() -> None:
    stops = stops_of({"stop": "all"}, OWN)

    assert len(set(stops)) == len(MessageClass) * len(Channel)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"stop": ""},
        {"stop": "care"},
        {"stop": "care/pigeon"},
        {"List-Unsubscribe": "one-click"},
    ],
)
def test_what_names_nothing_stops_nothing(form: dict[str, str]) -> None:
    assert stops_of(form, OWN) == ()
