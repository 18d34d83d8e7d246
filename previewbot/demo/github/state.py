"""What is true on the simulated GitHub: plain mutable facts, as GitHub's API names them."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def new_key() -> rsa.RSAPrivateKey:
    """Make a key as GitHub makes them for Apps."""
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Account:
    """A person, an organisation or an App's bot."""

    login: str
    id: int
    type: str = "User"


@dataclass
class App:
    """The registered App."""

    id: int
    slug: str
    hook_url: str
    secret: str
    permissions: dict[str, str]
    events: list[str]
    key: rsa.RSAPrivateKey = field(default_factory=new_key, repr=False)

    @property
    def pem(self) -> str:
        """The private key, as GitHub hands it out."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode()

    @property
    def client_id(self) -> str:
        """The other name by which the App may say who it is."""
        return f"Iv1.{self.id}"

    @property
    def bot(self) -> str:
        """The login under which it writes."""
        return f"{self.slug}[bot]"


@dataclass(frozen=True)
class Reaction:
    """What somebody thinks of a comment."""

    id: int
    author: str
    content: str
    created_at: datetime


@dataclass
class Comment:
    """A comment on a pull request."""

    id: int
    author: str
    body: str
    created_at: datetime
    updated_at: datetime
    reactions: list[Reaction] = field(default_factory=list)


@dataclass
class DeploymentStatus:
    """One status of a deployment."""

    id: int
    state: str
    environment_url: str
    log_url: str
    created_at: datetime


@dataclass
class Deployment:
    """A deployment of one commit to an environment."""

    id: int
    sha: str
    ref: str
    environment: str
    created_at: datetime
    payload: Any = field(default_factory=dict)
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(frozen=True)
class Commit:
    """What somebody pushed."""

    sha: str
    tree: str
    message: str
    author: str
    at: datetime
    paths: tuple[str, ...]


@dataclass
class Pull:
    """A pull request."""

    id: int
    number: int
    title: str
    author: str
    head_ref: str
    base_ref: str
    commits: list[str]
    created_at: datetime
    head_repository: int | None
    """The id of the repository it comes from; ``None`` where that was deleted."""
    state: str = "open"
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    draft: bool = False
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)

    @property
    def issue_id(self) -> int:
        """The id of the issue that it also is."""
        return self.id + 10**6

    @property
    def sha(self) -> str:
        """The head commit."""
        return self.commits[-1]


@dataclass
class Repository:
    """A repository and everything in it."""

    id: int
    full_name: str
    permissions: dict[str, str] = field(default_factory=dict)
    """Login to admin, write or read."""
    pulls: dict[int, Pull] = field(default_factory=dict)
    deployments: list[Deployment] = field(default_factory=list)
    is_installed: bool = True
    """Whether it is among those that its owner's installation was given."""
    is_fork: bool = False

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.full_name.split("/")[0]


@dataclass
class Installation:
    """The App in an account: with all its permissions, on the repositories that it was given."""

    id: int
    owner: str
    is_suspended: bool = False


@dataclass
class Token:
    """A token of an installation, for all that it may do or less."""

    installation: Installation
    expires_at: datetime
    permissions: dict[str, str]
    repositories: frozenset[int] | None = None
    """Ids of the only ones that it opens."""
    text: str = field(default_factory=lambda: f"ghs_{secrets.token_urlsafe(27)}")


@dataclass
class Attempt:
    """One attempt to hand a delivery over."""

    id: int
    guid: str
    event: str
    action: str | None
    payload: dict[str, object]
    delivered_at: datetime
    status_code: int = 0
    redelivery: bool = False
    began: float = 0.0
    """When it was sent, in seconds of the monotonic clock."""
    seconds: float = 0.0

    def about(self, what: str) -> int | None:
        """The id of the installation or repository that it is about."""
        found = self.payload.get(what)
        return found["id"] if isinstance(found, dict) else None


@dataclass
class State:
    """Everything."""

    app: App
    clock: Callable[[], datetime] = now
    """The time here, in whole seconds or finer."""
    accounts: dict[str, Account] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    """Former full names."""
    tokens: dict[str, Token] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    registrations: dict[str, App] = field(default_factory=dict)
    """Apps made from a manifest whose code was not exchanged yet."""
    installations: dict[str, Installation] = field(default_factory=dict)
    """By the account that installed the App."""
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1000))

    def now(self) -> datetime:
        """The time, in whole seconds as GitHub shows it."""
        return self.clock().replace(microsecond=0)

    def account(self, login: str, type: str = "User") -> Account:
        """The account of this name, made where there is none."""
        if login not in self.accounts:
            self.accounts[login] = Account(login, next(self.ids), type)
        return self.accounts[login]

    def find(self, full_name: str) -> Repository | None:
        """The repository of this name now."""
        return next((each for each in self.repositories.values() if each.full_name == full_name), None)

    def installation_of(self, repository: Repository) -> Installation | None:
        """The installation that was given a repository, if one was."""
        return self.installations.get(repository.owner) if repository.is_installed else None

    def comment(self, repository: Repository, id: int) -> tuple[Pull, Comment] | None:
        """A comment anywhere in a repository."""
        return next(
            ((pull, each) for pull in repository.pulls.values() for each in pull.comments if each.id == id), None
        )
