"""Everything a process would log, with the loggers of libraries as they are before anybody set them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Lines(logging.Handler):
    """Keeps every line."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


@contextmanager
def everything_logged(*names: str) -> Iterator[Lines]:
    """Collect what reaches the root logger at any level; what was set of the named ones comes back."""
    root, lines = logging.getLogger(), Lines()
    loggers = [logging.getLogger(name) for name in names]
    were = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    level = root.level
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    root.addHandler(lines)
    root.setLevel(logging.NOTSET)
    try:
        yield lines
    finally:
        root.removeHandler(lines)
        root.setLevel(level)
        for logger, (was, propagate, handlers) in zip(loggers, were, strict=True):
            logger.setLevel(was)
            logger.propagate = propagate
            logger.handlers[:] = handlers
