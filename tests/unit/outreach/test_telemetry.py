"""What a replica knows without its database is told without it."""

from prometheus_client import generate_latest

from services.contracts.people import Channel
from services.outreach.channels.breaker import Phase
from services.outreach.database import open_engine
from services.outreach.telemetry import registry_of
from tests.support.mail import free_port


def test_a_circuit_that_is_not_closed_shows_by_channel_also_without_a_database() -> None:
    engine = open_engine(f"postgresql://care@127.0.0.1:{free_port()}/care")
    circuits = {
        Channel.EMAIL: Phase.CLOSED,
        Channel.SMS: Phase.OPEN,
        Channel.WEBHOOK: Phase.HALF_OPEN,
    }

    told = generate_latest(registry_of(engine, lambda: None, lambda: circuits)).decode()

    name = "care_outreach_provider_circuit_open"
    samples = [line for line in told.splitlines() if line.startswith(name)]
    assert samples == [
        f'{name}{{channel="email"}} 0.0',
        f'{name}{{channel="sms"}} 1.0',
        f'{name}{{channel="webhook"}} 1.0',
    ]
