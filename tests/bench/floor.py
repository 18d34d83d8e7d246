"""The floor of push-to-URL: what a shell script does that redeploys the sample app, without anything around it.

Every step is a command that a script would call, and nothing else is timed. A push changes the page alone, so both
scripts build and replace the page alone:

* ``Bare``: fetch, checkout, ``docker build``, ``docker run``, ask until the commit answers.
* ``Confined`` runs it as previewbot does: on a network where it finds the API, under the limits and locks that
  previewbot sets. It keeps one network, sweeps nothing away while the clock runs, and knows no release: nothing that
  only previewbot does is in it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from previewbot.demo.github.state import Repository
from previewbot.demo.stage import Stage
from previewbot.demo.story import until
from tests.bench.origin import Origin

LIMITS = (
    "--init", "--restart=unless-stopped", "--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--memory=512m",
    "--memory-swap=512m", "--cpus=1", "--pids-limit=256", "--log-opt=max-size=5m", "--log-opt=max-file=2",
)  # fmt: skip
"""What previewbot sets, as options of ``docker run``."""


_PATIENCE = 60.0
PAUSE = 0.01
"""Seconds between two questions to the page; the same for everybody who is measured."""


def run(*command: str) -> str:
    """Run one command of a script."""
    variables = os.environ | {"DOCKER_BUILDKIT": "1"}
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Bare:
    """The script for the page alone."""

    name = "floor-bare"

    def __init__(self, stage: Stage, docker: str, folder: Path, repository: Repository | None = None) -> None:
        self.docker = (docker, "--host", stage.engine)
        self.origin = Origin.of(stage.github, repository or stage.repository)
        self.mirror, self.tree = folder / "mirror.git", folder / "tree"
        self.running: list[str] = []
        run("git", "init", "-q", "--bare", str(self.mirror))

    def deploy(self, sha: str) -> float:
        """Bring a commit up, and say how many seconds it took until it answered; older containers go afterwards."""
        began = time.monotonic()
        self.fetch(sha)
        started = self.start(sha)
        seconds = time.monotonic() - began
        self.running, gone = started, self.running
        if gone:
            run(*self.docker, "rm", "-f", *gone)
        return seconds

    def fetch(self, sha: str) -> None:
        """Lay a commit out."""
        self.origin.lay_out(sha, self.mirror, self.tree)

    def start(self, sha: str) -> list[str]:
        """Build and run what is new, and wait for the page."""
        web = self.bring_up("web", sha, "-e", "PORT=8080", "-p", "127.0.0.1::8080")
        self.ask(web, sha)
        return [web]

    def bring_up(self, service: str, sha: str, *options: str) -> str:
        """Build one service and run it; returns its container."""
        image = f"{self.name}:{service}"
        run(*self.docker, "build", "-q", "--label", self.name, "-t", image, str(self.tree / service))
        return run(*self.docker, "run", "-d", "-e", f"PREVIEWBOT_COMMIT={sha}", *options, image)

    def ask(self, web: str, sha: str) -> None:
        """Ask the page for its commit until it is this one."""
        host, _, port = run(*self.docker, "port", web, "8080").splitlines()[0].rpartition(":")
        ask(sha, host, int(port))

    def end(self) -> None:
        """Leave nothing."""
        run(*self.docker, "rm", "-f", *self.running)
        run(*self.docker, "image", "prune", "-af", "--filter", f"label={self.name}")


class Confined(Bare):
    """The script for a page that is kept apart from everything but its API."""

    name = "floor-confined"

    def __init__(self, stage: Stage, docker: str, folder: Path) -> None:
        super().__init__(stage, docker, folder)
        run(*self.docker, "network", "create", self.name)
        self.api: str | None = None

    def start(self, sha: str) -> list[str]:
        """See ``Bare.start``; the API is started once."""
        confined = (*LIMITS, f"--network={self.name}")
        if self.api is None:
            self.api = self.bring_up("api", sha, *confined, "--network-alias=api")
        web = self.bring_up(
            "web", sha, *confined, "--network-alias=web", "-e", "PORT=8080",
            "-e", "PREVIEWBOT_API_URL=http://api:9000", "-p", "127.0.0.1::8080",
        )  # fmt: skip
        self.ask(web, sha)
        return [web]

    def end(self) -> None:
        """Leave nothing."""
        self.running += [self.api] if self.api else []
        super().end()
        run(*self.docker, "network", "rm", self.name)


async def answered(stage: Stage, sha: str, host: str) -> float:
    """Say how many seconds it takes until a preview's URL answers with a commit, since the newest delivery was sent.

    It is asked once previewbot has written where the host leads: a script asks no sooner either, and whoever asks all
    the while takes time from those who build.
    """
    table = stage.folder / "state" / "routes.json"
    before = _written(table)
    await until("the switch", lambda: _written(table) != before, patience=_PATIENCE, pause=PAUSE / 5)
    await asyncio.to_thread(ask, sha, "127.0.0.1", stage.door, host)
    end = time.monotonic()
    return end - max(each.began for each in stage.github.state.attempts if each.event == "pull_request")


def _written(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


def ask(sha: str, host: str, port: int, name: str | None = None) -> None:
    """Ask until the answer is a commit, by hardly any means: whoever asks takes time from those who work."""
    end = time.monotonic() + _PATIENCE
    while _answer(host, port, name) != sha:
        if time.monotonic() > end:
            raise TimeoutError(f"{name or host} does not serve {sha} after {_PATIENCE:.0f} s")
        time.sleep(PAUSE)


def _answer(host: str, port: int, name: str | None) -> str:
    connection = HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/commit.txt", headers={"Host": name} if name else {})
        return connection.getresponse().read().decode()
    except (OSError, HTTPException):
        return ""
    finally:
        connection.close()
