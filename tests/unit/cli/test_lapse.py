"""`care train` and `care evaluate` from purchases: a file, its figures, and what is no use."""

import gzip
import json
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from services.churn_predictor.scoring import read_scorecard
from services.cli.__main__ import care

FIRST = date(2030, 1, 1)
UNTIL = FIRST + timedelta(days=100)
FIGURES = ("roc_auc", "roc_auc_of_purchases", "log_loss", "calibration", "purchases")


def run(*words: object) -> Result:
    return CliRunner().invoke(care, [str(word) for word in words], prog_name="care")


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 invented customers over 130 days, each with a pace of their own."""
    chance, rows = Random(4), ["customer,date,amount"]
    for customer in range(150):
        day, gap = chance.uniform(0, 30), chance.uniform(4, 60)
        while day < 130:
            rows.append(f"c-{customer},{FIRST + timedelta(days=int(day))},{chance.uniform(5, 50)}")
            day += chance.expovariate(1 / gap)
    rows.append(f"last,{FIRST + timedelta(days=129)},1")
    path = tmp_path_factory.mktemp("shop") / "purchases.csv.gz"
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path


@pytest.fixture(scope="module")
def model(bought: Path) -> Path:
    out = bought.with_name("lapse.json")
    shown = run("train", "--purchases", bought, "--until", UNTIL, "--horizon", 21, "--out", out)
    assert shown.exit_code == 0, shown.output
    return out


def test_a_model_is_written_and_evaluated(bought: Path, model: Path) -> None:
    shown = run("evaluate", "--purchases", bought, "--model", model, "--from", UNTIL, "--json")

    assert shown.exit_code == 0, shown.output
    figures = json.loads(shown.stdout)
    assert read_scorecard(model.read_bytes()).version == figures["version"]
    assert figures["cutoff"] == str(UNTIL)
    assert all(name in figures for name in FIGURES)
    assert {"correlation", "mae"} <= set(figures["purchases"])


def test_figures_are_told_in_words(bought: Path, model: Path) -> None:
    shown = run("evaluate", "--purchases", bought, "--model", model, "--from", UNTIL)

    assert shown.exit_code == 0, shown.output
    assert "roc auc of purchases" in shown.stdout
    assert "purchases correlation" in shown.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--from", UNTIL - timedelta(days=1)), "was fitted on what was known on"),
        (("--from", UNTIL + timedelta(days=20)), "but the purchases end on"),
        (("--from", UNTIL, "--until", UNTIL), "but the purchases end on"),
        (("--from", UNTIL, "--olist", "folder"), "name one of --olist, --purchases and --topics"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(
    bought: Path, model: Path, words: tuple[object, ...], complaint: str
) -> None:
    shown = run("evaluate", "--purchases", bought, "--model", model, *words)

    assert shown.exit_code == 2
    assert complaint in shown.output


def test_a_model_of_the_other_risk_is_refused(bought: Path) -> None:
    shipped = Path(__file__).parents[3] / "services/churn_predictor/models/complaint-risk.json"

    shown = run("evaluate", "--purchases", bought, "--model", shipped, "--from", UNTIL)

    assert shown.exit_code == 2
    assert "is a model of complaint risk, not of lapse risk" in shown.output


def test_what_cannot_be_learned_from_is_one_line_and_no_file(tmp_path: Path, bought: Path) -> None:
    broken, out = tmp_path / "broken.csv", tmp_path / "model.json"
    broken.write_text("customer,date,amount\na,yesterday,1\n")
    patient = tmp_path / "tolerances.json"
    patient.write_text("{}")

    for words, complaint in (
        (("--purchases", broken), "line 2: no date: 'yesterday'"),
        (("--purchases", bought, "--until", FIRST + timedelta(days=60)), "no cut-off"),
        (("--purchases", bought, "--rounds", 20), "--rounds is for complaint risk"),
        (("--purchases", bought, "--tolerances", patient), "--tolerances is for complaint risk"),
        ((), "name one of --olist, --purchases and --topics"),
        (("--olist", tmp_path), "--olist needs --until"),
    ):
        shown = run("train", *words, "--out", out)
        assert shown.exit_code == 2
        assert complaint in shown.output
        assert not out.exists()
