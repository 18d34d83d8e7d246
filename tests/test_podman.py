"""Podman instead of Docker, through its own socket: the contract of the builder, and the main job from end to end.

``python -m tests.podman tests/contract -k docker`` tries all of it: Podman's own timing fails some of these at times.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WANTED = ("tests/contract/test_builder.py", "tests/demo/test_story.py")


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_podman_builds_and_runs_the_main_job() -> None:
    command = (sys.executable, "-m", "tests.podman", "-q", "-m", "engine", "-k", "docker or story", *WANTED)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
