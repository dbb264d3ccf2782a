"""A real Prometheus for a while: found, configured, started, asked."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from deploy.grafana.live.asking import Answer, Asking, Question, Refused, read_answer
from services.demo.child import Child
from services.kit.clock import monotonic
from services.kit.exits import Unavailable
from services.local.ports import LOOPBACK, free_port

VARIABLE = "PROMETHEUS"
SCRAPE_SECONDS = 1
_READY_SECONDS = 30.0
_NEVER = "0001-01-01T00:00:00Z"
"""How Prometheus itself writes it."""
_TIMEOUT_SECONDS = 30.0


def found(environment: Mapping[str, str]) -> Path:
    """Return the program: named by PROMETHEUS, or on the PATH.

    Raises:
        Unavailable: there is none.
    """
    named = environment.get(VARIABLE) or shutil.which("prometheus")
    if not named or not os.access(named, os.X_OK):
        raise Unavailable(
            f"no Prometheus {f'at {named}' if named else 'on the PATH'}: install one "
            f"(Debian and Ubuntu: apt install prometheus), or set {VARIABLE} to its program"
        )
    return Path(named).resolve()


def configuration(targets: Mapping[str, str], rules: Sequence[Path]) -> dict[str, Any]:
    """Return Prometheus' configuration: everything once a second.

    Args:
        targets: Job → address (http://host:port).
        rules: Files of recording rules.
    """
    every = f"{SCRAPE_SECONDS}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(path.resolve()) for path in rules],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [urlsplit(address).netloc]}]}
            for job, address in targets.items()
        ],
    }


def hurried(rules: str) -> str:
    """Return a file of rules whose groups keep no interval of their own: the demo lasts minutes."""
    content = yaml.safe_load(rules) or {}
    for group in content.get("groups", []):
        group.pop("interval", None)
    return yaml.safe_dump(content, sort_keys=False)


@contextmanager
def running(
    program: Path, folder: Path, targets: Mapping[str, str], rules: Iterable[Path]
) -> Iterator["Prometheus"]:
    """Yield a Prometheus that scrapes these targets and evaluates these rules; end it afterwards.

    Raises:
        Unavailable: it does not start.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "rules").mkdir(parents=True)
    copies = [_copy(path, folder / "rules") for path in rules]
    told = folder / "prometheus.yml"
    told.write_text(yaml.safe_dump(configuration(targets, copies), sort_keys=False), "utf-8")
    address = f"{LOOPBACK}:{free_port()}"
    child = Child(_command(program, folder, address), os.environ, folder=folder, log=_log(folder))
    server = Prometheus(f"http://{address}")
    try:
        server.wait_until_ready(child)
        yield server
    finally:
        server.close()
        child.ask_to_end()
        child.wait_until_gone()


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    copy.write_text(hurried(path.read_text(encoding="utf-8")), encoding="utf-8")
    return copy


def _log(folder: Path) -> Path:
    return (folder / "prometheus.log").resolve()


def _command(program: Path, folder: Path, address: str) -> list[str]:
    return [
        str(program),
        f"--config.file={(folder / 'prometheus.yml').resolve()}",
        f"--storage.tsdb.path={(folder / 'tsdb').resolve()}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]


class Prometheus:
    """Prometheus' HTTP API."""

    def __init__(self, address: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(base_url=address, timeout=_TIMEOUT_SECONDS, transport=transport)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def wait_until_ready(self, child: Child) -> None:
        """Return when it answers; raises Unavailable where it ended, or does not in time."""
        deadline = monotonic() + _READY_SECONDS
        while not self._is_ready():
            if child.exit_code() is not None or monotonic() > deadline:
                raise Unavailable(f"Prometheus does not start: {child.last_words()}")

    def ask(self, question: Question) -> Answer:
        """Return what there is, or why it was refused."""
        try:
            if question.asking is Asking.RANGE:
                start, end, step = question.start, question.end, question.step
                told = self._get(
                    "query_range", query=question.expr, start=start, end=end, step=step
                )
            else:
                told = self._get("query", query=question.expr, time=question.end)
        except Refused as error:
            return Answer(refusal=str(error))
        return read_answer(told)

    def label_values(self, label: str, selector: str) -> list[str]:
        """Return the values of a label among the series that a selector finds."""
        values: list[str] = self._get(f"label/{label}/values", **{"match[]": selector})
        return values

    def families(self) -> frozenset[str]:
        """Return the metrics that some target exports, also those without a series."""
        return frozenset(self._get("metadata"))

    def recording_rules(self) -> list[dict[str, Any]]:
        """Return each rule: name, query, health, lastError, lastEvaluation."""
        groups = self._get("rules", type="record")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def seen_until(self) -> datetime:
        """Return the instant that every target was scraped after, and every rule evaluated.

        A target that does not answer was never scraped.
        """
        targets = self._get("targets")["activeTargets"]
        scrapes = [one["lastScrape"] if one["health"] == "up" else _NEVER for one in targets]
        looks = [rule["lastEvaluation"] for rule in self.recording_rules()]
        return min(_instant(told) for told in (*scrapes, *looks))

    def _is_ready(self) -> bool:
        try:
            return self._client.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def _get(self, path: str, **parameters: str | float) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()
        if answer["status"] != "success":
            raise Refused(answer["error"])
        return answer["data"]


def _instant(told: str) -> datetime:
    """Return an instant of Prometheus', whose fractions are finer than ours."""
    return datetime.fromisoformat(
        f"{told[:19]}+00:00" if told.endswith("Z") else told[:19] + told[-6:]
    ).astimezone(UTC)
