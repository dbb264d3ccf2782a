"""The images as a platform runs them: `docker` itself, and what a hardened container is told."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
BUILD_SECONDS = 1_800
COMMAND_SECONDS = 120

MARKS = [pytest.mark.images, pytest.mark.timeout(3_600)]
"""Of every module here: whichever test comes first waits until all five images are built."""

HARDENED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
"""As the manifests and the Compose file run every container."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a container ended, and what it said."""

    code: int
    out: str
    error: str


def docker(*words: str, seconds: float = COMMAND_SECONDS) -> Ran:
    """Run one command of Docker's to its end."""
    done = subprocess.run(
        ("docker", *words), capture_output=True, text=True, timeout=seconds, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def built(service: str) -> str:
    """Build the image of a service as docs/deploy.md says and return its tag.

    CARE_IMAGES_TAG names images that are there already: they are not built.  CARE_IMAGES_BASE is BASE,
    and CARE_IMAGES_BUILD is put into `docker build`: a builder's network, for example.
    """
    if tag := os.environ.get("CARE_IMAGES_TAG"):
        return f"proactive-care/{service}:{tag}"
    name = f"proactive-care/{service}:check"
    base = os.environ.get("CARE_IMAGES_BASE")
    words = ["build", f"--file={DOCKERFILE}", f"--build-arg=SERVICE={service}", f"--tag={name}"]
    words += [f"--build-arg=BASE={base}"] if base else []
    words += os.environ.get("CARE_IMAGES_BUILD", "").split()
    done = docker(*words, str(ROOT), seconds=BUILD_SECONDS)
    assert done.code == 0, f"{name} could not be built:\n{done.out[-2_000:]}\n{done.error[-2_000:]}"
    return name


def run(image: str, *words: str, entrypoint: str = "care", options: tuple[str, ...] = ()) -> Ran:
    """Run an image hardened and without a network; return how it ended."""
    told = (*HARDENED, "--network=none", *options, f"--entrypoint={entrypoint}")
    return docker("run", "--rm", *told, image, *words)


def python(image: str, program: str) -> str:
    """Return what a program prints in the Python that runs the service."""
    done = run(image, "-c", program, entrypoint="python")
    assert done.code == 0, done.error
    return done.out


def size(image: str) -> int:
    """Return an image's bytes, its base's included."""
    return int(docker("image", "inspect", "--format={{.Size}}", image).out)


class Container:
    """A service in a container on this machine's own network."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def output(self) -> str:
        """Return everything it has printed so far."""
        done = docker("logs", self.identity)
        return done.out + done.error

    def state(self) -> dict[str, object]:
        """Return what the engine says of it."""
        told = docker("inspect", "--format={{json .State}}", self.identity).out
        found: dict[str, object] = json.loads(told)
        return found

    def stop(self, seconds: int) -> int:
        """End it with SIGTERM, as a platform does; return its exit code, 137 where it had to be killed."""
        docker("stop", f"--time={seconds}", self.identity, seconds=seconds + COMMAND_SECONDS)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        return int(docker("wait", self.identity).out)


@contextmanager
def started(image: str, environment: Mapping[str, str], *words: str) -> Iterator[Container]:
    """Yield a hardened container that is gone afterwards, however the test ends."""
    told = [f"--env={name}={value}" for name, value in environment.items()]
    done = docker("run", "--detach", "--network=host", *HARDENED, *told, image, *words)
    assert done.code == 0, done.error
    container = Container(done.out.strip())
    try:
        yield container
    finally:
        docker("rm", "--force", container.identity)
