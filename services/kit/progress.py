"""What long work tells whoever waits for it."""

from collections.abc import Callable

Tell = Callable[[str], None]
"""Takes a line for people: what is done so far, and of how much."""
