"""Prometheus' own tools, where they are installed."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.rule_files import DEPLOY, PROMETHEUS

PROMTOOL = shutil.which("promtool")
AMTOOL = shutil.which("amtool")

HOW_TO_INSTALL = (
    "On Debian and Ubuntu: apt-get install prometheus prometheus-alertmanager.  Elsewhere they come with "
    "the releases of Prometheus and of Alertmanager; put promtool and amtool on the PATH."
)

_FAILED = re.compile(r"alertname: ?(\w+), time:")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a tool ended, and what it said."""

    is_right: bool
    said: str

    @property
    def failed_alerts(self) -> frozenset[str]:
        """Alerts that did otherwise than a test expects."""
        return frozenset(_FAILED.findall(self.said))


def missing() -> list[str]:
    """Return the tools that are not installed."""
    return [name for name, path in (("promtool", PROMTOOL), ("amtool", AMTOOL)) if path is None]


def check_config() -> Ran:
    """Check prometheus.yml and every file of rules it names."""
    return _run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))


def run_suite(suite: Path) -> Ran:
    """Run one suite of tests."""
    return _run("promtool", "test", "rules", str(suite))


def check_routing() -> Ran:
    """Check alertmanager.yml."""
    return _run("amtool", "check-config", str(_alertmanager()))


def receiver_of(**labels: str) -> str:
    """Return who would hear of an alert with these labels."""
    pairs = (f"{label}={value}" for label, value in labels.items())
    config = f"--config.file={_alertmanager()}"
    return _run("amtool", "config", "routes", "test", config, *pairs).said.splitlines()[-1]


def _alertmanager() -> Path:
    return DEPLOY / "alertmanager" / "alertmanager.yml"


def _run(*command: str) -> Ran:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ran(done.returncode == 0, (done.stderr + done.stdout).strip())
