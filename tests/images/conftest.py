"""The five images, built once, and how large they are.

`make test` never comes here: building takes minutes, and needs Docker.  `make images-check` does.
"""

import shutil

import pytest

from deploy.supply_chain.locks import IMAGES
from tests.images import engine

_SIZES = pytest.StashKey[dict[str, int]]()


@pytest.fixture(scope="session")
def images(pytestconfig: pytest.Config) -> dict[str, str]:
    """Image of each service by its name."""
    if shutil.which("docker") is None or engine.docker("info").code != 0:
        pytest.fail("no Docker engine answers: start one, or set DOCKER_HOST", pytrace=False)
    found = {name: engine.built(name) for name in IMAGES}
    pytestconfig.stash[_SIZES] = {name: engine.size(tag) for name, tag in found.items()}
    return found


@pytest.fixture(params=IMAGES)
def name(request: pytest.FixtureRequest) -> str:
    """One image after the other."""
    return str(request.param)


@pytest.fixture
def image(images: dict[str, str], name: str) -> str:
    """The tag of this image."""
    return images[name]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how large they are, their base included."""
    for name, size in config.stash.get(_SIZES, {}).items():
        terminalreporter.write_line(f"proactive-care/{name}: {size / 1e6:.0f} MB")
