"""The least a door can do: parse the JSON, produce it with acks=all, answer.  What ingest is held against.

It trusts everybody, checks nothing, remembers nothing, counts nothing and has no limits.  Server, loop
and Kafka client are the same as ingest's.

    CARE_BARE_PORT=8080 KAFKA_BOOTSTRAP_SERVERS=localhost:9092 python -m bench.bare_door
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from kafka import KafkaProducer

from services.contracts.topics import PURCHASES
from services.kit.kafka_clients import close_producer, open_producer


def create_app(bootstrap: str, topic: str) -> FastAPI:
    """Return the app; its producer is opened when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        producer = open_producer(bootstrap)
        producer.partitions_for(topic)
        yield {"producer": producer}
        close_producer(producer, 5)

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/events", status_code=202)
    async def receive(request: Request) -> dict[str, int]:
        found = await request.json()
        events = found if isinstance(found, list) else [found]
        await asyncio.gather(*[_sent(request.state.producer, topic, event) for event in events])
        return {"accepted": len(events)}

    return app


def _sent(producer: KafkaProducer, topic: str, event: dict[str, Any]) -> "asyncio.Future[object]":
    """Return a future of this event's acknowledgement."""
    loop = asyncio.get_running_loop()
    acknowledged: asyncio.Future[object] = loop.create_future()
    sent = producer.send(
        topic, key=event["partitionkey"].encode(), value=json.dumps(event).encode()
    )
    sent.add_callback(lambda told: loop.call_soon_threadsafe(acknowledged.set_result, told))
    sent.add_errback(lambda error: loop.call_soon_threadsafe(acknowledged.set_exception, error))
    return acknowledged


def main() -> None:
    """Serve until told to leave."""
    app = create_app(
        os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        PURCHASES.physical(os.environ.get("CARE_TOPIC_PREFIX", "")),
    )
    port = int(os.environ["CARE_BARE_PORT"])
    uvicorn.run(
        app, port=port, loop="uvloop", http="h11", ws="none", access_log=False, log_config=None
    )


if __name__ == "__main__":
    main()
