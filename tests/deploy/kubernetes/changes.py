"""The production overlay with every component, and with one thing changed."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache

from deploy.kubernetes.inspection.objects import Json, Manifests, Workload
from deploy.kubernetes.rendering import COMPONENTS, combined

Change = Callable[[Manifests], object]


@cache
def everything() -> Manifests:
    """Return production with every component; not to be changed."""
    return combined("production", COMPONENTS)


@cache
def bare() -> Manifests:
    """Return production without a component; not to be changed."""
    return combined("production")


def changed(change: Change, of: Callable[[], Manifests] = everything) -> Manifests:
    """Return a copy in which something was changed."""
    copy = deepcopy(of())
    change(copy)
    return copy


def at(manifests: Manifests, kind: str, name: str) -> Json:
    """Return an object that is there."""
    found = manifests.named(kind, name)
    assert found is not None, f"no {kind} {name}"
    return found


def spec(manifests: Manifests, kind: str, name: str) -> Json:
    """Return an object's specification."""
    found: Json = at(manifests, kind, name)["spec"]
    return found


def pod(manifests: Manifests, kind: str, name: str) -> Json:
    """Return the specification of a workload's pods."""
    return Workload(at(manifests, kind, name)).pod


def container(manifests: Manifests, kind: str, name: str) -> Json:
    """Return a workload's container."""
    return Workload(at(manifests, kind, name)).container


def config(manifests: Manifests, name: str) -> Json:
    """Return what a generated ConfigMap holds; its name has a suffix of ten letters."""
    found = (each for each in manifests.of("ConfigMap") if each["metadata"]["name"][:-11] == name)
    content: Json = next(found)["data"]
    return content


def environment(manifests: Manifests, kind: str, name: str, variable: str) -> Json:
    """Return the entry of a variable in a container."""
    entries: list[Json] = container(manifests, kind, name)["env"]
    return next(each for each in entries if each["name"] == variable)


def without(manifests: Manifests, kind: str, name: str) -> Manifests:
    """Return the same without one object."""
    gone = at(manifests, kind, name)
    return Manifests(tuple(each for each in manifests.objects if each is not gone))
