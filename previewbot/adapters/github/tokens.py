"""Proof of who we are: the App's own JWT, and one short-lived token per installation, each fetched once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import TypeAdapter

from previewbot.adapters.github.client import Answer, Client, Request
from previewbot.adapters.github.credentials import AppCredentials
from previewbot.adapters.github.shapes import Token
from previewbot.adapters.github.weather import complaint, is_rate_limit
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason
from previewbot.ports import Clock

_AHEAD = timedelta(minutes=10)
"""A token is replaced this long before it expires: whoever got one can still finish a fetch with it."""
_JWT_LIFE = timedelta(minutes=9)
"""GitHub takes ten minutes at most; one is left to clocks that differ."""
_JWT_BACKDATE = timedelta(seconds=60)

_TOKEN = TypeAdapter(Token)


class InstallationGone(Transient):
    """The App was uninstalled or suspended there: whoever knows where it is installed should look again."""


@dataclass(slots=True)
class _Signed:
    text: str
    renew_at: datetime


class Tokens:
    """Gives out tokens; many callers that need the same one at once cause one request."""

    def __init__(self, credentials: AppCredentials, *, client: Client, clock: Clock) -> None:
        """Neither reads nor checks the key yet."""
        self._credentials = credentials
        self._client = client
        self._clock = clock
        self._signed: _Signed | None = None
        self._accepted = False
        self._tokens: dict[int, Token] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, installation: int) -> str:
        """Give a token of an installation that lasts for ten more minutes; ``InstallationGone`` if there is none."""
        async with self._locks[installation]:
            token = self._tokens.get(installation)
            if token is None or token.expires_at - _AHEAD <= self._clock.now():
                token = self._tokens[installation] = await self._fetch(installation)
            return token.token

    def drop(self, installation: int, token: str) -> None:
        """Forget a token that GitHub no longer takes, unless it was replaced meanwhile."""
        known = self._tokens.get(installation)
        if known is not None and known.token == token:
            del self._tokens[installation]

    async def as_app(self, request: Request, *, allow: tuple[int, ...] = ()) -> Answer:
        """Send a request as the App itself.

        A key that GitHub has never taken is ``Refused``; one that worked before is ``Transient``, for then GitHub is
        unwell or a clock has jumped.
        """
        answer = await self._client.send(request, self._sign())
        if _is_unproven(answer):
            self._signed = None
            raise self._unproven(complaint(answer.response))
        self._accepted = self._accepted or answer.response.is_success
        return self._client.check(answer, allow)

    async def as_installation(self, installation: int, request: Request) -> Answer:
        """Send a request as an installation, once more with a new token where the old one is not taken.

        Any status but 401 is an answer; a token that GitHub gave and does not take is ``Transient``.
        """
        token = await self.of(installation)
        answer = await self._client.send(request, token)
        if answer.status != httpx.codes.UNAUTHORIZED:
            return answer
        self.drop(installation, token)
        answer = await self._client.send(request, await self.of(installation))
        return self._client.check(answer) if answer.status == httpx.codes.UNAUTHORIZED else answer

    async def _fetch(self, installation: int) -> Token:
        request = Request("POST", f"app/installations/{installation}/access_tokens")
        answer = await self.as_app(request, allow=(httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND))
        if is_rate_limit(answer.response):
            self._client.check(answer)
        if not answer.response.is_success:
            self._tokens.pop(installation, None)
            raise InstallationGone(f"installation {installation} is not there any more: {complaint(answer.response)}")
        return answer.read(_TOKEN)

    def _sign(self) -> str:
        now = self._clock.now()
        if self._signed is None or self._signed.renew_at <= now:
            issued = now - _JWT_BACKDATE
            claims = {"iss": str(self._credentials.app_id), "iat": issued, "exp": now + _JWT_LIFE}
            try:
                text = jwt.encode(claims, _opened(self._credentials.private_key), algorithm="RS256")
            except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
                raise Refused(Reason.INTERNAL, "the App's private key is not a PEM file as GitHub makes it") from None
            self._signed = _Signed(text, now + _JWT_LIFE / 2)
        return self._signed.text

    def _unproven(self, said: str) -> Transient | Refused:
        message = f"GitHub does not accept the App's key: {said}"
        if self._accepted:
            return Transient(message)
        return Refused(Reason.INTERNAL, f"{message}. Check the App's id, its private key and this machine's clock")


def _is_unproven(answer: Answer) -> bool:
    """Whether GitHub does not take us for the App; an id that no App has is a 404 like any other but for its words."""
    if answer.status == httpx.codes.NOT_FOUND:
        return complaint(answer.response) == "Integration not found"
    return answer.status == httpx.codes.UNAUTHORIZED


@lru_cache(maxsize=1)
def _opened(pem: str) -> RSAPrivateKey:
    """Read a key: checking its primes takes longer than a hundred deliveries, and the door waits meanwhile."""
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("GitHub makes RSA keys")
    return key
