"""The HTML parts: one frame, readable by everybody, and not a word more or less than the text."""

import re
from html.parser import HTMLParser

import pytest
from jinja2 import DictLoader, FileSystemLoader

from services.contracts.people import MessageClass
from services.contracts.problems import ProblemKind
from services.outreach.messages import LANGUAGES, PARTS, Templates, Text, Use, samples
from services.outreach.review import uses_of
from services.outreach.settings import Settings
from services.outreach.wording import visible_text
from services.outreach.worker import load_playbooks

FOLDER = Settings.model_fields["templates"].default
SHIPPED = Templates(FileSystemLoader(FOLDER))
USES = list(uses_of(load_playbooks(Settings.model_fields["playbooks"].default).values()))
_VOID = {"meta", "br", "hr"}
_ALLOWED = {"html", "head", "title", "body", "div", "p", "strong"} | _VOID


class Page(HTMLParser):
    """A page read strictly: every element that is opened is closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.declared: list[str] = []
        self.title = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_decl(self, decl: str) -> None:
        self.declared.append(decl.lower())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "title":
            self.title += data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def words(text: str) -> str:
    return " ".join(text.split())


def letters() -> list[tuple[Use, str, bool]]:
    return [
        (use, language, least) for use in USES for language in LANGUAGES for least in (False, True)
    ]


@pytest.fixture(params=letters(), ids=lambda case: f"{case[0].template}-{case[1]}-{case[2]}")
def case(request: pytest.FixtureRequest) -> tuple[Text, str]:
    use, language, least = request.param
    letter = samples(use.kind, language, asks=use.asks)[least]
    return SHIPPED.render(use.template, letter), language


def test_a_letter_is_a_page_with_a_language_and_a_title(case: tuple[Text, str]) -> None:
    text, language = case
    page = Page(text.html)

    assert page.declared == ["doctype html"]
    assert page.tags[0] == "html"
    assert ("html", "lang", language) in page.attributes
    assert page.title == text.subject
    assert page.values("charset") == ["utf-8"]


def test_it_needs_no_image_and_loads_nothing(case: tuple[Text, str]) -> None:
    page = Page(case[0].html)

    assert set(page.tags) <= _ALLOWED | {"a"}
    assert not {"src", "background"} & {name for _, name, _ in page.attributes}
    # The one link is the survey's, and stands there to be read.
    assert all(url in case[0].plain and "/survey/" in url for url in page.values("href"))
    assert "url(" not in case[0].html


def test_it_leaves_the_colours_to_the_reader(case: tuple[Text, str]) -> None:
    page = Page(case[0].html)
    styles = re.sub(r"color-scheme: light dark;", "", " ".join(page.values("style")))

    assert ("meta", "content", "light dark") in page.attributes
    assert "color" not in styles
    assert "background" not in styles
    # Sizes follow the reader's own.
    assert not re.search(r"\d(px|pt)\b", styles)


def test_it_says_what_the_text_says_sentence_by_sentence(case: tuple[Text, str]) -> None:
    text, _ = case
    seen = words(visible_text(text.html))
    sentences = [
        s for line in text.plain.splitlines() for s in re.split(r"(?<=[.?:])\s", line) if s
    ]

    assert len(sentences) >= 6
    assert [sentence for sentence in sentences if sentence not in seen] == []
    # Nothing else either, but the title.
    assert seen == words(f"{text.subject} {text.plain}")


def test_a_subject_is_escaped_in_the_title() -> None:
    sources = {f"x/{language}.{part}": "ok" for language in LANGUAGES for part in PARTS}
    sources["layout.html"] = (FOLDER / "layout.html").read_text(encoding="utf-8")
    sources["x/en.subject"] = "{{ name }}"
    sources["x/en.html"] = (
        '{% extends "layout.html" %}{% block letter %}{{ subject }}{% endblock %}'
    )
    letter = samples(ProblemKind.LAPSE_RISK, "en")[0]
    named = type(letter)("</title><b>Ada", None, None, letter.zone, "en")

    html = Templates(DictLoader(sources)).render("x", named).html

    assert Page(html).title == "</title><b>Ada"
    assert "<b>" not in html
    assert Templates(DictLoader(sources)).faults(
        Use("x", ProblemKind.LAPSE_RISK, MessageClass.CARE)
    ) == ()  # fmt: skip
