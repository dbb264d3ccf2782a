"""What a deployment has written down is counted by name, and nothing else."""

import pytest

from services.ingest.access.counted import MAX_NAMES, OTHER, Counted, counted

SHOP, ERP = ("publish:care.order.*@/shop/*",), ("publish:care.order.*@/erp/orders",)


def named(*configured: str) -> Counted:
    return counted(configured, [*SHOP, *ERP, "publish:*", "outreach:read"], ["shop", "erp"])


@pytest.mark.parametrize(
    ("source", "scopes", "name"),
    [
        ("/shop/carts", SHOP, "/shop/*"),
        ("/shop/orders", SHOP, "/shop/orders"),
        ("/shop/orders", ERP, OTHER),
        ("/erp/orders", ERP, "/erp/orders"),
        ("/erp/orders", ("publish:*",), "/erp/orders"),
        ("/elsewhere", ("publish:*",), OTHER),
        ("/shop/carts", ("outreach:*",), OTHER),
        (None, SHOP, "/shop/*"),
        (None, (*SHOP, *ERP), OTHER),
        (None, (*SHOP, "outreach:read", "publish:care.refund.*@/shop/*"), "/shop/*"),
        (None, ("publish:*",), OTHER),
        (None, ("publish:*@/invented/*",), OTHER),
        (None, (), OTHER),
    ],
)
def test_a_source_has_a_name_for_who_may_publish_from_it(
    source: str | None, scopes: tuple[str, ...], name: str
) -> None:
    assert named("/shop/orders").source(source, scopes) == name


def test_names_are_few_however_many_are_written_down() -> None:
    many = [f"{n}" for n in range(3 * MAX_NAMES)]
    found = counted(["/first"], [f"publish:*@/{n}" for n in many], many)

    assert len(found.sources) == len(found.clients) == MAX_NAMES
    assert "/first" in found.sources
    assert (found.client("0"), found.client(many[-1])) == ("0", OTHER)
    assert found.source(f"/{many[-1]}", ("publish:*",)) == OTHER


def test_everything_is_no_name() -> None:
    assert counted(["*"], ["publish:*", "publish:care.*@*"], []).sources == ()
