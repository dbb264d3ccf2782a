"""A certificate of the real door on a real Kafka, and what the samples leave there."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.__main__ import care
from services.contracts.people import CustomerErased
from services.contracts.topics import OUTSIDE
from services.kit.records import read_event
from tests.support.door import open_door
from tests.support.topics import Deployment

pytestmark = pytest.mark.connected


def test_the_real_door_passes_and_every_sample_s_customer_is_erased_last(
    deployment: Deployment, tmp_path: Path
) -> None:
    with open_door(deployment.environment(CARE_CLOCK="system"), tmp_path) as (service, address):
        words = ["publisher", "verify", "--url", address, "--json"]
        shown = CliRunner().invoke(care, words, prog_name="care")
        assert service.terminate() == 0

    assert shown.exit_code == 0, shown.output
    certificate = json.loads(shown.stdout)
    events = [
        read_event(topic, record.key, record.value, record.headers)
        for topic in OUTSIDE
        for record in deployment.records(topic)
    ]
    taken = {(event.source, event.id) for event in events}
    assert certificate["is_erased"]
    assert certificate["repeated"] == 0
    assert len(taken) == len(events), "a repeat is told so, and not written again"
    for customer in {event.customer_id for event in events}:
        told = [event for event in events if event.customer_id == customer]
        latest = max(told, key=lambda event: event.time)
        assert latest.type == CustomerErased.TYPE
        assert customer in certificate["customers"]
