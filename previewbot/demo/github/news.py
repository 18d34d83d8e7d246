"""What the App is told: the payloads of events, sent where the App is installed."""

from __future__ import annotations

from collections.abc import Callable

from previewbot.demo.github.hooks import Hooks
from previewbot.demo.github.shapes import Json, Shapes
from previewbot.demo.github.state import Account, Comment, Commit, Installation, Pull, Repository, State

_BY_AUTHOR = ("opened", "synchronize")


class News:
    """Sends one delivery for each thing that happened."""

    def __init__(self, state: State, shapes: Shapes, hooks: Hooks, *, changed: Callable[[], None]) -> None:
        """``changed`` is called whenever something happened, also where nobody is told."""
        self._state, self._shapes, self._hooks, self._changed = state, shapes, hooks, changed

    def pull(self, repository: Repository, pull: Pull, action: str, **more: object) -> None:
        """Something happened to a pull request, by its author or by alice."""
        shown = self._shapes.pull(repository, pull)
        payload = {"action": action, "number": pull.number, "pull_request": shown, **more}
        self._send("pull_request", repository, payload, by=pull.author if action in _BY_AUTHOR else "alice")

    def comment(self, repository: Repository, pull: Pull, comment: Comment) -> None:
        """Somebody wrote a comment."""
        issue, shown = self._shapes.issue(repository, pull), self._shapes.comment(repository, pull, comment)
        payload = {"action": "created", "issue": issue, "comment": shown}
        self._send("issue_comment", repository, payload, by=comment.author)

    def push(self, repository: Repository, branch: str, before: str, commit: Commit) -> None:
        """Somebody pushed a commit to a branch."""
        shown = self._shapes.commit(repository, commit)
        payload = {
            "ref": f"refs/heads/{branch}",
            "before": before,
            "after": commit.sha,
            "base_ref": None,
            **dict.fromkeys(("created", "deleted", "forced"), False),
            "compare": f"{self._shapes.base}/{repository.full_name}/compare/{before[:12]}...{commit.sha[:12]}",
            "commits": [shown],
            "head_commit": shown,
            "repository": self._shapes.pushed(repository),
            "pusher": {"name": commit.author, "email": shown["author"]["email"]},
        }
        self._send("push", repository, payload, by=commit.author)

    def renamed(self, repository: Repository, old: str) -> None:
        """A repository has another name."""
        changes = {"repository": {"name": {"from": old.split("/")[1]}}}
        self._send("repository", repository, {"action": "renamed", "changes": changes})

    def transferred(self, repository: Repository, owner: Account) -> None:
        """A repository had this owner, and has another."""
        is_person = owner.type == "User"
        former = (
            {"user": self._shapes.account(owner)} if is_person else {"organization": self._shapes.organization(owner)}
        )
        changes = {"owner": {"from": former}}
        self._send("repository", repository, {"action": "transferred", "changes": changes})

    def selected(self, installation: Installation, repository: Repository, *, is_in: bool) -> None:
        """The App was let into a repository, or taken out of it, where it is installed in others."""
        brief = [self._shapes.brief(repository)]
        changed = {"repositories_added": brief if is_in else [], "repositories_removed": [] if is_in else brief}
        payload = {
            "action": "added" if is_in else "removed",
            "installation": self._shapes.installation(installation),
            "repository_selection": "selected",
            **changed,
            "requester": None,
            "sender": self._shapes.by("alice"),
        }
        self._tell("installation_repositories", payload)

    def installed(self, installation: Installation, repositories: list[Repository], *, is_in: bool) -> None:
        """The App was installed in an account, or taken out of it."""
        payload = {
            "action": "created" if is_in else "deleted",
            "installation": self._shapes.installation(installation),
            "repositories": [self._shapes.brief(each) for each in repositories],
            "requester": None,
            "sender": self._shapes.by("alice"),
        }
        self._tell("installation", payload)

    def _send(self, event: str, repository: Repository, payload: Json, *, by: str = "alice") -> None:
        """Tell of a repository, where the App is installed there."""
        installation, owner = self._state.installation_of(repository), self._state.account(repository.owner)
        if installation is None:
            self._changed()
            return
        whole = {
            "repository": self._shapes.repository(repository),
            **({"organization": self._shapes.organization(owner)} if owner.type == "Organization" else {}),
            "installation": self._shapes.installation_reference(installation),
            "sender": self._shapes.by(by),
            **payload,
        }
        self._tell(event, whole)

    def _tell(self, event: str, payload: Json) -> None:
        self._hooks.send(event, payload)
        self._changed()
