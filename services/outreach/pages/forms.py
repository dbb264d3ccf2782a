"""A request's form, read under its limits: what is too much is never kept."""

import asyncio
from collections.abc import Mapping

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

MAX_BYTES = 32 * 1024
"""A comment of the longest kind, each character as twelve bytes of a form, and what belongs to it."""

_MAX_FIELDS = 8


class TooLarge(Exception):
    """The body is larger than `MAX_BYTES`."""


class TooSlow(Exception):
    """The body did not arrive in time, or its sender left."""


class Malformed(Exception):
    """The body is no form of ours."""


async def read(request: Request, timeout_seconds: float) -> Mapping[str, str]:
    """Return the fields of a form, in either encoding that HTML knows; files are no fields.

    Raises:
        TooLarge: as soon as it is known, from `content-length` or from what has come.
        TooSlow: it took longer than this, or its sender left.
        Malformed: it cannot be read as a form, or has more fields than any of ours.
    """
    if _declared(request) > MAX_BYTES:
        raise TooLarge
    limited = Request(request.scope, _limited(request.receive))
    try:
        async with asyncio.timeout(timeout_seconds):
            form = await limited.form(max_files=0, max_fields=_MAX_FIELDS, max_part_size=MAX_BYTES)
    except (TimeoutError, ClientDisconnect):
        raise TooSlow from None
    except (HTTPException, ValueError):
        raise Malformed from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _limited(receive: Receive) -> Receive:
    taken = 0

    async def receive_within_limit() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BYTES:
            raise TooLarge
        return message

    return receive_within_limit


def _declared(request: Request) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0
