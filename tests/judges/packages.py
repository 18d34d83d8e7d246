"""What GitHub publishes about itself, installed once from npm into the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@cache
def installed() -> Path:
    """The folder of the packages; fails with the reason where they cannot be had."""
    lock = (_HERE / "package-lock.json").read_bytes()
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "previewbot"
    place = cache_folder / f"judges-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not place.exists():
        if not shutil.which("npm"):
            raise RuntimeError("npm is missing: apt-get install npm")
        cache_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder) as made:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_HERE / name, made)
            command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"npm ci failed: {done.stderr[-800:]}")
            shutil.copytree(made, place, dirs_exist_ok=True)
    return place / "node_modules" / "@octokit"


def published() -> list[tuple[str, dict[str, Any]]]:
    """Every webhook payload that GitHub publishes as an example, with its event."""
    listed = json.loads((installed() / "webhooks-examples" / "api.github.com" / "index.json").read_text())
    return [(event["name"], example) for event in listed for example in event["examples"]]


def derived() -> list[tuple[str, dict[str, Any]]]:
    """What no example shows: a pull request from a fork, a merged one, and one whose repository is gone."""
    example = next(each for name, each in published() if name == "pull_request" and each["action"] == "opened")

    def changed(**more: Any) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(json.dumps(example))
        made["pull_request"] |= more
        return made

    head = example["pull_request"]["head"]
    fork = head | {"repo": head["repo"] | {"id": 1, "full_name": "someone/fork", "fork": True}}
    return [
        ("pull_request", changed(head=fork)),
        ("pull_request", changed(head=head | {"repo": None})),
        ("pull_request", changed(merged=True, state="closed") | {"action": "closed"}),
    ]


@cache
def description() -> dict[str, Any]:
    """GitHub's own description of its API, with every reference in it resolved."""
    read: dict[str, Any] = json.loads((installed() / "openapi" / "generated" / "api.github.com.deref.json").read_text())
    return read
