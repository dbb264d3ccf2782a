"""A provider's keys: kept while it is away, asked for seldom, believed not for ever."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from joserfc.jwk import OctKey

from services.ingest.access import signing_keys
from services.ingest.access.callers import Denied, Reason
from services.ingest.access.signing_keys import NotFetched, SigningKeys, keys_in
from tests.support.identity_provider import signing_key

FIRST, SECOND = signing_key("k-1"), signing_key("k-2")


def document(*keys: Any) -> bytes:
    told = [key if isinstance(key, dict) else key.as_dict(private=False) for key in keys]
    return json.dumps({"keys": told}).encode()


class World:
    """A clock and a provider."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.answer: bytes | None = document(FIRST)
        self.asked = 0
        self.keys = SigningKeys(self.fetch, lambda: self.at)

    async def fetch(self) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if self.answer is None:
            raise NotFetched("away")
        return self.answer

    async def find(self, key_id: str) -> Reason | None:
        try:
            await self.keys.find(key_id)
        except Denied as error:
            return error.reason
        finally:
            await asyncio.sleep(0.001)
        return None


def played(play: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World()
        await play(world)
        await world.keys.close()

    asyncio.run(run())


def test_many_at_once_ask_once() -> None:
    async def play(world: World) -> None:
        assert await asyncio.gather(*(world.find("k-1") for _ in range(20))) == [None] * 20
        assert world.asked == 1

    played(play)


def test_an_unknown_key_is_asked_for_once_a_minute() -> None:
    async def play(world: World) -> None:
        await world.keys.begin()
        for _ in range(10):
            assert await world.find("k-2") is Reason.UNKNOWN
        assert world.asked == 1
        world.at += signing_keys.LEAST_PAUSE_SECONDS
        assert await world.find("k-3") is Reason.UNKNOWN
        assert world.asked == 2
        world.answer = document(FIRST, SECOND)
        assert await world.find("k-2") is Reason.UNKNOWN
        world.at += signing_keys.LEAST_PAUSE_SECONDS
        assert await world.find("k-2") is None
        assert world.asked == 3

    played(play)


def test_known_keys_go_on_while_the_provider_is_away_but_not_for_ever() -> None:
    async def play(world: World) -> None:
        assert await world.find("k-1") is None
        world.answer = None
        world.at += signing_keys.FRESH_SECONDS + 1
        assert await world.find("k-1") is None
        assert world.asked == 2, "asked in the background"
        assert await world.find("k-2") is Reason.UNKNOWN
        world.at += signing_keys.USABLE_SECONDS
        assert await world.find("k-1") is Reason.ISSUER_AWAY
        world.answer = document(FIRST)
        world.at += signing_keys.LEAST_PAUSE_SECONDS
        assert await world.find("k-1") is None

    played(play)


def test_a_key_that_the_provider_has_taken_back_opens_nothing_once_that_is_known() -> None:
    async def play(world: World) -> None:
        assert await world.find("k-1") is None
        world.answer = document(SECOND)
        world.at += signing_keys.FRESH_SECONDS + 1
        assert await world.find("k-1") is None
        assert await world.find("k-1") is Reason.UNKNOWN
        assert await world.find("k-2") is None

    played(play)


def test_where_nothing_is_known_it_is_asked_again_soon_and_nobody_is_called_wrong() -> None:
    async def play(world: World) -> None:
        world.answer = None
        assert await world.find("k-1") is Reason.ISSUER_AWAY
        assert await world.find("k-1") is Reason.ISSUER_AWAY
        assert world.asked == 1
        world.at += signing_keys.FIRST_PAUSE_SECONDS
        world.answer = document(FIRST)
        assert await world.find("k-1") is None

    played(play)


def test_what_is_not_understood_is_passed_over() -> None:
    secret = OctKey.generate_key(256, {"kid": "k-9"}).as_dict(private=True)
    odd = [{"kty": "PQ", "kid": "x"}, {"kid": "y"}, 5, {"kty": "RSA", "kid": "z", "n": "!"}, secret]
    nameless = {k: v for k, v in SECOND.as_dict(private=False).items() if k != "kid"}

    assert [key.kid for key in keys_in(document(*[o for o in odd if o != 5], nameless, FIRST))] == [
        "k-1"
    ]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"5", b"{}", b'{"keys": 5}', b'{"keys": []}', b"[" * 100_000, b"\xff"]
)
def test_what_is_no_document_of_keys_is_told(body: bytes) -> None:
    with pytest.raises(NotFetched):
        keys_in(body)
