"""The HTTP shell: read under limits, ask `reading`, publish, answer, count and log it once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from traceback import extract_tb
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from services.contracts.topics import DEFAULT_PARTITIONS
from services.contracts.trace_context import TraceContext
from services.ingest import answers, fates, loop_lag, openapi, telling, webhooks
from services.ingest.access import refusals
from services.ingest.access.callers import Denied
from services.ingest.access.gate import Gate, Visit
from services.ingest.adapters.adapter import AdapterName, Adapters
from services.ingest.admission import Admission, Overloaded
from services.ingest.answers import Answer
from services.ingest.body import BodyReader, TooLarge, TooSlow
from services.ingest.documents import SAME_ID, ProblemKind, WebhookOutcome
from services.ingest.fates import LookTerms
from services.ingest.headers import HeadLimit
from services.ingest.looks import NoLooks
from services.ingest.media import LIMITS, Mode, UnsupportedMediaType, attributes_in, mode_of
from services.ingest.memory import Memory
from services.ingest.metering import Meter
from services.ingest.openapi_fate import FATE
from services.ingest.reading import (
    MAX_BATCH_EVENTS,
    BatchTooLong,
    Readable,
    Reading,
    Refused,
    read_batch,
    read_binary,
    read_one,
)
from services.ingest.records import Publisher
from services.ingest.repeats import Repeats
from services.ingest.webhooks import AdapterOff, Webhook
from services.kit import logs
from services.kit.clock import NoTimeYet, SystemClock, monotonic
from services.kit.health import Verdict
from services.kit.tracing import NO_SPANS, Spans

_log = logs.get(__name__)
_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Ports:
    """What the door needs of the world: Kafka and a clock outside, fakes in tests."""

    publisher: Publisher
    now: Callable[[], datetime]
    readiness: Callable[[], Verdict]
    admission: Admission
    """Room for bodies while they are read; the publisher takes room for records from it too."""
    adapters: Adapters = field(default_factory=dict)
    """Those switched on; the paths of others are not there."""
    memory: Memory = field(default_factory=lambda: Memory(100_000, 3_600))
    """Of what was published lately."""
    looks: LookTerms = field(
        default_factory=lambda: LookTerms(
            NoLooks(), SystemClock(), DEFAULT_PARTITIONS, timedelta(days=1)
        )
    )
    """How events are looked for on the topics."""
    gate: Gate = field(kw_only=True)
    """Who may publish what."""
    spans: Spans = NO_SPANS


@dataclass(frozen=True, slots=True)
class Terms:
    """What publishers are told and allowed."""

    retry_after_seconds: int = 1
    body_timeout_seconds: float = 10.0
    is_paused: bool = False
    """Whether nothing is taken, and nothing looked for, until this process is replaced."""


class _Paused(Exception):
    """Nothing is taken for now."""


@dataclass(frozen=True, slots=True)
class _Door:
    ports: Ports
    terms: Terms
    meter: Meter
    repeats: Repeats


OpenPorts = Callable[[], AbstractAsyncContextManager[Ports]]
router = APIRouter()


@router.post("/v1/events", **openapi.RECEIVE)
async def receive(request: Request) -> Response:
    """Take one event or a batch; 202 is a promise: the broker has acknowledged it."""
    door: _Door = request.state.door
    ports, around = door.ports, telling.around(request.headers)
    begun = ports.spans.begin()
    client = request.query_params.get("client") if request.scope["query_string"] else None
    with ports.gate.visit(request.headers, client) as visit:
        answer, duration = await _answered(request, door, partial(_take, visit, around))
        answer = visit.leave(answer)
        door.meter.count(answer, duration, visit)
    telling.log_request(answer, duration)
    ports.spans.end(begun, lambda: telling.span_of("/v1/events", answer, around))
    return _response(answer)


@router.get("/v1/events/{source:path}/{id:path}", **FATE)
async def fate(request: Request) -> Response:
    """Answer what became of one event."""
    door: _Door = request.state.door
    started = monotonic()
    if door.terms.is_paused:
        return _response(_come_back(ProblemKind.PAUSED, door))
    with door.ports.gate.visit(request.headers, None) as visit:
        answer, outcome = await fates.fate_of(
            request, visit, door.ports.looks, door.repeats, door.terms.retry_after_seconds
        )
        answer = visit.leave(answer)
        door.meter.count_look(answer, outcome, visit)
    _log.info("event_looked_for", **fates.log_line(answer, outcome, monotonic() - started))
    return _response(answer)


async def receive_webhook(request: Request, name: AdapterName) -> Response:
    """Take what another system tells in its own words; 200 is the same promise."""
    door: _Door = request.state.door
    begun = door.ports.spans.begin()
    answer, duration = await _answered(request, door, partial(_take_webhook, name))
    if answer.webhook is None:
        answer = replace(answer, webhook=(name, WebhookOutcome.TURNED_AWAY))
    door.meter.count(answer, duration)
    telling.log_webhook(name, answer, duration)
    door.ports.spans.end(begun, lambda: telling.span_of(f"/v1/webhooks/{name}", answer, None))
    return _response(answer)


def _route_of(name: AdapterName) -> Callable[[Request], Awaitable[Response]]:
    async def webhook(request: Request) -> Response:
        return await receive_webhook(request, name)

    return webhook


for _name in AdapterName:
    router.post(f"/v1/webhooks/{_name}", **openapi.webhook(_name))(_route_of(_name))


@router.get("/livez", **openapi.LIVE)
async def live() -> Response:
    """Answer while the loop turns."""
    return _verdict(Verdict(ok=True))


@router.get("/readyz", **openapi.READY)
async def ready(request: Request) -> Response:
    """Answer whether events should be sent here."""
    door: _Door = request.state.door
    return _verdict(door.ports.readiness())


@router.get("/metrics", **openapi.METRICS)
async def metrics(request: Request) -> Response:
    """Return the door's own metrics in Prometheus' text format."""
    door: _Door = request.state.door
    return Response(generate_latest(door.meter.registry), media_type=CONTENT_TYPE_LATEST)


def create_app(open_ports: OpenPorts, terms: Terms | None = None) -> FastAPI:
    """Return the app; its ports are opened when it starts and closed when it has drained."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with open_ports() as ports:
            files = (*ports.gate.files, *(each.secrets for each in ports.adapters.values()))
            meter = Meter(lambda: ports.admission.records, ports.gate.counted(), files)
            repeats = Repeats(ports.publisher, ports.memory, ports.admission, monotonic)
            async with loop_lag.watched(meter.loop_was_late):
                yield {"door": _Door(ports, terms or Terms(), meter, repeats)}

    # The documentation pages load scripts from elsewhere; the document itself is enough.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, **openapi.ABOUT)
    app.add_middleware(HeadLimit)
    # Straight to the function: what FastAPI does between, for a route that takes its request as it is,
    # costs a fifth of a single event's time.  The router's own describes it, and is not reached.
    app.router.routes.append(Route("/v1/events", receive, methods=["POST"]))
    app.include_router(router)
    app.add_exception_handler(HTTPException, _not_here)
    app.add_exception_handler(Exception, _broken)
    openapi.describe_events(app)
    return app


_Take = Callable[[Request, BodyReader, _Door], Awaitable[Answer]]


async def _answered(request: Request, door: _Door, take: _Take) -> tuple[Answer, float]:
    """Return the answer, and how many seconds it took; an error of ours is counted here."""
    started = monotonic()
    reader = BodyReader(request, door.ports.admission)
    try:
        answer = await _answer(request, reader, door, take)
    except Exception:
        door.meter.count_broken(monotonic() - started)
        raise
    finally:
        reader.close()
    return answer, monotonic() - started


async def _answer(request: Request, reader: BodyReader, door: _Door, take: _Take) -> Answer:
    """Return the answer, whatever is wrong with the request or with the broker."""
    try:
        if door.terms.is_paused:
            raise _Paused
        return await take(request, reader, door)
    except Denied as denied:
        answer = refusals.answer_of(denied)
    except AdapterOff:
        answer = answers.problem(ProblemKind.NOT_FOUND, "See /openapi.json.")
    except UnsupportedMediaType as error:
        answer = answers.turned_away(ProblemKind.UNSUPPORTED_MEDIA_TYPE, str(error))
    except TooLarge as error:
        answer = answers.turned_away(ProblemKind.TOO_LARGE, f"The limit is {error.limit} bytes.")
    except BatchTooLong:
        limit = f"The limit is {MAX_BATCH_EVENTS} events."
        answer = answers.turned_away(ProblemKind.TOO_LARGE, limit)
    except (TooSlow, ClientDisconnect):
        limit = f"The limit is {door.terms.body_timeout_seconds:g} seconds."
        answer = answers.turned_away(ProblemKind.TOO_SLOW, limit)
    except Overloaded:
        answer = _come_back(ProblemKind.OVERLOADED, door)
    except _Paused:
        answer = _come_back(ProblemKind.PAUSED, door)
    await reader.discard()
    # What is left of the body must not be taken for the next request.
    return replace(answer, headers={**answer.headers, "connection": "close"})


async def _take(
    visit: Visit,
    around: TraceContext | None,
    request: Request,
    reader: BodyReader,
    door: _Door,
) -> Answer:
    await visit.enter()
    headers = request.headers
    attributes = attributes_in(request.scope["headers"])
    mode = mode_of(headers.get("content-type"), headers.get("content-encoding"), attributes)
    raw = await reader.read(
        LIMITS[mode], door.terms.body_timeout_seconds, is_proven=visit.caller is not None
    )
    visit.see_body(raw)
    try:
        now = door.ports.now()
    except NoTimeYet:
        return _come_back(ProblemKind.NO_TIME_YET, door)
    found = visit.admit(_read(mode, attributes, raw, now, around))
    # From here on the records are counted by the publisher, and the body is not needed.
    reader.close()
    return await _publish(found, door)


def _read(
    mode: Mode,
    attributes: Sequence[tuple[str, str]],
    raw: bytes,
    now: datetime,
    around: TraceContext | None,
) -> Reading | list[Reading]:
    match mode:
        case Mode.BATCH:
            return read_batch(raw, now, around)
        case Mode.BINARY:
            return read_binary(attributes, raw, now, around)
        case Mode.STRUCTURED:
            return read_one(raw, now, around)


async def _publish(found: Reading | list[Reading], door: _Door) -> Answer:
    if isinstance(found, Refused):
        return answers.for_refused(found)
    readings = [found] if isinstance(found, Readable) else found
    try:
        outcomes = await door.repeats.publish([r for r in readings if isinstance(r, Readable)])
    except Overloaded:
        return _come_back(ProblemKind.OVERLOADED, door, readings)
    if isinstance(found, Readable):
        return answers.for_one(found, outcomes[0], door.terms.retry_after_seconds)
    return answers.for_batch(readings, outcomes, door.terms.retry_after_seconds)


async def _take_webhook(
    name: AdapterName, request: Request, reader: BodyReader, door: _Door
) -> Answer:
    ports, terms = door.ports, door.terms
    adapter = ports.adapters.get(name)
    if adapter is None:
        raise AdapterOff
    raw = await reader.read(webhooks.MAX_WEBHOOK_BYTES, terms.body_timeout_seconds, is_proven=False)
    try:
        now = ports.now()
    except NoTimeYet:
        return _come_back(ProblemKind.NO_TIME_YET, door)
    webhook = Webhook(adapter, dict(request.headers), raw, ports.gate.now())
    found = webhooks.read_webhook(webhook, now)
    reader.close()
    if isinstance(found, Answer):
        return found
    outcomes = await webhooks.publish(found, ports.publisher)
    return webhooks.answer_of(adapter, found, outcomes, terms.retry_after_seconds)


def _come_back(kind: ProblemKind, door: _Door, readings: Sequence[Reading] = ()) -> Answer:
    return answers.turned_away(kind, SAME_ID, readings, door.terms.retry_after_seconds)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.media_type)


def _verdict(verdict: Verdict) -> Response:
    body = {"ok": verdict.ok, "because": verdict.because}
    return Response(to_json(body), 200 if verdict.ok else 503, media_type="application/json")


async def _not_here(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    kind = ProblemKind.METHOD_NOT_ALLOWED if status == 405 else ProblemKind.NOT_FOUND
    response = _response(answers.problem(kind, "See /openapi.json."))
    response.headers.update(getattr(error, "headers", None) or {})
    return response


async def _broken(_: Request, error: Exception) -> Response:
    # The frames and never the message: it could quote what the publisher sent.
    frames = [f"{f.filename}:{f.lineno}" for f in extract_tb(error.__traceback__)[-_FRAMES:]]
    _log.error("request_broke", error=type(error).__name__, frames=frames)
    return _response(answers.problem(ProblemKind.INTERNAL, SAME_ID))
