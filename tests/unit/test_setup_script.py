"""The setup script takes the first Python that fits, or says what to type before any download."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "setup" / "environment.sh"
TOOLS = ("sh", "dirname", "id", "rm", "mkdir", "cp", "cat", "chmod")

FITTING = "CPython venv other Linux-x86_64 headers"

# Answers the probe, notes every call, and makes an "environment" that does the same.
FAKE = """#!/bin/sh
printf '%s %s\\n' "{name}" "$(printf '%s' "$*" | tr '\\n' ' ' | cut -c1-60)" >> "{log}"
{broken}
case "$1 $2" in
    "-c "*python_version*) echo 3.x ;;
    "-c "*) echo "{answer}" ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
esac
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A PATH of our own: the shell's tools and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in (*TOOLS, "tr", "cut"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "calls"
    path.touch()
    return path


@pytest.fixture
def python(bin_folder: Path, log: Path) -> Callable[..., Path]:
    """Makes a Python that tells this of itself."""

    def make(name: str, version: str, rest: str = FITTING, *, broken: bool = False) -> Path:
        path = bin_folder / name
        answer = f"{version} {rest}"
        stop = "exit 127" if broken else ""
        path.write_text(FAKE.format(name=name, log=log, answer=answer, broken=stop))
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def run(bin_folder: Path, tmp_path: Path) -> Run:
    def call(**variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", str(SCRIPT), str(tmp_path / "a place" / ".venv")],
            env={"PATH": str(bin_folder)} | variables,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return call


def package_manager(bin_folder: Path, name: str) -> None:
    path = bin_folder / name
    path.write_text("#!/bin/sh\nexit 99\n")
    path.chmod(0o755)


def downloads(log: Path) -> list[str]:
    return [
        line for line in log.read_text().splitlines() if "pip" in line or "venv" in line.split()[:3]
    ]


def sudo() -> str:
    return "" if os.geteuid() == 0 else "sudo "


def test_it_makes_the_environment_and_installs_from_the_lock(
    python: Callable[..., Path], run: Run, log: Path, tmp_path: Path
) -> None:
    python("python3.13", "3.13")
    done = run()

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a place" / ".venv" / "bin" / "python").exists()
    installs = [line for line in log.read_text().splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "Making" in done.stdout
    assert "Ready" in done.stdout


def test_an_environment_that_fits_is_kept(python: Callable[..., Path], run: Run) -> None:
    python("python3.13", "3.13")
    run()

    assert "Making" not in run().stdout


def test_another_python_that_was_named_makes_it_anew(python: Callable[..., Path], run: Run) -> None:
    python("python3.13", "3.13")
    run()
    other = python("python3.12", "3.12")

    assert "with " + str(other) in run(PYTHON=str(other)).stdout


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3.13": "3.13", "python3.12": "3.12"}, "python3.13"),
        ({"python3.11": "3.11", "python3.14": "3.14"}, "python3.14"),
        ({"python3.12": "3.12", "python3.14": "3.14"}, "python3.12"),
        ({"python3": "3.12"}, "python3"),
    ],
)
def test_the_first_that_fits_is_taken(
    python: Callable[..., Path], run: Run, there: dict[str, str], taken: str
) -> None:
    for name, version in there.items():
        python(name, version)

    assert f"with {taken} (" in run().stdout


def test_the_named_one_comes_first(python: Callable[..., Path], run: Run) -> None:
    python("python3.13", "3.13")
    named = python("mine", "3.11")

    assert f"with {named} (Python 3.11)" in run(PYTHON=str(named)).stdout


def test_one_that_does_not_run_is_passed_over(python: Callable[..., Path], run: Run) -> None:
    python("python3.13", "3.13", broken=True)
    python("python3", "3.11")

    assert "with python3 (Python 3.11)" in run().stdout


@pytest.mark.parametrize("version", ["3.10", "3.9", "3.15", "2.7"])
def test_a_version_that_does_not_fit_is_refused_before_any_download(
    python: Callable[..., Path], run: Run, log: Path, bin_folder: Path, version: str
) -> None:
    python("python3", version)
    package_manager(bin_folder, "apt-get")
    done = run()

    assert done.returncode == 1
    assert f"python3 is Python {version}; Python 3.11 to 3.14 is needed. Type:" in done.stderr
    assert f"    {sudo()}apt-get install -y python3.13 python3.13-venv\n" in done.stderr
    assert downloads(log) == []


def test_a_named_one_that_does_not_fit_stops_though_another_would(
    python: Callable[..., Path], run: Run, log: Path
) -> None:
    python("python3.13", "3.13")
    named = python("old", "3.8")
    done = run(PYTHON=str(named))

    assert done.returncode == 1
    assert f"{named} is Python 3.8" in done.stderr
    assert downloads(log) == []


def test_a_named_one_that_does_not_run_stops(run: Run, python: Callable[..., Path]) -> None:
    python("python3.13", "3.13")
    done = run(PYTHON="/no/such/python")

    assert done.returncode == 1
    assert done.stderr.startswith("PYTHON=/no/such/python does not run.")


def test_without_venv_the_package_that_brings_it_is_named(
    python: Callable[..., Path], run: Run, log: Path, bin_folder: Path
) -> None:
    python("python3", "3.9")
    python("python3.11", "3.11", "CPython no-venv other Linux-x86_64 headers")
    package_manager(bin_folder, "apt-get")
    done = run()

    assert done.returncode == 1
    assert "python3.11 (Python 3.11) lacks venv or ensurepip. Type:" in done.stderr
    assert f"    {sudo()}apt-get install -y python3.11-venv\n" in done.stderr
    assert downloads(log) == []


def test_another_that_has_venv_is_taken_instead(python: Callable[..., Path], run: Run) -> None:
    python("python3.13", "3.13", "CPython no-venv other Linux-x86_64 headers")
    python("python3.11", "3.11")

    assert "with python3.11 (" in run().stdout


def test_another_implementation_is_refused(python: Callable[..., Path], run: Run) -> None:
    python("python3", "3.11", "PyPy venv other Linux-x86_64 headers")
    done = run()

    assert done.returncode == 1
    assert "python3 is not CPython" in done.stderr


def test_musl_is_refused_with_a_system_that_works(
    python: Callable[..., Path], run: Run, log: Path
) -> None:
    python("python3", "3.12", "CPython venv musl Linux-x86_64 headers")
    done = run()

    assert done.returncode == 1
    assert "musl" in done.stderr
    assert "    docker run --rm -it" in done.stderr
    assert downloads(log) == []


@pytest.mark.parametrize("headers", ["headers", "no-headers"])
def test_arm64_linux_without_a_compiler_or_headers_is_refused(
    python: Callable[..., Path], run: Run, log: Path, bin_folder: Path, headers: str
) -> None:
    python("python3", "3.12", f"CPython venv other Linux-aarch64 {headers}")
    package_manager(bin_folder, "apt-get")
    if headers == "no-headers":
        package_manager(bin_folder, "cc")
    done = run()

    assert done.returncode == 1
    assert f"    {sudo()}apt-get install -y gcc python3.12-dev\n" in done.stderr
    assert downloads(log) == []


def test_arm64_linux_with_both_is_set_up(
    python: Callable[..., Path], run: Run, bin_folder: Path
) -> None:
    python("python3", "3.12", "CPython venv other Linux-aarch64 headers")
    package_manager(bin_folder, "cc")

    assert run().returncode == 0


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("dnf", "dnf install -y python3.13"),
        ("brew", "brew install python@3.13"),
        ("uv", "uv python install 3.13 && make setup"),
    ],
)
def test_without_any_python_the_command_is_this_systems(
    run: Run, bin_folder: Path, manager: str, command: str
) -> None:
    package_manager(bin_folder, manager)
    done = run()

    assert done.returncode == 1
    assert done.stderr.startswith("No Python was found that runs; Python 3.11 to 3.14 is needed.")
    assert command in done.stderr


def test_a_real_python_answers_the_probe() -> None:
    script = SCRIPT.read_text()
    probe = script.split("PROBE='", 1)[1].split("'\n\n", 1)[0]
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    version, implementation, venv, libc, machine, headers = done.stdout.split()
    assert version.startswith("3.")
    assert implementation == "CPython"
    assert venv in {"venv", "no-venv"}
    assert libc in {"other", "musl"}
    assert machine.count("-") >= 1
    assert headers in {"headers", "no-headers"}
