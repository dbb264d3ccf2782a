"""Environment ↔ settings: every variable is read, every required one is there, every value is taken."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from unittest.mock import patch

from pydantic import ValidationError

from deploy.kubernetes.inspection.objects import Json, Manifests, Workload
from deploy.kubernetes.inspection.programs import PROGRAMS, Program

ANYWHERE = "0.0.0.0"  # noqa: S104 - a pod is reached by its own address
_OF_SPANS = "OTEL_"
"""How variables begin that OpenTelemetry reads, in every service."""
_OF_PORTS = {
    "http": ("CARE_INGEST", "CARE_CHURN_PREDICTOR", "CARE_OUTREACH", "CARE_METRICS"),
    "api": ("CARE_OUTREACH_API",),
    "pages": ("CARE_OUTREACH_PAGES",),
}
"""Port → how the settings begin that say where it is."""


def faults(manifests: Manifests) -> Iterator[str]:
    """Yield where environment and settings do not fit."""
    shared = _shared(manifests)
    for workload in manifests.ours():
        program = _program(workload)
        if program is None:
            yield f"{workload}: runs what is not known"
            continue
        try:
            environment = manifests.environment(workload)
        except KeyError as error:
            yield f"{workload}: ConfigMap {error} is not there"
            continue
        found = [
            *_unknown(workload, program, manifests, shared),
            *_missing(program, environment),
            *_refused(program, environment),
            *_files(workload, program, environment),
            *_ports(workload, environment),
        ]
        yield from (f"{workload}: {each}" for each in found)
    yield from _read_by_nobody(manifests, shared)


def is_of_kafka(variable: str) -> bool:
    """Return whether a variable is about how Kafka is spoken to: those secrets come from whoever runs it."""
    return variable.startswith("KAFKA_")


def is_of_ours(variable: str) -> bool:
    """Return whether it is about anything else."""
    return not is_of_kafka(variable)


def secrets(manifests: Manifests, counts: Callable[[str], bool]) -> set[tuple[str, str]]:
    """Return each secret and key that a setting names through the file it is mounted as.

    Args:
        manifests: Where to look.
        counts: Whether a variable is looked at.
    """
    found = set()
    for workload in manifests.ours():
        program, environment = _program(workload), manifests.environment(workload)
        paths = frozenset[str]() if program is None else program.paths
        for name in filter(counts, paths & environment.keys()):
            path = PurePosixPath(environment[name])
            volume = _volume_at(workload, path.parent)
            if volume is not None and "secret" in volume:
                found.add((str(volume["secret"]["secretName"]), path.name))
    return found


def _program(workload: Workload) -> Program | None:
    return PROGRAMS.get(tuple(workload.container.get("args") or ()))


def _shared(manifests: Manifests) -> frozenset[str]:
    """Return the ConfigMaps that several read: not each reads all of it."""
    readers = Counter(name for each in manifests.ours() for name in _sources(each))
    return frozenset(name for name, times in readers.items() if times > 1)


def _sources(workload: Workload) -> list[str]:
    sources: list[Json] = workload.container.get("envFrom") or []
    return [each["configMapRef"]["name"] for each in sources if "configMapRef" in each]


def _unknown(
    workload: Workload, program: Program, manifests: Manifests, shared: frozenset[str]
) -> Iterator[str]:
    given = {each["name"] for each in workload.container.get("env") or ()}
    for source in _sources(workload):
        config = manifests.named("ConfigMap", source)
        if source not in shared and config is not None:
            given |= config.get("data", {}).keys()
    unread = (name for name in sorted(given - program.known) if not name.startswith(_OF_SPANS))
    yield from (f"does not read {name}" for name in unread)


def _read_by_nobody(manifests: Manifests, shared: frozenset[str]) -> Iterator[str]:
    for source in sorted(shared):
        config = manifests.named("ConfigMap", source) or {}
        programs = [_program(each) for each in manifests.ours() if source in _sources(each)]
        known = frozenset[str]().union(*(each.known for each in programs if each))
        for name in sorted(config.get("data", {}).keys() - known):
            if name.startswith(_OF_SPANS):
                continue
            yield f"ConfigMap {source}: nobody reads {name}"


def _missing(program: Program, environment: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(program.required(environment) - environment.keys()):
        yield f"needs {name}"


def _refused(program: Program, environment: Mapping[str, str]) -> Iterator[str]:
    """The settings are read as the service reads them."""
    for part in program.parts:
        if part.is_wanted(environment) and part.required <= environment.keys():
            with patch.dict(os.environ, environment, clear=True):
                try:
                    part.settings()
                except ValidationError as error:
                    yield from (
                        f"does not take {'.'.join(map(str, e['loc']))}: {e['msg']}"
                        for e in error.errors()
                    )


def _files(workload: Workload, program: Program, environment: Mapping[str, str]) -> Iterator[str]:
    named: dict[str, set[str]] = {}
    for variable in sorted(program.paths & environment.keys()):
        path = PurePosixPath(environment[variable])
        # A file lies in what is mounted; a folder may be it.
        volume = _volume_at(workload, path) or _volume_at(workload, path.parent)
        if volume is None:
            yield f"{variable} names {path}, where nothing is mounted"
        else:
            named.setdefault(volume["name"], set()).add(variable)
        if volume is not None and variable in program.secrets and "secret" not in volume:
            yield f"{variable} names what is secret, and {path} is in no secret"
    yield from _mounted(workload, named)


def _mounted(workload: Workload, named: Mapping[str, set[str]]) -> Iterator[str]:
    """What may be missing is for who has it to name: on the command line, or in an overlay's ConfigMap."""
    always = {each["name"] for each in workload.container.get("env") or ()}
    for volume in workload.pod.get("volumes", ()):
        if "secret" not in volume:
            continue
        name, is_optional = volume["secret"]["secretName"], volume["secret"].get("optional", False)
        variables = named.get(volume["name"], set())
        if is_optional and variables & always:
            yield f"secret {name} may be missing, and a setting names it"
        if not is_optional and not variables:
            yield f"secret {name} is mounted and no setting names it"


def _volume_at(workload: Workload, folder: PurePosixPath) -> Json | None:
    mounts = {
        PurePosixPath(each["mountPath"]): each["name"]
        for each in workload.container.get("volumeMounts", ())
    }
    name = next((mounts[each] for each in (folder, *folder.parents) if each in mounts), None)
    volumes: list[Json] = workload.pod.get("volumes", [])
    claims: list[Json] = workload.spec.get("volumeClaimTemplates", [])
    there = {each["name"]: each for each in volumes}
    there |= {each["metadata"]["name"]: {"name": each["metadata"]["name"]} for each in claims}
    return there.get(name or "")


def _ports(workload: Workload, environment: Mapping[str, str]) -> Iterator[str]:
    """A port that is opened is the one that the program was told, on an address that others reach."""
    for port, prefixes in _OF_PORTS.items():
        told = {each for prefix in prefixes if (each := environment.get(f"{prefix}_PORT"))}
        opened = workload.ports.get(port)
        if told and told != {str(opened)}:
            yield f"port {port} is {opened}, and the settings say {' and '.join(sorted(told))}"
        if opened is not None and not told:
            yield f"port {port} is opened, and no setting says so"
        for prefix in prefixes:
            if f"{prefix}_PORT" in environment and environment.get(f"{prefix}_HOST") != ANYWHERE:
                yield f"{prefix}_HOST lets nobody in"
