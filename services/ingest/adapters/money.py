"""Decimal amounts as integers of the currency's smallest unit."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

_EXPONENTS = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
            *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""ISO 4217's minor units where they are not 2."""

_MOST_DIGITS = 18
"""Before the point; more is no amount of money."""


def exponent_of(currency: str) -> int:
    """Return how many decimals the currency has after ISO 4217."""
    return _EXPONENTS.get(currency, 2)


def minor_units(amount: object, currency: str) -> int | None:
    """Return the amount in the currency's smallest unit; None where it is no amount.

    A fraction of that unit, as a unit price may have, is rounded half to even.
    """
    if isinstance(amount, bool) or not isinstance(amount, str | int | float):
        return None
    try:
        exact = Decimal(str(amount).strip())
    except (InvalidOperation, ValueError):
        return None
    if not exact.is_finite() or exact.adjusted() > _MOST_DIGITS:
        return None
    scaled = exact.scaleb(exponent_of(currency))
    return int(scaled.to_integral_value(ROUND_HALF_EVEN))
