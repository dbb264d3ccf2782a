"""Who may import whom: it holds, and each contract fails when somebody breaks it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}

OFFENCES = {
    "topics-not-imports": ("services/metrics/fold.py", "import services.outreach.gates"),
    "contracts-stand-alone": ("services/contracts/topics.py", "import kafka"),
    "kit-knows-no-service": ("services/kit/exits.py", "import services.ingest"),
    "predictor-core-is-pure": ("services/churn_predictor/decide.py", "import time"),
    "scores-need-no-library": (
        "services/churn_predictor/features.py",
        "import services.churn_predictor.train.samples",
    ),
    "one-module-knows-interpret": (
        "services/churn_predictor/train/measures.py",
        "import services.churn_predictor.train.fitting",
    ),
    "outreach-core-is-pure": ("services/outreach/gates.py", "import sqlalchemy"),
    "metrics-core-is-pure": ("services/metrics/state.py", "import prometheus_client"),
    "ingest-core-is-pure": ("services/ingest/reading.py", "import fastapi"),
    "simulated-shop-is-pure": ("services/shop/shop.py", "import services.demo.door"),
    "recorded-shops-need-contracts-only": (
        "services/recorded/olist.py",
        "import services.churn_predictor.facts",
    ),
    "replay-core-is-pure": ("services/demo/steps.py", "import services.outreach.gates"),
    "verifier-shares-only-contracts": (
        "services/verifier/slots.py",
        "import services.churn_predictor.facts",
    ),
    "verifier-core-is-pure": ("services/verifier/promises.py", "import kafka"),
    "recount-shares-only-contracts": (
        "services/recount/count.py",
        "import services.metrics.fold",
    ),
    "why-core-is-pure": ("services/why/story.py", "import kafka"),
    "publisher-kit-core-is-pure": ("services/publisher_kit/plan.py", "import httpx"),
    "services-know-no-deployment": ("services/demo/run.py", "import deploy.grafana"),
    "services-know-no-tools": ("services/ingest/api.py", "import services.cli"),
}
"""One import that each contract forbids."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree as it is, to be broken."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path, *contracts: str) -> "subprocess.CompletedProcess[str]":
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(
        command + chosen, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def plant(folder: Path, file: str, line: str) -> None:
    path = folder / file
    path.write_text(f"{path.read_text()}\n{line}\n")


def broken(output: str) -> set[str]:
    return set(re.findall(r"^(.+?) BROKEN", output, flags=re.MULTILINE))


def test_the_tree_keeps_every_contract() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


def test_every_contract_has_an_offence_here() -> None:
    assert set(OFFENCES) == set(CONTRACTS)


@pytest.mark.parametrize("contract", OFFENCES)
def test_an_offence_breaks_its_contract(copy: Path, contract: str) -> None:
    plant(copy, *OFFENCES[contract])

    done = lint(copy, contract)

    assert done.returncode == 1
    assert broken(done.stdout) == {CONTRACTS[contract]["name"]}


def test_an_offence_through_a_third_module_breaks_it_too(copy: Path) -> None:
    (copy / "services" / "churn_predictor" / "innocent.py").write_text("import random\n")
    plant(copy, "services/churn_predictor/scoring.py", "import services.churn_predictor.innocent")

    done = lint(copy, "predictor-core-is-pure")

    assert broken(done.stdout) == {CONTRACTS["predictor-core-is-pure"]["name"]}


def test_every_folder_of_code_is_a_package() -> None:
    # import-linter passes over a folder without __init__.py, whatever it imports.
    folders = {path.parent for path in (ROOT / "services").rglob("*.py")}
    without = {folder for folder in folders if not (folder / "__init__.py").exists()}

    assert {str(folder.relative_to(ROOT)) for folder in without} <= {
        # Run by Alembic, by path.
        "services/outreach/migrations",
        "services/outreach/migrations/versions",
    }


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("from datetime import UTC, datetime\nnow = datetime.now(UTC)\n", "TID251"),
        ("import uuid\nname = uuid.uuid4()\n", "TID251"),
        ("import time\nnow = time.time()\n", "TID251"),
        ("import random\nchance = random.random()\n", "TID251"),
    ],
)
def test_clocks_ids_and_chance_cannot_be_called_in_a_core(
    tmp_path: Path, code: str, rule: str
) -> None:
    assert rule in ruff(code, "services/churn_predictor/decide.py")
    assert rule not in ruff(code, "services/kit/clock.py")


def ruff(code: str, place: str) -> str:
    command = [str(Path(sys.executable).with_name("ruff")), "check", "--no-cache"]
    command += ["--output-format", "concise", "--stdin-filename", place, "-"]
    done = subprocess.run(
        command, cwd=ROOT, input=code, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout
