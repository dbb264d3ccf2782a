"""What an image holds and what it runs as, without a network: its own lock, and nothing to build with."""

import json
import tomllib
from importlib.metadata import packages_distributions

from packaging.utils import canonicalize_name

from deploy.supply_chain.locks import IMAGES, lock_of, pinned, versions
from services.cli.run import SERVICES
from services.kit.exits import EXIT_UNAVAILABLE
from tests.images import engine

pytestmark = engine.MARKS

PROJECT = "proactive-care"
PROJECT_FILE = engine.ROOT / "pyproject.toml"
VERSION: str = tomllib.loads(PROJECT_FILE.read_text(encoding="utf-8"))["project"]["version"]
SOMEBODY = 10_000
"""User ids from here on are nobody's on any node."""

ENVIRONMENT = """
import json, os, platform, sys
print(json.dumps({
    "implementation_name": sys.implementation.name, "os_name": os.name,
    "implementation_version": platform.python_version(), "platform_machine": platform.machine(),
    "platform_python_implementation": platform.python_implementation(),
    "platform_release": platform.release(), "platform_system": platform.system(),
    "platform_version": platform.version(), "python_full_version": platform.python_version(),
    "python_version": ".".join(platform.python_version_tuple()[:2]), "sys_platform": sys.platform,
}))
"""
INSTALLED = """
import importlib.metadata, json
print(json.dumps([(each.metadata["Name"], each.version) for each in importlib.metadata.distributions()]))
"""
FOUND = """
import importlib.util, json
print(json.dumps([name for name in {names!r} if importlib.util.find_spec(name)]))
"""
BUILDERS = """
import json, pathlib
words = ("pip", "cc", "gcc", "g++", "c++", "clang", "make", "cargo", "rustc")
folders = ("/usr/local", "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/opt")
files = (file for folder in folders for file in pathlib.Path(folder).rglob("*") if file.parent.name == "bin")
print(json.dumps([str(file) for file in files if file.name.rstrip("0123456789.") in words]))
"""
USER = "import json, os; print(json.dumps([os.getuid(), os.getgid(), os.getgroups()]))"


def own_command(name: str) -> tuple[str, ...]:
    """Return what an image is for, as words of `care`."""
    service = name.replace("-", "_")
    return ("run", service) if service in SERVICES else ("db",)


def strangers(name: str) -> set[str]:
    """Return modules of packages that other locks name and this one does not."""
    own = {package for package, _ in versions(lock_of(name))}
    others = {package for each in IMAGES for package, _ in versions(lock_of(each))} - own
    return {
        module
        for module, packages in packages_distributions().items()
        if {canonicalize_name(each) for each in packages} <= others and module.isidentifier()
    }


def test_it_says_what_it_is(image: str) -> None:
    done = engine.run(image, "--version")

    assert done.code == 0, done.error
    assert VERSION in done.out


def test_it_can_do_what_it_is_for(image: str, name: str) -> None:
    done = engine.run(image, *own_command(name), "--help")

    assert done.code == 0, done.error
    assert "Usage: care" in done.out


def test_it_runs_as_nobody(image: str) -> None:
    user, group, groups = json.loads(engine.python(image, USER))

    assert min(user, group, *groups) >= SOMEBODY


def test_it_holds_its_lock_and_nothing_else(image: str, name: str) -> None:
    environment: dict[str, str] = json.loads(engine.python(image, ENVIRONMENT))
    wanted = {
        (canonicalize_name(each.name), str(each.specifier).removeprefix("=="))
        for each in pinned(lock_of(name))
        if each.marker is None or each.marker.evaluate(environment)
    }
    found = {(canonicalize_name(n), v) for n, v in json.loads(engine.python(image, INSTALLED))}

    assert {each for each in found if each[0] != PROJECT} == wanted
    assert PROJECT in {each[0] for each in found}


def test_nothing_of_another_service_can_be_imported(image: str, name: str) -> None:
    names = sorted(strangers(name))
    found = json.loads(engine.python(image, FOUND.format(names=names)))

    assert not found
    # What it does have is found in the same way: else this could not fail.
    assert json.loads(engine.python(image, FOUND.format(names=["services", "click"])))


def test_every_service_lacks_something_of_another() -> None:
    lacking = {name: strangers(name) for name in IMAGES}

    assert all(lacking.values()), lacking
    assert {"faust", "rocksdict"} <= lacking["outreach"]
    assert {"sqlalchemy", "psycopg", "jinja2"} <= lacking["churn-predictor"]


def test_a_command_of_another_service_says_what_it_lacks(images: dict[str, str]) -> None:
    done = engine.run(images["metrics"], "run", "outreach")

    assert done.code == EXIT_UNAVAILABLE
    assert "pip install 'proactive-care[outreach]'" in done.error.splitlines()[-1]


def test_nothing_in_it_compiles_or_installs(image: str) -> None:
    found = json.loads(engine.python(image, BUILDERS))
    modules = ["pip", "ensurepip", "setuptools", "wheel"]

    assert not found
    assert not json.loads(engine.python(image, FOUND.format(names=modules)))


def test_it_can_write_to_its_scratch_folder_alone(image: str) -> None:
    program = "import pathlib; pathlib.Path({path!r}, 'file').write_text('word')"
    refused = engine.run(image, "-c", program.format(path="/opt/care"), entrypoint="python")
    taken = engine.run(image, "-c", program.format(path="/tmp"), entrypoint="python")

    assert refused.code == 1
    assert "Read-only file system" in refused.error or "Permission denied" in refused.error
    assert taken.code == 0, taken.error
