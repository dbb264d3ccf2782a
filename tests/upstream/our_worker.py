"""The same broker through our `SliceApp`, started the way the predictor starts it."""

import os
from collections.abc import Mapping
from pathlib import Path

import faust

from services.kit.faust_slices import create_app
from services.kit.slices import Slice

TOPIC = f"{os.environ['UPSTREAM_PREFIX']}aborted"
SEEN = Path(os.environ["UPSTREAM_SEEN"])


class Host:
    """Keeps nothing; says what it was given."""

    def own(self, partitions: frozenset[int]) -> Mapping[tuple[str, int], int | None]:
        return {(TOPIC, partition): None for partition in partitions}

    def begin(self, starts: Mapping[tuple[str, int], int]) -> None:
        return None

    def disown(self) -> None:
        return None

    def work(self, piece: Slice) -> None:
        with SEEN.open("a", encoding="utf-8") as lines:
            lines.writelines(f"ours {record.offset}\n" for record in piece.records)

    def idle(self) -> None:
        return None

    def commit(self) -> None:
        return None


def main() -> None:
    app = create_app(
        f"{os.environ['UPSTREAM_PREFIX']}ours",
        os.environ["UPSTREAM_BOOTSTRAP"],
        [TOPIC],
        Host(),
        partitions=1,
        folder=SEEN.parent / "ours",
    )
    worker = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
