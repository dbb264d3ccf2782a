"""`care verify --tolerances`: what is read from the file, and what is said where it cannot be."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import verify
from services.contracts.tolerances import Tolerances
from services.verifier.evidence import Evidence
from services.verifier.verify import Verdict


def run(path: Path) -> Result:
    words = ["--bootstrap", "127.0.0.1:9", "--tolerances", str(path)]
    return CliRunner().invoke(verify.verify, words)


def test_the_files_tolerances_are_what_is_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Any] = []

    def judge(evidence: Evidence, *, lockstep: bool, tolerances: Tolerances | None) -> Verdict:
        judged.append(tolerances)
        return Verdict()

    monkeypatch.setattr(verify, "read", lambda *_, **__: Evidence([]))
    monkeypatch.setattr(verify, "judge", judge)
    monkeypatch.setattr(verify, "layouts_of", lambda *_, **__: (12,))
    path = tmp_path / "tolerances.json"
    path.write_text('{"time_zone": "Europe/Berlin", "help_silence": "PT2H", "pickup_days": 4}')

    assert run(path).exit_code == 0
    assert judged == [
        Tolerances(time_zone="Europe/Berlin", help_silence=timedelta(hours=2), pickup_days=4)
    ]


def test_a_deployment_that_was_moved_is_not_judged_by_half_its_stories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "read", lambda *_, **__: Evidence([]))
    monkeypatch.setattr(verify, "layouts_of", lambda *_, **__: (12, 24))
    path = tmp_path / "tolerances.json"
    path.write_text("{}")

    assert "moved from 12 to 24 partitions" in str(run(path).exception)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"reply_days": 0}', ["/reply_days: Input should be greater than or equal to 1"]),
        ('{"reply_day": 1, "time_zone": "Mars"}', ["/reply_day: ", "/time_zone: "]),
        ("[]", ["holds no tolerances"]),
        ("{", ["holds no tolerances"]),
        (None, ["cannot be read: No such file or directory"]),
    ],
)
def test_a_file_that_holds_none_is_a_usage_error_that_says_what_is_wrong(
    tmp_path: Path, content: str | None, words: list[str]
) -> None:
    path = tmp_path / "tolerances.json"
    if content is not None:
        path.write_text(content)

    shown = run(path)

    assert shown.exit_code == 2
    assert all(word in shown.output for word in [*words, "tolerances.json"])
