"""The Compose file: what it names is there, what it sets is read, and nobody else can reach it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes.inspection.programs import PROGRAMS
from services.cli.simulate_shop import simulate_shop

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
FILE = yaml.safe_load((FOLDER / "compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
PROMETHEUS = yaml.safe_load(
    (FOLDER.parent / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
)
ALERTMANAGER = yaml.safe_load(
    (FOLDER.parent / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
)
RUN = {
    "ingest": ("run", "ingest"),
    "churn-predictor": ("run", "churn_predictor"),
    "outreach": ("run", "outreach"),
    "metrics": ("run", "metrics"),
    "topics": ("topics", "apply"),
    "database": ("db", "upgrade"),
}


def environment(name: str) -> dict[str, str]:
    """Return what a service is told, each variable of the caller's at its default."""
    told = SERVICES[name].get("environment", {})
    return {key: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", value) for key, value in told.items()}


@pytest.mark.parametrize("name", RUN)
def test_what_is_set_is_read_and_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, told = PROGRAMS[RUN[name]], environment(name)
    common = set(FILE["x-common"]) if program.commands else set()

    assert told.keys() - common <= program.known
    assert program.required(told) <= told.keys()
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    for part in program.parts:
        if part.is_wanted(told):
            part.settings()


def test_jobs_run_what_is_known_by_that_name() -> None:
    assert tuple(SERVICES["topics"]["command"]) == RUN["topics"]
    assert tuple(SERVICES["database"]["command"]) == RUN["database"]


def test_an_open_door_is_said_to_be_one() -> None:
    told = environment("ingest")

    assert (told["CARE_DEPLOYMENT"], told["CARE_INGEST_AUTHENTICATION"]) == ("dev", "none")


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


@pytest.mark.parametrize(("said", "is_right"), [("read_only:", True), ("readonly:", False)])
def test_it_is_what_the_specification_calls_a_compose_file(
    said: str, is_right: bool, tmp_path: Path
) -> None:
    text = (FOLDER / "compose.yml").read_text(encoding="utf-8")
    file = tmp_path / "compose.yml"
    file.write_text(text.replace("read_only:", said), encoding="utf-8")
    command = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    done = subprocess.run((*command, str(file)), capture_output=True, text=True, check=False)

    assert (done.returncode == 0) is is_right, done.stdout
    assert ("'readonly' " in done.stdout) is not is_right


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_from_elsewhere_can_be_named(name: str) -> None:
    """Each is a variable of its own, or built here on a base that is one."""
    service = SERVICES[name]
    if "build" in service:
        assert service["build"]["args"]["BASE"] == FILE["x-base"]
    else:
        assert service["image"].startswith(f"${{CARE_{name.upper()}_IMAGE:-")


def test_there_is_no_secret() -> None:
    names = {name for service in SERVICES for name in environment(service)}

    assert "secrets" not in FILE
    assert not {name for name in names if re.search("PASSWORD|SECRET|KEY|TOKEN", name)}


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_a_fixed_tag_or_are_built_here(name: str) -> None:
    named = re.fullmatch(r"\$\{CARE_\w+_IMAGE:-(.+)\}|(.+)", SERVICES[name]["image"])
    assert named
    image, _, tag = (named[1] or named[2]).partition(":")

    if image.startswith("proactive-care/"):
        assert SERVICES[name]["build"]["args"]["SERVICE"] == image.removeprefix("proactive-care/")
    else:
        assert re.match(r"v?\d+", tag)


def test_what_is_mounted_and_waited_for_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in FILE["volumes"] or (FOLDER / source).exists(), source
        for other, how in service.get("depends_on", {}).items():
            is_job = how["condition"] == "service_completed_successfully"
            assert is_job or "healthcheck" in SERVICES[other]
    build = SERVICES["topics"]["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).exists()


def test_prometheus_and_alertmanager_find_their_targets() -> None:
    scraped = {
        (name, str(found["port"]))
        for job in PROMETHEUS["scrape_configs"]
        for found in job.get("dns_sd_configs", ())
        for name in found["names"]
    }
    hosts = [
        *PROMETHEUS["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"],
        ALERTMANAGER["global"]["smtp_smarthost"],
        *(
            target
            for job in PROMETHEUS["scrape_configs"]
            for found in job.get("static_configs", ())
            for target in found["targets"]
        ),
    ]

    for name, port in scraped:
        told = environment(name)
        assert port in {value for key, value in told.items() if key.endswith("_PORT")}
    assert {host.partition(":")[0] for host in hosts} <= SERVICES.keys()


def test_the_services_may_write_to_nothing_but_a_folder_that_goes() -> None:
    for name in ("ingest", "churn-predictor", "outreach", "metrics"):
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]
        assert service["cap_drop"] == ["ALL"]


def test_the_shop_owns_the_time_and_gets_the_mails() -> None:
    """As the Makefile's SHOPPING says them to Compose."""
    makefile = (FOLDER.parents[1] / "Makefile").read_text(encoding="utf-8")
    words = SERVICES["shop"]["command"]
    options = {name for each in simulate_shop.params for name in each.opts}
    host, port = "shop", words[words.index("--mail") + 1].rpartition(":")[2]

    assert {word for word in words if word.startswith("--")} <= options
    assert f"CARE_CLOCK=ticks CARE_MAIL_HOST={host} CARE_MAIL_PORT={port}\n" in makefile
    text = (FOLDER / "compose.yml").read_text(encoding="utf-8")
    assert all(
        f"${{{name}:-" in text for name in ("CARE_CLOCK", "CARE_MAIL_HOST", "CARE_MAIL_PORT")
    )
