"""Providers' URLs: a recipient is one recipient, and nothing else of a URL moves."""

import re

import pytest
from apprise import Apprise, AppriseAsset
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.channels.apprise_url import (
    IDENTIFIER,
    PHONE_NUMBER,
    SCHEMAS,
    ProviderUrl,
    WrongProvider,
    WrongRecipient,
    _kinds,
    names,
)

JSON = frozenset({"json"})
ANYTHING = re.compile(r".*", re.DOTALL)
TWILIO = f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/{{recipient}}"


def json_url(template: str = "json://127.0.0.1:1/sms/{recipient}") -> ProviderUrl:
    return ProviderUrl(template, ANYTHING, JSON)


@pytest.mark.parametrize(
    ("template", "recipient", "url"),
    [
        ("json://127.0.0.1/{recipient}/x", "+4917112345678", "json://127.0.0.1/%2B4917112345678/x"),
        ("json://127.0.0.1?:to={recipient}", "ada-1.x_y~z", "json://127.0.0.1?:to=ada-1.x_y~z"),
        ("json://{recipient}:pw@127.0.0.1", "a:b", "json://a%3Ab:pw@127.0.0.1"),
    ],
)
def test_the_recipient_is_filled_in_and_quoted(template: str, recipient: str, url: str) -> None:
    assert json_url(template).of(recipient) == url


@pytest.mark.parametrize(
    "recipient",
    [
        *(
            "",
            " ",
            ".",
            "..",
            "+",
            "-",
            "*",
            "a,b",
            "a b",
            "a;b",
            "a/b",
            "a?b",
            "a#b",
            "a&b=c",
            "a%2Cb",
        ),
        *(
            "@all",
            "@here",
            "#everybody",
            "!room",
            "a@b",
            "a\nb",
            "a\x00b",
            "\udcff",
            "ä",
            "٣٤",
            "{recipient}",
        ),
    ],
)
def test_what_would_be_more_or_other_than_one_recipient_is_none(recipient: str) -> None:
    with pytest.raises(WrongRecipient) as wrong:
        json_url().of(recipient)
    assert str(wrong.value) == "not a recipient of this channel"


@pytest.mark.parametrize("number", ["+4917112345678", "+15550100", "+123456789012345"])
def test_a_phone_number_is_one_with_its_country(number: str) -> None:
    assert PHONE_NUMBER.fullmatch(number)
    assert not any(
        PHONE_NUMBER.fullmatch(wrong) for wrong in (number[1:], number + "x", "+0" + number)
    )


@given(st.from_regex(IDENTIFIER, fullmatch=True) | st.from_regex(PHONE_NUMBER, fullmatch=True))
def test_whoever_the_recipient_is_the_rest_of_the_url_stays(recipient: str) -> None:
    asset = AppriseAsset(storage_mode="memory")
    template = "json://user:pw@127.0.0.1:8080/sms/{recipient}/now?:to=x"

    service = Apprise.instantiate(json_url(template).of(recipient), asset=asset)

    assert service is not None
    assert (service.host, service.port, service.user, service.password) == (
        "127.0.0.1",
        8080,
        "user",
        "pw",
    )
    read = vars(service)
    assert (read["fullpath"], read["payload_extras"], read["params"]) == (
        f"/sms/{recipient}/now",
        {"to": "x"},
        {},
    )


OF_ANOTHER_KIND = (
    "file:///etc/{recipient}",
    "https://example.org/{recipient}",
    "mailto://example.org/{recipient}",
    " json://127.0.0.1/{recipient}",
    "JSON://127.0.0.1/{recipient}",
    "",
)
MISPLACED = (
    "json://127.0.0.1/",
    "json://127.0.0.1/{recipient}/{recipient}",
    "json://{recipient}/x",
    "json://u@{recipient}.example.org/x",
    "json://127.0.0.1:{recipient}/x",
)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        *((template, "use one of these kinds of URL: json") for template in OF_ANOTHER_KIND),
        *((template, "write {recipient} once, and not as the host") for template in MISPLACED),
        ("json://127.0.0.1/{recipient}#x", "write # as %23"),
        ("json://[canary/{recipient}", "not a URL"),
        ("json:///{recipient}", "not a URL of json"),
    ],
)
def test_a_template_that_is_none_is_refused_before_the_first_message(
    template: str, why: str
) -> None:
    with pytest.raises(WrongProvider) as wrong:
        json_url(template)
    assert str(wrong.value) == why


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("verify=no", "leave out verify: it would trust every certificate"),
        ("retry=3", "leave out retry: it would send again what may have arrived"),
        ("OVERFLOW=split", "leave out overflow: it could send several messages"),
        ("a=b&redirect=yes", "leave out redirect: it could send it elsewhere"),
        ("attach=file:///x", "leave out attach: it would send a file along"),
        ("optional=yes", "leave out optional: it would call a failure a success"),
        ("%66ormat=html", "leave out format: it would change the text"),
    ],
)
def test_a_template_that_could_do_more_is_refused_alike(option: str, why: str) -> None:
    with pytest.raises(WrongProvider) as wrong:
        json_url(f"json://127.0.0.1/{{recipient}}?{option}")
    assert str(wrong.value) == why


def test_by_default_every_kind_goes_over_tls() -> None:
    for schema in SCHEMAS:
        secure = _kinds()[schema].secure_protocol
        assert schema in ({secure} if isinstance(secure, str) else set(secure))


def test_a_provider_whose_package_is_missing_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_kinds()["json"], "enabled", False)

    with pytest.raises(WrongProvider, match="json needs a package that is not installed"):
        json_url()


def test_a_url_shows_nothing_of_itself() -> None:
    assert "bbbb" not in repr(ProviderUrl(TWILIO))


@pytest.mark.parametrize(
    ("url", "recipient"),
    [
        ("twilio://AC:b@%2B1555/%2B49171/?mode=x", "+49171"),
        ("vonage://a:b@1555/49171/", "+49171"),
        ("slack://a/b/%40ada/", "ada"),
        ("mmosts://h/t/?to=%23ada", "ada"),
        ("pover://49171@key//", "49171"),
        ("clicksend://u:p@49171", "+49171"),
        ("json://h/sms/a:b", "a:b"),
        ("json://h/sms/ADA", "ada"),
    ],
)
def test_a_recipient_is_found_in_whatever_part_it_is(url: str, recipient: str) -> None:
    assert names(url, recipient)


@pytest.mark.parametrize("url", ["twilio://AC:b@%2B1555//", "json://h/adam", "json://h/x?a=b", ""])
def test_a_recipient_that_was_left_out_is_missed(url: str) -> None:
    assert not names(url, "ada")
