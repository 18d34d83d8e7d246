"""What a token opens, and what may be done with it there."""

from __future__ import annotations

from previewbot.demo.github.state import Repository, State, Token

_RANK = {"read": 1, "write": 2, "admin": 3}


def opened(state: State, text: str) -> Token | None:
    """The token that this is, unless it expired or its installation is gone."""
    found = state.tokens.get(text)
    if found is None or found.expires_at <= state.now():
        return None
    return found if state.installations.get(found.installation.owner) is found.installation else None


def reaches(state: State, token: Token, repository: Repository) -> bool:
    """Whether a token opens a repository."""
    is_meant = token.repositories is None or repository.id in token.repositories
    return is_meant and state.installation_of(repository) is token.installation


def reached(state: State, token: Token) -> list[Repository]:
    """Everything that a token opens."""
    return [each for each in state.repositories.values() if reaches(state, token, each)]


def allows(state: State, token: Token, need: str) -> bool:
    """Whether a token comes with a permission, given as ``name=level``, and the App still has it."""
    return covers(token.permissions, need) and covers(state.app.permissions, need)


def covers(permissions: dict[str, str], need: str) -> bool:
    """Whether permissions hold one at its level, given as ``name=level``, or above it."""
    name, _, level = need.partition("=")
    return level in _RANK and _RANK.get(permissions.get(name, ""), 0) >= _RANK[level]
