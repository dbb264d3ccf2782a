#!/bin/sh
# Makes .venv with everything the locks name, or says what to type first.
#
#   sh deploy/setup/environment.sh [folder of the environment]
#
# It takes the first fitting of $PYTHON, python3.13, python3.12, python3.14, python3.11, python3.
# Everything that can be known without a download is checked before the first one.
# pip honours the usual HTTPS_PROXY, PIP_INDEX_URL, PIP_CERT and the like: nothing here unsets them.

set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
VENV=${1:-.venv}
OLDEST=11
NEWEST=14

# Run by each candidate, however old: one line, "version implementation venv libc machine headers".
# An import is tried, not assumed: Debian takes ensurepip out of Python and into a package.
PROBE='
import os, platform, sys, sysconfig
def has(name):
    try:
        __import__(name)
        return "venv" if name == "ensurepip" else "yes"
    except ImportError:
        return "no-" + name
venv = "venv" if has("venv") == "yes" and has("ensurepip") == "venv" else "no-venv"
names = " ".join(str(sysconfig.get_config_var(n)) for n in ("HOST_GNU_TYPE", "SOABI", "MULTIARCH"))
libc = "musl" if "musl" in names else "other"
header = os.path.join(sysconfig.get_path("include") or "", "Python.h")
print("%d.%d %s %s %s %s-%s %s" % (
    sys.version_info[0], sys.version_info[1], platform.python_implementation(), venv, libc,
    platform.system(), platform.machine(), "headers" if os.path.exists(header) else "no-headers"))
'

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Prints what the interpreter says of itself; fails where it does not run (pyenv leaves such shims).
probe() {
    command -v "$1" >/dev/null 2>&1 || return 1
    "$1" -c "$PROBE" 2>/dev/null
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then printf '%s' "$1"; else printf 'sudo %s' "$1"; fi
}

# Prints the command that installs packages named for: apt, dnf, apk, brew.
install_command() {
    if command -v apt-get >/dev/null 2>&1; then as_root "apt-get install -y $1"
    elif command -v dnf >/dev/null 2>&1; then as_root "dnf install -y $2"
    elif command -v brew >/dev/null 2>&1; then printf 'brew install %s' "$3"
    else printf 'install %s with this system'\''s package manager' "$2"
    fi
}

python_command() {
    if command -v uv >/dev/null 2>&1; then
        # shellcheck disable=SC2016 # the person's shell expands it, not this one
        printf '%s' 'uv python install 3.13 && make setup PYTHON="$(uv python find 3.13)"'
    else
        install_command "python3.13 python3.13-venv" "python3.13" "python@3.13"
    fi
}

# Sets FITS to why a probed candidate may not be used, or to yes.
judge() {
    # shellcheck disable=SC2086 # the probe's words
    set -- $1
    minor=${1#3.}
    case "$1" in
        3.*) if [ "$minor" -lt $OLDEST ]; then FITS=old; elif [ "$minor" -gt $NEWEST ]; then FITS=new; else FITS=yes; fi ;;
        *) FITS=old ;;
    esac
    [ "$FITS" = yes ] || return 0
    if [ "$2" != CPython ]; then FITS=implementation; elif [ "$3" != venv ]; then FITS=venv; fi
}

refuse() {
    name=$1 version=$2 reason=$3
    case "$reason" in
        old | new) stop "$name is Python $version; Python 3.$OLDEST to 3.$NEWEST is needed. Type:" "    $(python_command)" "and then make setup again; or name another one: make setup PYTHON=<path>" ;;
        implementation) stop "$name is not CPython, which some packages need. Type:" "    $(python_command)" "and then make setup again; or name another one: make setup PYTHON=<path>" ;;
        venv) stop "$name (Python $version) lacks venv or ensurepip. Type:" "    $(install_command "python$version-venv" "python$version" "python@$version")" "and then make setup again" ;;
    esac
}

# Sets CHOSEN and ANSWER, or ends with the most helpful refusal among the candidates.
choose() {
    unfit='' unfit_version='' unfit_reason=''
    for candidate in "$@"; do
        answer=$(probe "$candidate") || continue
        judge "$answer"
        if [ "$FITS" = yes ]; then CHOSEN=$candidate ANSWER=$answer; return 0; fi
        # A fitting Python that only lacks venv is one package away: it is named before any other.
        if [ -z "$unfit" ] || { [ "$FITS" = venv ] && [ "$unfit_reason" != venv ]; }; then
            unfit=$candidate unfit_version=${answer%% *} unfit_reason=$FITS
        fi
    done
    [ -z "$unfit" ] || refuse "$unfit" "$unfit_version" "$unfit_reason"
    stop "No Python was found that runs; Python 3.$OLDEST to 3.$NEWEST is needed. Type:" "    $(python_command)" "and then make setup again; or name one: make setup PYTHON=<path>"
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        probe "$PYTHON" >/dev/null || stop "PYTHON=$PYTHON does not run. Unset it, or name one that does: make setup PYTHON=<path>"
        choose "$PYTHON"
    else
        choose python3.13 python3.12 python3.14 python3.11 python3
    fi
}

# The JVM and PostgreSQL come as wheels for glibc and macOS; some packages have no arm64 wheel.
check_platform() {
    # shellcheck disable=SC2086 # the probe's words
    set -- $ANSWER
    if [ "$4" = musl ]; then
        stop "This system's C library is musl (Alpine?): PostgreSQL and the JVM come as wheels for glibc only." \
            "Use a glibc system, for example:" \
            "    docker run --rm -it -v \"\$PWD\":/care -w /care python:3.13 make setup"
    fi
    case "$5" in
        Linux-aarch64 | Linux-arm64)
            if ! command -v cc >/dev/null 2>&1 || [ "$6" != headers ]; then
                stop "On Linux arm64 some packages are compiled, and a C compiler or Python's headers are missing. Type:" \
                    "    $(install_command "gcc python$1-dev" "gcc python$1-devel" "gcc")" \
                    "and then make setup again"
            fi ;;
    esac
}

# Whether the environment that is there can be kept: it runs, it fits, it has pip, and nobody asked for another version.
reusable() {
    existing=$(probe "$VENV/bin/python") || return 1
    judge "$existing"
    [ "$FITS" = yes ] || return 1
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || return 1
    [ -z "${PYTHON:-}" ] || [ "${existing%% *}" = "${ANSWER%% *}" ]
}

make_environment() {
    if reusable; then return 0; fi
    printf 'Making %s with %s (Python %s)\n' "$VENV" "$CHOSEN" "${ANSWER%% *}"
    rm -rf "$VENV"
    "$CHOSEN" -m venv "$VENV" || stop "$CHOSEN could not make an environment in $VENV: see above."
}

install_packages() {
    printf 'Installing the locked packages into %s\n' "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt ||
        stop "The packages could not be installed: see above." \
            "Behind a proxy or with an index of your own, set HTTPS_PROXY, PIP_INDEX_URL or PIP_CERT, then make setup again."
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ||
        stop "The project itself could not be installed: see above."
}

cd "$ROOT"
find_python
check_platform
make_environment
install_packages
printf 'Ready: %s (Python %s)\n' "$VENV" "$("$VENV/bin/python" -c 'import platform; print(platform.python_version())')"
