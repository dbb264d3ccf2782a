"""An OIDC provider on loopback: its keys over real HTTP, and tokens as it would make them."""

import base64
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

ISSUER = "https://login.example/realms/shop"
AUDIENCE = "care-ingest"
SCOPE = "openid publish:care.order.*@/shop/*"


def signing_key(key_id: str = "k-1") -> RSAKey:
    """Return a new key."""
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig"})


def token(key: Key, at: float, algorithm: str = "RS256", **changes: Any) -> str:
    """Return a token signed by this key, good for ten minutes; None takes a claim away."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "canary-person",
        "client_id": "shop-backend",
        "iat": int(at),
        "exp": int(at) + 600,
        "scope": SCOPE,
    }
    told = {name: value for name, value in (claims | changes).items() if value is not None}
    header = {"alg": algorithm, "kid": key.kid}
    return jwt.encode(header, told, key, algorithms=[algorithm])


def resigned(text: str, header: Mapping[str, object], secret: bytes | None = None) -> str:
    """Return the token with this header, signed by HMAC with this secret, or not at all.

    No library makes such tokens of a public key any more; an attacker does.
    """
    head = _coded(json.dumps(header).encode())
    signed = f"{head}.{text.split('.')[1]}"
    seal = b"" if secret is None else hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{_coded(seal)}"


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Provider:
    """A running provider and everything a test turns."""

    url: str = ""
    keys: list[RSAKey | ECKey] = field(default_factory=list)
    asked: int = 0
    status: int = 200
    body: bytes | None = None
    """Answered instead of the keys."""

    def document(self) -> bytes:
        """Return its keys, the public halves."""
        if self.body is not None:
            return self.body
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()


@contextmanager
def provider(*keys: RSAKey | ECKey) -> Iterator[Provider]:
    """Yield a provider that is up."""
    found = Provider(keys=list(keys))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            body = found.document()
            self.send_response(found.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_address[1]}/keys"
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def bearer(text: str) -> Mapping[str, str]:
    """Return the header that shows it."""
    return {"authorization": f"Bearer {text}"}
