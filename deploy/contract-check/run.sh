#!/bin/sh
# What publishers rely on, held against the official validators, and every snippet run.  `make contract-check`
# calls it from the root of the checkout; PYTHON names the interpreter.  Exit code 75: something is not installed.
set -eu

python="${PYTHON:-.venv/bin/python}"
here="deploy/contract-check"
missing=""
for program in node npm java javac curl; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
if [ -n "$missing" ]; then
    echo "contract-check needs$missing: install Node.js 20 or later (with npm), a JDK from 11 on, and curl;" \
        "\`make check\` needs none of them" >&2
    exit 75
fi
major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
if [ "$major" -lt 20 ]; then
    echo "contract-check needs Node.js 20 or later, and this is $(node --version)" >&2
    exit 75
fi

echo "== validators"
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
npm --prefix "$here" ci --no-fund --no-audit

echo "== AsyncAPI"
node "$here/asyncapi.mjs" services/contracts/asyncapi.json

echo "== OpenAPI"
git ls-files --cached --others --exclude-standard -- 'services/*openapi.json' | while read -r document; do
    "$here/node_modules/.bin/redocly" lint --config "$here/redocly.yaml" "$document"
done

echo "== compared with what was released"
"$python" -m services.contracts compare

echo "== snippets"
CARE_SNIPPETS=python,curl,node,java "$python" -m pytest tests/component/ingest/test_snippets.py
