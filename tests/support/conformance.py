"""An HTTP API held against its own OpenAPI document, by requests that Schemathesis draws from it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

EXAMPLES = int(os.environ.get("CARE_API_EXAMPLES", "5"))
"""Requests drawn for each operation."""
_THOROUGH = 100
"""From so many on, the edges of each parameter are gone through as well; they take half a minute."""
_SHOWN = 6_000
_NOES = '"207", "400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429", "503"'

Accepted = Mapping[str, Sequence[int]]
"""Operation → statuses with which it may refuse what fits its schema: JSON Schema cannot say it all."""


def check(address: str, document: Path, key: str, folder: Path, refusals: Accepted) -> None:
    """Ask at this address for everything the document names, with every check there is.

    Raises:
        AssertionError: an answer is not as the document says, or is a 5xx but 503; with what was found.
    """
    (folder / "schemathesis.toml").write_text(_configuration(refusals), encoding="utf-8")
    phases = "examples,coverage,fuzzing" if EXAMPLES >= _THOROUGH else "examples,fuzzing"
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(document)]
    command += [
        f"--url={address}",
        "--checks=all",
        f"--phases={phases}",
        f"--max-examples={EXAMPLES}",
        "--seed=1",
    ]
    # To look for an event may take 10 s, and a moment more on a busy machine.
    command += ["--request-timeout=60", "--max-response-time=60"]
    command += ["--no-color", f"--header=Authorization: Bearer {key}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    (folder / "schemathesis.txt").write_text(said, encoding="utf-8")
    assert done.returncode == 0, said[-_SHOWN:]


def _configuration(refusals: Accepted) -> str:
    """Return the settings: a 503 is deliberate, and some refusals are beyond any schema."""
    lines = ["[checks.not_a_server_error]", 'expected-statuses = ["2xx", "4xx", "503"]']
    usual = ["2xx", "401", "403", "404", "409", "429", "503"]
    for operation, statuses in refusals.items():
        told = ", ".join(f'"{status}"' for status in [*usual, *map(str, statuses)])
        lines += ["[[operations]]", f'include-name = "{operation}"']
        lines += ["[operations.checks.positive_data_acceptance]", f"expected-statuses = [{told}]"]
        # 207 says of each item what is wrong with it.
        lines += ["[operations.checks.negative_data_rejection]", f"expected-statuses = [{_NOES}]"]
    return "\n".join(lines) + "\n"
