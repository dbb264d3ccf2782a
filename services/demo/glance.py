"""A look at the metrics service while the demo runs: how many problems were opened so far."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.contracts.metric_names import PROBLEMS_OPENED
from services.kit.clock import monotonic

_FRESH_SECONDS = 1.0
_TIMEOUT_SECONDS = 1.0


class Glance:
    """Asks at most once a second; while the service does not answer, the last word stands."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=_TIMEOUT_SECONDS)
        self._asked = float("-inf")
        self._problems = 0

    def problems(self) -> int:
        """Return the problems opened so far, at most a second old."""
        if monotonic() - self._asked > _FRESH_SECONDS:
            self._asked = monotonic()
            self._problems = self._ask()
        return self._problems

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self) -> int:
        try:
            text = self._client.get("/metrics").raise_for_status().text
        except httpx.HTTPError:
            return self._problems
        return opened(text)


def opened(text: str) -> int:
    """Return the problems opened, of all kinds, from metrics in Prometheus' text format."""
    return sum(
        int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == PROBLEMS_OPENED.name
    )
