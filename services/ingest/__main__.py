"""Starts ingest."""

import os

from services.ingest.server import serve
from services.ingest.settings import Settings
from services.kit import exits, logs, tracing
from services.kit.settings import load


def main() -> None:
    """Read the settings, set up logging, serve until told to leave."""
    settings = load(Settings)
    logs.set_up("ingest", settings.log_format, settings.log_level)
    serve(settings, tracing.set_up("ingest", os.environ))


if __name__ == "__main__":
    exits.run(main)
