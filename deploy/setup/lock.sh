#!/bin/sh
# Makes the locks under requirements/ anew from pyproject.toml, for every platform, with hashes.
# Versions already locked stay; to move them, pass uv's options on: sh deploy/setup/lock.sh --upgrade

set -eu

cd "$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)"
UV=${UV:-uv}

command -v "$UV" >/dev/null 2>&1 || {
    printf '%s\n' "uv was not found. Type:" "    pip install uv" \
        "and then make lock again; or name one: make lock UV=<path>" >&2
    exit 1
}

# Prints nothing; writes one lock without any index address in it.
lock() {
    extra=$1
    shift
    UV_CUSTOM_COMPILE_COMMAND='make lock' "$UV" pip compile --quiet --universal --generate-hashes \
        --python-version 3.11 --no-emit-package proactive-care --extra "$extra" "$@" \
        --output-file "requirements/$extra.txt" pyproject.toml
}

# All of them are cut from the widest, so that a version is the same wherever it is installed.
lock dev "$@"
for extra in ingest churn-predictor outreach metrics tracing cli build demo train; do
    lock "$extra" --constraints requirements/dev.txt
done
