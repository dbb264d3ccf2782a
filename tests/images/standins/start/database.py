"""Start one server as the official image does, with its user, database, password and method."""

import os
import subprocess
from pathlib import Path

PASSWORD = Path("/tmp/password")


def main() -> None:
    """Make the database where there is none, and become the server."""
    data = Path(os.environ["PGDATA"])
    if not (data / "PG_VERSION").exists():
        _initialise(data)
    os.execvp("postgres", ["postgres", "-D", str(data), "-c", "listen_addresses=*"])


def _initialise(data: Path) -> None:
    user = os.environ.get("POSTGRES_USER", "postgres")
    name = os.environ.get("POSTGRES_DB", user)
    method = os.environ.get("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256")
    PASSWORD.touch(mode=0o600)
    PASSWORD.write_text(os.environ.get("POSTGRES_PASSWORD", "unused") + "\n", encoding="utf-8")
    words = [f"--pgdata={data}", f"--username={user}", f"--pwfile={PASSWORD}", "--locale=C"]
    words += ["--encoding=UTF8", "--auth-local=trust", f"--auth-host={method}", "--no-instructions"]
    subprocess.run(["initdb", *words], check=True)
    PASSWORD.unlink()
    with (data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        rules.write(f"host all all all {method}\n")
    if name != "postgres":
        # One user and no port: nobody finds the server before its database is there.
        single = ["postgres", "--single", "-D", str(data), "postgres"]
        subprocess.run(single, input=f'CREATE DATABASE "{name}"\n', text=True, check=True)


if __name__ == "__main__":
    main()
