"""Signing as each system does, written apart from what verifies it."""

import base64
import hashlib
import hmac
from datetime import datetime

SECRET = "whsec-0123456789abcdef"
OTHER = "whsec-fedcba9876543210"


def aftership(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"aftership-hmac-sha256": _base64(raw, secret)}


def shopify(raw: bytes, topic: str = "orders/create", secret: str = SECRET) -> dict[str, str]:
    return {"x-shopify-hmac-sha256": _base64(raw, secret), "x-shopify-topic": topic}


def chatwoot(raw: bytes, when: datetime, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(when.timestamp()))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return {"x-chatwoot-timestamp": stamp, "x-chatwoot-signature": f"sha256={digest}"}


def _base64(raw: bytes, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()
