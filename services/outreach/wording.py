"""The class a message must have by its own words: whoever offers something advertises.

Pure.  What counts are the words a reader sees, in every language we write in, whatever language the
text is in: a German letter may hold an English offer.  Words are compared folded: without case, accents
and hidden characters, but with the German dots, which tell `Einkäufen` from `einkaufen`.

The lists are careful: a few harmless sentences are refused (`the return is free of charge`) rather than
one offer let through, for who is refused can word it anew, and who is written to cannot.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser

from services.contracts.people import MessageClass

GUARDEDNESS = tuple(MessageClass)
"""From the class that may do most without asking to the one that may do least."""

_SENT_FREE = (
    r"free (?:(?:standard|express|priority|next day|home|worldwide|extra|bonus|premium) )?"
    r"(?:shipping|deliver(?:y|ies)|postage|returns?|samples?|trials?|products?|items?|months?)"
)
"""Never `free to`: whoever feels free to reply is offered nothing."""
_SOME_OFFER = (
    r"(?:special|exclusive|limited|great|best|new|our|these|welcome|birthday|summer|winter) "
    r"(?:offers?|deals)|this offer|(?:special|exclusive) deal|on offer|offers? (?:ends?|valid)"
)
"""Never `we offer`, nor `how we deal with it`."""

_WORDS: Mapping[str, tuple[str, ...]] = {
    "en": (
        r"vouchers?|discount(?:s|ed|ing)?|coupons?|promo(?:s|tion|tions|tional)?|rebates?|bargains?",
        r"promo(?:tion)?codes?|codes?|sales?|gifts?|gifted|gift ?cards?|freebies?|giveaways?",
        r"upgrad(?:e|es|ed|ing)|buy(?:s|ing)?|cash ?backs?|bonus(?:es)?|rewards?|savings",
        r"save (?:up to|as much as|over|money)|shop (?:now|today|online|our)|black friday",
        _SENT_FREE,
        r"(?:shipping|delivery|postage|returns?) (?:is |are )?(?:for )?free",
        r"for free|free of charge|complimentary|on the house|half (?:off|price)",
        r"(?:reduced|special|lower|lowest|best) prices?|price (?:cut|drop|reduction)s?",
        _SOME_OFFER,
    ),
    "de": (
        r"\w*gutschein\w*|\w*rabatt\w*|(?:preis)?nachlass(?:es)?|(?:preis)?nachlässen?|\w*geschenk\w*",
        r"wir schenken|schenken wir|\w*angebot(?:e|en|es|s)?|\w*schnäppchen\w*|erm(?:ä|ae)ssig\w+",
        r"(?:sonder|aktions|spar|tiefst|vorteils|einführungs)preis(?:e|en|es)?|aktionscodes?",
        r"(?:spar|werbe|verkaufs|sonder)aktion(?:en)?|(?:aus|räumungs|schluss)verkauf\w*",
        r"reduzierte[nmrs]? (?:preis\w*|ware|artikel)|(?:versandkosten|versand|porto|kosten)frei\w*",
        r"kostenlos(?:e|er|es|en|em)?|gratis\w*|bonus\w+|prämien?|treuepunkt\w*|ersparnis(?:se)?",
        r"(?:ein)?kaufen|shoppen|upgraden|sparen sie(?! sich)|geld sparen",
        r"jetzt (?:zugreifen|zuschlagen|sichern|bestellen)|zum halben preis",
    ),
    "pt": (
        r"cup(?:om|ons|ao|oes)|descontos?|promoc(?:ao|oes)|promociona(?:l|is)|ofertas?|brindes?",
        r"vales? (?:presente|compras?|desconto|oferta)s?|gratis|gratuit[oa]s?|gratuitamente|de graca",
        r"(?:frete|portes) zero|(?:um|uns|seus?|de|cartao|cartoes) presentes?|saldos|pechinchas?",
        r"liquidac(?:ao|oes) (?:total|de verao|de inverno|de estoque|de stock)|queima de estoque",
        r"compr(?:e|em|ar|ando)|aproveite(?:m)?|economiz(?:e|em|ar)|poupe(?:m)?|recompensas?",
        r"codigos?|metade do preco|precos? (?:especia(?:l|is)|reduzidos?|baixos?)|mais barat[oa]s?",
    ),
}
"""Language → patterns of words that are an offer by themselves, folded, with a space for a hyphen."""

_CODE = (
    r"(?:pick ?up|collection|postal|post|zip|pin|qr|bar|area|country|access|door|locker|tracking"
    r"|confirmation|verification|security|error|abhol|zugangs|bestätigungs) codes?"
)
_CODIGO = (
    r"codigos? (?:posta(?:l|is)|de (?:rastreio|rastreamento|retirada|levantamento|recolha|coleta"
    r"|barras|acesso|verificacao|seguranca|confirmacao))"
)
_HARMLESS = (
    rf"feel free|(?:points?|terms|conditions|date) of sale|sales (?:team|desk|department|staff|tax)"
    rf"|{_CODE}|{_CODIGO}"
)
"""What holds such a word and offers nothing."""

_MEANS_SOMETHING_ELSE: Mapping[str, str] = {"de": r"gift(?:e|en|es|s)?"}
"""Language → foreign words of an offer that are its own, for something else: here, poison."""

_PERCENT = r"(?:%|per ?cent|prozent|por cento)"
# A refund of all of a price is no offer.
_SHARE = rf"(?<![\d.,])(?!100 ?{_PERCENT})\d+(?:[.,]\d+)? ?{_PERCENT}"
_SIGN = r"(?:r\$|us\$|[€$£])"
_CURRENCY = rf"(?:{_SIGN}|(?:eur|euros?|dollars?|pounds?|reais|usd|gbp|brl)\b)"
_AMOUNT = rf"(?:{_SIGN} ?\d[\d.,]*|\d[\d.,]* ?{_CURRENCY})"
_PRICE = (
    r"\b(?:prices?|priced|cheaper|save|saves|saving|reduced|purchases?|next order|everything"
    r"|preis\w*|günstiger|billiger|reduziert\w*|gesenkt\w*|sparen|spare|spart|einkauf\w*|warenkorb"
    r"|bestellwert|nächsten? bestellung|auf alles"
    r"|precos?|barat[oa]s?|reducao|reduzid[oa]s?|abatimento|compras?|proximo pedido|em tudo)\b"
)
_NEAR = r"[^.!?\n]{0,60}?"
"""Within one sentence, and not far away."""

_FIGURES = (
    # `off` belongs to the figure right before it; a price may stand on either side of it.
    rf"(?:\d ?{_PERCENT}|{_AMOUNT}) off\b",
    rf"{_SHARE}{_NEAR}{_PRICE}",
    rf"{_PRICE}{_NEAR}{_SHARE}",
    rf"{_AMOUNT} (?:cheaper|günstiger|billiger|sparen)\b",
    rf"\b(?:save|sparen sie|spare|poupe|economize) {_AMOUNT}",
)

_OFFER = re.compile(
    "|".join(
        [rf"\b(?:{pattern})\b" for patterns in _WORDS.values() for pattern in patterns]
        + list(_FIGURES)
    )
)
_NOTHING_OFFERED = re.compile(rf"\b(?:{_HARMLESS})\b")
_GERMAN_DOTS = "\N{COMBINING DIAERESIS}"


def class_of_text(texts: Iterable[str], language: str | None = None) -> MessageClass:
    """Return the least guarded class that these words allow.

    Any class behind it in `GUARDEDNESS` is allowed too; none before it is.

    Args:
        texts: The parts of one message as a reader sees them; of HTML, `visible_text`.
        language: The one it is written in, where that is known.
    """
    if any(offers_in(text, language) for text in texts):
        return MessageClass.PROMOTIONAL
    return GUARDEDNESS[0]


def is_allowed(declared: MessageClass, least: MessageClass) -> bool:
    """Return whether a message of this class may hold words that allow `least`."""
    return GUARDEDNESS.index(declared) >= GUARDEDNESS.index(least)


def offers_in(text: str, language: str | None = None) -> tuple[str, ...]:
    """Return the words of an offer in this text, folded, each once, in their order."""
    folded = _NOTHING_OFFERED.sub("·", _folded(text))
    if own := _MEANS_SOMETHING_ELSE.get(language or ""):
        folded = re.sub(rf"\b{own}\b", "·", folded)
    return tuple(dict.fromkeys(found.group() for found in _OFFER.finditer(folded)))


def visible_text(html: str) -> str:
    """Return what a reader of this HTML gets to see or hear, paragraphs apart."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "".join(reader.said)


def _folded(text: str) -> str:
    """Return the text for comparing: one space between words, a line per paragraph."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = (c for c in apart if not _is_decoration(c))
    whole = unicodedata.normalize("NFC", "".join(kept))
    paragraphs = re.split(r"\n\s*\n", re.sub(r"(?<=\w)[-\u2010-\u2015](?=\w)", " ", whole))
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _is_decoration(character: str) -> bool:
    """Whether it is an accent, or is not seen at all (a soft hyphen, a joiner)."""
    if character == _GERMAN_DOTS:
        return False
    return unicodedata.category(character) in {"Mn", "Cf"}


class _Reader(HTMLParser):
    """Collects what is seen: text, and the attributes that stand in for it."""

    _UNSEEN = frozenset({"script", "style", "template"})
    _INLINE = frozenset(
        {
            "a",
            "abbr",
            "b",
            "bdi",
            "bdo",
            "cite",
            "code",
            "em",
            "font",
            "i",
            "mark",
            "q",
            "s",
            "small",
        }
        | {"span", "strong", "sub", "sup", "u", "wbr"}
    )
    _SPOKEN = frozenset({"alt", "title", "aria-label", "aria-description", "placeholder", "value"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a paragraph begins, and what is said of the element."""
        self._unseen += tag in self._UNSEEN
        self._break(tag)
        for name, value in attrs:
            if name in self._SPOKEN and value:
                self.said.append(f" {value} ")

    def handle_endtag(self, tag: str) -> None:
        """Note where a paragraph ends."""
        self._unseen = max(0, self._unseen - (tag in self._UNSEEN))
        self._break(tag)

    def handle_data(self, data: str) -> None:
        """Take the text that is seen; the source's own line breaks are spaces."""
        if not self._unseen:
            self.said.append(re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if tag not in self._INLINE:
            self.said.append("\n\n" if tag != "br" else "\n")
