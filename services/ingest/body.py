"""A request's body, read under its limit: what is too much is never kept."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.ingest.admission import Admission

DISCARD_BYTES = 4 * 1024 * 1024
"""Of a body that is too large this much is read and dropped, so that an honest client that writes
first and reads afterwards still hears the answer."""

DISCARD_SECONDS = 2.0


class TooLarge(Exception):
    """The body is larger than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class TooSlow(Exception):
    """The body did not arrive in time."""


class BodyReader:
    """Holds room for what it has read, until it is closed."""

    def __init__(self, request: Request, admission: Admission) -> None:
        self._request = request
        self._chunks = request.stream()
        self._admission = admission
        self._held = 0
        self._is_proven = True

    async def read(self, limit: int, timeout_seconds: float, *, is_proven: bool = True) -> bytes:
        """Return the whole body.

        Args:
            limit: Bytes it may have.
            timeout_seconds: How long it may take.
            is_proven: Whether its sender is known; if not, there is less room for it.

        Raises:
            TooLarge: as soon as it is known, from `content-length` or from what has come.
            TooSlow: it took longer than this.
            Overloaded: there is no room for more bytes at the moment.
        """
        self._is_proven = is_proven
        try:
            if self._declared() > limit:
                raise TooLarge(limit)
            async with asyncio.timeout(timeout_seconds):
                return await self._collect(limit)
        except TimeoutError:
            raise TooSlow from None

    async def discard(self) -> None:
        """Drop what is still coming, up to a limit, so that the answer is heard."""
        dropped = 0
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                async for chunk in self._chunks:
                    dropped += len(chunk)
                    if dropped > DISCARD_BYTES:
                        return
        except (TimeoutError, ClientDisconnect):
            return

    def close(self) -> None:
        """Give the room back."""
        if self._is_proven:
            self._admission.leave(0, self._held)
        else:
            self._admission.leave_unproven(self._held)
        self._held = 0

    async def _collect(self, limit: int) -> bytes:
        body = bytearray()
        async for chunk in self._chunks:
            if len(body) + len(chunk) > limit:
                raise TooLarge(limit)
            if self._is_proven:
                self._admission.enter(0, len(chunk))
            else:
                self._admission.enter_unproven(len(chunk))
            self._held += len(chunk)
            body += chunk
        return bytes(body)

    def _declared(self) -> int:
        declared = self._request.headers.get("content-length", "")
        return int(declared) if declared.isascii() and declared.isdigit() else 0
