"""The ``buildctl`` command: how it reaches a BuildKit, and in which surroundings it runs.

It gets a home of its own, which is gone after the build, and hardly any environment: of the operator's secrets it knows
the registry's login alone, which stands in a file that nobody else can read, never in an argument.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from previewbot.adapters.building import leash
from previewbot.adapters.buildkit.answers import OPERATOR
from previewbot.adapters.buildkit.login import Login
from previewbot.adapters.processes import end, start
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

_CHECK_LIMIT = 10.0
_KEPT = 400
_CERTIFICATES = "certificates"


class Way(Protocol):
    """How a BuildKit is reached just now."""

    @property
    def address(self) -> str:
        """As ``buildctl --addr`` takes it."""

    @property
    def trouble(self) -> str | None:
        """What was in the way, where more is known than ``buildctl`` sees."""


class Tunnel(Protocol):
    """Leads to a BuildKit that cannot be reached directly."""

    def open(self) -> AbstractAsyncContextManager[Way]:
        """Open a way there; raises ``Transient`` or ``Refused``."""


@dataclass(frozen=True, slots=True)
class Direct:
    """The way to what can be reached."""

    address: str
    trouble: None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """Files with which both sides prove who they are."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def arguments(self) -> list[str]:
        """Name them."""
        named = {"--tlscacert": self.ca, "--tlscert": self.certificate, "--tlskey": self.key}
        return [part for name, file in named.items() if file for part in (name, str(file.absolute()))]


@dataclass(frozen=True, slots=True)
class Kit:
    """One BuildKit, at ``unix://…``, ``tcp://…`` or ``docker-container://…``; with a tunnel, anywhere."""

    address: str
    program: str = "buildctl"
    tls: Tls = Tls()
    tunnel: Tunnel | None = None

    @asynccontextmanager
    async def reached(self) -> AsyncIterator[Way]:
        """Reach it for as long as the context lasts; raises ``Transient`` or ``Refused``."""
        if self.tunnel is None:
            yield Direct(self.address)
            return
        async with AsyncExitStack() as stack:
            try:
                way = await stack.enter_async_context(self.tunnel.open())
            except Transient as error:
                raise Transient(f"BuildKit at {self.address} cannot be reached: {error}") from error
            yield way

    def command(self, way: Way | None = None) -> list[str]:
        """How every call begins; ``Refused`` where there is no ``buildctl``."""
        path = shutil.which(self.program)
        if path is None:
            said = f"previewbot's machine has no `{self.program}` command: {OPERATOR} has to install BuildKit's client."
            raise Refused(Reason.RUNTIME_REFUSED, said)
        return [*leash(), path, "--addr", way.address if way else self.address, *self.tls.arguments()]

    def environment(self, home: Path) -> dict[str, str]:
        """The whole environment of a call whose home is ``home``."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "DOCKER_CONFIG": str(home),
            "SSL_CERT_DIR": f"/etc/ssl/certs:{home / _CERTIFICATES}",
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
        }

    async def check(self) -> str:
        """Describe it in a line; ``Transient`` where it does not answer, ``Refused`` where it cannot be called."""
        async with self.reached() as way:
            return await self._ask(way)

    async def _ask(self, way: Way) -> str:
        process = await start(
            *self.command(way),
            "debug",
            "workers",
            env=self.environment(Path("/nonexistent")),
            folder=Path(),
            stderr=subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_CHECK_LIMIT):
                said = await process.stdout.read() if process.stdout else b""
                await process.wait()
        except TimeoutError:
            raise Transient(f"BuildKit at {self.address} does not answer within {_CHECK_LIMIT:g} s.") from None
        finally:
            await end(process)
        text = " ".join(said.decode("utf-8", "replace").split())
        if process.returncode:
            raise Transient(f"BuildKit at {self.address} cannot be reached: {way.trouble or text[-_KEPT:]}")
        return f"BuildKit at {self.address} for {text.rpartition(' ')[2]}"


def furnish(home: Path, host: str, login: Login | None, ca_file: Path | None) -> None:
    """Make a home for a call: the login for one registry, and what certificates to trust besides."""
    auths = {host: {"auth": login.basic}} if login else {}
    config = home / "config.json"
    with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump({"auths": auths}, out)
    if ca_file:
        (home / _CERTIFICATES).mkdir()
        shutil.copyfile(ca_file, home / _CERTIFICATES / "registry.pem")
