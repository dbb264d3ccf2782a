"""The committed dashboards: what the code says, in Grafana's own model, leading where something is."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana import committed, known_metrics
from deploy.grafana.assembly import Addresses, encode, reencode
from deploy.grafana.boards import BOARDS
from deploy.grafana.expressions import read, with_stand_ins
from deploy.grafana.house_rules import expressions_of, faults, panels_of
from deploy.grafana.spec import Board
from tests.deploy.house_rules import never_taken_off
from tests.deploy.promql import selectors

ROOT = Path(__file__).parents[2]
FILES = sorted(committed.FOLDER.glob("*.json"))
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"


def content(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def links() -> list[str]:
    return [
        link["url"]
        for path in FILES
        for panel in panels_of(content(path))
        for link in panel.get("links", [])
    ]


def families() -> set[str]:
    asked = (read(e) for path in FILES for p in panels_of(content(path)) for e in expressions_of(p))
    return {known_metrics.family(name) for one in asked for name in one.metrics}


def test_what_is_committed_is_what_the_code_says() -> None:
    assert committed.drift() == []
    assert {path.stem for path in FILES} == {board.uid for board in BOARDS}


def test_a_file_that_was_edited_is_found_and_mended(tmp_path: Path) -> None:
    committed.write(tmp_path)
    (tmp_path / "care-feeds.json").write_text("{}")
    (tmp_path / "care-gone.json").write_text("{}")

    assert committed.drift(tmp_path) == ["care-feeds.json", "care-gone.json"]
    assert committed.write(tmp_path) == ["care-feeds.json", "care-gone.json"]
    assert committed.drift(tmp_path) == []
    assert committed.write(tmp_path) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_keeps_the_rules(path: Path) -> None:
    assert faults(content(path), path.stem) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafanas_model_loses_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert reencode(text) == text


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_addresses_of_ones_own_change_the_links_alone(board: Board) -> None:
    mine = Addresses(alerts="/a?n=", runbooks="https://wiki.example/", desk="https://desk.example")

    told = json.loads(encode(board, mine))

    constants = {
        one["name"]: one["query"] for one in told["templating"]["list"] if one["type"] == "constant"
    }
    assert constants == {"alerts": mine.alerts, "runbooks": mine.runbooks, "desk": mine.desk}
    assert faults(told, board.uid) == []


def test_every_desk_link_is_an_operation_that_looks() -> None:
    api = json.loads((ROOT / "services/outreach/api/openapi.json").read_text(encoding="utf-8"))
    paths = {url.removeprefix("${desk:raw}") for url in links() if url.startswith("${desk:raw}")}

    assert paths
    assert {path for path in paths if "get" not in api["paths"].get(path, {})} == set()


def test_every_alert_leads_to_a_runbook() -> None:
    prefix = "${runbooks:raw}"
    wanted = {url.removeprefix(prefix) for url in links() if url.startswith(prefix)}
    there = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")}

    assert wanted - there == set()


def test_what_may_be_withdrawn_is_shown_less_what_was() -> None:
    """Panels ask for counted and withdrawn together, or they show what is no longer true."""
    for path in FILES:
        for panel in panels_of(content(path)):
            for expr in expressions_of(panel):
                missing = list(never_taken_off(selectors(with_stand_ins(expr))))
                assert not missing, (panel["title"], missing)


def test_the_provider_serves_the_committed_folder_and_lets_nobody_edit() -> None:
    told = yaml.safe_load((PROVISIONING / "dashboards.yml").read_text(encoding="utf-8"))

    (provider,) = told["providers"]
    assert told["apiVersion"] == 1
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"].startswith("/var/lib/grafana/")


def test_the_data_source_is_a_prometheus_whose_address_is_a_setting() -> None:
    told = yaml.safe_load((PROVISIONING / "datasources.yml").read_text(encoding="utf-8"))

    (source,) = told["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "${PROMETHEUS_URL}"
    assert source["jsonData"]["timeInterval"]
