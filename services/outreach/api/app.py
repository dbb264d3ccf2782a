"""The app of the API: its operations behind its door, and what is answered where one goes wrong."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.kit import key_file, logs
from services.kit.clock import NoTimeYet, SystemClock
from services.kit.plurals import counted
from services.outreach.api import faults, openapi, operations
from services.outreach.api.backend import Backend
from services.outreach.api.cursors import WrongCursor
from services.outreach.api.door import DOCUMENT, Door, tell
from services.outreach.api.faults import Kind, Refusal
from services.outreach.api.metering import Meter
from services.outreach.api.settings import ApiSettings

_log = logs.get(__name__)
_DOCUMENT_NAME = "show_document"
_AWAY = (OperationalError, InterfaceError, PoolTimeout, NoTimeYet)
"""What passes: the database is away or busy, or simulated time has not begun."""


def create_api(
    backend: Backend,
    settings: ApiSettings,
    registry: CollectorRegistry | None = None,
    key_clock: Callable[[], datetime] | None = None,
) -> Door:
    """Return the API.

    Args:
        backend: What its operations stand on.
        settings: Where the keys are, and how long a body may take.
        registry: Where requests are counted; None: nowhere to be seen.
        key_clock: By which keys end; None: the machine's.

    Raises:
        Unavailable: the file of keys cannot be used.
    """
    now = key_clock or SystemClock().now
    app = create_app(backend)
    return Door(
        app=app,
        keys=key_file.watched(settings.keys_file, now),
        now=now,
        meter=Meter(registry or CollectorRegistry(), _names()),
        body_timeout_seconds=settings.body_timeout_seconds,
    )


def create_app(backend: Backend | None = None) -> FastAPI:
    """Return the operations without their door; without a backend only to be described."""
    # The documentation pages load scripts from elsewhere; the document itself is enough.
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        **openapi.ABOUT,
    )
    app.state.backend = backend
    app.include_router(operations.router)
    app.add_api_route(DOCUMENT, _document, include_in_schema=False, operation_id=_DOCUMENT_NAME)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_here)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(WrongCursor, _wrong_cursor)
    app.add_exception_handler(Exception, _broken)
    for error in _AWAY:
        app.add_exception_handler(error, _away)
    return app


def _document() -> Response:
    return Response(openapi.COMMITTED.read_bytes(), media_type="application/json")


def _routes() -> list[APIRoute]:
    # The app's own list holds routers, or their routes, as FastAPI likes.
    return [route for route in operations.router.routes if isinstance(route, APIRoute)]


def _names() -> list[str]:
    return [str(route.operation_id) for route in _routes()] + [_DOCUMENT_NAME]


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    items = error.errors()
    if any(item["type"] == "json_invalid" for item in items):
        return faults.answer(Kind.NOT_JSON)
    return _with_errors(faults.errors_of(items))


def _wrong_cursor(_: Request, error: Exception) -> Response:
    assert isinstance(error, WrongCursor)
    return _with_errors(list(error.errors))


def _with_errors(errors: list[faults.Error]) -> Response:
    detail = f"{counted(len(errors), 'fault')}; nothing was done."
    return faults.answer(Kind.INVALID, detail, errors)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return faults.answer(error.kind, str(error))


def _not_here(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == 405:
        response = faults.answer(Kind.METHOD_NOT_ALLOWED)
        response.headers["allow"] = ", ".join(_allowed(request))
        return response
    # FastAPI's own 400 is a body that it could not read as JSON.
    return faults.answer(Kind.NOT_JSON if status == 400 else Kind.NOT_FOUND)


def _allowed(request: Request) -> list[str]:
    """Return every method this path takes: Starlette names those of its first route alone."""
    path = request.url.path
    found = {"GET"} if path == DOCUMENT else set[str]()
    for route in _routes():
        if route.path_regex.match(path):
            found |= route.methods or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def _broken(_: Request, error: Exception) -> Response:
    tell(error)
    return faults.answer(Kind.INTERNAL)


def _away(_: Request, error: Exception) -> Response:
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    _log.warning("api_unavailable", error=type(error).__name__, sqlstate=state)
    return faults.answer(Kind.UNAVAILABLE)
