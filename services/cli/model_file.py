"""Where a trained model goes.  The file is there at any moment, and no model is ever lost."""

import os
from pathlib import Path

from services.churn_predictor.scoring import UnusableModel, model_digest, read_scorecard
from services.kit.exits import EXIT_USAGE, leave

_DIGITS = 12
"""Of the digest, in a name: enough to tell all models of a shop apart."""


def replace_model(out: Path, text: str) -> None:
    """Write a model; another one that was there is copied beside it first.

    What was decided with the old one can so be made again (`care why`).  The copy is named by version
    and digest: whatever is there under that name is the same.
    """
    raw = text.encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    _keep_old(out, raw)
    _write(out, raw)


def _keep_old(out: Path, coming: bytes) -> None:
    try:
        raw = out.read_bytes()
        old = read_scorecard(raw)
    except (FileNotFoundError, UnusableModel):
        return
    if raw == coming:
        return
    kept = out.with_name(f"{out.stem}.{old.version}.{model_digest(raw)[:_DIGITS]}{out.suffix}")
    if not kept.exists():
        _write(kept, raw)
    elif kept.read_bytes() != raw:
        leave(f"{kept} is not the model that its name says: move it away", EXIT_USAGE)


def _write(out: Path, raw: bytes) -> None:
    # Whoever reads the file meanwhile finds the old one or the new one, never a part and never none.
    written = out.with_name(f".{out.name}.{os.getpid()}")
    written.write_bytes(raw)
    written.replace(out)
