"""What every test may ask for; each fixture lives in the module of ``tests/fixtures`` that its topic names."""

from __future__ import annotations

import gc
import sys

import pytest
import structlog
from hypothesis import settings

# How long one example takes says more of the machine than of the code. `make check` asks for the quick profile.
settings.register_profile("previewbot", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("previewbot")

# What no test set up would show every variable beside each traceback, which takes longer than most tests.
_PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])

# httpx looks for it at every request to an application within this process, which takes longer than the request.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

pytest_plugins = [
    "tests.fixtures.api_server",
    "tests.fixtures.aws",
    "tests.fixtures.caddy",
    "tests.fixtures.cluster",
    "tests.fixtures.engine",
    "tests.fixtures.github",
    "tests.fixtures.kubernetes",
    "tests.fixtures.postgres",
    "tests.fixtures.registry",
    "tests.fixtures.buildkit_pod",
    "tests.fixtures.buildkit",  # after those that it imports, or their assertions would say less
    "tests.fixtures.guarded",  # the same
    "tests.fixtures.previewbot_image",
    "tests.fixtures.repositories",
    "tests.fixtures.store",
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what stays for the whole run: it took a tenth of all time to look at it."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
