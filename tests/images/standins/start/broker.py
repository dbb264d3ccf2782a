"""Start one broker as Apache's image does: KAFKA_LISTENERS says `listeners`, and so on."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

JAVA = ("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
CLASS_PATH = ("-cp", "/opt/kafka/libs/*")
CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"
PREFIX = "KAFKA_"


def properties(environment: Mapping[str, str]) -> str:
    """Return the broker's settings as `server.properties` has them."""
    told = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    lines = (f"{_property(name)}={value}\n" for name, value in sorted(told.items()))
    return "".join(lines)


def main() -> None:
    """Format what was never formatted, and become the broker."""
    file = Path("/tmp/server.properties")
    file.write_text(properties(os.environ), encoding="utf-8")
    storage = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID)
    subprocess.run((*JAVA, *CLASS_PATH, *storage, "-c", str(file)), check=True)
    broker = (*JAVA, *CLASS_PATH, "kafka.Kafka", str(file))
    os.execvp(broker[0], broker)


def _property(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower().replace("_", ".")


if __name__ == "__main__":
    main()
