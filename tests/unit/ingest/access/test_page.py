"""docs/publishing-auth.md names every reason, way in and setting, and shows scopes as they are."""

import re
from pathlib import Path

from services.ingest.access import seals, signing_keys, tokens
from services.ingest.access.callers import Method, Reason
from services.ingest.access.rates import Buckets, Rate
from services.ingest.access.scopes import may_publish
from services.ingest.settings import Settings
from services.kit.settings import environment_names

PAGE = (Path(__file__).parents[4] / "docs" / "publishing-auth.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))
FIELDS = Settings.model_fields


def test_every_reason_and_way_in_has_its_place() -> None:
    assert {reason.value for reason in Reason} <= NAMED
    assert {method.value for method in Method} <= NAMED


def test_every_setting_named_is_one_and_those_of_access_are_named() -> None:
    known = {environment_names(Settings, field): field for field in FIELDS}
    told = set(re.findall(r"CARE_[A-Z_]+", PAGE)) - {"CARE_INGEST_API_KEY"}
    mine = {
        name for name in known if "OIDC" in name or name.endswith(("KEYS_FILE", "SECRETS_FILE"))
    }

    assert told <= known.keys()
    assert mine | {"CARE_DEPLOYMENT", "CARE_INGEST_AUTHENTICATION"} <= told


def test_defaults_and_bounds_are_as_told() -> None:
    rate = Rate(FIELDS["events_per_second"].default, FIELDS["burst"].default)
    headers = Buckets().headers("a", rate, 0)

    assert f"RateLimit-Policy: {headers['ratelimit-policy']}" in PAGE
    assert FIELDS["oidc_algorithms"].default in NAMED | set(PAGE.split("`"))
    assert f"{tokens.LEEWAY_SECONDS} seconds" in PAGE
    assert f"{seals.MAX_REMEMBERED:,}" in PAGE
    assert f"{signing_keys.FRESH_SECONDS / 60:.0f} minutes" in PAGE
    assert f"{signing_keys.USABLE_SECONDS / 3600:.0f} hours" in PAGE
    assert seals.TOLERANCE.total_seconds() == 300
    assert signing_keys.LEAST_PAUSE_SECONDS == 60


def test_the_scopes_shown_cover_what_is_said() -> None:
    shown = re.findall(r"^\| `(publish:\S+)` \|", PAGE, re.MULTILINE)

    assert len(shown) == 4
    assert all(may_publish([each], "care.order.placed.v1", "/shop/orders") for each in shown)
    assert [may_publish([each], "care.cart.abandoned.v1", "/web") for each in shown] == [
        *(False, False, False, True)
    ]
