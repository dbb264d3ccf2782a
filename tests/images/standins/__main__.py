"""`python -m tests.images.standins`: images of Kafka and PostgreSQL where no registry can be reached.

Their programs are those that the demo runs, from the lock and the checked jars; CARE_IMAGES_BASE is BASE.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.supply_chain.locks import lock_of
from services.kit import exits
from services.local import folders
from services.local.kafka.jars import class_path, locked_jars

HERE = Path(__file__).parent
IMAGES = {
    "kafka": "proactive-care/kafka-standin:4.4.0",
    "postgres": "proactive-care/postgres-standin:18",
}
"""Tags by part; their versions are what the demo's are."""


def gather(context: Path) -> None:
    """Put everything an image is made of into a folder.

    Raises:
        Unavailable: a jar cannot be fetched, or is not the one that was locked.
    """
    shutil.copy(HERE / "Dockerfile", context)
    shutil.copytree(HERE / "start", context / "start", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(lock_of("demo"), context / "requirements.txt")
    (context / "libs").mkdir()
    jars = class_path(folders.cache_folder() / "kafka", locked_jars(), print)
    for jar in jars.split(os.pathsep):
        shutil.copy(jar, context / "libs")


def main() -> None:
    """Build both and print their tags."""
    base = os.environ.get("CARE_IMAGES_BASE")
    options = [f"--build-arg=BASE={base}"] if base else []
    options += os.environ.get("CARE_IMAGES_BUILD", "").split()
    with tempfile.TemporaryDirectory(prefix="standins-") as folder:
        gather(Path(folder))
        for part, tag in IMAGES.items():
            words = ("build", f"--build-arg=PART={part}", f"--tag={tag}", *options, folder)
            subprocess.run(("docker", *words), check=True)
            print(tag)


if __name__ == "__main__":
    exits.run(main)
