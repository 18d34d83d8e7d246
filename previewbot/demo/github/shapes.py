"""The JSON of the simulated GitHub: the same objects in API answers and in webhook payloads."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from previewbot.demo.github.state import (
    Account,
    App,
    Attempt,
    Comment,
    Deployment,
    DeploymentStatus,
    Pull,
    Repository,
    State,
)

Json = dict[str, Any]


_LISTINGS = (
    "forks",
    "keys",
    "collaborators",
    "teams",
    "hooks",
    "issue_events",
    "events",
    "assignees",
    "branches",
    "tags",
    "blobs",
    "git_tags",
    "git_refs",
    "trees",
    "statuses",
    "languages",
    "stargazers",
    "contributors",
    "subscribers",
    "subscription",
    "commits",
    "git_commits",
    "comments",
    "issue_comment",
    "contents",
    "compare",
    "merges",
    "archive",
    "downloads",
    "issues",
    "pulls",
    "milestones",
    "notifications",
    "labels",
    "releases",
    "deployments",
)
"""What a repository has URLs of."""


def _time(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _node(kind: str, id: int) -> str:
    return base64.b64encode(f"{kind}:{id}".encode()).decode()


class Shapes:
    """Writes GitHub's objects; every URL in them begins with ``base``."""

    def __init__(self, base: str, state: State) -> None:
        self.base = base
        self.state = state

    def account(self, account: Account) -> Json:
        """A simple user."""
        url = f"{self.base}/users/{account.login}"
        names = (
            "followers",
            "following",
            "gists",
            "starred",
            "subscriptions",
            "organizations",
            "repos",
            "events",
            "received_events",
        )
        return {
            "login": account.login,
            "id": account.id,
            "node_id": _node("User", account.id),
            "avatar_url": f"{self.base}/avatars/{account.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.base}/{account.login}",
            **{f"{name}_url": f"{url}/{name}" for name in names},
            "type": account.type,
            "site_admin": False,
        }

    def _by(self, login: str) -> Json:
        return self.account(self.state.account(login))

    def repository(self, repository: Repository) -> Json:
        """A repository."""
        url = f"{self.base}/repos/{repository.full_name}"
        owner, name = repository.full_name.split("/")
        return {
            "id": repository.id,
            "node_id": _node("Repository", repository.id),
            "name": name,
            "full_name": repository.full_name,
            "private": True,
            "owner": self.account(self.state.account(owner, "Organization")),
            "html_url": f"{self.base}/{repository.full_name}",
            "description": None,
            "fork": False,
            "url": url,
            **{f"{each}_url": f"{url}/{each}" for each in _LISTINGS},
            "clone_url": f"{self.base}/{repository.full_name}.git",
            "git_url": f"git://invalid/{repository.full_name}.git",
            "ssh_url": f"git@invalid:{repository.full_name}.git",
            "svn_url": f"{self.base}/{repository.full_name}",
            "mirror_url": None,
            "homepage": None,
            "language": None,
            "license": None,
            "topics": [],
            "visibility": "private",
            "default_branch": "main",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "pushed_at": "2026-01-01T00:00:00Z",
            "size": 1,
            **dict.fromkeys(
                ("forks", "forks_count", "open_issues", "open_issues_count", "watchers", "watchers_count"), 0
            ),
            "stargazers_count": 0,
            **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
            **dict.fromkeys(
                ("has_pages", "archived", "disabled", "is_template", "has_discussions", "allow_forking"), False
            ),
            "web_commit_signoff_required": False,
        }

    def pull(self, repository: Repository, pull: Pull, *, full: bool = True) -> Json:
        """A pull request; a listing's leaves out what only ``full`` ones have."""
        url = f"{self.base}/repos/{repository.full_name}/pulls/{pull.number}"
        issue = f"{self.base}/repos/{repository.full_name}/issues/{pull.number}"
        head = self.state.find(pull.head_repository) if pull.head_repository else None
        made: Json = {
            "id": pull.id,
            "node_id": _node("PullRequest", pull.id),
            "url": url,
            "html_url": f"{self.base}/{repository.full_name}/pull/{pull.number}",
            "diff_url": f"{url}.diff",
            "patch_url": f"{url}.patch",
            "issue_url": issue,
            "comments_url": f"{issue}/comments",
            "commits_url": f"{url}/commits",
            "review_comments_url": f"{url}/comments",
            "review_comment_url": f"{url}/comments{{/number}}",
            "statuses_url": f"{self.base}/repos/{repository.full_name}/statuses/{pull.sha}",
            "number": pull.number,
            "state": pull.state,
            "locked": False,
            "title": pull.title,
            "user": self._by(pull.author),
            "body": None,
            "labels": [self.label(name) for name in pull.labels],
            "milestone": None,
            "active_lock_reason": None,
            "created_at": _time(pull.created_at),
            "updated_at": _time(pull.created_at),
            "closed_at": _time(pull.closed_at),
            "merged_at": _time(pull.merged_at),
            "merge_commit_sha": None,
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._side(pull.head_ref, pull.sha, head or None, pull.author),
            "base": self._side(pull.base_ref, pull.commits[0], repository, repository.full_name.split("/")[0]),
            "_links": {
                name: {"href": url}
                for name in (
                    "self",
                    "html",
                    "issue",
                    "comments",
                    "review_comments",
                    "review_comment",
                    "commits",
                    "statuses",
                )
            },
            "author_association": "CONTRIBUTOR",
            "auto_merge": None,
            "draft": pull.draft,
        }
        if full:
            made |= {
                "merged": pull.merged_at is not None,
                "mergeable": True,
                "rebaseable": True,
                "mergeable_state": "clean",
                "merged_by": self._by(pull.author) if pull.merged_at else None,
                "comments": len(pull.comments),
                "review_comments": 0,
                "maintainer_can_modify": False,
                "commits": len(pull.commits),
                "additions": 1,
                "deletions": 1,
                "changed_files": 1,
            }
        return made

    def _side(self, ref: str, sha: str, repository: Repository | None, login: str) -> Json:
        return {
            "label": f"{login}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self._by(login),
            "repo": self.repository(repository) if repository else None,
        }

    def label(self, name: str) -> Json:
        """A label."""
        return {
            "id": abs(hash(name)) % 10**9,
            "node_id": _node("Label", len(name)),
            "url": f"{self.base}/labels/{name}",
            "name": name,
            "color": "ededed",
            "default": False,
            "description": None,
        }

    def comment(self, repository: Repository, pull: Pull, comment: Comment) -> Json:
        """A comment on a pull request."""
        issue = f"{self.base}/repos/{repository.full_name}/issues"
        return {
            "id": comment.id,
            "node_id": _node("IssueComment", comment.id),
            "url": f"{issue}/comments/{comment.id}",
            "html_url": f"{self.base}/{repository.full_name}/pull/{pull.number}#issuecomment-{comment.id}",
            "issue_url": f"{issue}/{pull.number}",
            "body": comment.body,
            "user": self._by(comment.author),
            "created_at": _time(comment.created_at),
            "updated_at": _time(comment.updated_at),
            "author_association": "NONE",
            "performed_via_github_app": self.app(self.state.app) if comment.author == self.state.app.bot else None,
        }

    def issue(self, repository: Repository, pull: Pull) -> Json:
        """A pull request as the issue that it also is."""
        url = f"{self.base}/repos/{repository.full_name}/issues/{pull.number}"
        return {
            "id": pull.id + 1,
            "node_id": _node("Issue", pull.id),
            "url": url,
            "html_url": f"{self.base}/{repository.full_name}/pull/{pull.number}",
            "number": pull.number,
            "state": pull.state,
            "title": pull.title,
            "user": self._by(pull.author),
            "labels": [self.label(name) for name in pull.labels],
            "comments": len(pull.comments),
            "pull_request": {"url": url.replace("/issues/", "/pulls/")},
        }

    def app(self, app: App) -> Json:
        """The App."""
        return {
            "id": app.id,
            "node_id": _node("App", app.id),
            "slug": app.slug,
            "client_id": f"Iv1.{app.id}",
            "owner": self.account(self.state.account("acme", "Organization")),
            "name": app.slug,
            "description": None,
            "external_url": f"{self.base}/apps/{app.slug}",
            "html_url": f"{self.base}/apps/{app.slug}",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "permissions": app.permissions,
            "events": app.events,
            "installations_count": 1 if self.state.is_installed else 0,
        }

    def installation(self) -> Json:
        """The App's one installation."""
        app, owner = self.state.app, self.state.account("acme", "Organization")
        url = f"{self.base}/app/installations/{self.state.installation}"
        suspended = "2026-01-02T00:00:00Z" if self.state.is_suspended else None
        return {
            "id": self.state.installation,
            "account": self.account(owner),
            "repository_selection": "selected",
            "access_tokens_url": f"{url}/access_tokens",
            "repositories_url": f"{self.base}/installation/repositories",
            "html_url": url,
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": owner.id,
            "target_type": "Organization",
            "permissions": app.permissions,
            "events": app.events,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "single_file_name": None,
            "suspended_by": self.account(owner) if suspended else None,
            "suspended_at": suspended,
        }

    def deployment(self, repository: Repository, deployment: Deployment) -> Json:
        """A deployment."""
        url = f"{self.base}/repos/{repository.full_name}/deployments/{deployment.id}"
        return {
            "url": url,
            "id": deployment.id,
            "node_id": _node("Deployment", deployment.id),
            "sha": deployment.sha,
            "ref": deployment.ref,
            "task": "deploy",
            "payload": {},
            "original_environment": deployment.environment,
            "environment": deployment.environment,
            "description": None,
            "creator": self._by(self.state.app.bot),
            "created_at": _time(deployment.created_at),
            "updated_at": _time(deployment.created_at),
            "statuses_url": f"{url}/statuses",
            "repository_url": f"{self.base}/repos/{repository.full_name}",
            "transient_environment": True,
            "production_environment": False,
            "performed_via_github_app": None,
        }

    def status(self, repository: Repository, deployment: Deployment, status: DeploymentStatus) -> Json:
        """A deployment's status."""
        url = f"{self.base}/repos/{repository.full_name}/deployments/{deployment.id}"
        return {
            "url": f"{url}/statuses/{status.id}",
            "id": status.id,
            "node_id": _node("DeploymentStatus", status.id),
            "state": status.state,
            "creator": self._by(self.state.app.bot),
            "description": "",
            "environment": deployment.environment,
            "target_url": status.log_url,
            "created_at": _time(status.created_at),
            "updated_at": _time(status.created_at),
            "deployment_url": url,
            "repository_url": f"{self.base}/repos/{repository.full_name}",
            "environment_url": status.environment_url,
            "log_url": status.log_url,
        }

    def attempt(self, attempt: Attempt) -> Json:
        """One attempt to deliver, as the list of deliveries shows it."""
        return {
            "id": attempt.id,
            "guid": attempt.guid,
            "delivered_at": _time(attempt.delivered_at),
            "redelivery": attempt.redelivery,
            "duration": round(attempt.seconds, 2),
            "status": "OK" if 200 <= attempt.status_code < 300 else "Invalid HTTP Response",  # noqa: PLR2004
            "status_code": attempt.status_code,
            "event": attempt.event,
            "action": attempt.action,
            "installation_id": self.state.installation,
            "repository_id": None,
            "throttled_at": None,
        }
