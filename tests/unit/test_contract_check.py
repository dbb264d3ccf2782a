"""`make contract-check` says what is missing before it begins."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("node", "npm", "java", "javac", "curl")


def check(folder: Path) -> "subprocess.CompletedProcess[str]":
    shell = shutil.which("sh")
    assert shell is not None
    command = [shell, "deploy/contract-check/run.sh"]
    told = {**os.environ, "PATH": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False)


def plant(folder: Path, program: str, says: str) -> None:
    path = folder / program
    path.write_text(f"#!{shutil.which('sh')}\n{says}\n")
    path.chmod(0o755)


def test_everything_that_is_missing_is_named_in_one_line(tmp_path: Path) -> None:
    plant(tmp_path, "node", "echo v22.1.0")
    done = check(tmp_path)

    assert done.returncode == 75
    assert done.stderr.startswith("contract-check needs npm java javac curl: install Node.js 20")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("version", ["v18.20.4", "v9.0.0"])
def test_a_node_that_is_too_old_is_named(tmp_path: Path, version: str) -> None:
    for program in PROGRAMS:
        plant(tmp_path, program, f"echo {version}")
    sed = shutil.which("sed")
    assert sed is not None
    (tmp_path / "sed").symlink_to(sed)

    done = check(tmp_path)

    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == f"contract-check needs Node.js 20 or later, and this is {version}\n"
