"""`python -m services.local.kafka.relock`: make jgo.lock.toml anew from jgo.toml."""

import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec

from services.local.kafka.jars import LOCK
from services.local.kafka.repositories import certificates, maven

_SPEC = LOCK.with_name("jgo.toml")


def main() -> None:
    """Resolve the coordinates, sum every jar, and write the lock beside its specification."""
    with tempfile.TemporaryDirectory() as folder, certificates():
        context = maven(Path(folder) / "repository")
        builder = EnvironmentBuilder(context, cache_dir=Path(folder) / "environment")
        lock = builder.resolve_lockfile(EnvironmentSpec.load(_SPEC))
    lock.save(LOCK)
    print(f"{LOCK.name}: {len(lock.dependencies)} jars")


if __name__ == "__main__":
    main()
