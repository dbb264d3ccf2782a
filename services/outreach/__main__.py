"""Starts one replica of outreach: settings, logs, signals, work."""

import os
import signal
from uuid import uuid4  # noqa: TID251 - two runs must not be taken for each other

from services.kit import exits, logs, tracing
from services.kit.settings import load
from services.outreach.api import settings as api_settings
from services.outreach.pages.settings import PagesSettings, wanted
from services.outreach.settings import Settings
from services.outreach.worker import Worker


def main() -> None:
    """Run until SIGTERM or SIGINT; then finish what is under way."""
    settings = load(Settings)
    logs.set_up("outreach", settings.log_format, settings.log_level)
    pages = load(PagesSettings) if wanted(os.environ) else None
    api = load(api_settings.ApiSettings) if api_settings.wanted(os.environ) else None
    spans = tracing.set_up("outreach", os.environ)
    worker = Worker(settings, uuid4(), logs.get("outreach"), pages, api, spans)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()


if __name__ == "__main__":
    exits.run(main)
