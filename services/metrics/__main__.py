"""`python -m services.metrics`: serves the folded topics on /metrics until told to stop."""

from services.kit import exits, logs
from services.kit.settings import load
from services.metrics.service import serve
from services.metrics.settings import Settings


def main() -> None:
    """Read the settings and serve."""
    settings = load(Settings)
    logs.set_up("metrics", settings.log_format, settings.log_level)
    serve(settings)


if __name__ == "__main__":
    exits.run(main)
