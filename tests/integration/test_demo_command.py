"""`care demo` as people start it: help without starting anything, one line for what is wrong, Ctrl-C."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from services.cli.demo import demo
from tests.support.signals import ctrl_c_works

HOME = Path(__file__).resolve().parents[2]


def test_help_shows_examples() -> None:
    result = CliRunner().invoke(demo, ["--help"])
    assert result.exit_code == 0
    assert "care demo --olist" in result.output


@pytest.mark.parametrize("step", ["1", "0m", "13h", "1 day", "-1h"])
def test_a_step_that_is_none_is_a_usage_error(step: str) -> None:
    result = CliRunner().invoke(demo, ["--step", step])
    assert result.exit_code == 2
    assert "length" in result.output or "a step lasts" in result.output


def test_a_folder_without_the_files_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo, ["--olist", str(tmp_path)])
    assert result.exit_code == 2
    (complaint,) = result.stderr.splitlines()
    assert "holds neither olist_orders_dataset.csv nor" in complaint
    assert "starting" not in result.output
    assert "Traceback" not in result.output


@pytest.mark.connected
def test_ctrl_c_ends_everything_it_started(tmp_path: Path) -> None:
    arguments = ["demo", "--customers", "30", "--days", "30"]
    code = f"import sys; sys.path.insert(0, {str(HOME)!r}); from services.cli.__main__ import main; main()"
    with ctrl_c_works():
        running = subprocess.Popen(
            [sys.executable, "-u", "-c", code, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    assert running.stdout is not None
    try:
        for line in running.stdout:
            if re.match(r"\d{4}-\d\d-\d\d", line):
                break
        started = psutil.Process(running.pid).children(recursive=True)
        assert len(started) >= 8
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        assert running.wait(60) == 130
    finally:
        running.kill()
        running.wait()
    assert "Traceback" not in rest
    _, alive = psutil.wait_procs(started, timeout=5)
    assert alive == []
