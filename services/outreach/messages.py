"""From a template to a mail: sandboxed, escaped per part, in the customer's language, headers kept clean."""

import traceback
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import (
    BaseLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.contracts.people import MessageClass
from services.contracts.problems import ProblemKind
from services.outreach.wording import class_of_text, is_allowed, offers_in, visible_text

FALLBACK_LANGUAGE = "en"
PARTS = ("subject", "txt", "html")
_BODIES = PARTS[1:]

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
_DAY = {
    "en": "{day} {month} {year}",
    "de": "{day}. {month} {year}",
    "pt": "{day} de {month} de {year}",
}

STOP_WORDS = {
    "en": "Stop writing to me",
    "de": "Schreibt mir nicht mehr",
    "pt": "Não quero mais mensagens",
}
"""What the way to stop is called, below every message that has one."""

UNHELPFUL_WORDS = {
    "en": "This did not help me",
    "de": "Das hat mir nicht geholfen",
    "pt": "Isto não me ajudou",
}
"""What the way to say so is called, in every mail of a deployment that has pages."""

LANGUAGES = tuple(_MONTHS)
"""Languages every shipped template has."""


TELLS_A_DATE = frozenset(
    {
        ProblemKind.DELIVERY_DELAY,
        ProblemKind.HANDOVER_OVERDUE,
        ProblemKind.FIRST_SCAN_MISSING,
        ProblemKind.SCAN_STALLED,
        ProblemKind.DELIVERY_EXCEPTION,
        ProblemKind.ATTEMPT_FAILED,
        ProblemKind.PICKUP_WAITING,
        ProblemKind.REFUND_OVERDUE,
    }
)
"""Kinds of which every problem has a promised date; of the others none has."""

NAMES_AN_ORDER = TELLS_A_DATE | {ProblemKind.CONTACT_REPEATED}
"""Kinds of which every problem names an order; others may be about a cart, a question or nothing."""


class WrongTemplate(Exception):
    """A template is missing, cannot be rendered, or says what its class forbids; the message names it."""

    def __init__(self, file: str, what: str, use: str = "", line: int | None = None) -> None:
        """Remember the file in the templates' folder, the fault, its use, and the line if known."""
        super().__init__(f"template {file}{f' {use}' if use else ''}: {what}")
        self.file, self.what, self.use, self.line = file, what, use, line


@dataclass(frozen=True, slots=True)
class Use:
    """A template, and about which problems and in which class it is sent."""

    template: str
    kind: ProblemKind
    message_class: MessageClass
    asks: bool = False
    """Whether it has to hold the link of a survey."""


@dataclass(frozen=True, slots=True)
class Text:
    """One rendered message."""

    subject: str
    plain: str
    html: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What a template may speak of."""

    name: str | None
    order_id: str | None
    promised_by: datetime | None
    zone: ZoneInfo
    language: str | None
    stop_url: str | None = None
    """Where the customer stops such messages; None: this deployment has no pages."""
    unhelpful_url: str | None = None
    """Where the customer says that this did not help; None: nowhere."""
    survey_url: str | None = None
    """Where the customer answers the survey that this asks; None: it asks none."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is written on the outside of a mail."""

    sender: str
    recipient: str
    message_id: str
    problem_id: str
    step: str
    """`<playbook>/<step>`."""
    at: datetime


class Templates:
    """Renders templates named `<template>/<language>.<part>`."""

    def __init__(self, loader: BaseLoader) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            keep_trailing_newline=False,
        )

    def check(self, uses: Iterable[Use]) -> None:
        """Raise the first fault of these uses, if there is any.

        Raises:
            WrongTemplate: see `faults`.
        """
        for use in uses:
            for fault in self.faults(use):
                raise fault

    def faults(self, use: Use) -> tuple[WrongTemplate, ...]:
        """Return what is wrong with this use, in every language, with the most and the least told.

        A part is wrong that is missing, speaks of something a letter may not hold, or offers something
        although the class is none that may.
        """
        found: dict[str, WrongTemplate] = {}
        for language in LANGUAGES:
            for letter in samples(use.kind, language, asks=use.asks):
                for fault in self._faults(use, letter, language):
                    found.setdefault(str(fault), fault)
        return tuple(found.values())

    def render(self, template: str, letter: Letter) -> Text:
        """Return the message in the letter's language, or in English where there is none.

        Raises:
            WrongTemplate: a part is missing, or speaks of something a letter does not hold.
        """
        language = language_of(letter.language)
        values = _values(letter, language)
        subject = one_line(self._part(f"{template}/{language}.subject", values))
        values["subject"] = subject
        plain, html = (self._part(f"{template}/{language}.{part}", values) for part in PARTS[1:])
        if below := tuple(_ways_out(letter, language)):
            plain = "\n\n".join((plain.rstrip(), *below)) + "\n"
        return Text(subject, plain, html)

    def _faults(self, use: Use, letter: Letter, language: str) -> Iterator[WrongTemplate]:
        values = _values(letter, language)
        for part in PARTS:
            file = f"{use.template}/{language}.{part}"
            try:
                text = self._part(file, values, f"for {use.kind}")
            except WrongTemplate as error:
                yield error
                text = ""
            values.setdefault("subject", one_line(text))
            if text and part in _BODIES and letter.survey_url and letter.survey_url not in text:
                what = "asks a survey, so it has to write `{{ survey_url }}`"
                yield WrongTemplate(file, what, f"for {use.kind}")
            seen = visible_text(text) if part == "html" else text
            if not is_allowed(use.message_class, class_of_text([seen], language)):
                yield _offering(file, offers_in(seen, language), use)

    def _part(self, file: str, values: Mapping[str, object], use: str = "") -> str:
        template: Template | None = None
        try:
            template = self._environment.get_template(file)
            return template.render(values)
        except TemplateNotFound as error:
            what = "missing" if template is None else f"needs {error.name}, which is missing"
            raise WrongTemplate(file, what, use) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this template's trouble
            what = f"{type(error).__name__}: {getattr(error, 'message', error)}"
            raise WrongTemplate(file, what, use, _line_of(error, template)) from None


def language_of(tag: str | None) -> str:
    """Return the language to write in: the tag's own if there are templates in it, else English."""
    primary = (tag or "").split("-")[0].lower()
    return primary if primary in LANGUAGES else FALLBACK_LANGUAGE


def day_in_words(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """Return the calendar day of this instant where the customer lives, as their language writes it."""
    local = moment.astimezone(zone)
    month = _MONTHS[language].split()[local.month - 1]
    return _DAY[language].format(day=local.day, month=month, year=local.year)


def message_id(step_id: UUID, sender: str) -> str:
    """Return the Message-ID that this step's mail carries at every attempt, under our own domain."""
    return f"<{step_id}@{sender.rpartition('@')[2]}>"


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters, so that it cannot become a header."""
    visible = (" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    return " ".join("".join(visible).split())


def compose(text: Text, envelope: Envelope) -> EmailMessage:
    """Return the mail.

    Raises:
        ValueError: an address or a header cannot be written safely.
    """
    recipient = _address(envelope.recipient)
    mail = EmailMessage(policy=SMTP if envelope.recipient.isascii() else SMTPUTF8)
    mail["From"] = _address(envelope.sender)
    mail["To"] = recipient
    mail["Subject"] = text.subject
    mail["Date"] = format_datetime(envelope.at)
    mail["Message-ID"] = envelope.message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Care-Problem"] = envelope.problem_id
    mail["X-Care-Step"] = envelope.step
    mail.set_content(text.plain)
    mail.add_alternative(text.html, subtype="html")
    return mail


def _address(spec: str) -> Address:
    username, _, domain = spec.rpartition("@")
    try:
        # The standard library reads only ASCII as an address, and writes any.
        return Address(addr_spec=spec) if spec.isascii() else Address("", username, domain)
    except (ValueError, IndexError, MessageError) as error:
        # The standard library fails in several ways at what is no address; none may name it.
        raise ValueError(f"not an address: {type(error).__name__}") from None


def _ways_out(letter: Letter, language: str) -> Iterator[str]:
    """Yield the lines below a text by which the customer answers with a link."""
    if letter.unhelpful_url:
        yield f"{UNHELPFUL_WORDS[language]}: {letter.unhelpful_url}"
    if letter.stop_url:
        yield f"{STOP_WORDS[language]}: {letter.stop_url}"


def _offering(file: str, offers: tuple[str, ...], use: Use) -> WrongTemplate:
    words = ", ".join(f"`{words}`" for words in offers)
    what = (
        f"offers something ({words}), which message_class {use.message_class} may not: say it "
        f"without, or make it {MessageClass.PROMOTIONAL}"
    )
    return WrongTemplate(file, what, f"for {use.kind}")


def _line_of(error: Exception, template: Template | None) -> int | None:
    """Return the line of the template at which it went wrong, or None where that lies elsewhere."""
    if template is None:
        return error.lineno if isinstance(error, TemplateSyntaxError) else None
    # Jinja puts the template's own lines into the traceback.
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == template.filename]
    return lines[-1] if lines else None


_SAMPLE_SURVEY = "https://care.example.com/survey/..."


class _Absent(StrictUndefined):
    """What a letter does not hold: a template may ask for it, and fails where it writes it."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


def _absent(name: str) -> _Absent:
    return _Absent(
        f"{name} is not told of every problem: ask for it with an `if` around", name=name
    )


_NO_SURVEY = _Absent(
    "survey_url is only there where the playbook's step says `survey`", name="survey_url"
)


def samples(kind: ProblemKind, language: str, *, asks: bool = False) -> tuple[Letter, Letter]:
    """Return the letter that holds most and the one that holds least of what this kind tells."""
    date = datetime.fromisoformat("2026-01-31T12:00:00+00:00") if kind in TELLS_A_DATE else None
    full = Letter("Ada", "A-1042", date, ZoneInfo("UTC"), language)
    full = replace(full, survey_url=_SAMPLE_SURVEY if asks else None)
    order_id = full.order_id if kind in NAMES_AN_ORDER else None
    return full, replace(full, name=None, order_id=order_id)


def _values(letter: Letter, language: str) -> dict[str, object]:
    order_id, promised_by = letter.order_id, letter.promised_by
    return {
        "language": language,
        "stop_url": letter.stop_url,
        "stop_words": STOP_WORDS[language],
        "survey_url": letter.survey_url or _NO_SURVEY,
        "unhelpful_url": letter.unhelpful_url,
        "unhelpful_words": UNHELPFUL_WORDS[language],
        "name": one_line(letter.name) if letter.name else None,
        "order_id": one_line(order_id) if order_id else _absent("order_id"),
        "promised_on": day_in_words(promised_by, letter.zone, language)
        if promised_by
        else _absent("promised_on"),
    }
