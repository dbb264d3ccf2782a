"""Wording: whoever offers something advertises, in every language; whoever feels free to reply does not."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, FileSystemLoader

from services.contracts.people import MessageClass
from services.outreach.messages import LANGUAGES, Templates
from services.outreach.review import uses_of
from services.outreach.settings import Settings
from services.outreach.wording import (
    GUARDEDNESS,
    class_of_text,
    is_allowed,
    offers_in,
    visible_text,
)
from services.outreach.worker import load_playbooks

PLAYBOOKS: Path = Settings.model_fields["playbooks"].default
TEMPLATES: Path = Settings.model_fields["templates"].default
USES = {use.template: use for use in uses_of(load_playbooks(PLAYBOOKS).values())}
SOURCES = {
    str(path.relative_to(TEMPLATES)): path.read_text(encoding="utf-8")
    for path in sorted(TEMPLATES.rglob("*"))
    if path.is_file()
}

OFFERS = {
    "en": [
        "Here is a voucher for you.",
        "Vouchers inside.",
        "We discounted everything.",
        "Take 20 % off your next order.",
        "20% off",
        "20 percent off",
        "Up to 12.5 % off everything",
        "5 € off",
        "$10 off your basket",
        "Save 10 € today.",
        "Prices are 10 % lower this week.",
        "Everything is 15 % cheaper.",
        "Your coupon is waiting.",
        "Use code SPRING.",
        "The sale has begun.",
        "Our summer sales are on.",
        "Enjoy free shipping.",
        "FREE EXPRESS DELIVERY",
        "Shipping is free.",
        "A gift for you.",
        "A gift-card for you.",
        "We have upgraded you.",
        "Buy again.",
        "Keep buying.",
        "Yours for free.",
        "Collect your bonus.",
        "A special offer.",
        "Feel free to use this voucher.",
    ],
    "de": [
        "Hier ist ein Gutschein.",
        "Ihre Gutscheine warten.",
        "Ihr Geburtstagsgutschein.",
        "Mit Ihrem Rabatt-Code.",
        "Mit diesem Code.",
        "20 % Rabatt.",
        "20 Prozent günstiger.",
        "20 % auf Ihre nächste Bestellung.",
        "Alle Preise um 10 % gesenkt.",
        "5 € günstiger.",
        "Sparen Sie 10 €.",
        "Wir gewähren einen Nachlass.",
        "Mit NACHLÄSSEN bis Sonntag.",
        "Ermäßigte Ware.",
        "ERMÄSSIGUNG",
        "Versandkostenfrei bestellen.",
        "Kostenloser Versand.",
        "Ein kleines Geschenk.",
        "Das schenken wir Ihnen.",
        "Unser Angebot für Sie.",
        "Angebote der Woche.",
        "Jetzt kaufen.",
        "Ein Upgrade.",
        "Zum halben Preis.",
        "Bonuspunkte für Sie.",
        "Im Schlussverkauf.",
    ],
    "pt": [
        "Um cupom para você.",
        "Um cupão para si.",
        "Os seus cupons.",
        "CUPÕES",
        "10 % de desconto.",
        "Descontos.",
        "10 por cento mais barato.",
        "Poupe 10 € hoje.",
        "R$ 10 mais barato.",
        "Frete grátis.",
        "Envio gratuito.",
        "Uma oferta.",
        "Promoções da semana.",
        "PROMOÇÃO",
        "Use o código PRIMAVERA.",
        "Um vale-presente.",
        "Um brinde.",
        "Um presente para você.",
        "Compre de novo.",
        "Volte a comprar.",
        "Aproveite.",
        "Um upgrade.",
        "10 % na próxima compra.",
        "Os saldos começaram.",
    ],
}
HARMLESS = {
    "en": [
        "Feel free to reply.",
        "Please feel free to return it.",
        "You are free to choose.",
        "10 % of parcels come a day later.",
        "We are 100 % sure.",
        "You get 100 % of the price back.",
        "Your pick-up code is 1234.",
        "The postal code is missing.",
        "This is how we deal with it.",
        "We offer you to wait, or to cancel.",
        "What you bought is on its way.",
        "The parcel fell off the truck.",
        "Our sales team reads this.",
        "The terms of sale hold.",
        "Customs clearance takes time.",
        "It saves you a way.",
        "You paid 20 €.",
    ],
    "de": [
        "10 % der Pakete kommen später.",
        "Wir sind zu 100 % sicher.",
        "Ihr Abholcode ist 1234.",
        "Der QR-Code steht in der Nachricht.",
        "Danke für das Vertrauen, das Sie uns schenken.",
        "Danke für Ihren Kauf.",
        "Was Sie gekauft haben.",
        "Bei Ihren Einkäufen.",
        "Sparen Sie sich den Weg.",
        "Wir bieten Ihnen an, zu warten.",
        "Sobald die Verspätung nachlässt.",
        "Sie haben 20 € gezahlt.",
        "Das Mittel enthält Gift.",
    ],
    "pt": [
        "10 % das encomendas chegam depois.",
        "Obrigado pela sua compra.",
        "A presente mensagem.",
        "Vale a pena esperar.",
        "O código de rastreamento é 1234.",
        "O código postal está errado.",
        "Oferecemos esperar ou cancelar.",
        "Você pagou 20 €.",
    ],
}


def pairs(sentences: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(language, each) for language, found in sentences.items() for each in found]


@pytest.mark.parametrize(("language", "text"), pairs(OFFERS))
def test_an_offer_makes_a_message_promotional(language: str, text: str) -> None:
    assert offers_in(text, language)
    assert class_of_text(["Hello", f"Hello. {text} Bye."], language) is MessageClass.PROMOTIONAL
    assert class_of_text([text]) is MessageClass.PROMOTIONAL


@pytest.mark.parametrize(("language", "text"), pairs(HARMLESS))
def test_what_offers_nothing_may_be_said_in_every_class(language: str, text: str) -> None:
    assert offers_in(text, language) == ()
    assert class_of_text([text, text], language) is MessageClass.SAFETY


def test_an_offer_is_seen_in_a_letter_of_another_language() -> None:
    for language in LANGUAGES:
        for _, text in pairs(OFFERS):
            # What is a gift in English is poison in German.
            assert offers_in(text, language) or (language == "de" and "gift" in text.lower())


@pytest.mark.parametrize(
    "text",
    ["20\u00a0%\u202foff", "20%\noff", "vou\u00adcher", "VOU\u200bCHER", "\uff56oucher", "20 \uff05 off",
     "gra\u0301tis", "gift\u2011card"],
)  # fmt: skip
def test_no_disguise_helps(text: str) -> None:
    assert offers_in(text)


def test_a_figure_and_a_price_must_share_a_sentence() -> None:
    assert offers_in("We cut our prices, some of them by 10 %.")
    assert not offers_in("We keep our prices. Of all parcels, 10 % come later.")
    assert not offers_in("10 % of parcels\n\nThe price stays")


def test_the_words_are_told_each_once_in_their_order() -> None:
    assert offers_in("Your GIFT: a voucher. A gift!") == ("gift", "voucher")


@pytest.mark.parametrize(
    ("html", "seen"),
    [
        ("<p>a <b>vou</b>cher</p>", "a voucher"),
        ("<p>20 %</p><p>off</p>", "20 % off"),
        ("<p>20&nbsp;%<br>off</p>", "20 % off"),
        ('<img alt="20 % off" src="x">', "20 % off"),
        ('<a title="a gift" href="https://example.org/sale">here</a>', "a gift here"),
        ("<style>p { buy: 1 }</style><script>sale()</script><!-- gift -->ok", "ok"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("<p>un<!-- x -->closed", "unclosed"),
    ],
)
def test_of_html_counts_what_a_reader_sees_or_hears(html: str, seen: str) -> None:
    assert " ".join(visible_text(html).split()) == seen


def test_two_paragraphs_are_no_sentence() -> None:
    assert not offers_in(visible_text("<p>we are 20 %</p><p>off to a good start</p>"))


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert class_of_text([text, visible_text(text)]) in {GUARDEDNESS[0], GUARDEDNESS[-1]}


def test_a_class_allows_what_is_no_more_guarded() -> None:
    assert is_allowed(MessageClass.PROMOTIONAL, MessageClass.PROMOTIONAL)
    assert is_allowed(MessageClass.CARE, MessageClass.SAFETY)
    for careful in (MessageClass.SAFETY, MessageClass.SERVICE, MessageClass.CARE):
        assert not is_allowed(careful, MessageClass.PROMOTIONAL)


def test_no_shipped_template_offers_anything() -> None:
    Templates(FileSystemLoader(TEMPLATES)).check(USES.values())


_OUTSIDE_OF_TAGS = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|(?P<space>\s)", re.DOTALL)


def gaps(file: str) -> list[int]:
    """Return the places between two words of a template, outside of every tag, that are written."""
    source = SOURCES[file]
    begin, end = 0, len(source)
    if file.endswith(".html") and "{% extends" in source:
        begin, end = source.index("{% block letter %}"), source.index("{% endblock %}")
    found = _OUTSIDE_OF_TAGS.finditer(source)
    return [m.start() for m in found if m["space"] and begin < m.start() < end]


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, str]:
    """A shipped file, and its text with an offer somewhere in it."""
    file = draw(st.sampled_from(sorted(SOURCES)))
    _, offer = draw(
        st.sampled_from(pairs(OFFERS)).filter(lambda pair: "gift" not in pair[1].lower())
    )
    at = draw(st.sampled_from(gaps(file)))
    return file, f"{SOURCES[file][:at]} {offer} {SOURCES[file][at:]}"


@given(spoiled())
def test_an_offer_anywhere_in_any_shipped_template_is_found(case: tuple[str, str]) -> None:
    file, source = case
    template, _, part = file.rpartition("/")
    # The layout is part of every letter.
    use = USES[template] if template else USES["lapse_risk"]

    found = Templates(DictLoader(SOURCES | {file: source})).faults(use)

    offending = {fault.file for fault in found if "offers something" in fault.what}
    assert (file in offending) if template else (len(offending) == len(LANGUAGES)), part
