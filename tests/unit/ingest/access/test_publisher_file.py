"""The file of publishers that sign: what it takes, and that no secret of it is ever told."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.ingest.access import publisher_file
from services.ingest.access.rates import Rate
from services.kit.exits import Unavailable

SECRET = "whsec_" + "QUJD" * 10
OTHER = "whsec_" + "REVG" * 10
USUAL = Rate(10, 20)


def entry(**changes: Any) -> dict[str, Any]:
    return {"client": "erp", "secrets": [SECRET], "scopes": ["publish:*"], **changes}


def test_a_publisher_has_its_secrets_scopes_and_rate(tmp_path: Path) -> None:
    path = tmp_path / "publishers.json"
    told = [entry(burst=3), entry(client="shop", secrets=[OTHER, OTHER + "RERE"])]
    path.write_text(json.dumps({"publishers": told}))

    found = publisher_file.read(path, USUAL)

    assert found["erp"].rate == Rate(10, 3)
    assert found["shop"].rate == USUAL
    assert found["shop"].secrets == (b"DEF" * 10, b"DEF" * 10 + b"DDD")


@pytest.mark.parametrize(
    ("publishers", "place"),
    [
        ([entry(secrets=["canary"])], "publishers.0.secrets.0"),
        ([entry(secrets=["whsec_canary"])], "publishers.0.secrets.0"),
        ([entry(secrets=[])], "publishers.0.secrets"),
        ([entry(secrets=[SECRET] * 3)], "publishers.0.secrets"),
        ([entry(scopes=["can ary"])], "publishers.0.scopes"),
        ([entry(events_per_second=0)], "publishers.0.events_per_second"),
        ([entry(canary=1)], "publishers.0.canary: Extra"),
        ([entry(), entry()], "two publishers have the same client"),
        (
            [
                entry(),
                entry(client="crm", secrets=[OTHER]),
                entry(client="b", secrets=[OTHER, SECRET]),
            ],
            "file: .*crm and b have the same secret",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(
    tmp_path: Path, publishers: list[Any], place: str
) -> None:
    path = tmp_path / "publishers.json"
    path.write_text(json.dumps({"publishers": publishers}))

    with pytest.raises(Unavailable, match=place) as caught:
        publisher_file.read(path, USUAL)

    assert "canary" not in str(caught.value).replace("0.canary", "")
    assert "QUJD" not in str(caught.value)
    assert "REVG" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        publisher_file.read(tmp_path / "absent", USUAL)
