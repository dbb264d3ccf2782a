"""Channels beside mail: off unless told, refused by name where wrong, and no secret is repeated."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from services.contracts.people import Channel
from services.kit.settings import load
from services.outreach.channels.breaker import Patience
from services.outreach.settings import Settings

PREFIX = "CARE_OUTREACH_WEBHOOK_"
CANARY = "canary-5e1f"
HOOK = {f"{PREFIX}URL": f"https://hooks.example.org/{CANARY}", f"{PREFIX}SECRETS_FILE": "secrets"}
OWN = {f"{PREFIX}ALLOWED_NETWORKS": "10.1.0.0/16, fd00::/8", f"{PREFIX}PLAIN_HTTP": "true"}


def loaded(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> Settings:
    known = {"DATABASE_URL": "postgresql://a@b/c", "KAFKA_BOOTSTRAP_SERVERS": "d:1"}
    for name, value in {**known, **changes}.items():
        monkeypatch.setenv(name, value)
    return load(Settings)


def test_there_are_none_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = loaded(monkeypatch, {})

    files = (found.sms_url_file, found.push_url_file, found.chat_url_file)
    assert (found.webhook_url, *files) == (None,) * 4
    assert {found.patience(by) for by in Channel} == {Patience()}


def test_networks_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    found = loaded(monkeypatch, HOOK | OWN | {f"{PREFIX}URL": "http://hooks.internal:8080/care"})

    assert found.webhook_allowed_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert found.webhook_plain_http


@pytest.mark.parametrize("by", [by for by in Channel if by is not Channel.HUMAN])
def test_each_channel_has_its_own_pace(monkeypatch: pytest.MonkeyPatch, by: Channel) -> None:
    found = loaded(monkeypatch, {f"CARE_OUTREACH_{by.name}_PER_SECOND": "0.5"})

    assert found.patience(by) == Patience(interval=timedelta(seconds=2))
    assert found.patience(Channel.HUMAN) == Patience()


@pytest.mark.parametrize(
    ("changes", "named", "said"),
    [
        ({f"{PREFIX}URL": f"https://a.example/{CANARY}"}, "URL", "SECRETS_FILE"),
        (HOOK | {f"{PREFIX}URL": f"http://a.example/{CANARY}"}, "URL", "https://"),
        (HOOK | {f"{PREFIX}URL": f"{CANARY}"}, "URL", "https://"),
        (HOOK | {f"{PREFIX}URL": f"ftp://a.example/{CANARY}"}, "URL", "https://"),
        (HOOK | {f"{PREFIX}URL": f"https:///{CANARY}"}, "URL", "https://"),
        (HOOK | {f"{PREFIX}URL": f"https://a.example:99999/{CANARY}"}, "URL", "https://"),
        (HOOK | {f"{PREFIX}URL": f"https://a.example:0/{CANARY}"}, "URL", "https://"),
        (HOOK | {f"{PREFIX}URL": f"https://a.example/#{CANARY}"}, "URL", "https://"),
        (HOOK | {f"{PREFIX}URL": f"https://a:{CANARY}@a.example/"}, "URL", "signed instead"),
        (HOOK | {"CARE_CLOCK": "ticks"}, "URL", "simulated time"),
        (HOOK | {f"{PREFIX}PLAIN_HTTP": "true"}, "PLAIN_HTTP", "ALLOWED_NETWORKS"),
        ({f"{PREFIX}ALLOWED_NETWORKS": "10.1.0.0/8"}, "ALLOWED_NETWORKS", "behind their mask"),
        ({f"{PREFIX}ALLOWED_NETWORKS": CANARY}, "ALLOWED_NETWORKS", "networks"),
        ({f"{PREFIX}ALLOWED_NETWORKS": "[1"}, "ALLOWED_NETWORKS", "networks"),
        ({f"{PREFIX}IDEMPOTENT": CANARY}, "IDEMPOTENT", "boolean"),
        ({f"{PREFIX}PER_SECOND": "0"}, "PER_SECOND", "greater than or equal to 0.001"),
        ({f"{PREFIX}PER_SECOND": "nan"}, "PER_SECOND", ""),
        ({f"{PREFIX}PER_SECOND": "inf"}, "PER_SECOND", ""),
    ],
    ids=str,
)
def test_what_is_wrong_ends_the_start_in_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    named: str,
    said: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        loaded(monkeypatch, changes)

    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.count("\n") == 1
    assert f"{PREFIX}{named}: " in told
    assert said in told
    assert CANARY not in told


def test_the_address_of_a_webhook_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CANARY not in repr(loaded(monkeypatch, HOOK))


def test_simulated_time_minds_no_other_channel(tmp_path: Path) -> None:
    known: dict[str, Any] = {"database_url": "postgresql://a@b/c", "kafka_bootstrap_servers": "d:1"}

    assert Settings(**known, clock="ticks", sms_url_file=tmp_path).sms_url_file == tmp_path
