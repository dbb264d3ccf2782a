"""The manifests that are made: written, and compared with what they are made from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes.rules import prometheus_rules, rule_files
from deploy.kubernetes.topics import Layout, kafka_topics
from deploy.kubernetes.users import PRINCIPALS, kafka_users
from services.contracts.topics import TOPICS

COMPONENTS = Path(__file__).parent / "components"
TOPIC_FILE = "strimzi/topics.yaml"
USER_FILE = "strimzi/users.yaml"
RULE_FILE = "prometheus-operator/rules.yaml"

_HEAD = "# Made by `python -m deploy.kubernetes write`; do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def rendered(layout: Layout) -> dict[str, str]:
    """Return file name, below the components' folder → its text."""
    return {
        TOPIC_FILE: _HEAD + document(kafka_topics(TOPICS, layout)),
        USER_FILE: _HEAD + document(kafka_users(PRINCIPALS, layout.prefix)),
        RULE_FILE: _HEAD + document(prometheus_rules(rule_files())),
    }


def write(layout: Layout, folder: Path = COMPONENTS) -> list[str]:
    """Write what is not there as it should be; return the names of the files written."""
    changed = [name for name, text in rendered(layout).items() if _read(folder / name) != text]
    for name in changed:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rendered(layout)[name], encoding="utf-8")
    return changed


def drift(folder: Path = COMPONENTS) -> list[str]:
    """Return the names of files that are not what they are made from says."""
    return [name for name, text in rendered(Layout()).items() if _read(folder / name) != text]


def document(objects: Iterable[dict[str, Any]]) -> str:
    """Return objects as a stream of YAML documents."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
