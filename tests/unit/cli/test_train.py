"""`care train` and `care evaluate` on a tiny invented folder of Olist files."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.churn_predictor.scoring import model_digest, read_scorecard
from services.cli.__main__ import care
from services.recorded.olist_files import PRODUCTS
from tests.support.olist import order, part, review, write

FIRST = datetime(2018, 1, 1, 12, tzinfo=UTC)
ORDERS = 300


def day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three orders a day; many items, and deliveries that come late, end badly."""
    dice = random.Random(1)
    orders, items, reviews = [], [], []
    for n in range(ORDERS):
        bought = FIRST + n * timedelta(hours=8)
        number, is_late = dice.randint(1, 3), dice.random() < 0.3
        took = timedelta(days=16 if is_late else 6)
        asked = bought + timedelta(days=14 if is_late else 7)
        is_bad = dice.random() < 0.1 + 0.2 * (number - 1) + 0.5 * is_late
        orders.append(
            order(
                n,
                order_purchase_timestamp=day(bought),
                order_approved_at=day(bought + timedelta(hours=1)),
                order_delivered_carrier_date=day(bought + timedelta(days=2)),
                order_delivered_customer_date=day(bought + took),
                order_estimated_delivery_date=day(bought + timedelta(days=11)),
            )
        )
        limit = day(bought + timedelta(days=3))
        items += [part(n, item, shipping_limit_date=limit) for item in range(1, number + 1)]
        reviews.append(review(n, 1 if is_bad else 5, day(asked), day(asked + timedelta(hours=20))))
    return write(tmp_path_factory.mktemp("olist"), orders, items, reviews)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(care, [str(word) for word in words], prog_name="care")


def trained(folder: Path, out: Path, until: str = "2018-03-15", *more: str) -> Result:
    return run("train", "--olist", folder, "--until", until, "--out", out, "--rounds", "20", *more)


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("build") / "deep" / "model.json"
    done = trained(folder, out)
    assert done.exit_code == 0, done.output
    return out


def test_a_model_is_trained_and_written(model: Path) -> None:
    card = read_scorecard(model.read_bytes())

    assert "Olist, CC BY-NC-SA 4.0: not for commercial use" in card.provenance
    assert any(sheet.tables for sheet in card.points.values())
    assert [path.name for path in model.parent.iterdir()] == ["model.json"]


def test_what_was_learned_is_told_as_json_and_progress_is_not(folder: Path, tmp_path: Path) -> None:
    done = trained(folder, tmp_path / "m.json", "2018-03-15", "--json")
    told = json.loads(done.stdout)

    assert told["orders"] > 100
    assert told["version"].startswith("2018-03-15-")
    assert "300 orders read" in done.stderr


def test_a_model_that_was_there_is_kept_under_its_version_and_digest(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.json"
    trained(folder, out, "2018-03-01")
    old = out.read_bytes()
    trained(folder, out, "2018-03-15")
    trained(folder, out, "2018-03-15")

    kept = tmp_path / f"m.{read_scorecard(old).version}.{model_digest(old)[:12]}.json"
    assert kept.read_bytes() == old
    assert {path.name for path in tmp_path.iterdir()} == {"m.json", kept.name}


def test_what_is_no_model_is_overwritten(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    out.write_text("{}")
    trained(folder, out)

    assert read_scorecard(out.read_bytes()).metrics["orders"] > 100
    assert len(list(tmp_path.iterdir())) == 1


def test_a_deployments_tolerances_say_when_an_order_is_looked_at(
    folder: Path, tmp_path: Path
) -> None:
    patient = tmp_path / "tolerances.json"
    # Of three orders in ten that come five days late, none is looked at behind its promise.
    patient.write_text('{"late_after_promise": "P20D"}')
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    trained(folder, first)
    assert trained(folder, second, "2018-03-15", "--tolerances", str(patient)).exit_code == 0

    rows = [
        read_scorecard(path.read_bytes()).metrics["after_promise.rows"] for path in (first, second)
    ]
    assert rows[0] > 0 == rows[1]


def test_an_evaluation_looks_when_the_deployment_does(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    patient = tmp_path / "tolerances.json"
    patient.write_text('{"late_after_promise": "P20D"}')
    words = ("evaluate", "--olist", folder, "--model", model, "--from", "2018-03-15", "--json")

    points = json.loads(run(*words).stdout)["calibration"]["points"]
    fewer = json.loads(run(*words, "--tolerances", patient).stdout)["calibration"]["points"]
    assert points.keys() - fewer.keys() == {"after_promise"}


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_file_that_holds_no_tolerances_is_refused(
    command: str, folder: Path, model: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "tolerances.json"
    broken.write_text('{"reply_days": 5}')
    if command == "train":
        done = trained(folder, tmp_path / "m.json", "2018-03-15", "--tolerances", str(broken))
    else:
        done = run(
            "evaluate", "--olist", folder, "--model", model, "--from", "2018-03-15",
            "--tolerances", broken,
        )  # fmt: skip

    assert "reply_days must lie below reply_late_days" in complaint(done)


EACH = {"flagged", "precision", "recall", "lead_hours_p50", "lead_hours_p10"}


def test_an_evaluation_prints_its_figures_and_no_others(folder: Path, model: Path) -> None:
    done = run("evaluate", "--olist", folder, "--model", model, "--from", "2018-03-15", "--json")
    told = json.loads(done.stdout)

    assert set(told) == {
        "roc_auc", "pr_auc", "at_10_percent", "at_threshold_0_5", "rule", "calibration",
    }  # fmt: skip
    for name in ("roc_auc", "pr_auc"):
        assert set(told[name]) == {"value", "low", "high"}
        assert 0 <= told[name]["low"] <= told[name]["value"] <= told[name]["high"] <= 1
    for name in ("at_10_percent", "at_threshold_0_5", "rule"):
        assert set(told[name]) == EACH
        shares = [told[name][key] for key in ("flagged", "precision", "recall")]
        assert all(share is None or 0 <= share <= 1 for share in shares)
    assert told["roc_auc"]["value"] > 0.6
    assert told["at_10_percent"]["flagged"] >= 0.1


def test_an_evaluation_counts_orders_by_their_day_of_purchase(folder: Path, model: Path) -> None:
    words = ("evaluate", "--olist", folder, "--model", model, "--from", "2018-03-15", "--json")

    def scored(*more: str) -> int:
        points = json.loads(run(*words, *more).stdout)["calibration"]["points"]
        count: int = points["approval"]["scores"]
        return count

    assert scored("--until", "2018-03-25") == 10 * 3
    assert scored() > 10 * 3


def test_an_evaluation_reads_well_too(folder: Path, model: Path) -> None:
    done = run("evaluate", "--olist", folder, "--model", model, "--from", "2018-03-15")

    assert done.exit_code == 0
    assert "roc_auc" in done.stdout
    assert "precision" in done.stdout


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_shows_examples(command: str) -> None:
    shown = run(command, "--help")

    assert shown.exit_code == 0
    assert "Examples:" in shown.output


def complaint(done: Result) -> str:
    assert done.exit_code == 2
    return done.stderr


def test_what_cannot_be_learned_from_is_said_in_a_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.json"

    assert "both kinds are needed" in complaint(trained(folder, out, "2018-01-02"))
    assert "is no day" in complaint(trained(folder, out, "soon"))
    assert "is not a folder" in complaint(trained(tmp_path / "nowhere", out))
    assert "--horizon is for lapse risk" in complaint(
        trained(folder, out, "2018-03-15", "--horizon", "28")
    )
    assert not out.exists()


def test_help_says_which_setting_names_which_model() -> None:
    shown = run("train", "--help").output

    assert "CARE_CHURN_PREDICTOR_MODEL" in shown
    assert "CARE_CHURN_PREDICTOR_LAPSE_MODEL" in shown


def test_training_wants_every_file(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if PRODUCTS not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())

    assert f"neither {PRODUCTS}.csv nor" in complaint(trained(tmp_path, tmp_path / "m.json"))


def test_what_cannot_be_evaluated_is_said_in_a_line(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    def evaluate(path: Path, start: str = "2018-03-15") -> str:
        return complaint(run("evaluate", "--olist", folder, "--model", path, "--from", start))

    (tmp_path / "none.json").write_text("{}")
    assert "is no model: format: Field required" in evaluate(tmp_path / "none.json")
    assert "cannot read" in evaluate(tmp_path / "nothing.json")
    assert "ended well and orders that ended badly" in evaluate(model, "2019-01-01")
    assert "was fitted on what was known on 2018-03-15" in evaluate(model, "2018-03-14")
