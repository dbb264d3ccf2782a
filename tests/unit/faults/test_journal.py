"""The report on disk: rows that passed stay, failures are not forgotten."""

import json
from pathlib import Path

from tests.faults.journal import Journal, digest_of_code
from tests.faults.loads import FULL, QUICK
from tests.faults.outcome import Outcome
from tests.faults.rows import Row

ROW = Row("kill", "memory", 1, FULL)


def outcome(*, passed: bool, load: str = "full") -> Outcome:
    return Outcome(
        disturbance="kill", store="memory", seed=1, load=load, workers=1, passed=passed, lost=0
    )


def test_what_passed_is_finished_also_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "stream" / "report.json"
    assert not Journal(path).is_finished(ROW)

    Journal(path).add(ROW, outcome(passed=True))

    assert Journal(path).is_finished(ROW)
    (row,) = json.loads(path.read_text())["rows"]
    assert list(row)[:13] == [
        "disturbance", "store", "seed", "lost", "doubled", "wrong", "problems_missing",
        "problems_renamed", "problems_extra", "outputs_differing", "contacts_doubled",
        "recovery_seconds", "passed",
    ]  # fmt: skip


def test_what_failed_is_run_again_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    Journal(path).add(ROW, outcome(passed=False))
    assert not Journal(path).is_finished(ROW)

    Journal(path).add(ROW, outcome(passed=False))
    kept = Journal(path).add(ROW, outcome(passed=True))

    assert kept.earlier_failures == 2
    assert Journal(path).is_finished(ROW)


def test_a_quick_row_stands_for_no_full_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "report.json")
    quick = Row("kill", "memory", 1, QUICK)
    journal.add(quick, outcome(passed=True, load="quick"))

    assert journal.is_finished(quick)
    assert not journal.is_finished(ROW)


def test_an_unreadable_report_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("{")
    assert not Journal(path).is_finished(ROW)


def test_the_codes_digest_changes_with_the_code(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    module = tmp_path / "services" / "a.py"
    module.write_text("x = 1\n")
    before = digest_of_code(tmp_path, ["services"])

    module.write_text("x = 2\n")

    assert len(before) == 12
    assert digest_of_code(tmp_path, ["services"]) != before
