"""Where jars may come from: what this machine's Maven, jgo and proxy settings say."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

TIMEOUT_SECONDS = 60

_EVERYTHING = {"central", "*", "external:*"}
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_OTHER_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT")


def maven(repository: Path, settings: Path | None = None) -> MavenContext:
    """Return a context that downloads into this folder and only reads what Maven itself has already.

    `settings` is Maven's settings.xml (default: the user's); its mirror of the central repository
    is used, and so are the repositories of jgo's own configuration, which come first.
    """
    configured = GlobalSettings.load()
    mirrored = mirror(settings or Path.home() / ".m2" / "settings.xml")
    named = ({"central": mirrored} if mirrored else {}) | configured.repositories
    return MavenContext(
        repo_cache=repository,
        local_repos=[configured.repo_cache],
        # None leaves jgo its own default; only a setting of this machine's replaces it.
        remote_repos=named or None,
        timeout=TIMEOUT_SECONDS,
    )


def mirror(settings: Path) -> str | None:
    """Return the address that Maven's settings name in place of the central repository, if any."""
    try:
        tree = ElementTree.parse(settings)  # noqa: S314 - the user's own file, not a stranger's
    except (OSError, ElementTree.ParseError):
        return None
    for entry in tree.iterfind(".//{*}mirror"):
        mirrored = (entry.findtext("{*}mirrorOf") or "").replace(" ", "").split(",")
        address = entry.findtext("{*}url")
        if address and _EVERYTHING & set(mirrored) and "!central" not in mirrored:
            return address.strip().rstrip("/")
    return None


@contextmanager
def certificates() -> Iterator[None]:
    """Let downloads trust the authorities that pip and OpenSSL were told to trust, if only they were."""
    theirs = next((os.environ[name] for name in _OTHER_CERTIFICATES if os.environ.get(name)), None)
    if theirs is None or any(os.environ.get(name) for name in _CERTIFICATES):
        yield
        return
    os.environ[_CERTIFICATES[0]] = theirs
    try:
        yield
    finally:
        del os.environ[_CERTIFICATES[0]]
