"""The lines that tell of the work keep their names, and are described where people look them up."""

import ast
from pathlib import Path

import pytest

import services

SERVICES = Path(services.__file__).parent
PAGE = SERVICES.parent / "docs" / "tracing.md"
OF_THE_WORK = {
    "events_received",
    "webhook_received",
    "slice_applied",
    "problem_told",
    "risk_told",
    "outreach_decided",
    "outreach_attempted",
    "outreach_withdrawn",
    "outreach_not_started",
    "outreach_rerouted",
    "outreach_failed",
    "rule_failed",
}
_LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
_LOGS = {"_log", "log", "say"}


def names_in(source: str) -> set[str]:
    """Return the constant names of the log lines in this source."""
    return {
        str(call.args[0].value)
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and _is_logging(call.func)
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def _is_logging(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id in _LOGS
    if not isinstance(called, ast.Attribute) or called.attr not in _LEVELS:
        return False
    on = called.value
    name = on.id if isinstance(on, ast.Name) else on.attr if isinstance(on, ast.Attribute) else ""
    return name in _LOGS


def test_every_line_of_the_work_is_there_and_described() -> None:
    written = set()
    for file in SERVICES.rglob("*.py"):
        written |= names_in(file.read_text(encoding="utf-8"))

    assert OF_THE_WORK - written == set()
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in sorted(OF_THE_WORK) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("_log.info('a', x=1)", {"a"}),
        ("self._log.error('b')", {"b"}),
        ("say('c')", {"c"}),
        ("print('d')", set()),
        ("_log.info(name)", set()),
    ],
)
def test_lines_are_found_by_how_they_are_written(source: str, names: set[str]) -> None:
    assert names_in(source) == names
