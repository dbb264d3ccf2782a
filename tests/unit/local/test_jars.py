"""No jar enters a class path unless it is the one that was locked."""

import hashlib
import os
import tomllib
from pathlib import Path

import pytest

from services.kit.exits import Unavailable
from services.local.kafka import jars
from services.local.kafka.jars import Jar, class_path, locked_jars

CONTENT = b"as locked"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / JAR.file_name).write_bytes(CONTENT)
    return folder


def serve(content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served = tmp_path / "served.jar"
    served.write_bytes(content)
    monkeypatch.setattr(jars, "_download", lambda *_: served)


def test_a_jar_that_is_as_locked_is_put_on_the_class_path(cache: Path) -> None:
    assert class_path(cache, [JAR]) == str(cache / JAR.file_name)


def test_all_jars_are_on_the_class_path(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(CONTENT, monkeypatch, tmp_path)
    other = Jar("org.example", "other", "1.0", JAR.sha256)

    assert class_path(cache, [JAR, other]).split(os.pathsep) == [
        str(cache / JAR.file_name),
        str(cache / other.file_name),
    ]


def test_a_jar_that_was_changed_in_the_cache_is_refused_with_what_to_do(cache: Path) -> None:
    (cache / JAR.file_name).write_bytes(CONTENT + b"!")

    with pytest.raises(Unavailable, match=r"org\.example:thing:1\.0 .* delete it and try again"):
        class_path(cache, [JAR])


def test_a_falsified_sum_in_the_lock_is_refused(cache: Path) -> None:
    falsified = Jar(JAR.group, JAR.artifact, JAR.version, "0" * 64)

    with pytest.raises(Unavailable, match="is not the"):
        class_path(cache, [falsified])


def test_a_download_that_is_not_as_locked_never_enters_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(b"something else", monkeypatch, tmp_path)

    with pytest.raises(Unavailable, match="is not the"):
        class_path(tmp_path / "cache", [JAR])
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_download_that_is_as_locked_is_kept_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(CONTENT, monkeypatch, tmp_path)
    told: list[str] = []

    for _ in range(2):
        class_path(tmp_path / "cache", [JAR], told.append)

    assert told == ["fetching 1 jars of Apache Kafka, once"]


def test_a_download_that_fails_says_where_a_proxy_or_mirror_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Path:
        raise RuntimeError("Artifact not found\nin many lines")

    monkeypatch.setattr(jars, "_download", fail)
    with pytest.raises(Unavailable, match=r"\(Artifact not found\).*HTTPS_PROXY.*settings\.xml"):
        class_path(tmp_path / "cache", [JAR])


def test_the_committed_lock_has_a_sum_for_every_jar_and_no_address() -> None:
    locked = locked_jars()

    assert "org.apache.kafka:kafka_2.13:4.4.0" in [jar.coordinate for jar in locked]
    assert len({jar.file_name for jar in locked}) == len(locked) == 45
    assert "://" not in jars.LOCK.read_text()


def test_a_lock_without_a_sum_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "jgo.lock.toml"
    lock.write_text(
        '[[dependencies]]\ngroupId = "g"\nartifactId = "unsummed"\nversion = "1"\n', "utf-8"
    )

    with pytest.raises(Unavailable, match="no SHA-256 for unsummed"):
        locked_jars(lock)


def test_the_committed_lock_is_of_the_committed_specification() -> None:
    specified = tomllib.loads(jars.LOCK.with_name("jgo.toml").read_text())

    assert set(specified["dependencies"]["coordinates"]) <= {
        jar.coordinate for jar in locked_jars()
    }
