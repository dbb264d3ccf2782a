"""A trained model takes the place of another one, which is kept; nothing is ever lost or missing."""

from pathlib import Path
from typing import Any

import pytest

from services.churn_predictor.scoring import model_digest, read_scorecard
from services.churn_predictor.train.training import to_text
from services.cli.model_file import replace_model
from tests.unit.churn_predictor.stream import CARD


def model(**changes: Any) -> str:
    """A model's file with something else in it."""
    return to_text(CARD.model_copy(update=changes))


def name_of(text: str) -> str:
    version = read_scorecard(text.encode()).version
    return f"m.{version}.{model_digest(text.encode())[:12]}.json"


def test_models_of_one_version_are_all_kept(tmp_path: Path) -> None:
    """Two files under one version: what was decided with each can be made again."""
    out = tmp_path / "m.json"
    texts = [model(provenance=f"The {n}. of its version.") for n in range(3)]
    for text in (*texts, texts[0], texts[1], texts[2]):
        replace_model(out, text)

    assert out.read_text() == texts[2]
    kept = {path.name: path.read_text() for path in tmp_path.iterdir() if path != out}
    assert kept == {name_of(text): text for text in texts}


def test_there_is_a_whole_model_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at before and after every step that changes the folder."""
    out, first, second = tmp_path / "m.json", model(), model(provenance="Another one.")
    replace_model(out, first)
    seen = []

    def watched(name: str) -> None:
        real = getattr(Path, name)

        def step(self: Path, *given: Any, **named: Any) -> Any:
            seen.append(out.read_text())
            done = real(self, *given, **named)
            seen.append(out.read_text())
            return done

        monkeypatch.setattr(Path, name, step)

    for name in ("replace", "write_bytes", "rename", "unlink", "touch"):
        watched(name)
    replace_model(out, second)

    assert len(seen) == 2 * 2 * 2, "two files, each written and put into its place"
    assert set(seen) == {first, second}
    assert seen == sorted(seen, key=[first, second].index)


def test_a_copy_that_somebody_changed_is_not_overwritten(tmp_path: Path) -> None:
    out, first = tmp_path / "m.json", model()
    replace_model(out, first)
    (tmp_path / name_of(first)).write_text("notes")

    with pytest.raises(SystemExit) as left:
        replace_model(out, model(provenance="Another one."))

    assert left.value.code == 2
    assert (tmp_path / name_of(first)).read_text() == "notes"
    assert out.read_text() == first


def test_the_same_model_again_is_no_other_one(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "m.json"
    for _ in range(2):
        replace_model(out, model())

    assert [path.name for path in out.parent.iterdir()] == ["m.json"]
