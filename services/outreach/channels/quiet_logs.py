"""Libraries that log what they send say nothing here: their lines hold addresses, texts and secrets."""

import logging

_ABOVE_ALL = logging.CRITICAL + 1


def silence(*names: str) -> None:
    """Let these loggers, and all below them, make no line, and let none reach the process' log."""
    for name in names:
        logger = logging.getLogger(name)
        logger.setLevel(_ABOVE_ALL)
        # Should somebody set the level of one below.
        logger.propagate = False
        if not logger.handlers:
            # Without any, the standard library would write warnings to stderr by itself.
            logger.addHandler(logging.NullHandler())
