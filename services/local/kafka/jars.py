"""The jars of the committed lock, each with the SHA-256 it must have.

jgo writes these sums and does not check them when it fetches; so every jar is checked here, before
it enters the cache and again before each start, and a wrong one is never put on a class path.
"""

import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import MavenContext
from requests import RequestException
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from services.kit.exits import Unavailable
from services.local.kafka.repositories import certificates, maven

LOCK = Path(__file__).with_name("jgo.lock.toml")

_DOWNLOADS_AT_ONCE = 6
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """Its Maven name: group, artifact and version."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """Its name in the cache; the group tells artifacts of the same name apart."""
        return f"{self.group}.{self.artifact}-{self.version}.jar"


def locked_jars(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Return the jars of the lock; raises Unavailable where one has no sum to be checked against."""
    entries = tomllib.loads(lock.read_text())["dependencies"]
    without = [entry["artifactId"] for entry in entries if not entry.get("sha256")]
    if without:
        raise Unavailable(f"{lock} has no SHA-256 for {', '.join(without)}: run `make lock`")
    return tuple(
        Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"])
        for entry in entries
    )


def class_path(
    cache: Path, jars: Sequence[Jar], progress: Callable[[str], None] = lambda _: None
) -> str:
    """Return the class path of these jars, fetching what the cache lacks and checking all of them.

    Raises:
        Unavailable: a jar cannot be fetched, or is not the one that was locked.
    """
    cache.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not (cache / jar.file_name).exists()]
    if missing:
        progress(f"fetching {len(missing)} jars of Apache Kafka, once")
        _fetch_all(cache, missing)
    for jar in jars:
        check(jar, cache / jar.file_name)
    return os.pathsep.join(str(cache / jar.file_name) for jar in jars)


def check(jar: Jar, path: Path) -> None:
    """Return if the file is the jar that was locked; raises Unavailable if it is not."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise Unavailable(
            f"{path} is not the {jar.coordinate} that was locked (SHA-256 {found}, locked "
            f"{jar.sha256}): delete it and try again; if it comes back, do not trust its source"
        )


def _fetch_all(cache: Path, jars: Sequence[Jar]) -> None:
    with certificates(), ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        for _ in pool.map(lambda jar: _fetch(cache, jar), jars):
            pass


def _fetch(cache: Path, jar: Jar) -> None:
    # A place of its own for each jar: neither an interrupted download nor another process that
    # fetches at the same time can leave half a file under the final name.
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as staging:
        try:
            found = _download(maven(Path(staging)), jar)
        except (RequestException, OSError, RuntimeError) as error:
            raise Unavailable(
                f"{jar.coordinate} could not be fetched ({_first_line(error)}): check the network; "
                "behind a proxy set HTTPS_PROXY and REQUESTS_CA_BUNDLE; a mirror goes into "
                "~/.m2/settings.xml or ~/.config/jgo.conf"
            ) from None
        copy = Path(staging) / jar.file_name
        shutil.copyfile(found, copy)
        check(jar, copy)
        copy.replace(cache / jar.file_name)


@retry(
    retry=retry_if_exception_type((RequestException, RuntimeError)),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_exponential(multiplier=0.5, max=4),
    reraise=True,
)
def _download(context: MavenContext, jar: Jar) -> Path:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    path = artifact.cached_path
    # jgo takes whatever lies there for complete: a broken attempt must not count.
    if path is not None and path.is_relative_to(context.repo_cache):
        path.unlink(missing_ok=True)
    return artifact.resolve()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
