"""Numbers of things as a person writes them."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 event`, `2,000 events`.

    Args:
        number: How many there are.
        one: What one of them is called.
        many: What several are called; None: the same and an `s`.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
