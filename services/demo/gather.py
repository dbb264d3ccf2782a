"""Collects the evidence for the report: topics, ledger, the door's metrics.  No arithmetic here."""

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from services.contracts import topics
from services.contracts.metric_names import INGEST_EVENTS
from services.contracts.stream import Account
from services.contracts.topics import OUTSIDE, PERSONAL
from services.demo.figures import Recounted
from services.demo.report import Evidence
from services.demo.tally import Tally
from services.kit.topic_reader import TopicReader
from services.recount.count import Told
from services.recount.topics import read
from services.recount.verdict import compare

_CATCHING_UP_SECONDS = 30.0
_PAUSE_SECONDS = 0.5

_UNKNOWN_SENDS = "SELECT count(*) FROM sends WHERE state = 'unknown'"
_PROFILE_POSITIONS = (
    "SELECT topic, partition, next_offset, applied, duplicate, late, dead_lettered"
    " FROM source_positions WHERE topic = ANY(%s)"
)


def predictor_accounts(reader: TopicReader) -> list[Account]:
    """Return the latest account of each source partition."""
    latest: dict[str, Account] = {}
    for _, record in reader.records([topics.ACCOUNTS]):
        if record.value is not None:
            account = Account.model_validate_json(record.value)
            latest[account.key] = account
    return list(latest.values())


def ledger(database_url: str) -> tuple[int, list[Account]]:
    """Return the contacts left unknown, and outreach's accounts of profiles and consents."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(_UNKNOWN_SENDS).fetchone()
        names = [topic.name for topic in PERSONAL]
        found = connection.execute(_PROFILE_POSITIONS, (names,)).fetchall()
    fields = ("topic", "partition", "next_offset", "applied", "duplicate", "late", "dead_lettered")
    return int(row[0]) if row else 0, [
        Account(**dict(zip(fields, values, strict=True))) for values in found
    ]


def door_counts(address: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return what ingest took and what it refused for good, by topic."""
    return read_door_counts(_metrics(address))


def read_door_counts(text: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return taken and refused events by topic, from ingest's metrics in Prometheus' text format.

    What was only turned away for now is no refusal: the publisher comes back with it.
    """
    told: dict[str, dict[str, int]] = {"accepted": {}, "rejected": {}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == INGEST_EVENTS.name and sample.labels["outcome"] in told:
                told[sample.labels["outcome"]][sample.labels["topic"]] = int(sample.value)
    return told["accepted"], told["rejected"]


def recounted(told: Told, address: str) -> Recounted:
    """Return whether the metrics service says what the topics say, once it had time to read them."""
    waiting: Retrying = Retrying(
        retry=retry_if_result(lambda found: bool(found[1])),
        stop=stop_after_delay(_CATCHING_UP_SECONDS),
        wait=wait_fixed(_PAUSE_SECONDS),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else ({}, []),
    )
    counted, found = waiting(lambda: compare(_metrics(address), told))
    return Recounted(series=len(counted), differing=tuple(str(each) for each in found))


def _metrics(address: str) -> str:
    return httpx.get(f"{address}/metrics", timeout=10).raise_for_status().text


def collect(
    reader: TopicReader, *, database_url: str, ingest: str, metrics: str, mails: Tally
) -> Evidence:
    """Return all the evidence there is."""
    told = read(reader)
    unknown, profiles = ledger(database_url)
    taken, refused = door_counts(ingest)
    return Evidence(
        facts=tuple(told.events.values()),
        accepted=reader.lengths(OUTSIDE),
        accounts=(*predictor_accounts(reader), *profiles),
        taken=taken,
        refused=refused,
        mails=mails,
        unknown=unknown,
        metrics=recounted(told, metrics),
    )
