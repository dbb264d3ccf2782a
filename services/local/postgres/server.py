"""PostgreSQL on a loopback port, with a password of its own and one empty database."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from services.kit.exits import Unavailable
from services.local.account import Account
from services.local.leftovers import Ledger
from services.local.part import READY_SECONDS, Part, plain_environment
from services.local.ports import LOOPBACK
from services.local.postgres.programs import copy_for_everyone, programs, wheel
from services.local.program import Launch, Program

USER = "care"
DATABASE = "care"

_STATUS_LINE = 7
"""Of postmaster.pid, counted from zero: the server's own word on whether it takes connections."""

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    # A path for a socket may be too long for the system; a port never is.
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}

# What is thrown away with its owner need not survive a power cut, only the death of any process,
# and that it does without waiting for the disk.  Commits stay synchronous: what only lies in the
# server's own memory dies with it.  Shared memory that it takes as it goes lies in the folder: one that is
# killed would leave a megabyte in /dev/shm for good.  A kept folder keeps PostgreSQL's own defaults.
_THROWAWAY = {"fsync": "off", "full_page_writes": "off", "dynamic_shared_memory_type": "mmap"}


class Server(Part):
    """PostgreSQL; clients use `url`."""

    name = "postgres"

    def __init__(
        self, ledger: Ledger, account: Account | None = None, port: int | None = None
    ) -> None:
        super().__init__(ledger, port)
        self._account = account

    @property
    def url(self) -> str:
        """The address with user, password and database, as DATABASE_URL has it."""
        password = (self.folder / "password").read_text().strip()
        return f"postgresql://{USER}:{password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start it, or start it again; returns when it takes connections and the database is there."""
        super().start()
        _ensure_database(self.url)

    def _prepare(self) -> Launch:
        self._make_folder(self._account.uid if self._account else os.geteuid())
        package = self._package()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(programs(package))
        settings = _SETTINGS | {"port": str(self.port)} | self._durability()
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Launch(
            command=(str(programs(package) / "postgres"), "-D", str(self._data), *options),
            folder=self.folder,
            log=self.log,
            environment=plain_environment(),
            # Fast, then immediate: a paused child would hold up the first for ever.
            stop_signals=(signal.SIGINT, signal.SIGQUIT),
            account=self._account,
        )

    def _answers(self, program: Program, printed: str) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        # A file left by a server that was killed says "ready" too, of another process.
        ready = len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"
        return ready and lines[0] == str(program.pid)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _durability(self) -> dict[str, str]:
        return _THROWAWAY if self._ledger.record.throwaway else {}

    def _package(self) -> Path:
        if self._account is None:
            return wheel()
        copies = self._ledger.folder / "programs"
        copy = copies / wheel().name
        if not copy.exists():
            shutil.rmtree(copies, ignore_errors=True)
            copy_for_everyone(wheel(), copies)
        return copy

    def _initialise(self, folder: Path) -> None:
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
        if self._account is not None:
            os.chown(password, self._account.uid, self._account.gid)
        # An attempt that was interrupted is no database.
        shutil.rmtree(self._data, ignore_errors=True)
        command = [str(folder / "initdb"), f"--pgdata={self._data}", f"--username={USER}"]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"]
        command += ["--no-instructions"] + (["--no-sync"] if self._ledger.record.throwaway else [])
        self._run_initdb(command)

    def _run_initdb(self, command: list[str]) -> None:
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=plain_environment(),
                capture_output=True,
                text=True,
                timeout=READY_SECONDS,
                check=False,
                umask=0o077,
                **_as(self._account),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f"PostgreSQL's initdb cannot be run here: {error}") from None
        if done.returncode != 0:
            said = " | ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
            raise Unavailable(f"PostgreSQL could not make a database in {self._data}: {said}")


def _as(account: Account | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _ensure_database(url: str) -> None:
    maintenance = url.removesuffix(DATABASE) + "postgres"
    with psycopg.connect(maintenance, autocommit=True, connect_timeout=READY_SECONDS) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if there.fetchone() is None:
            connection.execute(f'CREATE DATABASE "{DATABASE}"')
