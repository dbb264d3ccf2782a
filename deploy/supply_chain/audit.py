"""What is known against the packages of the locks; a service that cannot be asked is no clean bill."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from packaging.utils import canonicalize_name

from deploy.supply_chain.locks import versions
from services.kit.exits import Unavailable

OSV = "https://api.osv.dev/v1/query"

PYPI = "pypi"

_SECONDS = 1_800
_ANSWER_SECONDS = 15
_PROBE = json.dumps({"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "26.0"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One known vulnerability of one locked version."""

    package: str
    version: str
    vulnerability: str
    fixed_in: tuple[str, ...]
    locks: tuple[str, ...]

    def __str__(self) -> str:
        """Return the line that people read."""
        fixed = ", ".join(self.fixed_in) or "no version yet"
        where = ", ".join(self.locks)
        return f"{self.package} {self.version}: {self.vulnerability}, fixed in {fixed} (locks: {where})"


def audit(locks: Sequence[Path], service: str = OSV) -> tuple[Finding, ...]:
    """Return what is known against all that the locks name for this platform.

    `service` is the address of an OSV API, or `pypi`.  Every entry of a lock must have a hash.

    Raises:
        Unavailable: not every package could be asked for; the message says what to do.
    """
    _require_answer(service)
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        report = Path(folder) / "report.json"
        command = _command(locks, service, report)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if done.returncode not in {0, 1} or not report.exists():
            raise Unavailable(_refusal(service, done.stderr))
        return _findings(json.loads(report.read_text(encoding="utf-8")), locks)


def _require_answer(service: str) -> None:
    # The auditor asks for every package, and again, before it gives up: minutes where a name is not found.
    try:
        if service == PYPI:
            told = requests.get("https://pypi.org/pypi/pip/json", timeout=_ANSWER_SECONDS)
        else:
            told = requests.post(service, data=_PROBE, timeout=_ANSWER_SECONDS)
        told.raise_for_status()
    except requests.RequestException as error:
        raise Unavailable(_refusal(service, str(error))) from None


def _command(locks: Iterable[Path], service: str, report: Path) -> list[str]:
    asked = [word for lock in locks for word in ("--requirement", str(lock))]
    # Nothing is resolved or installed, and a package that the service does not know is a failure.
    strict = ["--require-hashes", "--disable-pip", "--strict", "--progress-spinner=off"]
    if service == PYPI:
        whom = ["--vulnerability-service=pypi"]
    else:
        whom = ["--vulnerability-service=osv", f"--osv-url={service}"]
    form = ["--format=json", f"--output={report}", "--desc=off"]
    return [sys.executable, "-m", "pip_audit", *asked, *strict, *whom, *form]


def _refusal(service: str, said: str) -> str:
    # A traceback's last line is its reason, as a refusal's is.
    reason = (said.strip().splitlines() or ["it said nothing"])[-1]
    return (
        f"nothing is known: {service} could not be asked for every package ({reason}).  Let this machine "
        "reach it (HTTPS_PROXY, REQUESTS_CA_BUNDLE), or name another: make audit SERVICE=pypi, or the "
        "address of a mirror of OSV"
    )


def _findings(
    report: dict[str, list[dict[str, object]]], locks: Sequence[Path]
) -> tuple[Finding, ...]:
    named = {lock.stem: versions(lock) for lock in locks}
    return tuple(
        Finding(
            package=str(package["name"]),
            version=str(package["version"]),
            vulnerability=str(known["id"]),
            fixed_in=tuple(known["fix_versions"]),
            locks=tuple(name for name, held in named.items() if _key(package) in held),
        )
        for package in report["dependencies"]
        for known in _vulnerabilities(package)
    )


def _key(package: dict[str, object]) -> tuple[str, str]:
    return canonicalize_name(str(package["name"])), str(package["version"])


def _vulnerabilities(package: dict[str, object]) -> list[dict[str, list[str]]]:
    found = package.get("vulns", [])
    assert isinstance(found, list)
    return found
