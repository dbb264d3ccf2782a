"""Every claimed combination renders, and nothing is wrong with it; `make deploy-check` asks all of them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.kubernetes.__main__ import main
from deploy.kubernetes.inspection import settings
from deploy.kubernetes.inspection.every import faults
from deploy.kubernetes.rendering import (
    COMPONENTS,
    FOLDER,
    NotRendered,
    choices,
    combined,
    rendered,
)
from tests.deploy.kubernetes.changes import bare

DOCS = FOLDER.parents[1] / "docs" / "deploy.md"


@pytest.mark.parametrize("choice", list(choices(1)), ids="+".join)
def test_production_is_right_with_these_components(choice: tuple[str, ...]) -> None:
    assert faults(combined("production", choice)) == []


def test_development_is_right() -> None:
    assert faults(combined("dev")) == []


def test_every_choice_is_made_once_and_all_at_once() -> None:
    assert len(list(choices())) == len(set(choices())) == 2 ** len(COMPONENTS)
    assert list(choices(1)) == [(), *((each,) for each in COMPONENTS), COMPONENTS]


def test_all_that_are_asked_for_are_inspected() -> None:
    told = CliRunner().invoke(main, ["combinations", "--most", "0"])

    assert (told.output, told.exit_code) == ("3 combinations are right\n", 0)


def test_what_cannot_be_rendered_says_why(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [nowhere.yaml]\n", encoding="utf-8")

    with pytest.raises(NotRendered, match="nowhere"):
        rendered(tmp_path)


def test_an_overlay_of_ones_own_is_inspected(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    text = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ingest}\n"
    good.write_text(text + "automountServiceAccountToken: false\n", encoding="utf-8")
    bad.write_text(text + "automountServiceAccountTokens: false\n", encoding="utf-8")

    told = CliRunner().invoke(main, ["inspect", str(bad)])

    assert told.exit_code == 1
    assert "automountServiceAccountTokens" in told.output
    # Nobody makes topics in it: it is no deployment.
    assert "topics: nobody makes them" in CliRunner().invoke(main, ["inspect", str(good)]).output


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_guide_says_what_each_component_needs(component: str) -> None:
    assert f"| `{component}` |" in DOCS.read_text(encoding="utf-8")


def test_the_guide_says_what_each_secret_holds() -> None:
    rows = [
        line.split("|") for line in DOCS.read_text(encoding="utf-8").splitlines() if "|" in line
    ]
    told = {
        (name.strip(" `"), row[2].strip(" `"))
        for row in rows
        if len(row) > 3
        for name in row[1].split(",")
    }

    with_tools = combined("production", ["tools"])
    mounted = {
        volume["secret"]["secretName"]
        for each in with_tools.ours()
        for volume in each.pod["volumes"]
        if "secret" in volume
    }

    assert settings.secrets(with_tools, lambda _: True) <= told
    assert mounted <= {name for name, _ in told}


def test_the_development_overlay_holds_no_secret() -> None:
    manifests = combined("dev")

    assert not manifests.of("Secret")
    assert not any("secret" in each for w in manifests.workloads() for each in w.pod["volumes"])


def test_production_names_no_secret_in_an_environment() -> None:
    assert not bare().of("Secret")
    for workload in bare().ours():
        sources = [each.get("valueFrom", {}) for each in workload.container.get("env", ())]
        assert all(source.keys() <= {"fieldRef"} for source in sources)
