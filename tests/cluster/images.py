"""The images under test: built from this checkout, and brought onto the nodes."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("ingest", "churn-predictor", "outreach", "metrics", "cli")
LOAD = "kind load docker-image"
KAFKA, POSTGRES = "apache/kafka:4.4.0", "postgres:18"
_WITHIN_SECONDS = 1800


class NoImage(Exception):
    """One could not be built or loaded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Images:
    """Where each image is found: name in the manifests → its own name with a tag."""

    of: dict[str, str]

    @property
    def as_kustomize(self) -> list[dict[str, str]]:
        """The entries of a kustomization's `images`."""
        split = {name: found.rpartition(":") for name, found in self.of.items()}
        return [
            {"name": name, "newName": place, "newTag": tag}
            for name, (place, _, tag) in split.items()
        ]


def ready() -> Images:
    """Return the images once they are on the nodes.

    Raises:
        NoImage: one is missing.
    """
    tag = os.environ.get("CARE_CLUSTER_TAG")
    of = {
        f"proactive-care/{name}": f"proactive-care/{name}:{tag or 'cluster'}" for name in SERVICES
    }
    if not tag:
        for name in SERVICES:
            _build(name, of[f"proactive-care/{name}"])
    of["kafka"] = os.environ.get("CARE_CLUSTER_KAFKA_IMAGE") or KAFKA
    of["postgres"] = os.environ.get("CARE_CLUSTER_POSTGRES_IMAGE") or POSTGRES
    _load([each for each in of.values() if _is_here(each)])
    return Images(of)


def _build(name: str, tag: str) -> None:
    words = ["docker", "build", "--file=deploy/docker/Dockerfile", f"--tag={tag}"]
    words += [f"--build-arg=SERVICE={name}"]
    if base := os.environ.get("CARE_CLUSTER_BASE"):
        words += [f"--build-arg=BASE={base}"]
    _run([*words, "."], f"{tag} could not be built")


def _load(images: list[str]) -> None:
    command = os.environ.get("CARE_CLUSTER_LOAD") or LOAD
    _run(
        [*shlex.split(command), *images],
        f"the nodes did not get the images by `{command}`: set CARE_CLUSTER_LOAD to what brings the images "
        "that it is given onto every node",
    )


def _is_here(image: str) -> bool:
    words = ("docker", "image", "inspect", image)
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _run(words: list[str], otherwise: str) -> None:
    try:
        done = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=_WITHIN_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise NoImage(f"{otherwise}: {words[0]} is not there") from error
    if done.returncode:
        raise NoImage(f"{otherwise}: {(done.stderr or done.stdout).strip()[-2000:]}")
