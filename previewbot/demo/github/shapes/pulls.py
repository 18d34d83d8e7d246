"""Pull requests, their two sides, and their labels."""

from __future__ import annotations

from previewbot.demo.github.shapes.accounts import Json, node, time
from previewbot.demo.github.shapes.repositories import Repositories
from previewbot.demo.github.state import Pull, Repository


class Pulls(Repositories):
    """Writes pull requests."""

    def pull(self, repository: Repository, pull: Pull, *, full: bool = True) -> Json:
        """A pull request; a listing's leaves out what only ``full`` ones have."""
        url = f"{self.base}/repos/{repository.full_name}/pulls/{pull.number}"
        issue = f"{self.base}/repos/{repository.full_name}/issues/{pull.number}"
        head = self.state.repositories.get(pull.head_repository or 0)
        made: Json = {
            "id": pull.id,
            "node_id": node("PullRequest", pull.id),
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
            "user": self.by(pull.author),
            "body": None,
            "labels": [self.label(name) for name in pull.labels],
            "milestone": None,
            "active_lock_reason": None,
            "created_at": time(pull.created_at),
            "updated_at": time(pull.created_at),
            "closed_at": time(pull.closed_at),
            "merged_at": time(pull.merged_at),
            "merge_commit_sha": None,
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._side(pull.head_ref, pull.sha, head),
            "base": self._side(pull.base_ref, pull.commits[0], repository),
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
                "merged_by": self.by(pull.author) if pull.merged_at else None,
                "comments": len(pull.comments),
                "review_comments": 0,
                "maintainer_can_modify": False,
                "commits": len(pull.commits),
                "additions": 1,
                "deletions": 1,
                "changed_files": 1,
            }
        return made

    def _side(self, ref: str, sha: str, repository: Repository | None) -> Json:
        """One side; GitHub says ``unknown repository`` of a fork that was deleted."""
        owner = repository.owner if repository else None
        return {
            "label": f"{owner or 'unknown repository'}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.by(owner) if owner else None,
            "repo": self.repository(repository) if repository else None,
        }

    def label(self, name: str) -> Json:
        """A label."""
        return {
            "id": abs(hash(name)) % 10**9,
            "node_id": node("Label", len(name)),
            "url": f"{self.base}/labels/{name}",
            "name": name,
            "color": "ededed",
            "default": False,
            "description": None,
        }
