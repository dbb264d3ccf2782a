"""`python -m services.cli.waiting`: does nothing until it is told to end.

The pod in which a person types commands runs it: what is typed there runs beside it, and ends with it.
"""

import signal

import click

_ENDED_BY = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Return when this process is told to end."""
    # The first process of a container is told nothing that it neither handles nor blocks.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDED_BY)
    click.echo("waiting: type `care` commands beside this, by kubectl exec")
    signal.sigwait(_ENDED_BY)


if __name__ == "__main__":
    main()
