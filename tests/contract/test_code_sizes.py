"""Small pieces: no function over 50 lines, no module over 400, and the middle function under 10."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("services", "deploy")
LONGEST_FUNCTION = 50
LONGEST_MODULE = 400
MIDDLE_FUNCTION = 10

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(code: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def too_long(path: Path, code: str) -> list[str]:
    """What of this module is over the limits, each with its place and length."""
    found = [
        f"{path}:{function.lineno} {function.name} has {length(function)} lines"
        for function in functions(code)
        if length(function) > LONGEST_FUNCTION
    ]
    lines = len(code.splitlines())
    return found + ([f"{path} has {lines} lines"] if lines > LONGEST_MODULE else [])


def modules() -> dict[Path, str]:
    paths = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    # A migration lists a schema as it once was; it has no reader but Alembic.
    return {
        path.relative_to(ROOT): path.read_text() for path in paths if "versions" not in path.parts
    }


def test_nothing_is_over_the_limits() -> None:
    assert [found for path, code in modules().items() for found in too_long(path, code)] == []


def test_the_middle_function_is_short() -> None:
    lengths = [length(function) for code in modules().values() for function in functions(code)]

    assert statistics.median(lengths) <= MIDDLE_FUNCTION


def test_a_long_function_is_found() -> None:
    code = "async def endless():\n" + "    pass\n" * LONGEST_FUNCTION

    assert too_long(Path("x.py"), code) == ["x.py:1 endless has 51 lines"]
    assert too_long(Path("x.py"), code.replace("    pass\n", "", 1)) == []


def test_a_long_module_is_found() -> None:
    assert too_long(Path("x.py"), "x = 1\n" * 401) == ["x.py has 401 lines"]
    assert too_long(Path("x.py"), "x = 1\n" * 400) == []


def test_no_room_is_called_after_nothing() -> None:
    nothing = {
        "utils",
        "util",
        "helper",
        "helpers",
        "manager",
        "managers",
        "data",
        "common",
        "misc",
    }
    names = {part.removesuffix(".py") for path in modules() for part in path.parts}

    assert names & nothing == set()
