"""Running the door: listen, say where, and leave in order when told to."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Generator
from math import ceil

import uvicorn
import uvloop

from services.ingest.api import Ports, Terms, create_app
from services.ingest.headers import MAX_HEAD_BYTES, HeadLimitProtocol
from services.ingest.settings import Settings
from services.ingest.wiring import open_paused, open_ports
from services.kit import address_file, garbage, logs
from services.kit.exits import Unavailable
from services.kit.health import Verdict
from services.kit.tracing import Spans

_ANSWER_SECONDS = 3.0
_log = logs.get(__name__)


class Drain:
    """Whether the process has been told to leave."""

    def __init__(self) -> None:
        self.has_begun = False

    def verdict(self) -> Verdict:
        """Not ready once the process is leaving."""
        return Verdict(not self.has_begun, "draining" if self.has_begun else "ok")


def serve(settings: Settings, spans: Spans) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way.

    Raises:
        Unavailable: no broker, topics missing or with another partition count, address taken.
    """
    # What uvicorn would say is either said by us or could quote a request.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    garbage.look_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, spans))


async def _serve(settings: Settings, spans: Spans) -> None:
    drain = Drain()
    failures: list[Unavailable] = []

    @contextlib.asynccontextmanager
    async def ports_or_failure() -> AsyncIterator[Ports]:
        try:
            opening = open_paused if settings.paused else open_ports
            async with opening(settings, drain.verdict, spans) as ports:
                yield ports
        except Unavailable as error:
            failures.append(error)
            raise

    terms = _terms(settings)
    listening = _bind(settings.host, settings.port)
    server = _Server(_config(create_app(ports_or_failure, terms), settings), settings)
    _drain_on_signal(server, drain, settings.drain_delay_seconds)
    try:
        await server.serve(sockets=[listening])
    except SystemExit:
        # uvicorn's way to say that the lifespan did not start.
        if failures:
            raise failures[0] from None
        raise
    _log.info("drained")


def _terms(settings: Settings) -> Terms:
    if not settings.paused:
        return Terms(settings.retry_after_seconds, settings.body_timeout_seconds)
    _log.warning("paused", retry_after_seconds=settings.paused_retry_after_seconds)
    return Terms(settings.paused_retry_after_seconds, settings.body_timeout_seconds, is_paused=True)


def _config(app: object, settings: Settings) -> uvicorn.Config:
    # Whoever has sent a whole request gets its answer, even if that says `unknown`.
    patience = settings.acknowledgement_timeout_seconds + _ANSWER_SECONDS
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=HeadLimitProtocol,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing here asks who the peer is.
        proxy_headers=False,
        timeout_graceful_shutdown=ceil(patience),
    )


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to us and tells where it listens."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            _announce(sockets[0], self._settings)


def _announce(listening: socket.socket, settings: Settings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = address_file.write(settings.address_file, host, listening.getsockname()[1])
    _log.info("listening", address=address)


def _drain_on_signal(server: uvicorn.Server, drain: Drain, delay_seconds: float) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    def begin() -> None:
        drain.has_begun = True
        _log.info("draining", delay_seconds=delay_seconds)
        loop.call_later(delay_seconds, stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin)


def _bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; it is uvicorn that begins to listen, once everything is open."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Unavailable(
            f"cannot listen on {host}:{port} ({error.strerror}): set CARE_INGEST_HOST and "
            "CARE_INGEST_PORT to an address of this machine that is free"
        ) from None
    return listening
