"""The settings of a connection to Kafka, and what each client library is told."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from faust.types.auth import AuthProtocol
from pydantic import ValidationError

from services.kit import changelog, kafka_security
from services.kit.exits import Unavailable
from services.kit.settings import KafkaSecurity

SECRET = "canary-password"


@pytest.fixture(autouse=True)
def as_in_production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user with a password, in this process's environment; returns the password's file."""
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    for name, value in {
        "CARE_DEPLOYMENT": "production",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": "care-outreach",
        "KAFKA_SASL_PASSWORD_FILE": str(file),
    }.items():
        monkeypatch.setenv(name, value)
    return file


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}, "PLAINTEXT is refused in production"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "KAFKA_SECURITY_PROTOCOL"),
        ({"KAFKA_SASL_MECHANISM": "PLAIN"}, "KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SASL_USERNAME": "a,b"}, "KAFKA_SASL_USERNAME"),
        ({"KAFKA_SASL_USERNAME": None}, "KAFKA_SASL_USERNAME: needed with SASL_SSL"),
        ({"KAFKA_SASL_PASSWORD_FILE": None}, "KAFKA_SASL_PASSWORD_FILE: needed with SASL_SSL"),
        ({"KAFKA_SSL_KEY_FILE": "key.pem"}, "KAFKA_SSL_KEY_FILE: set it and"),
        ({"KAFKA_SSL_CERTIFICATE_FILE": "a.pem"}, "KAFKA_SSL_KEY_FILE: set it and"),
    ],
    ids=str,
)
def test_what_is_wrong_or_missing_is_named_and_ends_the_process(
    told: dict[str, str | None],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in told.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        kafka_security.in_force()

    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_nothing_said_means_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARE_DEPLOYMENT")
    monkeypatch.delenv("KAFKA_SECURITY_PROTOCOL")

    with pytest.raises(ValidationError, match="PLAINTEXT is refused"):
        KafkaSecurity()


def test_in_development_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_DEPLOYMENT", "dev")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")

    assert kafka_security.kafka_python("a:1,b:2") == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }
    assert kafka_security.faust_credentials() is None
    assert kafka_security.doubts() == ""


def test_every_client_encrypts_and_checks_whom_it_speaks_to() -> None:
    ours = kafka_security.kafka_python("a:1")
    theirs = kafka_security.librdkafka("a:1")
    fausts = kafka_security.faust_credentials()

    assert ours["security_protocol"] == theirs["security.protocol"] == "SASL_SSL"
    assert fausts.protocol is AuthProtocol.SASL_SSL
    for context in (ours["ssl_context"], fausts.ssl_context):
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert theirs["ssl.endpoint.identification.algorithm"] == "https"
    assert theirs["enable.ssl.certificate.verification"] is True


def shown(settings: dict[str, Any]) -> bytes:
    """Return the password as a client would send it."""
    return bytes(settings["sasl_plain_password"].encode("utf-8"))


def test_the_password_is_read_again_when_its_file_changes(as_in_production: Path) -> None:
    settings, credentials = kafka_security.kafka_python("a:1"), kafka_security.faust_credentials()
    as_in_production.write_text("another one")

    assert shown(settings) == credentials.password.encode() == b"another one"
    # What is wrong by now changes nothing.
    as_in_production.unlink()
    assert shown(settings) == b"another one"


def test_a_librdkafka_client_is_given_a_password_once(as_in_production: Path) -> None:
    given: list[tuple[str, str]] = []

    class Client:
        def set_sasl_credentials(self, user: str, password: str) -> None:
            given.append((user, password))

    renewal = kafka_security.Renewal()
    renewal.give(Client())
    assert given == []
    as_in_production.write_text("another one")
    renewal.give(Client())
    renewal.give(Client())
    assert given == [("care-outreach", "another one")]


def test_a_follower_is_given_a_password_that_came_while_its_client_was_opened(
    as_in_production: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    class Client:
        def __init__(self) -> None:
            as_in_production.write_text("another one")

        def set_sasl_credentials(self, _: str, password: str) -> None:
            given.append(password)

        def poll(self, _: float) -> None:
            """Nothing comes."""

    monkeypatch.setattr(changelog, "_open", lambda *_, **__: Client())
    changelog.Follower("a:1", "feeds", 1, lambda *_: None).read(0.0)

    assert given == ["another one"]


def test_the_password_is_in_no_printed_settings() -> None:
    assert SECRET not in repr(kafka_security.kafka_python("a:1"))
    assert SECRET not in repr(kafka_security.in_force())
    assert SECRET not in repr(vars(kafka_security.faust_credentials()))


def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", str(empty))
    with pytest.raises(Unavailable, match="empty is empty"):
        kafka_security.kafka_python("a:1")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="KAFKA_SASL_PASSWORD_FILE"):
        kafka_security.librdkafka("a:1")
    monkeypatch.setenv("KAFKA_SSL_CA_FILE", str(empty))
    with pytest.raises(Unavailable, match="KAFKA_SSL_CA_FILE"):
        kafka_security.faust_credentials()
