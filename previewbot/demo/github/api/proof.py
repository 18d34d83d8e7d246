"""What GitHub thinks of a JWT with which somebody claims to be the App. Pure, and given the time by its caller.

The sentences are those that people meet; GitHub makes no allowance for clocks that differ, which is why it tells Apps
to issue their JWTs a minute in the past:
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import jwt

from previewbot.demo.github.api.answers import Problem
from previewbot.demo.github.state import App

_LONGEST = 600
"""Seconds ahead at which a JWT may expire."""


def check(text: str, app: App, now: datetime) -> None:
    """Raise what GitHub would answer to a JWT that does not prove its sender to be this App."""
    claims, seconds = _decoded(text, app), now.timestamp()
    _check_issuer(claims.get("iss"), app)
    expires, issued = _number(claims.get("exp")), _number(claims.get("iat"))
    if expires is None or expires <= seconds:
        raise _no("'Expiration time' claim ('exp') must be a numeric value representing the future time at which "
                  "the assertion expires")  # fmt: skip
    if expires > seconds + _LONGEST:
        raise _no("'Expiration time' claim ('exp') is too far in the future")
    if issued is None or issued > seconds:
        raise _no("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")


def is_jwt(text: str) -> bool:
    """Whether somebody claims to be the App at all."""
    return text.count(".") == 2  # noqa: PLR2004 - its three parts


def _decoded(text: str, app: App) -> dict[str, Any]:
    try:
        claims = json.loads(jwt.PyJWS().decode(text, app.key.public_key(), algorithms=["RS256"]))
    except (jwt.PyJWTError, ValueError):
        claims = None
    if not isinstance(claims, dict):
        raise _no("A JSON web token could not be decoded")
    return claims


def _check_issuer(issuer: object, app: App) -> None:
    if issuer is None:
        raise _no("Missing 'issuer' claim ('iss') in assertion")
    if issuer in (app.id, str(app.id), app.client_id):
        return
    if not str(issuer).isdigit():
        raise _no("'Issuer' claim ('iss') must be an Integer")
    raise Problem(404, "Integration not found")


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _no(message: str) -> Problem:
    return Problem(401, message)
