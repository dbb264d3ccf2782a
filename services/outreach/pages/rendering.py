"""From a view to an answer: one template, one language, and headers that let the page do nothing else."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Response
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from services.outreach.pages.metering import Outcome
from services.outreach.pages.texts import FaultTexts, Texts

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows, before it is put into words and bytes."""

    template: str
    outcome: Outcome
    status: int = 200
    values: Mapping[str, Any] = field(default_factory=dict)
    retry_after_seconds: int | None = None


def fault(texts: FaultTexts, outcome: Outcome, status: int, retry_after: int | None = None) -> View:
    """Return the page that says what went wrong and what to do."""
    values = {"title": texts.title, "text": texts.text, "change": None}
    return View("notice", outcome, status, values, retry_after)


class Renderer:
    """Makes answers of views.  For many threads."""

    def __init__(self, company: str | None) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
        self._environment.globals.update(company=company, style=Markup(style))  # noqa: S704 - our own
        self._headers = _headers(style)

    def response(self, view: View, texts: Texts) -> Response:
        """Return the answer, complete."""
        template = self._environment.get_template(f"{view.template}.html")
        headers = dict(self._headers)
        if view.retry_after_seconds is not None:
            headers["retry-after"] = str(view.retry_after_seconds)
        body = template.render(texts=texts, **view.values)
        return Response(body, view.status, headers, media_type="text/html")


def _headers(style: str) -> Mapping[str, str]:
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow",
        "cross-origin-resource-policy": "same-origin",
    }
