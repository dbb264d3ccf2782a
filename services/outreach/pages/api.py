"""The HTTP shell of the customers' pages: check the link, read the form, ask the page, answer, count it once.

A link holds all there is to know of who asks: there is no cookie, no login and no redirect.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from traceback import extract_tb
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from services.kit import logs
from services.kit.clock import NoTimeYet, monotonic
from services.outreach.knowledge import StepName
from services.outreach.pages import forms, tokens
from services.outreach.pages.languages import language_for
from services.outreach.pages.links import UNSUBSCRIBE_PATH
from services.outreach.pages.metering import NO_PAGE, Meter, Outcome
from services.outreach.pages.rate import Rate
from services.outreach.pages.rendering import Renderer, View, fault
from services.outreach.pages.secret_file import SecretFile
from services.outreach.pages.settings import PagesSettings
from services.outreach.pages.storage import Storage
from services.outreach.pages.texts import Faults, Texts, load
from services.outreach.pages.tokens import HELPFUL, PREFERENCES, SURVEY, Link, Wrong, WrongToken
from services.outreach.pages.views import (
    Ask,
    HelpfulPage,
    Page,
    PreferencesPage,
    SurveyPage,
)

_log = logs.get(__name__)
_FRAMES = 5
_RETRY_AFTER_SECONDS = 30


class _TooMany(Exception):
    def __init__(self, wait_seconds: int) -> None:
        super().__init__()
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class _Counter:
    """What every request needs."""

    settings: PagesSettings
    secrets: SecretFile
    now: Callable[[], datetime]
    rate: Rate
    meter: Meter
    renderer: Renderer
    texts: Mapping[str, Texts]

    def link(self, page: Page[Any], token: str, now: datetime) -> Link:
        """Return the link in a token that may be used at `now`."""
        purpose = page.purpose
        lifetime = self.settings.lifetime(purpose)
        link: Link = tokens.read(purpose, token, self.secrets.current(), now, lifetime)
        # By what a link stands for, not by its letters: a customer may hold many for the same thing.
        wait_seconds = self.rate.wait((purpose.name, link), monotonic())
        if wait_seconds:
            raise _TooMany(wait_seconds)
        return link

    def words(self, request: Request, link: Link | None) -> Texts:
        """Return the words of the language to answer in."""
        accept = request.headers.get("accept-language", "")
        return self.texts[language_for(link.language if link else None, accept)]

    def served(self, kind: str, view: View, started: float) -> None:
        """Count and log one answer; nothing of the address, for a link is worth what it opens."""
        self.meter.count(kind, view.outcome)
        _log.info(
            "page_served",
            page=kind,
            outcome=view.outcome.value,
            status=view.status,
            duration_seconds=round(monotonic() - started, 6),
        )


def create_pages(
    engine: Engine,
    settings: PagesSettings,
    partitions: int,
    now: Callable[[], datetime],
    registry: CollectorRegistry | None = None,
    on_not_helped: Collection[StepName] = (),
) -> FastAPI:
    """Return the app of the customers' pages.

    Args:
        engine: Of outreach's database, migrated; best one of its own, so that nobody who looks at a page
            takes a connection from what sends.
        partitions: Of every topic of this deployment.
        now: The deployment's clock; may raise `NoTimeYet`.
        registry: Where requests are counted; None: nowhere to be seen.
        on_not_helped: Steps of playbooks that are due once a message is said not to have helped.

    Raises:
        Unavailable: the file of secrets cannot be used.
    """
    storage = Storage(engine, partitions, on_not_helped)
    counter = _Counter(
        settings,
        SecretFile(settings.secrets_file),
        now,
        Rate(settings.requests_per_minute),
        Meter(registry or CollectorRegistry()),
        Renderer(settings.company),
        load(),
    )
    preferences = PreferencesPage(storage, settings.channels)
    pages: Mapping[str, Page[Any]] = {
        SURVEY.name: SurveyPage(storage),
        HELPFUL.name: HelpfulPage(storage),
        PREFERENCES.name: preferences,
        # What mail programs post to and some people open: the same page, so that neither meets an error.
        UNSUBSCRIBE_PATH: preferences,
    }
    # Nothing to explore here, and no redirect to where a slash is missing: mail programs follow none.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for path, page in pages.items():
        methods = ["GET", "HEAD", "POST"]
        app.add_api_route(f"/{path}/{{token}}", _endpoint(page, counter), methods=methods)
    app.add_exception_handler(HTTPException, _not_here(counter))
    return app


def _endpoint(page: Page[Any], counter: _Counter) -> Callable[..., Awaitable[Response]]:
    async def answer(token: str, request: Request) -> Response:
        return await _answer(request, token, page, counter)

    return answer


def _not_here(counter: _Counter) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        started, texts = monotonic(), counter.words(request, None)
        status = error.status_code if isinstance(error, HTTPException) else 404
        view = fault(texts.faults.not_found, Outcome.NOT_FOUND, status)
        response = counter.renderer.response(view, texts)
        response.headers.update(getattr(error, "headers", None) or {})
        counter.served(NO_PAGE, view, started)
        return response

    return answer


async def _answer(request: Request, token: str, page: Page[Any], counter: _Counter) -> Response:
    """Return the answer, whatever is wrong with the link, the form or the database."""
    started, link = monotonic(), None
    try:
        now = counter.now()
        link = counter.link(page, token, now)
        ask = Ask(link, counter.words(request, link), now)
        view = await _visit(request, page, ask, counter.settings.body_timeout_seconds)
        response = counter.renderer.response(view, ask.texts)
    except Exception as error:  # noqa: BLE001 - what uvicorn would print of it may quote the form
        texts = counter.words(request, link)
        view = _failed(error, texts.faults)
        response = counter.renderer.response(view, texts)
        # What is left of a body must not be taken for the next request.
        response.headers["connection"] = "close"
    counter.served(page.purpose.name, view, started)
    return response


async def _visit(
    request: Request, page: Page[Any], ask: Ask[Any], body_timeout_seconds: float
) -> View:
    if request.method != "POST":
        return await run_in_threadpool(page.show, ask, dict(request.query_params))
    form = await forms.read(request, body_timeout_seconds)
    return await run_in_threadpool(page.act, ask, form)


def _failed(error: Exception, texts: Faults) -> View:
    match error:
        case WrongToken():
            return _wrong(error.why, texts)
        case _TooMany():
            return fault(texts.too_many, Outcome.TOO_MANY, 429, error.wait_seconds)
        case forms.TooLarge():
            return fault(texts.too_large, Outcome.TOO_LARGE, 413)
        case forms.TooSlow():
            return fault(texts.too_slow, Outcome.TOO_SLOW, 408)
        case forms.Malformed():
            return fault(texts.malformed, Outcome.MALFORMED, 400)
        case OperationalError() | InterfaceError() | PoolTimeout() | NoTimeYet():
            _log.warning("page_unavailable", error=type(error).__name__)
            return fault(texts.unavailable, Outcome.UNAVAILABLE, 503, _RETRY_AFTER_SECONDS)
    # The frames and never the message: it could quote what somebody wrote.
    frames = [f"{f.filename}:{f.lineno}" for f in extract_tb(error.__traceback__)[-_FRAMES:]]
    _log.error("page_broke", error=type(error).__name__, frames=frames)
    return fault(texts.broken, Outcome.BROKEN, 500)


def _wrong(why: Wrong, texts: Faults) -> View:
    match why:
        case Wrong.EXPIRED:
            return fault(texts.expired, Outcome.EXPIRED, 410)
        case Wrong.WRONG_PURPOSE:
            return fault(texts.wrong_purpose, Outcome.WRONG_PURPOSE, 400)
        case Wrong.TAMPERED:
            return fault(texts.tampered, Outcome.TAMPERED, 400)
