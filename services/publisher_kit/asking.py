"""The shell of a certification: sends each check to a door, as a publisher that keeps its rules."""

from collections.abc import Callable, Iterable, Iterator
from random import Random
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt

from services.kit.clock import monotonic
from services.publisher_kit.checks import (
    NO_ANSWER,
    TURNED_AWAY,
    Answer,
    Check,
    Finding,
    Group,
    Sending,
    judge,
)

ATTEMPTS = 6
_TIMEOUT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 30.0
_FIRST_WAIT_SECONDS = 0.2
_COME_BACK = frozenset({NO_ANSWER, 429, 500, 502, 503, 504})
_PATH = "/v1/events"

Sleep = Callable[[float], None]


class Unreachable(Exception):
    """Nothing answers there; the message is one line."""


class Door:
    """One kept connection.  What has no settled answer is sent again unchanged, later."""

    def __init__(self, url: str, key: str | None, sleep: Sleep, chance: Random) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS)
        self._key = key
        self._sleep = sleep
        self._chance = chance
        self.repeated = 0

    def __enter__(self) -> Self:
        """Return the door."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._client.close()

    def ask(self, sending: Sending) -> Answer:
        """Return the answer, or that there was none in so many attempts."""
        attempts = Retrying(
            retry=retry_if_result(lambda told: told[0].status in _COME_BACK),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        answer, _ = attempts(self._once, sending)
        return answer

    def _once(self, sending: Sending) -> tuple[Answer, float]:
        """Return the answer, and how long the door wants to be left alone."""
        key = self._key if sending.key is None else sending.key
        headers = {**sending.headers, **({"authorization": f"Bearer {key}"} if key else {})}
        began = monotonic()
        try:
            response = self._client.post(_PATH, content=sending.body, headers=headers)
        except httpx.TransportError as error:
            return Answer(NO_ANSWER, because=type(error).__name__), 0.0
        answer = Answer(response.status_code, _json(response), monotonic() - began)
        return answer, _retry_after(response)

    def _wait(self, state: RetryCallState) -> float:
        # As long as it wants, and a little by chance: publishers must not come back all at once.
        self.repeated += 1
        wished: float = state.outcome.result()[1] if state.outcome else 0.0
        backoff = _FIRST_WAIT_SECONDS * 2.0**state.attempt_number
        return min(wished, _LONGEST_WAIT_SECONDS) + self._chance.uniform(0, backoff)


def ask_all(door: Door, checks: Iterable[Check]) -> Iterator[Finding]:
    """Yield how each check went; the first that is turned away for its key or scope is the last.

    Raises:
        Unreachable: nothing answers.
    """
    for check in checks:
        answer = door.ask(check.sending)
        yield judge(check, answer)
        if answer.status in TURNED_AWAY and check.group is not Group.KEY:
            return
        if answer.status == NO_ANSWER:
            raise Unreachable(answer.because)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(float(response.headers.get("retry-after", "0")), 0.0)
    except ValueError:
        return 0.0  # A date: no door of ours tells one.
