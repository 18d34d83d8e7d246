"""Comments and reactions, and a pull request as the issue that it also is."""

from __future__ import annotations

from previewbot.demo.github.shapes.accounts import Json, node, time
from previewbot.demo.github.shapes.apps import Apps
from previewbot.demo.github.shapes.pulls import Pulls
from previewbot.demo.github.state import Comment, Pull, Reaction, Repository

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


class Comments(Pulls, Apps):
    """Writes what people and Apps say."""

    def comment(self, repository: Repository, pull: Pull, comment: Comment) -> Json:
        """A comment on a pull request."""
        issue = f"{self.base}/repos/{repository.full_name}/issues"
        return {
            "id": comment.id,
            "node_id": node("IssueComment", comment.id),
            "url": f"{issue}/comments/{comment.id}",
            "html_url": f"{self.base}/{repository.full_name}/pull/{pull.number}#issuecomment-{comment.id}",
            "issue_url": f"{issue}/{pull.number}",
            "body": comment.body,
            "user": self.by(comment.author),
            "created_at": time(comment.created_at),
            "updated_at": time(comment.updated_at),
            "author_association": "NONE",
            "performed_via_github_app": self.app(self.state.app) if comment.author == self.state.app.bot else None,
            "reactions": self.reactions(f"{issue}/comments/{comment.id}/reactions"),
        }

    def issue(self, repository: Repository, pull: Pull) -> Json:
        """A pull request as the issue that it also is."""
        home, page = (
            f"{self.base}/repos/{repository.full_name}",
            f"{self.base}/{repository.full_name}/pull/{pull.number}",
        )
        url, other = f"{home}/issues/{pull.number}", f"{home}/pulls/{pull.number}"
        return {
            "id": pull.issue_id,
            "node_id": node("Issue", pull.issue_id),
            "url": url,
            "html_url": page,
            "repository_url": home,
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "timeline_url": f"{url}/timeline",
            "number": pull.number,
            "state": pull.state,
            "title": pull.title,
            "user": self.by(pull.author),
            "labels": [self.label(name) for name in pull.labels],
            "comments": len(pull.comments),
            "locked": False,
            **dict.fromkeys(("assignee", "milestone", "body", "active_lock_reason", "performed_via_github_app"), None),
            "assignees": [],
            "author_association": "CONTRIBUTOR",
            "created_at": time(pull.created_at),
            "updated_at": time(pull.created_at),
            "closed_at": time(pull.closed_at),
            "draft": pull.draft,
            "state_reason": None,
            "pull_request": {
                "url": other,
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": time(pull.merged_at),
            },
            "reactions": self.reactions(f"{url}/reactions"),
        }

    def reactions(self, url: str) -> Json:
        """How many reactions there are; nobody here reads it."""
        return {"url": url, "total_count": 0, **dict.fromkeys(REACTIONS, 0)}

    def reaction(self, reaction: Reaction) -> Json:
        """A reaction."""
        return {
            "id": reaction.id,
            "node_id": node("Reaction", reaction.id),
            "user": self.by(reaction.author),
            "content": reaction.content,
            "created_at": time(reaction.created_at),
        }
