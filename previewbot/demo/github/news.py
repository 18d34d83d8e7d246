"""What the App is told: the payloads of events, sent where the App is installed."""

from __future__ import annotations

from collections.abc import Callable

from previewbot.demo.github.hooks import Hooks
from previewbot.demo.github.shapes import Json, Shapes
from previewbot.demo.github.state import Comment, Pull, Repository, State


class News:
    """Sends one delivery for each thing that happened."""

    def __init__(self, state: State, shapes: Shapes, hooks: Hooks, *, changed: Callable[[], None]) -> None:
        """``changed`` is called whenever something happened, also where nobody is told."""
        self._state, self._shapes, self._hooks, self._changed = state, shapes, hooks, changed

    def pull(self, repository: Repository, pull: Pull, action: str, **more: object) -> None:
        """Something happened to a pull request."""
        shown = self._shapes.pull(repository, pull)
        payload = {"action": action, "number": pull.number, "pull_request": shown, **more}
        self._send("pull_request", repository, payload)

    def comment(self, repository: Repository, pull: Pull, comment: Comment) -> None:
        """Somebody wrote a comment."""
        issue, shown = self._shapes.issue(repository, pull), self._shapes.comment(repository, pull, comment)
        payload = {"action": "created", "issue": issue, "comment": shown}
        self._send("issue_comment", repository, payload, by=comment.author)

    def push(self, repository: Repository, branch: str, before: str, after: str) -> None:
        """Somebody pushed to a branch."""
        self._send("push", repository, {"ref": f"refs/heads/{branch}", "before": before, "after": after})

    def renamed(self, repository: Repository) -> None:
        """A repository has another name."""
        self._send("repository", repository, {"action": "renamed"})

    def selected(self, repository: Repository) -> None:
        """The App was let into a repository."""
        self._selection(repository, "added")

    def dropped(self, repository: Repository) -> None:
        """The App was taken out of a repository."""
        self._selection(repository, "removed")

    def uninstalled(self, repositories: list[Repository]) -> None:
        """The App was taken out of everything."""
        payload = {
            "action": "deleted",
            "installation": self._shapes.installation(),
            "repositories": [self._shapes.brief(each) for each in repositories],
            "sender": self._shapes.by("alice"),
        }
        self._hooks.send("installation", payload)
        self._changed()

    def _selection(self, repository: Repository, action: str) -> None:
        changed: dict[str, list[Json]] = {"repositories_added": [], "repositories_removed": []}
        changed[f"repositories_{action}"].append(self._shapes.brief(repository))
        self._send("installation_repositories", repository, {"action": action, **changed})

    def _send(self, event: str, repository: Repository, payload: Json, *, by: str = "alice") -> None:
        whole = {
            **payload,
            "repository": self._shapes.repository(repository),
            "organization": {"login": "acme", "id": 1},
            "installation": {"id": self._state.installation, "node_id": "I_1"},
            "sender": self._shapes.by(by),
        }
        if repository.is_installed or event == "installation_repositories":
            self._hooks.send(event, whole)
        self._changed()
