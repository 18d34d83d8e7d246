"""The floor of the full stack: what scripts do that redeploy the sample app of ``tests.stack`` by hand.

All of them work on one network with servers that are up, as a resource outlives its releases, and hold the app under
the limits and locks that previewbot sets. No script knows a release, and nothing that only previewbot does is in them.

* ``Touched`` builds the one image that a push touched, starts its service beside the others, and asks for the page.
* ``Released`` runs the release hook before it does the same: this is the job that previewbot does.
* ``Rebuilt`` builds all three images from nothing, runs the hook, and starts every service anew, in its order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CalledProcessError

from tests.bench.floor import LIMITS, PAUSE, Bare, run
from tests.stack.place import Stack

IMAGES = ("web", "api", "worker")
"""The folders that are built."""
_WORD = "floor"
_POSTGRES = {"POSTGRES_USER": "app", "POSTGRES_DB": "app", "POSTGRES_PASSWORD": _WORD, "PGDATA": "/tmp/data"}
_SERVERS: dict[str, tuple[dict[str, str], Sequence[str]]] = {
    "db": (_POSTGRES, ("postgres:15",)),
    "ledger": (_POSTGRES, ("postgres:15",)),
    "cache": ({}, ("redis:7", "redis-server", "--protected-mode", "no")),
    "orders": ({}, ("softwaremill/elasticmq:1.6.16", "-Dnode-address.host=*", "-Dqueues.app.fifo=false")),
}
_VARIABLES = {
    "PORT": "8080",
    "API": "http://api:9000",
    "DATABASE_URL": f"postgresql://app:{_WORD}@db:5432/app",
    "LEDGER_URL": f"postgresql://app:{_WORD}@ledger:5432/app",
    "REDIS_URL": "redis://cache:6379/0",
    "SQS_ENDPOINT": "http://orders:9324",
    "SQS_QUEUE": "app",
    "SQS_ACCESS_KEY": "app",
    "SQS_SECRET_KEY": _WORD,
    "REGION": "us-east-1",
    "SESSION_KEY": _WORD,
}
_HEALTHY = "from urllib.request import urlopen; urlopen('http://api:9000/healthz', timeout=1)"
_PATIENCE = 60.0


class Touched(Bare):
    """The script for the one service."""

    name = "floor-touched"

    def __init__(self, stack: Stack, docker: str, folder: Path) -> None:
        super().__init__(stack.stage, docker, folder, stack.repository)
        self.kept: list[str] = []
        """What stays over a push."""

    def prepare(self, sha: str) -> None:
        """Bring up what is up before anybody pushes: the servers with their tables, and the app."""
        run(*self.docker, "network", "create", self.name)
        self.kept = [self._serve(name) for name in _SERVERS]
        self.fetch(sha)
        for each in IMAGES:
            self.build(each)
        self._until(lambda: self.migrate(sha))
        self.once("api", "seed", sha)
        self.running = self.release(sha)

    def start(self, sha: str) -> list[str]:
        """See ``Bare.start``: the others go on, and what they were started with."""
        self.build("web")
        return self.replace(sha)

    def replace(self, sha: str) -> list[str]:
        """Start the page beside what goes on."""
        self.kept, self.running = [*self.kept, *self.running[1:]], self.running[:1]
        web = self.web(sha)
        self.ask(web, sha)
        return [web]

    def release(self, sha: str) -> list[str]:
        """Start everything in its order; the page is the first that is named."""
        with ThreadPoolExecutor(2) as others:
            worker = others.submit(self.service, "worker", "work", sha)
            api = self.service("api", "serve", sha, "--network-alias=api", "-e", "PORT=9000")
            self._until(lambda: run(*self.docker, "exec", api, "python3", "-c", _HEALTHY))
            web = self.web(sha)
            self.ask(web, sha)
            return [web, api, worker.result()]

    def web(self, sha: str) -> str:
        """Start the page."""
        return self.service("web", "serve", sha, "-p", "127.0.0.1::8080")

    def service(self, image: str, task: str, sha: str, *options: str) -> str:
        """Start one service of the app; returns its container."""
        return run(*self._run("-d", *LIMITS, *options, sha=sha), f"{self.name}:{image}", "python3", "shop", task)

    def migrate(self, sha: str) -> None:
        """Run the release hook."""
        self.once("api", "migrate", sha, _VARIABLES["LEDGER_URL"])

    def once(self, image: str, task: str, sha: str, *words: str) -> None:
        """Run a command of the app to its end."""
        run(*self._run("--rm", *LIMITS[2:], sha=sha), f"{self.name}:{image}", "python3", "shop", task, *words)

    def build(self, image: str, *options: str) -> None:
        """Build one image."""
        at = ("-t", f"{self.name}:{image}", str(self.tree / image))
        run(*self.docker, "build", "-q", "--label", self.name, *options, *at)

    def end(self) -> None:
        """Leave nothing."""
        run(*self.docker, "rm", "-f", "-v", *self.kept, *self.running)
        run(*self.docker, "network", "rm", self.name)
        run(*self.docker, "image", "prune", "-af", "--filter", f"label={self.name}")

    def _run(self, *options: str, sha: str) -> Sequence[str]:
        env = [part for name, value in (_VARIABLES | {"COMMIT": sha}).items() for part in ("-e", f"{name}={value}")]
        return (*self.docker, "run", f"--network={self.name}", *env, *options)

    def _serve(self, name: str) -> str:
        variables, command = _SERVERS[name]
        env = [part for each, value in variables.items() for part in ("-e", f"{each}={value}")]
        place = (f"--network={self.name}", f"--network-alias={name}", "--user=999:999")
        return run(*self.docker, "run", "-d", *LIMITS, *place, *env, *command)

    def _until(self, attempt: Callable[[], object]) -> None:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                attempt()
            except CalledProcessError:
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE)
            else:
                return


class Released(Touched):
    """The script that migrates."""

    name = "floor-released"

    def start(self, sha: str) -> list[str]:
        """See ``Bare.start``."""
        self.build("web")
        self.migrate(sha)
        return self.replace(sha)


class Rebuilt(Touched):
    """The script that knows no cache."""

    name = "floor-rebuilt"

    def start(self, sha: str) -> list[str]:
        """See ``Bare.start``."""
        with ThreadPoolExecutor(len(IMAGES)) as builds:
            list(builds.map(lambda each: self.build(each, "--no-cache"), IMAGES))
        self.migrate(sha)
        return self.release(sha)
