"""Comments and reactions, and a pull request as the issue that it also is."""

from __future__ import annotations

from previewbot.demo.github.shapes.accounts import Json, node, time
from previewbot.demo.github.shapes.apps import Apps
from previewbot.demo.github.shapes.pulls import Pulls
from previewbot.demo.github.state import Comment, Pull, Reaction, Repository


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
        }

    def issue(self, repository: Repository, pull: Pull) -> Json:
        """A pull request as the issue that it also is."""
        url = f"{self.base}/repos/{repository.full_name}/issues/{pull.number}"
        return {
            "id": pull.id + 1,
            "node_id": node("Issue", pull.id),
            "url": url,
            "html_url": f"{self.base}/{repository.full_name}/pull/{pull.number}",
            "number": pull.number,
            "state": pull.state,
            "title": pull.title,
            "user": self.by(pull.author),
            "labels": [self.label(name) for name in pull.labels],
            "comments": len(pull.comments),
            "pull_request": {"url": url.replace("/issues/", "/pulls/")},
        }

    def reaction(self, reaction: Reaction) -> Json:
        """A reaction."""
        return {
            "id": reaction.id,
            "node_id": node("Reaction", reaction.id),
            "user": self.by(reaction.author),
            "content": reaction.content,
            "created_at": time(reaction.created_at),
        }
