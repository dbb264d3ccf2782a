"""Events through ingest's front door, in batches, until each one has its answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_base

from services.contracts.envelope import BATCH
from services.kit.exits import Unavailable
from services.shop.timeline import Publication

MAX_ITEMS = 500
MAX_BYTES = 1024 * 1024
PATIENCE_SECONDS = 120.0
_LONGEST_WAIT_SECONDS = 5.0
_LOOK_SECONDS = 5.0

_BUSY = (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS)
_TAKEN = ("accepted", "duplicate")
_AHEAD_OF_ITS_CLOCK = "too_far_ahead"


class Item(Protocol):
    """What is sent."""

    @property
    def body(self) -> bytes:
        """A structured CloudEvent, JSON."""


P = TypeVar("P", bound=Item)

Answers = Sequence[Mapping[str, Any]]
"""What ingest says about each item of a batch."""


class DoorClosed(Exception):
    """Ingest gave no answer that helps; the message is one line."""


@dataclass(frozen=True, slots=True)
class Refusal(Generic[P]):
    """One item that ingest does not take, however often it comes."""

    item: P
    why: str
    """Reason and faults, without a value of the event."""


class _TryAgain(Exception):
    def __init__(self, because: str, after_seconds: float) -> None:
        super().__init__(because)
        self.after_seconds = after_seconds


class _AsTold(wait_base):
    """Waits as long as `Retry-After` says, or a little."""

    def __call__(self, retry_state: Any) -> float:
        error = retry_state.outcome.exception()
        return min(getattr(error, "after_seconds", 0.2), _LONGEST_WAIT_SECONDS)


class Door:
    """Publishes over one kept connection; an item without a settled answer is sent again unchanged."""

    def __init__(
        self,
        address: str,
        *,
        key: str | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Remember where to publish.

        Args:
            address: Of ingest.
            key: The API key that opens it; None: it asks for none.
            patience_seconds: How long one batch may take, repeats included.
            transport: What carries the requests, in tests.
        """
        self._client = httpx.Client(
            base_url=address,
            headers={"x-api-key": key} if key else {},
            timeout=30.0,
            transport=transport,
        )
        self._patience_seconds = patience_seconds

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def publish(self, publications: Sequence[Publication]) -> None:
        """Return when every publication was accepted, or refused where it was meant to be.

        Raises:
            DoorClosed: no answer within the patience, or a refusal nobody expected.
        """
        for batch in batches(publications):
            self._settle(batch, unsettled)

    def offer(self, batch: Sequence[P]) -> list[Refusal[P]]:
        """Return what of one of `batches` was refused, when every item was accepted or refused.

        Raises:
            DoorClosed: no answer within the patience.
        """
        refused: list[Refusal[P]] = []

        def judge(batch: Sequence[P], answers: Answers) -> Iterator[P]:
            for item, answer in _paired(batch, answers):
                if answer["status"] == "unknown":
                    yield item
                elif answer["status"] not in _TAKEN:
                    refused.append(Refusal(item, _why(answer)))

        self._settle(batch, judge)
        return refused

    def _settle(
        self, batch: Sequence[P], judge: Callable[[Sequence[P], Answers], Iterator[P]]
    ) -> None:
        """Send, and send again what `judge` yields, until it yields nothing."""
        waiting = list(batch)
        attempts = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_delay(self._patience_seconds),
            wait=_AsTold(),
            reraise=True,
        )

        def attempt() -> None:
            waiting[:] = list(judge(waiting, self._send(waiting)))
            if waiting:
                raise _TryAgain(f"{len(waiting)} events were not acknowledged", 0.2)

        try:
            attempts(attempt)
        except _TryAgain as error:
            raise DoorClosed(
                f"ingest did not take the events within {self._patience_seconds:.0f} s: {error}"
            ) from error

    def _send(self, batch: Sequence[Item]) -> Answers:
        """Send once and return the answers."""
        body = b"[" + b",".join(item.body for item in batch) + b"]"
        try:
            response = self._client.post(
                "/v1/events", content=body, headers={"content-type": BATCH}
            )
        except httpx.TransportError as error:
            raise _TryAgain(f"no answer ({type(error).__name__})", 0.2) from error
        if response.status_code in _BUSY:
            raise _TryAgain(f"it answers {response.status_code}", _retry_after(response))
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise DoorClosed(
                "ingest does not know who sends the events: set CARE_INGEST_API_KEY to a key of its "
                "CARE_INGEST_API_KEYS_FILE (care keys create)"
            )
        if response.status_code not in (httpx.codes.ACCEPTED, httpx.codes.MULTI_STATUS):
            raise DoorClosed(f"ingest answers {response.status_code}: {response.text[:300]}")
        results: Answers = response.json()["results"]
        return results


def check_open(address: str) -> None:
    """Return if a door answers there.

    Raises:
        Unavailable: none does.
    """
    try:
        httpx.get(f"{address}/livez", timeout=_LOOK_SECONDS).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"ingest does not answer at {address} ({type(error).__name__}): start it, or name its "
            "address with --ingest"
        ) from error


def unsettled(batch: Sequence[Publication], answers: Answers) -> Iterator[Publication]:
    """Yield the items to send again.

    Raises:
        DoorClosed: the answer does not fit the batch, or refuses what is right, or takes what is wrong.
    """
    for item, answer in _paired(batch, answers):
        status = answer["status"]
        # The door reads the time from the ticks, and after an outage it takes a while to catch up.
        is_early = answer.get("reason") == _AHEAD_OF_ITS_CLOCK and not item.refusable
        if status == "unknown" or is_early:
            yield item
        elif (status in _TAKEN) == item.refusable:
            raise DoorClosed(f"ingest {status} {item.event_id}, which was not meant: {answer}")


def _paired(batch: Sequence[P], answers: Answers) -> Iterator[tuple[P, Mapping[str, Any]]]:
    if len(answers) != len(batch):
        raise DoorClosed(f"ingest answered {len(answers)} of {len(batch)} items")
    return zip(batch, answers, strict=True)


def _why(answer: Mapping[str, Any]) -> str:
    faults = "; ".join(f"{each['pointer'] or '/'}: {each['detail']}" for each in answer["errors"])
    return f"{answer['reason']}: {faults}"


def batches(publications: Iterable[P]) -> Iterator[list[P]]:
    """Yield them in order, in as few requests as ingest's limits allow."""
    batch: list[P] = []
    size = 0
    for item in publications:
        weight = len(item.body) + 1
        if batch and (len(batch) == MAX_ITEMS or size + weight > MAX_BYTES - 2):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += weight
    if batch:
        yield batch


def _retry_after(response: httpx.Response) -> float:
    try:
        return float(response.headers.get("retry-after", "0.2"))
    except ValueError:
        return 0.2
