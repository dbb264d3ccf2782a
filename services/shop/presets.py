"""Shops by name: one to look at, one to load a deployment with.  Pure."""

from collections.abc import Mapping
from dataclasses import replace

from services.shop.parameters import Carrier, ShopParameters

DEMO = ShopParameters()

LOAD = replace(
    DEMO,
    customers=100_000,
    days=60,
    # At once, a million profiles would be one enormous step.
    arrivals_per_hour=100_000,
    # An order every six weeks; carriers so that about two thirds of the poor answers are of orders
    # in time, as in the public marketplace data.
    orders_per_customer_month=0.65,
    rhythm_shape=0.8,
    abandoned=0.25,
    # A steadier shop than the demo's: fewer of its refunds are late, fewer people write again.
    refund_overdue=0.08,
    writes_again=0.04,
    keeps_writing=0.3,
    carriers=(
        Carrier(slug="swift-parcel", share=0.55, slow_lanes=0.0, lost=0.004),
        Carrier(slug="green-mile", share=0.30, slow_lanes=0.25, lost=0.006),
        Carrier(slug="old-post", share=0.15, slow_lanes=0.5, lost=0.012),
    ),
    spoiled_per_kind=20,
    poison_per_kind=10,
    beyond_horizon=10,
)

PRESETS: Mapping[str, ShopParameters] = {"demo": DEMO, "load": LOAD}
"""By the name given on the command line."""
