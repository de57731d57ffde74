"""OpenID issuers on loopback: the real mock provider as a program of its own, and one that lies as a test wants it."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.stack import listening, serving, url_of

CLIENT_ID: Final = "billhook-desk"
_RUNNING: Final = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


@contextmanager
def mock_provider() -> Iterator[str]:
    """The address of a running oidc-provider-mock."""
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", "0", "--require-nonce", "true"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own words
        assert process.stderr
        try:
            found = next(filter(None, map(_RUNNING.search, process.stderr)), None)
            assert found, "the provider did not start"
            yield found[1]
        finally:
            process.terminate()


@cache
def _key() -> RSAKey:
    """One for all liars of a process: finding its primes is most of what such a test would cost."""
    return RSAKey.generate_key(2048, {"kid": "k1"})


@dataclass
class Liar:
    """An issuer whose answers a test changes. `claims` go over those of a good id_token; None takes one away."""

    url: str
    key: RSAKey = field(default_factory=_key)
    published: list[RSAKey] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    nonce: str = ""
    challenge: str = ""
    asked: list[str] = field(default_factory=list)

    def asks(self, query: dict[str, str]) -> None:
        """What a browser brings to the authorization endpoint."""
        self.nonce, self.challenge = query["nonce"], query["code_challenge"]

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _discovery(self, _: Request) -> JSONResponse:
        self.asked.append("discovery")
        good = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        return JSONResponse(good | self.discovery)

    async def _keys(self, _: Request) -> JSONResponse:
        self.asked.append("keys")
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.published or [self.key]]})

    async def _userinfo(self, _: Request) -> JSONResponse:
        return JSONResponse(self.userinfo)

    async def _token(self, request: Request) -> JSONResponse:
        form = parse_qs((await request.body()).decode())
        told = form.get("client_secret", ["Basic" if "authorization" in request.headers else "none"])
        self.asked.append(f"token by {told[0]} of {form.get('client_id', [''])[0]}")
        if self._s256(form["code_verifier"][0]) != self.challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": "at", "token_type": "Bearer", "id_token": self._id_token()})

    def _id_token(self) -> str:
        now = int(time.time())
        good = {
            "iss": self.url,
            "sub": "dana",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "email": "dana@acme.example",
            "email_verified": True,
        }
        told = {name: value for name, value in (good | self.claims).items() if value is not None}
        header = {"alg": self.algorithm, "kid": "k1"}
        signed = ".".join(_b64(json.dumps(part).encode()) for part in (header, told))
        if self.algorithm == "none":
            return f"{signed}."
        if self.algorithm == "HS256":
            # The old trick: the public key, which everybody has, taken for a shared secret.
            return f"{signed}.{_b64(hmac.digest(self.key.as_pem(private=False), signed.encode(), 'sha256'))}"
        return jwt.encode(header, told, self.key, algorithms=[self.algorithm])

    @staticmethod
    def _s256(verifier: str) -> str:
        return _b64(hashlib.sha256(verifier.encode()).digest())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@asynccontextmanager
async def lying() -> AsyncIterator[Liar]:
    """A running Liar, honest until told otherwise."""
    listener = listening()
    liar = Liar(url_of(listener))
    config = uvicorn.Config(liar.app(), access_log=False, log_level="warning", timeout_graceful_shutdown=2)
    async with serving(uvicorn.Server(config), listener):
        yield liar
