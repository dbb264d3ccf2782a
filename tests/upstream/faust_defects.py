"""Agents in Faust's own ways, run by Faust's own command; each does what Faust leaves to chance.

Every record that an agent sees becomes a line of UPSTREAM_SEEN: the agent and the record's offset.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import faust

PREFIX = os.environ["UPSTREAM_PREFIX"]
SEEN = Path(os.environ["UPSTREAM_SEEN"])
BAD_OFFSET = int(os.environ["UPSTREAM_BAD_OFFSET"])

app = faust.App(
    f"{PREFIX}defects",
    broker=f"kafka://{os.environ['UPSTREAM_BOOTSTRAP']}",
    store="memory://",
    datadir=SEEN.parent / "faust",
    topic_allow_declare=False,
    topic_disable_leader=True,
    broker_commit_interval=0.2,
    # Not ours: the two settings whose effect is shown.
    web_enabled=False,
    web_port=int(os.environ["UPSTREAM_PORT"]),
    stream_wait_empty=False,
)


class Order(faust.Record, serializer="json"):
    """What a typed topic promises to hand over."""

    number: int


def raw(name: str) -> Any:
    return app.topic(f"{PREFIX}{name}", key_serializer="raw", value_serializer="raw")


def see(name: str, event: Any) -> int:
    with SEEN.open("a", encoding="utf-8") as lines:
        lines.write(f"{name} {event.message.offset}\n")
    return int(event.message.offset)


@app.agent(raw("raised"))
async def raises_once(stream: Any) -> None:
    async for event in stream.events():
        if event.message.offset == BAD_OFFSET:
            raise ValueError("a bug")
        see("raised", event)


@app.agent(raw("manual"))
async def acknowledges_by_hand(stream: Any) -> None:
    async for event in stream.noack().events():
        if event.message.offset == BAD_OFFSET:
            raise ValueError("a bug")
        see("manual", event)
        event.ack()


@app.agent(app.topic(f"{PREFIX}typed", value_type=Order))
async def reads_typed(stream: Any) -> None:
    async for event in stream.events():
        see("typed", event)


@app.agent(raw("overtaken"), concurrency=2)
async def never_ends_the_first(stream: Any) -> None:
    async for event in stream.events():
        if see("overtaken", event) == 0:
            await asyncio.Event().wait()


@app.agent(raw("cancelled"))
async def never_ends(stream: Any) -> None:
    async for event in stream.events():
        see("cancelled", event)
        await asyncio.Event().wait()


@app.agent(raw("aborted"))
async def reads_all(stream: Any) -> None:
    async for event in stream.events():
        see("aborted", event)
