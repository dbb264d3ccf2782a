"""The images for places without a registry: what the official ones are told is what these read."""

import re
from pathlib import Path

import yaml

from services.local.postgres.programs import wheel
from tests.images.standins.__main__ import HERE, IMAGES, gather
from tests.images.standins.start.broker import properties

COMPOSE = yaml.safe_load(
    (Path(__file__).parents[2] / "deploy" / "compose" / "compose.yml").read_text(encoding="utf-8")
)["services"]
DOCKERFILE = (HERE / "Dockerfile").read_text(encoding="utf-8")


def test_the_brokers_variables_are_its_properties() -> None:
    told = properties({**COMPOSE["kafka"]["environment"], "HOME": "/", "CARE_PARTITIONS": "4"})

    assert "process.roles=broker,controller\n" in told
    assert "transaction.state.log.min.isr=1\n" in told
    assert len(told.splitlines()) == len(COMPOSE["kafka"]["environment"])


def test_folders_and_programs_are_where_the_compose_file_looks() -> None:
    for name in ("kafka", "postgres"):
        (volume,) = COMPOSE[name]["volumes"]
        program = COMPOSE[name]["healthcheck"]["test"][1]
        assert volume.partition(":")[2] in DOCKERFILE
        assert program in DOCKERFILE or (wheel() / "pginstall18" / "bin" / program).exists()


def test_each_part_is_a_stage_and_has_a_tag() -> None:
    assert set(re.findall(r"^FROM parts AS (\w+)$", DOCKERFILE, re.MULTILINE)) == set(IMAGES)
    assert all(re.search(r":\d", tag) for tag in IMAGES.values())


def test_what_an_image_is_made_of_is_gathered(tmp_path: Path) -> None:
    gather(tmp_path)
    copied = re.findall(r"^COPY (\S+)", DOCKERFILE, re.MULTILINE)

    assert copied
    assert all((tmp_path / name).exists() for name in copied)
    assert list((tmp_path / "libs").glob("org.apache.kafka.kafka_2.13-*.jar"))
