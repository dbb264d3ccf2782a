"""JSON Schema 2020-12 of a playbook, for editors; the committed file must equal it."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from services.contracts.problems import TIERS_OF
from services.outreach.playbook import Playbook

FILE_NAME = "schema.json"
"""Beside the playbooks, which name it in their first line."""


def schema() -> dict[str, Any]:
    """Return the schema: the model's own, and which kinds reach which tiers."""
    made = Playbook.model_json_schema()
    made["$defs"]["Trigger"]["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind.value}}},
            "then": {"properties": {"tiers": {"items": {"enum": [tier.value for tier in tiers]}}}},
        }
        for kind, tiers in TIERS_OF.items()
    ]
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": "urn:care:schema:playbook"} | made


def schema_text() -> str:
    """Return it in the form that is committed."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
