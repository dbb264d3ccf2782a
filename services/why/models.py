"""Model files at hand, by the digest an assessment names them with.  Shell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import services.churn_predictor
from services.churn_predictor.scoring import Scorecard, UnusableModel, model_digest, read_scorecard

SHIPPED = Path(services.churn_predictor.__file__).parent / "models"
NAMED_BY = ("CARE_CHURN_PREDICTOR_MODEL", "CARE_CHURN_PREDICTOR_LAPSE_MODEL")
"""Settings of the predictor that name the files it scores with; its own module needs its packages."""


@dataclass(frozen=True, slots=True)
class Models:
    """What was found, by the SHA-256 of each file's content."""

    usable: Mapping[str, Scorecard]
    refused: Mapping[str, str]
    """Files that this version cannot use: the file's name, and why."""


def read_models(folders: Iterable[Path]) -> Models:
    """Return the models in the `.json` files of these folders, and of those that are shipped.

    Raises:
        OSError: a file or folder cannot be read.
    """
    usable: dict[str, Scorecard] = {}
    refused: dict[str, str] = {}
    for path in (path for folder in (SHIPPED, *folders) for path in sorted(folder.glob("*.json"))):
        raw = path.read_bytes()
        try:
            usable[model_digest(raw)] = read_scorecard(raw)
        except UnusableModel as error:
            refused[model_digest(raw)] = f"{path.name}: {error}"
    return Models(usable, refused)
