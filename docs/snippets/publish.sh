#!/bin/sh
# Publish one event: sh publish.sh event.json.  Needs curl.
#
# CARE_URL is the door, CARE_KEY the key where it asks for one.  Exit codes: 0 accepted, 1 refused (do not send
# it again unchanged), 75 no answer that settles it (send the same file again later: the id is in it).
set -eu

[ $# -eq 1 ] && [ -r "$1" ] || { echo "usage: sh publish.sh event.json" >&2; exit 2; }
url="${CARE_URL:-http://127.0.0.1:8080}"
attempts="${CARE_ATTEMPTS:-10}"
backoff="${CARE_BACKOFF_SECONDS:-0.5}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Read from a file: on the command line every user of the machine would see the key.
umask 077
printf 'content-type: application/cloudevents+json\n' > "$scratch/headers"
[ -z "${CARE_KEY:-}" ] || printf 'authorization: Bearer %s\n' "$CARE_KEY" >> "$scratch/headers"

attempt=0
while [ "$attempt" -lt "$attempts" ]; do
    attempt=$((attempt + 1))
    # 000: refused, timed out, or broken off; it may have been taken.
    status=$(curl --silent --max-time "${CARE_TIMEOUT_SECONDS:-15}" --header "@$scratch/headers" \
        --data-binary "@$1" --dump-header "$scratch/told" --output "$scratch/body" \
        --write-out '%{http_code}' "${url%/}/v1/events") || status=000
    case "$status" in
        2??) cat "$scratch/body"; echo; exit 0 ;;
        408 | 429) ;;
        4??) echo "refused ($status): $(cat "$scratch/body")" >&2; exit 1 ;;
    esac
    [ "$attempt" -lt "$attempts" ] || break
    wait=$(tr -d '\r' < "$scratch/told" 2>/dev/null |
        awk -F ': *' 'tolower($1) == "retry-after" && $2 ~ /^[0-9]+$/ { print $2 }' | tail -n 1) || wait=0
    # As long as it asks for, and a little by chance: publishers must not come back all at once.
    chance=$(od -An -N2 -tu2 /dev/urandom)
    sleep "$(awk -v w="${wait:-0}" -v b="$backoff" -v n="$attempt" -v r="$chance" 'BEGIN {
        w = w > 60 ? 60 : w; s = b * 2 ^ (n - 1); s = s > 60 ? 60 : s; printf "%.3f", w + s * r / 65536 }')"
    : > "$scratch/told"
done
echo "not settled after $attempts attempts ($status)" >&2
exit 75
