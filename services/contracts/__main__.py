"""`python -m services.contracts`: committed documents made, checked, compared with the last release."""

import sys
from collections.abc import Callable, Mapping

from services.contracts import asyncapi, reference, releases, schemas

_USAGE = """usage: python -m services.contracts write|check|compare|release

  write    make the JSON Schemas, the AsyncAPI document and the reference of events from the models
  check    say which of them differ from the models (exit code 1)
  compare  say what differs from the last release, what of it breaks somebody (exit code 1), and in which
           order to roll it out
  release  remember the schemas as released: they are what later ones are compared with"""


def _write() -> int:
    changed = schemas.write() + asyncapi.write() + reference.write()
    print("\n".join(changed) or "schemas are up to date")
    return 0


def _check() -> int:
    differing = schemas.drift() + asyncapi.drift() + reference.drift()
    print("\n".join(differing) or "schemas are up to date")
    return 1 if differing else 0


def _compare() -> int:
    if not releases.RELEASED.is_dir():
        print("nothing was released yet: there is nothing to compare with")
        return 0
    found = list(releases.steps(releases.read(releases.RELEASED), releases.read(schemas.DIRECTORY)))
    print(releases.report(found) or "as released")
    return 1 if any(step.breaking for step in found) else 0


def _release() -> int:
    print("\n".join(releases.release()) or "as released")
    return 0


_COMMANDS: Mapping[str, Callable[[], int]] = {
    "write": _write,
    "check": _check,
    "compare": _compare,
    "release": _release,
}


def main(arguments: list[str]) -> int:
    """Return the exit code: 1 where something differs that may not, 2 for words it does not know."""
    command = _COMMANDS.get(arguments[0]) if len(arguments) == 1 else None
    if command is None:
        print(_USAGE, file=sys.stderr)
        return 2
    return command()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
