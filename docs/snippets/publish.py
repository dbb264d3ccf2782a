"""Publish one event: python publish.py event.json.  Python 3.11, nothing to install.

CARE_URL is the door, CARE_KEY the key where it asks for one.  Exit codes: 0 accepted, 1 refused (do not send
it again unchanged), 75 no answer that settles it (send the same file again later: the id is in it).
"""

import http.client
import os
import random
import sys
import time
import urllib.error
import urllib.request

URL = os.environ.get("CARE_URL", "http://127.0.0.1:8080").rstrip("/") + "/v1/events"
KEY = os.environ.get("CARE_KEY")
ATTEMPTS = int(os.environ.get("CARE_ATTEMPTS", "10"))
BACKOFF_SECONDS = float(os.environ.get("CARE_BACKOFF_SECONDS", "0.5"))
TIMEOUT_SECONDS = float(os.environ.get("CARE_TIMEOUT_SECONDS", "15"))
LONGEST_SECONDS = 60.0


def send(body: bytes) -> tuple[int, str, float]:
    """Return status (0: no answer came), body, and the seconds the door wants to be left alone."""
    headers = {"content-type": "application/cloudevents+json"}
    if KEY:
        headers["authorization"] = f"Bearer {KEY}"
    request = urllib.request.Request(URL, data=body, headers=headers, method="POST")
    try:
        return ask(request)
    except (OSError, http.client.HTTPException) as error:
        # Refused, timed out, or broken off: it may have been taken.
        return 0, type(error).__name__, 0.0


def ask(request: urllib.request.Request) -> tuple[int, str, float]:
    """Return the same of one attempt that was answered."""
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read().decode(), 0.0
    except urllib.error.HTTPError as answer:
        wait = answer.headers.get("retry-after", "")
        return answer.code, answer.read().decode(), float(wait) if wait.isdigit() else 0.0


def publish(body: bytes) -> int:
    """Send until it is settled; what is sent again is the same, under the same id."""
    for attempt in range(ATTEMPTS):
        status, told, wait = send(body)
        if 200 <= status < 300:
            print(told)
            return 0
        if 400 <= status < 500 and status not in (408, 429):
            print(f"refused ({status}): {told}", file=sys.stderr)
            return 1
        backoff = min(BACKOFF_SECONDS * 2**attempt, LONGEST_SECONDS)
        # As long as it asks for, and a little by chance: publishers must not come back all at once.
        if attempt + 1 < ATTEMPTS:
            time.sleep(min(wait, LONGEST_SECONDS) + random.uniform(0, backoff))
    print(f"not settled after {ATTEMPTS} attempts ({status or told})", file=sys.stderr)
    return 75


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python publish.py event.json")
    with open(sys.argv[1], "rb") as file:
        sys.exit(publish(file.read()))
