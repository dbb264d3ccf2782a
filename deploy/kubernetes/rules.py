"""The rule files of deploy/prometheus as objects of the Prometheus Operator."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

PROMETHEUS = Path(__file__).parents[1] / "prometheus"


def rule_files(folder: Path = PROMETHEUS) -> list[Path]:
    """Return the files of recording rules, then those of alerts."""
    return [*sorted(folder.glob("rules/*.yml")), *sorted(folder.glob("alerts/*.yml"))]


def prometheus_rules(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield a PrometheusRule for each file, its groups as they stand in it."""
    for path in files:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"care-{path.parent.name}-{path.stem}"},
            "spec": {"groups": content["groups"]},
        }
