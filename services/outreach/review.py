"""Everything that is wrong with a set of playbooks and their templates, at once.  Pure.

The service stops at the first fault; who writes a playbook wants to see them all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import yaml
from pydantic import ValidationError

from services.outreach.messages import Templates, Use
from services.outreach.playbook import CORRECT_THE_SAME, Playbook, corrected_twice


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where."""

    file: str
    """A playbook's file, or a template's within the templates' folder."""
    line: int | None
    """From 1; None: no single line is to blame, or it is not known."""
    place: str
    """The field, as `trigger.tiers`; of a template, for which kind of problem it is used."""
    what: str
    is_template: bool = False


def uses_of(playbooks: Iterable[Playbook]) -> Iterator[Use]:
    """Yield how these playbooks use their templates."""
    for playbook in playbooks:
        for step in playbook.steps:
            if step.template is not None:
                asks = step.survey is not None
                yield Use(step.template, playbook.trigger.kind, playbook.message_class, asks)


def review(files: Mapping[str, bytes], templates: Templates) -> tuple[Fault, ...]:
    """Return every fault of these playbooks, and of the templates that the sound ones use.

    Args:
        files: File name → its content.
        templates: Where their templates are.
    """
    sound: dict[str, Playbook] = {}
    faults: list[Fault] = []
    for file, raw in sorted(files.items()):
        try:
            text = raw.decode()
            sound[file] = Playbook.model_validate(yaml.safe_load(text))
        except ValidationError as error:
            faults += _not_a_playbook(file, text, error)
        except (yaml.YAMLError, ValueError) as error:
            faults.append(_not_yaml(file, error))
    faults += _named_twice(sound)
    faults += _corrected_twice(sound)
    faults += _of_templates(sound.values(), templates)
    return tuple(faults)


def _not_yaml(file: str, error: Exception) -> Fault:
    # Other errors than YAML's own: no UTF-8, or a date that is on no calendar.
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or " ".join(str(error).split())
    return Fault(file, mark.line + 1 if mark else None, "playbook", f"not YAML: {what}")


def _not_a_playbook(file: str, text: str, error: ValidationError) -> Iterator[Fault]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    items = error.errors(include_url=False)
    for item in items:
        place = item["loc"]
        if any(other["loc"][: len(place)] == place != other["loc"] for other in items):
            continue  # It only says that something within it is wrong.
        where = ".".join(str(part) for part in place)
        yield Fault(file, _line_at(root, place), where or "playbook", item["msg"])


def _line_at(node: yaml.Node | None, where: tuple[int | str, ...]) -> int | None:
    """Return the line of the innermost node on this way that is there."""
    line = node.start_mark.line + 1 if node else None
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == part]
            if not found:
                return line
            key, node = found[-1]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and node.value[part:]:
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _named_twice(sound: Mapping[str, Playbook]) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for file, playbook in sound.items():
        other = first.setdefault(playbook.name, file)
        if other != file:
            what = f"{other} is called {playbook.name} too, so their steps would share ids"
            yield Fault(file, None, "name", what)


def _corrected_twice(sound: Mapping[str, Playbook]) -> Iterator[Fault]:
    files = {playbook.name: file for file, playbook in sound.items()}
    for one, other in corrected_twice(sound.values()):
        what = f"{files[one.name]} and {files[other.name]} {CORRECT_THE_SAME}"
        yield Fault(files[other.name], None, "trigger.told", what)


def _of_templates(playbooks: Iterable[Playbook], templates: Templates) -> Iterator[Fault]:
    # Two steps may use one template in the same way.
    for use in dict.fromkeys(uses_of(playbooks)):
        for wrong in templates.faults(use):
            yield Fault(wrong.file, wrong.line, wrong.use, wrong.what, is_template=True)
