"""Messages: in the reader's language, without an offer, and never more than one header a line."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import DictLoader, FileSystemLoader
from pydantic import TypeAdapter, ValidationError

from services.contracts.people import MailAddress, MessageClass
from services.contracts.problems import ProblemKind
from services.outreach.channels.smtp import _written
from services.outreach.messages import (
    LANGUAGES,
    NAMES_AN_ORDER,
    PARTS,
    TELLS_A_DATE,
    Envelope,
    Letter,
    Templates,
    Text,
    Use,
    WrongTemplate,
    compose,
    day_in_words,
    language_of,
    one_line,
    samples,
)
from services.outreach.review import uses_of
from services.outreach.settings import Settings
from services.outreach.wording import visible_text
from services.outreach.worker import load_playbooks

SHIPPED: Path = Settings.model_fields["templates"].default
USES = list(uses_of(load_playbooks(Settings.model_fields["playbooks"].default).values()))
NAMES = sorted(use.template for use in USES)
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
ENVELOPE = Envelope("care@example.org", "ada@example.org", "<1@care>", "p-1", "late/notice", AT)
DATES = {"delivery_at_risk", "delivery_late", "delivery_exception", "refund_overdue"} | {
    "thanks_after_refund"
}
"""Templates that name the promised day."""
NO_ORDER = {"lapse_risk"}
"""Templates about a customer and no order."""


def letter(language: str | None = "en", name: str | None = "Ada") -> Letter:
    return Letter(name, "o-1", AT, ZoneInfo("UTC"), language)


def shipped() -> Templates:
    return Templates(FileSystemLoader(SHIPPED))


@pytest.mark.parametrize("use", USES, ids=lambda use: use.template)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("is_least", [False, True])
def test_every_shipped_message_speaks_of_its_order_and_of_nothing_it_does_not_know(
    use: Use, language: str, is_least: bool
) -> None:
    told = samples(use.kind, language, asks=use.asks)[is_least]
    text = shipped().render(use.template, told)

    for part in (text.subject, text.plain, visible_text(text.html)):
        names_order = told.order_id is not None and use.template not in NO_ORDER
        assert ("A-1042" in part) is names_order
        assert "None" not in part
        # Nobody is shouted at.
        assert "!" not in part
    assert ("Ada" in text.plain) is not is_least
    assert ("2026" in text.plain) is (use.template in DATES)
    assert len(text.subject) <= 78


def test_every_folder_of_templates_is_used_and_shared_frames_are_files() -> None:
    folders = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir())

    assert folders == NAMES
    assert [path.name for path in SHIPPED.iterdir() if path.is_file()] == ["layout.html"]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.template)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_shipped_message_says_how_to_reach_a_person(use: Use, language: str) -> None:
    text = shipped().render(use.template, samples(use.kind, language, asks=use.asks)[0]).plain

    reply, person = {
        "en": ("repl", " person "),
        "de": ("antworten sie", " mensch "),
        "pt": ("respond", " pessoa "),
    }[language]
    assert reply in text.lower()
    assert person in text.lower()


@pytest.mark.parametrize("template", NAMES)
def test_the_languages_differ(template: str) -> None:
    url = "https://care.example.com/survey/x"
    letters = (replace(letter(language), survey_url=url) for language in LANGUAGES)
    texts = {shipped().render(template, each).plain for each in letters}

    assert len(texts) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("tag", "language"),
    [("pt-BR", "pt"), ("de", "de"), ("DE-at", "de"), ("fr", "en"), ("ptx", "en"), (None, "en")],
)
def test_an_unknown_language_falls_back_to_english(tag: str | None, language: str) -> None:
    assert language_of(tag) == language


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "3 March 2026"), ("de", "3. März 2026"), ("pt", "3 de março de 2026")],
)
def test_the_day_is_the_customers_own(language: str, words: str) -> None:
    late = datetime(2026, 3, 2, 20, tzinfo=UTC)

    assert day_in_words(late, ZoneInfo("Asia/Tokyo"), language) == words


def test_markup_in_a_name_stays_a_name() -> None:
    text = shipped().render("delivery_late", letter(name="<b>Ada</b>"))

    assert "&lt;b&gt;Ada" in text.html
    assert "<b>Ada</b>" in text.plain


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ name.__init__.__globals__ }}",
        "{{ missing }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_template_reaches_nothing_but_its_letter(source: str) -> None:
    templates = Templates(DictLoader({**sound(), "x/en.txt": source}))

    with pytest.raises(WrongTemplate):
        templates.render("x", letter())


def test_a_missing_part_is_named_at_the_start() -> None:
    with pytest.raises(WrongTemplate, match=re.escape("x/en.subject")):
        Templates(DictLoader({})).check([used(ProblemKind.DELIVERY_DELAY)])


def test_shipped_templates_are_complete() -> None:
    shipped().check(USES)


def used(kind: ProblemKind, message_class: MessageClass = MessageClass.SERVICE) -> Use:
    return Use("x", kind, message_class)


def sound() -> dict[str, str]:
    return {f"x/{language}.{part}": "ok" for language in LANGUAGES for part in PARTS}


def saying(plain: str) -> Templates:
    return Templates(DictLoader({**sound(), "x/de.txt": plain}))


def refused(plain: str, kind: ProblemKind) -> bool:
    try:
        saying(plain).check([used(kind)])
    except WrongTemplate as error:
        return f"x/de.txt for {kind}" in str(error)
    return False


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_a_template_that_needs_what_its_problems_may_not_tell_is_refused_at_the_start(
    kind: ProblemKind,
) -> None:
    assert refused("{{ promised_on }}", kind) is (kind not in TELLS_A_DATE)
    assert refused("{{ order_id }}", kind) is (kind not in NAMES_AN_ORDER)
    assert refused("{% if name %}{{ missing }}{% endif %}", kind)


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_a_template_that_asks_first_is_good_for_every_kind(kind: ProblemKind) -> None:
    asking = "{% if order_id %}about {{ order_id }}{% endif %}"
    assert not refused(asking + "{% if promised_on %} by {{ promised_on }}{% endif %}", kind)
    # Both ways are looked at.
    assert refused("{% if order_id %}{{ order }}{% endif %}", kind)


def test_what_a_letter_does_not_hold_is_never_written() -> None:
    spare = replace(letter("de"), order_id=None, promised_by=None)
    asking = "{% if order_id %}{{ order_id }}{% else %}you{% endif %}"

    assert saying(asking).render("x", spare).plain == "you"
    for part in ("{{ order_id }}", "{{ promised_on }}", "{{ order_id or promised_on }}"):
        with pytest.raises(WrongTemplate, match="is not told of every problem"):
            saying(part).render("x", spare)


@pytest.mark.parametrize("kind", list(ProblemKind))
@pytest.mark.parametrize("message_class", list(MessageClass))
def test_an_offer_needs_the_class_of_offers(kind: ProblemKind, message_class: MessageClass) -> None:
    faults = saying("Ein Gutschein, 20 % Rabatt.").faults(used(kind, message_class))

    if message_class is MessageClass.PROMOTIONAL:
        assert faults == ()
        return
    (fault,) = faults
    assert (fault.file, fault.use) == ("x/de.txt", f"for {kind}")
    assert str(fault) == (
        f"template x/de.txt for {kind}: offers something (`gutschein`, `rabatt`), which message_class "
        f"{message_class} may not: say it without, or make it promotional"
    )


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_offer_is_found_in_every_part_and_language(part: str, language: str) -> None:
    file = f"x/{language}.{part}"
    said = "<b>20</b>&nbsp;% off" if part == "html" else "20 % off"
    templates = Templates(DictLoader({**sound(), file: said}))

    with pytest.raises(WrongTemplate, match=re.escape(file)):
        templates.check([used(ProblemKind.LAPSE_RISK)])


def test_every_fault_is_told_at_once_and_each_once() -> None:
    sources = {
        **sound(),
        "x/en.txt": "\n\n{{ missing }}",
        "x/de.html": "{% if %}",
        "x/pt.subject": "{{ 1 / 0 }}",
        "x/pt.html": '{% extends "none.html" %}',
        "x/pt.txt": "{% if name %}a voucher{% endif %}",
    }
    del sources["x/en.subject"]

    faults = Templates(DictLoader(sources)).faults(used(ProblemKind.LAPSE_RISK))

    assert [(fault.file, fault.what.partition(":")[0]) for fault in faults] == [
        ("x/en.subject", "missing"),
        ("x/en.txt", "UndefinedError"),
        ("x/de.html", "TemplateSyntaxError"),
        ("x/pt.subject", "ZeroDivisionError"),
        ("x/pt.txt", "offers something (`voucher`), which message_class service may not"),
        ("x/pt.html", "needs none.html, which is missing"),
    ]
    assert faults[2].line == 1


def test_the_line_is_told_where_a_file_says_what_no_letter_holds(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for file, text in sound().items():
        (tmp_path / file).write_text(text)
    (tmp_path / "layout.html").write_text("\n{{ missing }}{% block letter %}{% endblock %}")
    (tmp_path / "x" / "de.txt").write_text("one\ntwo {{ missing }}\nthree")
    (tmp_path / "x" / "en.html").write_text('\n\n{% extends "layout.html" %}')

    faults = Templates(FileSystemLoader(tmp_path)).faults(used(ProblemKind.LAPSE_RISK))

    found = {fault.file: fault.line for fault in faults}
    assert found["x/de.txt"] == 2
    # Where it takes in the layout, in which the fault is.
    assert found["x/en.html"] == 3


@given(st.text(max_size=60))
def test_whatever_a_value_holds_the_headers_stay_what_they_are(text: str) -> None:
    subject = one_line(f"About {text}")

    mail = compose(Text(subject, "p", "h"), ENVELOPE)
    head = mail.as_bytes().split(b"\r\n\r\n", 1)[0]

    names = [line.split(b":")[0] for line in head.splitlines() if line[:1] not in b" \t"]
    assert names == [
        b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted",
        b"X-Care-Problem", b"X-Care-Step", b"MIME-Version", b"Content-Type",
    ]  # fmt: skip


def test_a_name_with_line_breaks_adds_no_header() -> None:
    text = shipped().render("delivery_late", letter(name="Ada\r\nBcc: all@example.org"))

    assert "\r" not in text.plain.split("\n", 1)[0]
    assert "Bcc" not in compose(text, ENVELOPE)


@pytest.mark.parametrize("recipient", ["a@b\r\nBcc: c@d", "a b@c", ""])
def test_an_address_that_is_none_is_refused(recipient: str) -> None:
    envelope = Envelope("care@example.org", recipient, "<1@care>", "p-1", "late/notice", AT)

    with pytest.raises(ValueError, match=r"address|header|line"):
        compose(Text("s", "p", "h"), envelope)


ADDRESS = TypeAdapter(MailAddress)
ODD = st.sampled_from("ab1.-_+=?'!#%@ []()<>{}\\\"|,;:ä中\u0301\u200b\u2028\x85\xa0😀")
PARTS_OF_ONE = st.text(ODD | st.characters(codec="utf-8"), min_size=1, max_size=70)


def accepted(address: str) -> bool:
    try:
        ADDRESS.validate_python(address)
    except ValidationError:
        return False
    return True


@given(
    st.from_regex(ADDRESS.json_schema()["pattern"], fullmatch=True).map(lambda a: a[:254])
    | st.builds(lambda name, domain: f"{name}@{domain}", PARTS_OF_ONE, PARTS_OF_ONE)
)
@example("x" * 120 + "@" + "d" * 120 + ".org")
@example("ä" * 120 + "@" + "ö" * 120 + ".org")
def test_every_address_the_contract_accepts_can_be_written_to_and_stays_itself(
    address: str,
) -> None:
    if not accepted(address):
        return

    written = _written(compose(Text("s", "p", "h"), replace(ENVELOPE, recipient=address)))

    assert written.recipient == address
    header = re.search(rb"^To:\s*(.*?)\r\n", written.wire, re.MULTILINE)
    assert header is not None
    assert header.group(1) == address.encode()


@pytest.mark.parametrize(
    "address",
    [
        "a@[", "a@]", "a@[127.0.0.1]", "a(c)@d", "a@d(c)", "a\\b@c", '"a b"@c', "a..b@c", ".a@c",
        "a@c.", "a@c..d", "a@b@c", "=?utf-8?q?x?=@c", "a@=?utf-8?q?x?=", "a@b\x7f", "a@b\x85",
        "a\u2028@b", "a@", "@b", "a",
    ],
)  # fmt: skip
def test_what_a_header_would_not_take_for_an_address_is_refused(address: str) -> None:
    assert not accepted(address)


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org", "ada.l+tag@mail.example.org", "o'neil@x.ie", "bounce-1=a@x.org",
        "a_b-c!#$%&*/^`{|}~@x.org", "grüße@bücher.example", "用户@例子.广告", "root@localhost",
    ],
)  # fmt: skip
def test_what_people_really_have_is_accepted(address: str) -> None:
    assert accepted(address)


def test_a_mail_says_what_it_is_about_and_that_no_person_wrote_it() -> None:
    mail = compose(Text("s", "plain", "<p>html</p>"), ENVELOPE)

    assert mail["X-Care-Problem"] == "p-1"
    assert mail["X-Care-Step"] == "late/notice"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == "<1@care>"
    assert mail["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
