"""Manifests as `kubectl kustomize` renders them, in any combination of components."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from deploy.kubernetes.inspection.objects import Json, Manifests

FOLDER = Path(__file__).parent
COMPONENTS = tuple(
    sorted(path.parent.name for path in FOLDER.glob("components/*/kustomization.yaml"))
)
OVERLAYS = ("dev", "production")


class NotRendered(Exception):
    """Kustomize refused; the message is what it said."""


def kubectl() -> str:
    """Return the path of kubectl: the environment's own, else the machine's.

    Raises:
        NotRendered: there is none.
    """
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    found = shutil.which("kubectl", path=os.pathsep.join(places))
    if found is None:
        raise NotRendered("kubectl is not there: make setup")
    return found


def combined(overlay: str, components: Iterable[str] = ()) -> Manifests:
    """Return an overlay with these components, as if its own kustomization named them.

    Raises:
        NotRendered: it cannot be.
    """
    with TemporaryDirectory() as folder:
        here = Path(os.path.relpath(FOLDER, Path(folder).resolve()))
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": _namespace(overlay),
            "resources": [str(here / "overlays" / overlay)],
            "components": [str(here / "components" / name) for name in components],
        }
        Path(folder, "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return rendered(Path(folder))


def _namespace(overlay: str) -> str:
    text = (FOLDER / "overlays" / overlay / "kustomization.yaml").read_text(encoding="utf-8")
    return str(yaml.safe_load(text)["namespace"])


def rendered(folder: Path) -> Manifests:
    """Return what a folder's kustomization says.

    Raises:
        NotRendered: it cannot be rendered.
    """
    command = [kubectl(), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRendered(done.stderr.strip())
    return read(done.stdout)


def read(text: str) -> Manifests:
    """Return the objects of a stream of YAML documents."""
    # The parser in C is ten times as quick, and dashboards and rules are long.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents: list[Json | None] = list(yaml.load_all(text, Loader=loader))
    return Manifests(tuple(document for document in documents if document))


def choices(most: int = len(COMPONENTS)) -> Iterator[tuple[str, ...]]:
    """Yield every choice of at most so many components, and all of them."""
    sizes = range(most + 1)
    yield from (choice for size in sizes for choice in combinations(COMPONENTS, size))
    if most < len(COMPONENTS):
        yield COMPONENTS
