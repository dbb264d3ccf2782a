"""`python -m services.contracts write|check`: make the committed schemas, or say which differ."""

import sys

from services.contracts import schemas


def main(arguments: list[str]) -> int:
    """Return the exit code: 1 where a check found drift."""
    if arguments == ["write"]:
        print("\n".join(schemas.write()) or "schemas are up to date")
        return 0
    if arguments == ["check"]:
        differing = schemas.drift()
        print("\n".join(differing) or "schemas are up to date")
        return 1 if differing else 0
    print("usage: python -m services.contracts write|check", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
