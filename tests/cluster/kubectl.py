"""A cluster, asked and told through kubectl."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from deploy.kubernetes.inspection.objects import Json
from deploy.kubernetes.rendering import kubectl

WITHIN_SECONDS = 120


class Refused(Exception):
    """The cluster did not do it; the message is what kubectl said."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    error: str


class Cluster:
    """The one that a kubeconfig names."""

    def __init__(self, kubeconfig: str) -> None:
        self._command = (kubectl(), "--kubeconfig", kubeconfig)

    def run(self, *words: str, given: str | None = None, seconds: float = WITHIN_SECONDS) -> Said:
        """Run kubectl to its end, however it ends."""
        done = subprocess.run(
            (*self._command, *words),
            input=given, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr.strip())

    def tell(self, *words: str, given: str | None = None, seconds: float = WITHIN_SECONDS) -> str:
        """Return what kubectl says.

        Raises:
            Refused: it ended otherwise than with 0.
        """
        said = self.run(*words, given=given, seconds=seconds)
        if said.code:
            raise Refused(f"kubectl {' '.join(words)}: {said.error or said.out}")
        return said.out

    def get(self, *words: str) -> Any:
        """Return objects as they are."""
        return json.loads(self.tell("get", *words, "--output=json"))

    def apply(self, objects: Iterable[Json]) -> None:
        """Apply objects as docs/deploy.md says, server-side.

        Raises:
            Refused: it does not take them.
        """
        self.tell("apply", "--server-side", "--filename=-", given=yaml.safe_dump_all(objects))

    def tried(self, objects: Iterable[Json]) -> Said:
        """Return what the server says to these objects, and leave nothing behind."""
        words = ("apply", "--server-side", "--dry-run=server", "--force-conflicts", "--filename=-")
        return self.run(*words, given=yaml.safe_dump_all(objects))
