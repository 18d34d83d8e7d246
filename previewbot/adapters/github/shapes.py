"""GitHub's JSON, as far as previewbot reads it: every field that may be null or missing is allowed to be."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

FullName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
"""``owner/name``: it becomes part of a path, so nothing else may be in it."""


class Shape(BaseModel):
    """Reads what it knows and ignores the rest."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Account(Shape):
    """A user, an organisation or an App's bot."""

    login: str
    type: str = "User"


class RepositoryShape(Shape):
    """A repository in a listing or behind a branch."""

    id: int
    full_name: FullName
    clone_url: str = ""


class Repositories(Shape):
    """One page of an installation's repositories."""

    repositories: list[RepositoryShape]


class Installation(Shape):
    """One place where the App is installed."""

    id: int
    suspended_at: datetime | None = None


class Token(Shape):
    """A short-lived installation token. Its text never shows it."""

    token: str = Field(repr=False)
    expires_at: datetime


class Label(Shape):
    """A label on a pull request."""

    name: str


class Branch(Shape):
    """One side of a pull request."""

    ref: str
    sha: str
    repo: RepositoryShape | None = None


class Pull(Shape):
    """A pull request; a listing leaves ``merged`` out."""

    number: int
    state: str
    title: str | None = None
    user: Account | None = None
    draft: bool | None = False
    merged: bool | None = None
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    labels: list[Label] = []
    head: Branch
    base: Branch


class ChangedFile(Shape):
    """A file that a pull request changes."""

    filename: str
    previous_filename: str | None = None


class AppReference(Shape):
    """The App that something was done by."""

    id: int | None = None


class Comment(Shape):
    """A comment on a pull request."""

    id: int
    body: str | None = None
    user: Account | None = None
    performed_via_github_app: AppReference | None = None


class DeploymentShape(Shape):
    """A deployment."""

    id: int
    payload: dict[str, Any] | str | None = None
    """What whoever made it said of it; anybody else's may have any form."""
    performed_via_github_app: AppReference | None = None


class DeploymentStatusShape(Shape):
    """A status of a deployment."""

    state: str


class PermissionShape(Shape):
    """What a person may do; ``role_name`` is finer, ``permission`` is older and never a custom role."""

    permission: str = "none"
    role_name: str | None = None


class DeliveryShape(Shape):
    """One attempt to hand over a webhook delivery."""

    id: int
    guid: str
    delivered_at: datetime
    status_code: int = 0


class AppShape(Shape):
    """The App itself."""

    id: int
    slug: str = ""
    html_url: str = ""
    permissions: dict[str, str] = {}
    events: list[str] = []
    installations_count: int = 0


class Problem(Shape):
    """What GitHub says of a request that it did not like."""

    message: str = ""
