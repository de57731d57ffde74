"""OpenID Connect: what an issuer is asked, and what of its answers is believed.

Authorization code with PKCE (RFC 7636), state and nonce (OpenID Connect Core 1.0, section 3.1). An id_token counts only
when one of the issuer's published keys signed it, for us, for this very sign-in, and not too long ago. What it is
believed for is one thing: an e-mail address that the issuer has verified.

Authlib makes the requests and checks the claims; the calls are httpx's own, as everywhere.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from billing.errors import BadInput, BillhookError
from billing.untrusted import one_line
from starter.console.sessions import Clock

DISCOVERY: Final = "/.well-known/openid-configuration"
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# With keys that only the issuer has; never a shared secret, never none.
_KEEP: Final = timedelta(hours=1)
# How long what the issuer publishes is believed without asking again; a key that it does not hold asks at once.
_LEEWAY_S: Final = 60
# Between two clocks.
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_Model = TypeVar("_Model", bound=BaseModel)
_Thing = TypeVar("_Thing")


class SignInRefused(BillhookError):
    """The sign-in elsewhere did not end in somebody that we can let in."""

    status = 403
    slug = "sign-in-refused"

    def __init__(self, detail: str, next_step: str = "begin again at the sign-in page") -> None:
        super().__init__(detail, next_step=next_step)


class IssuerAway(BillhookError):
    """The issuer did not answer, or answered what nobody can use."""

    status = 503
    slug = "issuer-unreachable"

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the OpenID issuer could not be asked: {cause}",
            next_step="try again shortly, or sign in with a token; whoever runs Billhook looks at BILLHOOK_OIDC_ISSUER",
        )


class Trip(BaseModel):
    """A sign-in that is under way at the issuer; the browser that began it keeps this, signed."""

    model_config = ConfigDict(frozen=True)

    state: str
    nonce: str
    verifier: str
    wish: str


class Published(BaseModel):
    """What we need of the issuer's discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(BaseModel):
    id_token: str
    access_token: str = ""


class _Answer(BaseModel):
    """What an id_token or the userinfo endpoint says of a person."""

    sub: str
    email: str = ""
    email_verified: bool = False


@dataclass(frozen=True)
class Client:
    """Who we are to the issuer. Without a secret we are a public client, and PKCE alone ties the code to us."""

    issuer: str
    id: str
    secret: str
    redirect_uri: str

    def __post_init__(self) -> None:
        if not self.id:
            raise BadInput("oidc_client_id", "it is missing", "set BILLHOOK_OIDC_CLIENT_ID, or no BILLHOOK_OIDC_ISSUER")
        if not _is_safe(self.issuer):
            raise BadInput("oidc_issuer", f"{self.issuer!r} is no https address", "an issuer is reached by https")


@dataclass(frozen=True)
class _Kept(Generic[_Thing]):
    it: _Thing
    until: datetime


class Issuer:
    """One issuer, asked when somebody signs in and not before."""

    def __init__(self, client: Client, http: httpx.AsyncClient, clock: Clock) -> None:
        self._client = client
        self._http = http
        self._clock = clock
        self._published: _Kept[Published] | None = None
        self._keys: _Kept[KeySet] | None = None

    def trip(self, wish: str) -> Trip:
        """A new sign-in; `wish` is where the person goes afterwards."""
        return Trip(state=generate_token(43), nonce=generate_token(43), verifier=generate_token(64), wish=wish)

    async def address(self, trip: Trip) -> str:
        """Where the browser goes to sign in. Raises IssuerAway."""
        published = await self._discovered()
        address: str = prepare_grant_uri(
            published.authorization_endpoint,
            client_id=self._client.id,
            response_type="code",
            redirect_uri=self._client.redirect_uri,
            scope="openid email",
            state=trip.state,
            nonce=trip.nonce,
            code_challenge=create_s256_code_challenge(trip.verifier),
            code_challenge_method="S256",
        )
        return address

    async def email(self, trip: Trip, code: str) -> str:
        """The verified address of who signed in on this trip. Raises SignInRefused, IssuerAway."""
        tokens = await self._exchanged(trip, code)
        person = _read(_Answer, await self._claims(trip, tokens), "id_token")
        if not person.email:
            person = await self._asked_for_email(person, tokens.access_token)
        if not person.email:
            raise SignInRefused("the issuer told no e-mail address of yours", "have it give us the scope `email`")
        if not person.email_verified:
            raise SignInRefused(f"the issuer has not verified that {one_line(person.email)} is yours")
        return person.email

    async def _exchanged(self, trip: Trip, code: str) -> _Tokens:
        published = await self._discovered()
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._client.redirect_uri, code_verifier=trip.verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        auth = ClientAuth(self._client.id, self._client.secret, self._auth_method(published))
        uri, headers, body = auth.prepare("POST", published.token_endpoint, headers, body)
        return _read(_Tokens, await self._json("POST", uri, headers=headers, content=body), "token")

    def _auth_method(self, published: Published) -> str:
        offered = published.token_endpoint_auth_methods_supported
        if not self._client.secret:
            return "none"
        return "client_secret_post" if "client_secret_basic" not in offered else "client_secret_basic"

    async def _claims(self, trip: Trip, tokens: _Tokens) -> dict[str, Any]:
        """The id_token's, all of them checked. Raises SignInRefused."""
        published = await self._discovered()
        try:
            token = await self._signed(published, tokens.id_token)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": published.issuer},
                    "aud": {"essential": True, "value": self._client.id},
                    "nonce": {"essential": True, "value": trip.nonce},
                },
                params={"nonce": trip.nonce, "client_id": self._client.id, "access_token": tokens.access_token},
            )
            claims.validate(now=int(self._clock().timestamp()), leeway=_LEEWAY_S)
        except (JoseError, ValueError) as error:
            raise SignInRefused(f"the issuer's id_token does not hold ({_named(error)})") from error
        return dict(claims)

    async def _signed(self, published: Published, id_token: str) -> jwt.Token:
        """The token, once a published key verifies it; keys that were fetched before are fetched again first."""
        allowed = [name for name in published.id_token_signing_alg_values_supported if name in _ALGORITHMS]
        known = self._keys
        try:
            return jwt.decode(id_token, await self._key_set(published), algorithms=allowed)
        except (InvalidKeyIdError, BadSignatureError):
            if known is None or self._keys is not known:
                raise
            self._keys = None
            return jwt.decode(id_token, await self._key_set(published), algorithms=allowed)

    async def _asked_for_email(self, person: _Answer, access_token: str) -> _Answer:
        """Some issuers tell an address at their userinfo endpoint alone."""
        endpoint = (await self._discovered()).userinfo_endpoint
        if not endpoint or not access_token:
            return person
        answer = await self._json("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})
        told = _read(_Answer, answer, "userinfo")
        if not hmac.compare_digest(told.sub.encode(), person.sub.encode()):
            raise SignInRefused("the issuer's userinfo is about somebody else")
        return told

    async def _discovered(self) -> Published:
        if self._published is None or self._published.until <= self._clock():
            published = _read(Published, await self._json("GET", f"{self._client.issuer}{DISCOVERY}"), "discovery")
            self._check(published)
            self._published = _Kept(published, self._clock() + _KEEP)
        return self._published.it

    def _check(self, published: Published) -> None:
        if published.issuer.rstrip("/") != self._client.issuer.rstrip("/"):
            raise IssuerAway(f"it calls itself {one_line(published.issuer)}")
        endpoints = (published.authorization_endpoint, published.token_endpoint, published.jwks_uri)
        if not all(map(_is_safe, endpoints)):
            raise IssuerAway("one of its endpoints is not reached by https")

    async def _key_set(self, published: Published) -> KeySet:
        if self._keys is None or self._keys.until <= self._clock():
            found = await self._json("GET", published.jwks_uri)
            try:
                keys = KeySet.import_key_set(found)  # type: ignore[arg-type] # whatever came, this says if it is one
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise IssuerAway("its keys cannot be read") from error
            self._keys = _Kept(keys, self._clock() + _KEEP)
        return self._keys.it

    async def _json(self, method: str, url: str, **kwargs: Any) -> dict[str, Any]:
        """Raises SignInRefused where the issuer refuses, IssuerAway where it says nothing of use."""
        try:
            response = await self._http.request(method, url, **kwargs)
            answer = response.json()
        except httpx.HTTPError as error:
            raise IssuerAway(type(error).__name__) from error
        except ValueError as error:
            raise IssuerAway(f"it answered {response.status_code} with no JSON") from error
        if response.is_client_error:
            told = answer.get("error", "") if isinstance(answer, dict) else ""
            raise SignInRefused(f"the issuer refused: {one_line(told) or response.status_code}")
        if not response.is_success or not isinstance(answer, dict):
            raise IssuerAway(f"it answered {response.status_code}")
        return answer


def _read(model: type[_Model], answer: dict[str, Any], what: str) -> _Model:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise IssuerAway(f"its {what} answer lacks {BadInput.of(error).field}") from error


def _named(error: Exception) -> str:
    """What is wrong with a token, never what is in it."""
    return str(getattr(error, "claim", "") or getattr(error, "error", "") or type(error).__name__)


def _is_safe(url: str) -> bool:
    """https, or a provider on this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )
