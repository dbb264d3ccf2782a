"""Asks a Prometheus everything that dashboards and recording rules ask, and judges the answers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.grafana.boards import BOARDS
from deploy.grafana.live.asking import (
    Answer,
    Asking,
    Question,
    Stretch,
    label_query,
    questions,
)
from deploy.grafana.live.prometheus import Prometheus
from deploy.grafana.live.quiet_rules import QUIET_RULES
from deploy.grafana.live.verdicts import Recorded, Result, judge, rules_asked
from deploy.grafana.spec import EmptyIsGood, Silence

_RULES = "recording rules"


def inspect(server: Prometheus, folder: Path, over: Stretch) -> list[Result]:
    """Return what became of every query of the dashboards in a folder, and of every recording rule."""
    exported = server.families()
    found: list[Result] = []
    for path in sorted(folder.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        silences = declared(board["uid"])
        for question in _asked(server, board, over):
            silence = silences.get(question.title)
            found.append(judge(question, server.ask(question), silence, exported))
    return [*found, *_rules(server, over, exported)]


def declared(uid: str) -> Mapping[str, Silence | None]:
    """Return panel → what it declares; nothing for a dashboard that the code does not know."""
    return {
        panel.title: panel.silence
        for board in BOARDS
        if board.uid == uid
        for panel in board.panels()
    }


def _asked(server: Prometheus, board: Mapping[str, Any], over: Stretch) -> Iterator[Question]:
    chosen: dict[str, str] = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "custom":
            chosen[f"${variable['name']}"] = variable["current"]["value"]
        if variable["type"] == "query":
            label, selector = label_query(variable["query"])
            # As Grafana writes all of several values into a regular expression.
            values = server.label_values(label, selector)
            chosen[f"${variable['name']}"] = f"({'|'.join(values)})"
    return questions(board, chosen, over)


def _rules(server: Prometheus, over: Stretch, exported: frozenset[str]) -> Iterator[Result]:
    rules = server.recording_rules()
    recorded: dict[str, list[str]] = {}
    for rule in rules:
        recorded.setdefault(rule["name"], []).append(rule["query"])
    for rule in rules:
        question = Question(
            where=_RULES,
            title=rule["name"] + _labels(rule),
            letter="rule",
            expr=rule["query"],
            asking=Asking.RANGE,
            start=over.start,
            end=over.end,
            step=over.step,
        )
        silence = allowed(rule["name"], recorded)
        yield judge(question, _recorded(server, rule, question), silence, exported, recorded)


def allowed(name: str, recorded: Recorded) -> Silence | None:
    """Return what allows a recording rule to be empty: itself, or that it rests on one that may be."""
    own = QUIET_RULES.get(name)
    if own is not None:
        return own
    beneath = {one for expr in recorded[name] for one in rules_asked(expr, recorded)}
    inherited = [QUIET_RULES[one] for one in sorted(beneath) if one in QUIET_RULES]
    # It may rest on others besides, so that it shows something is no surprise.
    return EmptyIsGood(inherited[0].reason) if inherited else None


def _recorded(server: Prometheus, rule: Mapping[str, Any], question: Question) -> Answer:
    """Return what a rule has recorded under its name; a rule that fails is refused."""
    if rule.get("lastError"):
        return Answer(refusal=rule["lastError"])
    return server.ask(replace(question, expr=rule["name"] + _labels(rule)))


def _labels(rule: Mapping[str, Any]) -> str:
    told = ", ".join(f'{name}="{value}"' for name, value in sorted(rule.get("labels", {}).items()))
    return f"{{{told}}}" if told else ""
