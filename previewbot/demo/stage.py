"""Everything that the main job needs on one machine, up for as long as a context lasts: real parts, and nothing left.

Where environments run (``ground``), a simulated GitHub on a real socket, and previewbot as a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from previewbot.demo import machine, sample
from previewbot.demo.base_image import NAME
from previewbot.demo.github import SimulatedGitHub
from previewbot.demo.github.state import Repository
from previewbot.demo.ground import EngineGround, Ground, Say, cluster_ground, engine_ground

_LOOPBACK = "127.0.0.1"

_CONFIG = """\
instance: {instance}
github:
  app_id: {app_id}
  private_key_file: {folder}/private-key.pem
  webhook_secret_files: [{folder}/webhook-secret]
  api_url: {github}
server: {{port: {port}, public_url: "http://localhost:{port}"}}
storage: {{folder: {folder}/state}}
previews: {{port: {door}, drain: 1s}}
worker: {{sweep_every: {sweep}}}
"""


@dataclass
class Stage:
    """What is up, and how to reach it."""

    folder: Path
    instance: str
    ground: Ground
    github: SimulatedGitHub
    repository: Repository
    port: int
    """previewbot's own port."""
    process: asyncio.subprocess.Process | None = None

    @property
    def door(self) -> int:
        """The port of the front door."""
        return self.ground.door

    @property
    def engine(self) -> str:
        """The engine, where there is one."""
        assert isinstance(self.ground, EngineGround)  # noqa: S101 - asked by what measures and kills engines alone
        return self.ground.engine

    async def things(self) -> Mapping[str, int]:
        """Count what runs of this previewbot's environments."""
        return await self.ground.things(self.instance)

    async def is_empty(self) -> bool:
        """Whether nothing of them is left."""
        return not any((await self.things()).values())

    async def start(self) -> None:
        """Start previewbot, and wait until it is ready."""
        log = (self.folder / "previewbot.log").open("ab")
        with log:
            self.process = await asyncio.create_subprocess_exec(
                *machine.dies_with_us(), sys.executable, "-m", "previewbot", "serve",
                "--config", str(self.folder / "config.yaml"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(300):
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).is_success:
                        return
                if self.process.returncode is not None:
                    break
                await asyncio.sleep(0.1)
        said = (self.folder / "previewbot.log").read_text("utf-8", "replace")
        raise RuntimeError(f"previewbot did not come up. It said:\n{said[-2000:]}")

    async def stop(self, number: int = signal.SIGTERM) -> None:
        """End previewbot by a signal, and wait for it."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)
            try:
                await asyncio.wait_for(self.process.wait(), 20)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


@asynccontextmanager
async def staged(folder: Path, *, say: Say, sweep: str = "3m", cluster: Path | None = None) -> AsyncIterator[Stage]:
    """Set everything up below ``folder``, say what is done, and take it all down again.

    ``cluster`` is the ``state.json`` of a cluster that is up, or a kubeconfig (``given``); without it, an engine is
    found, started or installed.
    """
    folder = _made(folder)
    where = cluster_ground(cluster, say) if cluster else engine_ground(folder, say, lambda: free_port(8080))
    async with where as ground:
        with listening() as listener:
            async with serving_github(folder, listener, say) as github:
                repository = await open_shop(github, ground.base)
                stage = _configured(folder, ground, github, repository, sweep)
                say("Starting previewbot")
                try:
                    await stage.start()
                    yield stage
                finally:
                    await stage.stop()
                    await ground.clear(stage.instance)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


def _configured(  # noqa: PLR0917 - each is a part of the stage
    folder: Path, ground: Ground, github: SimulatedGitHub, repository: Repository, sweep: str
) -> Stage:
    app, instance, port = github.state.app, f"demo-{secrets.token_hex(4)}", free_port(8000)
    app.hook_url = f"http://127.0.0.1:{port}/webhook"
    for name, content in (("private-key.pem", app.pem), ("webhook-secret", app.secret)):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    config = _CONFIG.format(
        instance=instance,
        app_id=app.id,
        folder=folder,
        github=github.base_url,
        port=port,
        door=ground.door,
        sweep=sweep,
    )
    (folder / "config.yaml").write_text(config + ground.config())
    ground.note(folder, instance)
    return Stage(folder, instance, ground, github, repository, port)


async def open_shop(github: SimulatedGitHub, base: str = NAME) -> Repository:
    """Make the sample app's repository, in which alice may write."""
    repository = await github.create_repository("acme/shop", sample.files(base))
    github.editable = (sample.GREETING,)
    github.allow(repository, "alice", "write")
    return repository


@asynccontextmanager
async def serving_github(
    folder: Path, listener: socket.socket, say: Say, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[SimulatedGitHub]:
    """Serve a simulated GitHub on a socket; ``transport`` is how its deliveries travel, by default plainly."""
    host, port = listener.getsockname()
    url = f"http://{'localhost' if host == _LOOPBACK else host}:{port}"
    say(f"Starting a simulated GitHub at {url}")
    github = SimulatedGitHub(folder / "github", base_url=url, transport=transport)
    server = _Server(
        uvicorn.Config(github.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield github
    finally:
        await github.hooks.aclose()
        server.should_exit = True
        server.force_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn without its signals: Ctrl-C is ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def listening(host: str = _LOOPBACK) -> Iterator[socket.socket]:
    """Take a port of an address of this machine."""
    # Only of a socket that was made for TCP does asyncio take the delay by which small answers wait for each other.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, free_port(9080) if host == _LOOPBACK else 0))
        yield listener


def free_port(wished: int) -> int:
    """The wished port of the loopback where it is free, else any that is."""
    for port in (wished, 0):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return int(tried.getsockname()[1])
    raise RuntimeError("no port of the loopback is free")
