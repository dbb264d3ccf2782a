"""Logging: one canonical line per message or request; JSON unless a person is looking."""

import json
import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict


def set_up(service: str, log_format: str = "auto", level: str = "info") -> None:
    """Send this process' logs to stdout; `auto` means console on a terminal, JSON otherwise."""
    as_console = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if as_console
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _named(service),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # What is bytes already goes out in one write: a line per request is a tenth of a request's time.
        logger_factory=(
            structlog.PrintLoggerFactory() if as_console else structlog.BytesLoggerFactory()
        ),
        cache_logger_on_first_use=True,
    )
    # Three lines for every attempt to connect; whoever needs the connection says it once, in words.
    logging.getLogger("kafka.net").setLevel(logging.CRITICAL)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


def _to_json(line: EventDict, **terms: Any) -> bytes:
    """Return the line as `json` writes it: people and programs look for `"event": "..."`."""
    return json.dumps(line, **terms).encode()


def _named(service: str) -> structlog.typing.Processor:
    """Return a step that names the service: a context variable would be lost in other threads."""

    def name(_: Any, __: str, line: EventDict) -> EventDict:
        return {"service": service, **line}

    return name


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger whose lines carry where they come from."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(logger_name=name)
    return logger
