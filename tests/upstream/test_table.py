"""docs/upstream.md says what is so: its versions are installed, its places and its tests exist."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "upstream.md").read_text(encoding="utf-8")
PACKAGES = {
    *("faust-streaming", "mode-streaming", "aiokafka", "kafka-python", "confluent-kafka"),
    *("apprise", "httpx", "standardwebhooks"),
}

_NAMED = re.compile(r"`([\w/]+\.py)::([\w.]+)`")
_VERSION = re.compile(r"^\| ([a-z-]+) \| ([\d.]+) \|$", re.MULTILINE)


def rows(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield what, where and shown by, of every row that says what a package does."""
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and len(cells) == 3 and "---" not in line:
            what, where, shown = cells
            if what != "What it does":
                yield what, where, shown


def names_in(code: str) -> set[str]:
    """Return functions, classes and their methods."""
    tops = [node for node in ast.parse(code).body if isinstance(node, _Named)]
    classes = [top for top in tops if isinstance(top, ast.ClassDef)]
    inner = {f"{c.name}.{n.name}" for c in classes for n in c.body if isinstance(n, _Named)}
    return {top.name for top in tops} | inner


_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def absent(named: Iterable[tuple[str, str]], folder: Path) -> list[str]:
    """Return which of these (file, name) are not there."""
    return [
        f"{path}::{name}"
        for path, name in named
        if not (folder / path).is_file() or name not in names_in((folder / path).read_text())
    ]


def places(page: str) -> list[tuple[str, str]]:
    return [found for _, where, _ in rows(page) for found in _NAMED.findall(where)]


def shown(page: str) -> list[tuple[str, str]]:
    return [found for _, _, by in rows(page) for found in _NAMED.findall(by)]


def outdated(page: str, installed: Mapping[str, str]) -> dict[str, str | None]:
    """Return the packages whose version differs from the page's, with the page's."""
    told = dict(_VERSION.findall(page))
    return {name: told.get(name) for name in installed if told.get(name) != installed[name]}


def test_the_versions_are_the_installed_ones() -> None:
    assert outdated(PAGE, {name: version(name) for name in PACKAGES}) == {}


def test_another_version_is_noticed() -> None:
    assert outdated("| aiokafka | 0.14.0 |", {"aiokafka": "0.15.0"}) == {"aiokafka": "0.14.0"}
    assert outdated("", {"aiokafka": "0.15.0"}) == {"aiokafka": None}


def test_every_place_and_every_test_exists() -> None:
    assert absent(places(PAGE), ROOT / "services") == []
    assert absent(shown(PAGE), Path(__file__).parent) == []


def test_what_does_not_exist_is_noticed() -> None:
    page = "| It fails | `kit/faust_slices.py::_gone` | `test_table.py::test_gone` |"

    assert absent(places(page), ROOT / "services") == ["kit/faust_slices.py::_gone"]
    assert absent(shown(page), Path(__file__).parent) == ["test_table.py::test_gone"]


def test_every_row_says_where_and_every_test_has_one_row() -> None:
    mine = Path(__file__)
    tests = [
        (path.name, name)
        for path in mine.parent.glob("test_*.py")
        for name in names_in(path.read_text())
        if name.startswith("test_") and path != mine
    ]

    assert [what for what, where, by in rows(PAGE) if not _says_where(where, by)] == []
    assert sorted(shown(PAGE)) == sorted(tests)


def _says_where(where: str, by: str) -> bool:
    return len(_NAMED.findall(by)) == 1 and bool(
        _NAMED.search(where) or where.startswith("not avoided yet: ")
    )


def test_a_row_without_place_or_test_is_noticed() -> None:
    assert not _says_where("somewhere", "`test_a.py::test_b`")
    assert not _says_where("`kit/a.py::b`", "nothing")
    assert _says_where("not avoided yet: why", "`test_a.py::test_b`")
