"""Repositories, and the files in a change of them."""

from __future__ import annotations

from previewbot.demo.github.shapes.accounts import Accounts, Json, node, time
from previewbot.demo.github.state import Commit, Repository

_LISTINGS = (
    "forks", "keys", "collaborators", "teams", "hooks", "issue_events", "events", "assignees", "branches", "tags",
    "blobs", "git_tags", "git_refs", "trees", "statuses", "languages", "stargazers", "contributors", "subscribers",
    "subscription", "commits", "git_commits", "comments", "issue_comment", "contents", "compare", "merges",
    "archive", "downloads", "issues", "pulls", "milestones", "notifications", "labels", "releases", "deployments",
)  # fmt: skip
"""What a repository has URLs of."""


class Repositories(Accounts):
    """Writes repositories."""

    def repository(self, repository: Repository, *, full: bool = False) -> Json:
        """A repository; by itself, it has a few more fields than inside of something else."""
        url = f"{self.base}/repos/{repository.full_name}"
        name = repository.full_name.split("/")[1]
        return {
            "id": repository.id,
            "node_id": node("Repository", repository.id),
            "name": name,
            "full_name": repository.full_name,
            "private": True,
            "owner": self.account(self.state.account(repository.owner)),
            "html_url": f"{self.base}/{repository.full_name}",
            "description": None,
            "fork": repository.is_fork,
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
            "custom_properties": {},
            **({"network_count": 0, "subscribers_count": 0} if full else {}),
        }

    def pushed(self, repository: Repository) -> Json:
        """A repository as the event of a push shows it, which is older than the others."""
        made = self.repository(repository)
        owner = made["owner"] | {"name": repository.owner, "email": None}
        return made | {"owner": owner, "master_branch": "main", "stargazers": 0}

    def brief(self, repository: Repository) -> Json:
        """A repository, as events of installations name it."""
        return {
            "id": repository.id,
            "node_id": node("Repository", repository.id),
            "name": repository.full_name.split("/")[1],
            "full_name": repository.full_name,
            "private": True,
        }

    def commit(self, repository: Repository, commit: Commit) -> Json:
        """A commit, as the event of its push tells of it."""
        person = {
            "name": commit.author,
            "email": f"{commit.author}@users.noreply.example.com",
            "username": commit.author,
        }
        return {
            "id": commit.sha,
            "tree_id": commit.tree,
            "distinct": True,
            "message": commit.message,
            "timestamp": time(commit.at),
            "url": f"{self.base}/{repository.full_name}/commit/{commit.sha}",
            "author": person,
            "committer": person,
            "added": [],
            "removed": [],
            "modified": list(commit.paths),
        }

    def file(self, path: str) -> Json:
        """A file that a pull request changes."""
        return {
            "sha": "1" * 40,
            "filename": path,
            "status": "modified",
            "additions": 1,
            "deletions": 1,
            "changes": 2,
            "blob_url": f"{self.base}/blob",
            "raw_url": f"{self.base}/raw",
            "contents_url": f"{self.base}/contents",
        }
