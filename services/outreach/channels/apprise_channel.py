"""SMS, chat and push through Apprise: one plain text to one recipient by one request.

Apprise says whether a provider took a message, and not why it did not: a provider that refused, one
that was away and one that was not heard in time look alike.  Such an attempt therefore ends as unknown,
and nothing repeats it, unless `failure_is_undelivered` says that with this provider it surely did not
arrive.

Of what Apprise can do besides, nothing is used: no attachments, configuration files, modules of one's
own, templates, retries or redirects, and no kind of URL that was not allowed.  Its lines in the log
hold recipients and credentials; none of them is written.  Its requests heed proxies and `.netrc` of
the environment, which cannot be switched off: let the network say where they may go.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apprise import Apprise, AppriseAsset, AppriseResult, AppriseResultStatus, NotifyBase
from apprise import NotifyFormat as Format

from services.outreach.channels.apprise_url import ProviderUrl, WrongRecipient, names
from services.outreach.channels.endings import UNWRITABLE, Delivery, Ending
from services.outreach.channels.outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class Provider:
    """Who carries the messages, and how."""

    url: ProviderUrl
    sender_name: str = "Care"
    """How providers that show a sender name us."""
    with_subject: bool = False
    """Whether the subject goes along: as the title, or as the first line where there is none."""
    failure_is_undelivered: bool = False
    """Whether what this provider did not take, or did not confirm, surely never arrives."""
    total_seconds: float = 15.0
    """After so long nobody waits for the provider any more."""


class AppriseChannel:
    """Sends through one provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._asset = AppriseAsset(
            app_id=provider.sender_name,
            app_desc=provider.sender_name,
            async_mode=False,
            default_service_retry=0,
            http_redirects=False,
            interpret_emojis=False,
            interpret_escapes=False,
            pgp_autogen=False,
            pem_autogen=False,
            storage_mode="memory",
            allow_templates=False,
            secure_logging=True,
            # The time of the whole call is limited instead.
            service_timeout=0,
        )

    def send(self, outgoing: Outgoing) -> Delivery:
        """Return how the attempt ended; see above for what a provider did not take."""
        if not _is_writable(outgoing):
            return Delivery(Ending.REFUSED, UNWRITABLE)
        try:
            service = self._service(outgoing.recipient)
        except WrongRecipient as error:
            return Delivery(Ending.REFUSED, str(error))
        except (TypeError, ValueError, AttributeError) as error:
            # What Apprise raises, by its own word, at what it is wrongly given.
            return Delivery(Ending.REFUSED, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a provider's module may fail in any way
            return Delivery(Ending.DEFERRED, f"before sending: {type(error).__name__}")
        return self._verdict(self._sent(service, outgoing))

    def close(self) -> None:
        """Nothing is kept between messages."""

    def _service(self, recipient: str) -> NotifyBase:
        """Return the provider's service for this recipient alone."""
        url = self._provider.url.of(recipient)
        service = Apprise.instantiate(url, asset=self._asset, suppress_exceptions=False)
        if service is None or len(service) != 1 or not names(_url_of(service), recipient):
            raise WrongRecipient("the provider has no such recipient")
        return service

    def _sent(self, service: NotifyBase, outgoing: Outgoing) -> AppriseResult:
        return Apprise(services=service, asset=self._asset).notify(
            body=outgoing.text,
            title=outgoing.subject if self._provider.with_subject else "",
            body_format=Format.TEXT,
            timeout=self._provider.total_seconds,
        )

    def _verdict(self, result: AppriseResult) -> Delivery:
        if result.status is AppriseResultStatus.SUCCESS:
            return Delivery(Ending.TAKEN)
        if result.status is AppriseResultStatus.TIMEOUT:
            # Whoever was waited for may still go on.
            return Delivery(Ending.UNKNOWN, "no answer in time")
        undelivered = self._provider.failure_is_undelivered
        return Delivery(Ending.DEFERRED if undelivered else Ending.UNKNOWN, "not taken")


def _url_of(service: NotifyBase) -> str:
    url: Callable[[], str] = service.url  # Apprise gives it no types
    return url()


def _is_writable(outgoing: Outgoing) -> bool:
    try:
        (outgoing.subject + outgoing.text).encode()
    except UnicodeError:
        return False
    return bool(outgoing.text.strip())
