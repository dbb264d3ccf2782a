"""`care simulate-shop` plays in a deployment that somebody else started: its time, its door, its mail."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.simulate_shop import simulate_shop
from services.contracts.outreach import OutreachSent
from services.demo.stage import Cast, Stage, standing
from services.kit.exits import Unavailable
from services.kit.topic_reader import TopicReader
from services.recount.topics import read

pytestmark = [pytest.mark.connected, pytest.mark.usefixtures("on_the_tests_parts")]
SHOP = ("--customers", "120", "--days", "9", "--step", "12h", "--seed", "3", "--json")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A deployment whose letter box is somebody else's: the stage's own is closed."""
    with standing(tmp_path_factory.mktemp("stage"), lambda _: None, Cast()) as found:
        found.mails.close()
        yield found


def words(stage: Stage, **changes: str) -> list[str]:
    host, port = stage.mails.address
    told = {
        "ingest": stage.services.address("ingest"),
        "mail": f"{host}:{port}",
        "bootstrap": stage.kafka_bootstrap,
        "prefix": stage.topic_prefix,
        "partitions": str(stage.partitions),
        "api-key": stage.publishing_key,
    }
    return [word for name, value in (told | changes).items() for word in (f"--{name}", value)]


def refusal(stage: Stage, **changes: str) -> str:
    shown = CliRunner().invoke(simulate_shop, [*words(stage, **changes), *SHOP])
    assert isinstance(shown.exception, Unavailable)
    return str(shown.exception)


def test_a_deployment_that_is_not_all_there_is_told_before_time_begins(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"nobody can listen on 127.0.0.1:{port}" in refusal(stage, mail=f"127.0.0.1:{port}")
    assert "ingest does not answer" in refusal(stage, ingest=f"http://127.0.0.1:{port}")
    assert "ingest does not answer" in refusal(stage, ingest="no address")
    assert "topics are missing" in refusal(stage, prefix="nobodys-")
    assert "set CARE_PARTITIONS=4" in refusal(stage, partitions="5")


def test_a_shop_plays_to_its_end_and_its_customers_hear_of_it(stage: Stage, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    shown = CliRunner().invoke(simulate_shop, [*words(stage), *SHOP, "--truth", str(truth)])

    assert shown.exit_code == 0, shown.stderr
    summary = json.loads(shown.stdout)
    assert summary["ticks"] > 10
    assert summary["mails"] == _sent(stage) > 3
    intentions = [json.loads(line) for line in truth.read_text().splitlines()]
    assert any(intention.get("messaged") for intention in intentions)
    # Time has only one direction.
    assert "time has already begun" in refusal(stage)


def _sent(stage: Stage) -> int:
    reader = TopicReader(
        stage.kafka_bootstrap, prefix=stage.topic_prefix, partitions=stage.partitions
    )
    try:
        return sum(isinstance(e.data, OutreachSent) for e in read(reader).events.values())
    finally:
        reader.close()
