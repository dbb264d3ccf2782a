"""The undisturbed runs that others are compared with, each played once and kept on disk."""

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from services.demo.figures import Report
from services.verifier.verdict import Verdict
from tests.faults.driver import Run, Watch
from tests.faults.loads import Load
from tests.faults.outcome import Played
from tests.faults.rows import Row


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)

    code: str
    report: Report
    verdict: Verdict


class CalmRuns:
    """One undisturbed run for each seed and load: one worker, state in memory."""

    def __init__(self, folder: Path, code: str, watch: Watch) -> None:
        self._folder, self._code, self._watch = folder, code, watch

    def of(self, seed: int, load: Load) -> Callable[[], Played]:
        """Return what gives this run: from disk, where the code is still the same, or played now."""
        return lambda: self._kept(seed, load) or self._play(seed, load)

    def _kept(self, seed: int, load: Load) -> Played | None:
        try:
            kept = _Kept.model_validate_json(self._file(seed, load).read_bytes())
        except (OSError, ValidationError):
            return None
        return Played(kept.report, kept.verdict) if kept.code == self._code else None

    def _play(self, seed: int, load: Load) -> Played:
        self._watch.say(f"first the undisturbed run of seed {seed}, to compare with")
        folder = self._file(seed, load).with_suffix("")
        played = Run(Row("none", "memory", seed, load), folder, self._watch).play()
        kept = _Kept(code=self._code, report=played.report, verdict=played.verdict)
        self._file(seed, load).write_text(kept.model_dump_json(), encoding="utf-8")
        return played

    def _file(self, seed: int, load: Load) -> Path:
        return self._folder / f"calm-{seed}-{load.name}.json"
