"""The dashboards as committed: written, read, and compared with what the code says."""

from pathlib import Path

from deploy.grafana.assembly import Addresses, encode
from deploy.grafana.boards import BOARDS

FOLDER = Path(__file__).parent / "dashboards"


def rendered(addresses: Addresses) -> dict[str, str]:
    """Return file name → text of every dashboard."""
    return {f"{board.uid}.json": encode(board, addresses) for board in BOARDS}


def write(folder: Path = FOLDER, addresses: Addresses | None = None) -> list[str]:
    """Write what is not there as it should be; return the names of the files written or removed."""
    wanted = rendered(addresses or Addresses())
    folder.mkdir(parents=True, exist_ok=True)
    found = _read(folder)
    for name in sorted(found.keys() - wanted.keys()):
        (folder / name).unlink()
    changed = [name for name, text in wanted.items() if found.get(name) != text]
    for name in changed:
        (folder / name).write_text(wanted[name], encoding="utf-8")
    return sorted({*changed, *(found.keys() - wanted.keys())})


def drift(folder: Path = FOLDER) -> list[str]:
    """Return the names of files that differ from what the code says."""
    wanted, found = rendered(Addresses()), _read(folder)
    return sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def _read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
