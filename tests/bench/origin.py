"""Where the scripts get the source from: over HTTP and with a token, as previewbot does; nobody has GitHub's disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from previewbot.demo.github.server import SimulatedGitHub
from previewbot.demo.github.state import Repository, Token
from tests.fixtures.github import told_to_git

_LASTS = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Origin:
    """One repository, as a script fetches from it."""

    url: str
    variables: Mapping[str, str]
    """What git finds the token in."""

    @classmethod
    def of(cls, github: SimulatedGitHub, repository: Repository) -> Origin:
        """Give a script a token before anything is timed."""
        installation = github.state.installation_of(repository)
        assert installation
        token = Token(installation, github.state.now() + _LASTS, {"contents": "read"})
        github.state.tokens[token.text] = token
        url = f"{github.base_url}/{repository.full_name}.git"
        return cls(url, told_to_git(url, token.text))

    def lay_out(self, sha: str, mirror: Path, tree: Path) -> None:
        """Fetch a commit into a bare repository, and put its files into a folder that is made anew."""
        self._git(mirror, "fetch", "-q", "--depth=1", self.url, f"+{sha}:refs/heads/x")
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        self._git(mirror, f"--work-tree={tree}", "checkout", "-q", "-f", "x", "--", ".")

    def _git(self, mirror: Path, *arguments: str) -> None:
        command = ("git", f"--git-dir={mirror}", *arguments)
        subprocess.run(command, env=os.environ | dict(self.variables), check=True, capture_output=True)
