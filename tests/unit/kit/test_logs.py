"""A log line is one line of JSON, whatever it is told."""

import json
import subprocess
import sys
from typing import Any

_SAYS = """
from services.kit import logs
logs.set_up("shop", "json")
log = logs.get("test")
log.info("odd", raised=ValueError("no"), word="é")
log.info("halved", half="a\\ud800b", raised=ValueError("no"))
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broke")
"""


def lines_of(program: str) -> list[dict[str, Any]]:
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_words_of_a_line_are_found_as_they_always_stood() -> None:
    ran = subprocess.run([sys.executable, "-c", _SAYS], capture_output=True, check=True)
    assert b'"event": "odd"' in ran.stdout


def test_a_line_survives_what_json_has_no_word_for() -> None:
    odd, halved, broke = lines_of(_SAYS)
    assert (odd["event"], odd["service"], odd["level"]) == ("odd", "shop", "info")
    assert (odd["word"], odd["raised"]) == ("é", "ValueError('no')")
    # Half a surrogate pair: what a publisher can send, and UTF-8 cannot say.
    assert (halved["half"], halved["raised"]) == ("a\ud800b", "ValueError('no')")
    assert "ZeroDivisionError" in broke["exception"]
