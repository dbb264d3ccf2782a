"""`python -m services.churn_predictor`: one worker of the predictor, in the foreground."""

import os

from services.churn_predictor.settings import Settings
from services.kit import exits, logs, tracing
from services.kit.settings import load


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    # Imported late, so that wrong settings are told at once and not after a second of imports.
    from mode.loop import use

    use("uvloop")  # must come before faust is imported
    settings = load(Settings)
    logs.set_up("churn_predictor", settings.log_format, settings.log_level)
    from services.churn_predictor.app import run

    exits.run(lambda: run(settings, tracing.set_up("churn_predictor", os.environ)))


if __name__ == "__main__":
    main()
