"""What only the tests of the Docker adapter need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest

from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.labels import Names

Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def digests(base_image: str) -> Mapping[str, str]:
    return {"base": base_image}


@pytest.fixture
def names(instance: str) -> Names:
    return Names(instance)


@pytest.fixture
def run_in(engine: Engine) -> Run:
    """Run a command in a container: exit code and output."""

    async def run(container: str, *command: str) -> tuple[int, str]:
        def ask(client: object) -> tuple[int, str]:
            made = client.exec_create(container, list(command))["Id"]  # type: ignore[attr-defined]
            said = client.exec_start(made)  # type: ignore[attr-defined]
            return client.exec_inspect(made)["ExitCode"], said.decode()  # type: ignore[attr-defined]

        return await engine.call(ask)

    return run
