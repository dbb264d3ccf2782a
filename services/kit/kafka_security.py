"""How clients show Kafka who they are: the settings in the words of each client library.

One process speaks to one Kafka as one user, so every client takes this from the environment, as the
command line and the services do with Kafka's address.
"""

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.kit.exits import Unavailable
from services.kit.settings import KafkaSecurity, SecurityProtocol, load
from services.kit.watched_file import UnreadableFile, WatchedFile, read_text

_PASSWORD_SETTING = "KAFKA_SASL_PASSWORD_FILE"  # noqa: S105 - the name of a setting


class Password:
    """What a file holds at the moment a client shows it: a new one needs no restart.

    Both pure Python clients ask their password for nothing but its bytes, at each connection.
    """

    def __init__(self, path: Path) -> None:
        """Raises `Unavailable` where the file cannot be used now."""
        self._file = WatchedFile(path, _read_password, "kafka_password")

    def __repr__(self) -> str:
        return "<password>"

    def encode(self, *_: object) -> bytes:
        """Return its bytes."""
        return self.reveal().encode()

    def reveal(self) -> str:
        """Return the password itself."""
        return self._file.current()


_password_in = lru_cache(Password)


def in_force() -> KafkaSecurity:
    """Return how Kafka is to be spoken to; wrong settings end the process with code 2."""
    return load(KafkaSecurity)


def user() -> str:
    """Return how to call whom Kafka takes this process for, in a sentence."""
    name = in_force().kafka_sasl_username
    return f"Kafka user {name}" if name else "this process's Kafka user"


def unseen() -> str:
    """Return how a sentence about something that is not there goes on: it may be kept from this user.

    A broker does not tell the two apart either, where the user may not so much as ask.
    """
    if in_force().kafka_security_protocol is SecurityProtocol.PLAINTEXT:
        return ""
    return f"; or {user()} may not see them: `care topics acls` prints what each needs"


def doubts() -> str:
    """Return how a sentence about a broker that does not answer goes on: it may not take who we are.

    The clients do not tell the two apart.
    """
    security = in_force()
    protocol = security.kafka_security_protocol
    if protocol is SecurityProtocol.PLAINTEXT:
        return ""
    shown = f"the password of {user()} and " if protocol is SecurityProtocol.SASL_SSL else ""
    return (
        f"; or it speaks no {protocol}, or does not take {shown}the certificates: look at the settings "
        "KAFKA_SASL_... and KAFKA_SSL_..."
    )


def kafka_python(bootstrap: str) -> dict[str, Any]:
    """Return kafka-python's settings for these brokers.

    Raises:
        Unavailable: a file cannot be used.
    """
    security = in_force()
    settings: dict[str, Any] = {
        "bootstrap_servers": bootstrap.split(","),
        "security_protocol": security.kafka_security_protocol.value,
    }
    if security.kafka_security_protocol is not SecurityProtocol.PLAINTEXT:
        settings["ssl_context"] = _ssl_context(security)
    if (password := _password(security)) is not None:
        settings["sasl_mechanism"] = security.kafka_sasl_mechanism.value
        settings["sasl_plain_username"] = security.kafka_sasl_username
        settings["sasl_plain_password"] = password
    return settings


def librdkafka(bootstrap: str) -> dict[str, Any]:
    """Return confluent-kafka's settings for these brokers.

    Raises:
        Unavailable: the password's file cannot be used.
    """
    security = in_force()
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "security.protocol": security.kafka_security_protocol.value,
    }
    if security.kafka_security_protocol is not SecurityProtocol.PLAINTEXT:
        settings["enable.ssl.certificate.verification"] = True
        settings["ssl.endpoint.identification.algorithm"] = "https"
        settings |= {name: str(path) for name, path in _files(security).items() if path}
    if (password := _password(security)) is not None:
        settings["sasl.mechanism"] = security.kafka_sasl_mechanism.value
        settings["sasl.username"] = security.kafka_sasl_username
        settings["sasl.password"] = password.reveal()
    return settings


class Renewal:
    """Gives a librdkafka client the password its file holds by now, for its next connections."""

    def __init__(self) -> None:
        security = in_force()
        self._user = security.kafka_sasl_username
        self._password = _password(security)
        self._shown = self._password.reveal() if self._password else ""

    def give(self, client: Any) -> None:
        """Give it where it is another than the one the client has."""
        if self._password is not None and (found := self._password.reveal()) != self._shown:
            client.set_sasl_credentials(self._user, found)
            self._shown = found


def faust_credentials() -> Any:
    """Return Faust's credentials; None: in the clear.

    Raises:
        Unavailable: a file cannot be used.
    """
    security = in_force()
    if security.kafka_security_protocol is SecurityProtocol.PLAINTEXT:
        return None
    from faust import SASLCredentials, SSLCredentials

    # Never without a context: Faust would then show the password over an open connection.
    context = _ssl_context(security)
    if (password := _password(security)) is None:
        return SSLCredentials(context=context)
    return SASLCredentials(
        username=security.kafka_sasl_username,
        password=password,  # type: ignore[arg-type]
        mechanism=security.kafka_sasl_mechanism.value,
        ssl_context=context,
    )


def _password(security: KafkaSecurity) -> Password | None:
    file = security.kafka_sasl_password_file
    if security.kafka_security_protocol is not SecurityProtocol.SASL_SSL or file is None:
        return None
    return _password_in(file)


def _read_password(path: Path) -> str:
    try:
        found = read_text(path).strip("\r\n")
    except UnreadableFile as error:
        raise Unavailable(f"{path} {error.reason}: set {_PASSWORD_SETTING}") from None
    if not found:
        raise Unavailable(f"{path} is empty: write the Kafka user's password into it")
    return found


def _files(security: KafkaSecurity) -> dict[str, Path | None]:
    return {
        "ssl.ca.location": security.kafka_ssl_ca_file,
        "ssl.certificate.location": security.kafka_ssl_certificate_file,
        "ssl.key.location": security.kafka_ssl_key_file,
    }


def _ssl_context(security: KafkaSecurity) -> ssl.SSLContext:
    """Return a context that checks the broker's certificate and its host name, TLS 1.2 at least."""
    try:
        context = ssl.create_default_context(cafile=security.kafka_ssl_ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if security.kafka_ssl_certificate_file is not None:
            context.load_cert_chain(
                security.kafka_ssl_certificate_file, security.kafka_ssl_key_file
            )
    except OSError as error:  # an unusable certificate too
        raise Unavailable(
            f"the certificates cannot be used ({type(error).__name__}: {error.strerror or 'no PEM'}): "
            "set KAFKA_SSL_CA_FILE, KAFKA_SSL_CERTIFICATE_FILE and KAFKA_SSL_KEY_FILE to PEM files"
        ) from None
    return context
