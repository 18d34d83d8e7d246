"""Who claims to be the App has to prove it as GitHub wants it proven."""

from __future__ import annotations

import time
from typing import Any

from previewbot.demo.github.state import new_key
from tests.fixtures.github import Asker

UNREADABLE = "A JSON web token could not be decoded"
TOO_LONG = "'Expiration time' claim ('exp') is too far in the future"
EXPIRED = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the "
    "assertion expires"
)
UNISSUED = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"exp": 630}, 401, TOO_LONG),
    ({"exp": 86_400, "iat": 86_000}, 401, TOO_LONG),
    ({"exp": -1}, 401, EXPIRED),
    ({"exp": "soon"}, 401, EXPIRED),
    ({"exp": None}, 401, EXPIRED),
    ({"iat": 30}, 401, UNISSUED),
    ({"iat": None}, 401, UNISSUED),
    ({"iss": "somebody"}, 401, "'Issuer' claim ('iss') must be an Integer"),
    ({"iss": None}, 401, "Missing 'issuer' claim ('iss') in assertion"),
    ({"iss": "99999"}, 404, "Integration not found"),
]
"""What a JWT claims, with times in seconds from now, and the answer."""
TAKEN: list[dict[str, Any]] = [
    {"exp": 590},
    {"exp": 60},
    {"iat": -3000},
    {"iss": "12345"},
    {"iss": "Iv1.12345"},
]


def at(claims: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    return {name: now + it if isinstance(it, int) else it for name, it in claims.items()}


async def test_claims_that_github_does_not_take(ask: Asker) -> None:
    for claims, status, message in REFUSED:
        answer = await ask("GET", "/app", token=ask.signed(**at(claims)))
        assert (answer.status_code, answer.json()["message"]) == (status, message), claims
        assert answer.json()["documentation_url"].startswith("https://docs.github.com/")


async def test_claims_that_it_takes(ask: Asker) -> None:
    for claims in TAKEN:
        assert (await ask("GET", "/app", token=ask.signed(**at(claims)))).status_code == 200, claims


async def test_another_key_no_jwt_and_nothing_at_all_prove_nothing(ask: Asker) -> None:
    for token in (ask.signed(new_key()), "no.jwt.atall", "ghs_something", ""):
        answer = await ask("GET", "/app", token=token)
        assert (answer.status_code, answer.json()["message"]) == (401, UNREADABLE)


async def test_a_token_proves_no_app_and_a_jwt_no_installation(ask: Asker) -> None:
    assert (await ask("GET", "/app", token=await ask.token())).status_code == 401
    answer = await ask("GET", "/repos/acme/shop", token=ask.signed())
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")
