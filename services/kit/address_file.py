"""Where a service listens, told to whoever supervises it: a file that is complete or absent."""

import os
from pathlib import Path


def write(path: Path | None, host: str, port: int) -> str:
    """Return the service's URL and, where a path is given, put it there in one step."""
    url = f"http://{host}:{port}"
    if path is not None:
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(url + "\n", encoding="utf-8")
        partial.replace(path)
    return url
