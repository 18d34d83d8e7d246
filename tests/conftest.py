"""What every test may ask for; each fixture lives in the module of ``tests/fixtures`` that its topic names."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long one example takes says more of the machine than of the code.
settings.register_profile("previewbot", deadline=None)
settings.load_profile("previewbot")

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
