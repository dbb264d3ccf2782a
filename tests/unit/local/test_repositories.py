"""Jars come from where this machine's settings say."""

import os
from pathlib import Path

import pytest

from services.local.kafka.repositories import certificates, maven, mirror

MIRROR = "https://mirror.invalid/maven"


def settings(folder: Path, mirrored: str) -> Path:
    path = folder / "settings.xml"
    path.write_text(
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors><mirror>'
        f"<id>ours</id><mirrorOf>{mirrored}</mirrorOf><url>{MIRROR}/</url>"
        "</mirror></mirrors></settings>"
    )
    return path


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("M2_REPO", "JGO_CONFIG_FILE", "XDG_CONFIG_HOME", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("mirrored", ["central", "*", "external:*", "internal, central"])
def test_a_mirror_of_central_is_taken_from_mavens_settings(tmp_path: Path, mirrored: str) -> None:
    assert mirror(settings(tmp_path, mirrored)) == MIRROR


@pytest.mark.parametrize("mirrored", ["internal", "*,!central"])
def test_a_mirror_of_something_else_is_not(tmp_path: Path, mirrored: str) -> None:
    assert mirror(settings(tmp_path, mirrored)) is None


def test_settings_that_are_missing_or_broken_name_no_mirror(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<settings>")

    assert mirror(broken) is None
    assert mirror(tmp_path / "absent.xml") is None


def test_the_mirror_replaces_the_central_repository(tmp_path: Path) -> None:
    context = maven(tmp_path / "jars", settings(tmp_path, "central"))

    assert context.remote_repos == {"central": MIRROR}


def test_without_settings_jgo_keeps_its_default(tmp_path: Path) -> None:
    assert list(maven(tmp_path / "jars").remote_repos) == ["central"]


def test_what_maven_has_already_is_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    context = maven(tmp_path / "jars")

    assert context.local_repos == [tmp_path / "m2"]
    assert context.repo_cache == tmp_path / "jars"


def test_downloads_trust_what_openssl_was_told_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ours.pem")
    with certificates():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/etc/ours.pem"
    assert "REQUESTS_CA_BUNDLE" not in os.environ


def test_their_own_setting_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ours.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/theirs.pem")
    with certificates():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/etc/theirs.pem"
    assert os.environ["REQUESTS_CA_BUNDLE"] == "/etc/theirs.pem"
